"""Operators of time: generators, A(t), flows exact or by steps, the collapse of samplers."""

from linearizer.flows.covariance_flow import CovarianceFlow, PrincipalCovarianceFlow, SpectralFlow
from linearizer.flows.generator import (
    ConservativeGenerator,
    FreeGenerator,
    Generator,
    StableGenerator,
)
from linearizer.flows.integration import METHODS, Method, collapse, integrate
from linearizer.flows.low_rank_hypernetwork import LowRankHypernetwork
from linearizer.flows.time_dependent import TimeDependentOperator

__all__ = [
    "METHODS",
    "ConservativeGenerator",
    "CovarianceFlow",
    "FreeGenerator",
    "Generator",
    "LowRankHypernetwork",
    "Method",
    "PrincipalCovarianceFlow",
    "SpectralFlow",
    "StableGenerator",
    "TimeDependentOperator",
    "collapse",
    "integrate",
]
