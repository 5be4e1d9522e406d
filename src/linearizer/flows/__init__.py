"""Operators of time: A(t), its exact or stepwise flow, and the collapse of a sampler."""

from linearizer.flows.covariance_flow import CovarianceFlow, PrincipalCovarianceFlow, SpectralFlow
from linearizer.flows.integration import METHODS, Method, collapse, integrate
from linearizer.flows.low_rank_hypernetwork import LowRankHypernetwork
from linearizer.flows.time_dependent import TimeDependentOperator

__all__ = [
    "METHODS",
    "CovarianceFlow",
    "LowRankHypernetwork",
    "Method",
    "PrincipalCovarianceFlow",
    "SpectralFlow",
    "TimeDependentOperator",
    "collapse",
    "integrate",
]
