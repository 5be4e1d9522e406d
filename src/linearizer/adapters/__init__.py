"""Bijections g and operators A of other libraries.

Nothing of these libraries is imported: you bring their objects.
"""

from linearizer.adapters.freia import FrEIABijection
from linearizer.adapters.gpytorch import GPyTorchOperator
from linearizer.adapters.normflows import NormflowsBijection
from linearizer.adapters.third_party import ThirdPartyBijection
from linearizer.adapters.transforms import TransformBijection, ZukoBijection

__all__ = [
    "FrEIABijection",
    "GPyTorchOperator",
    "NormflowsBijection",
    "ThirdPartyBijection",
    "TransformBijection",
    "ZukoBijection",
]
