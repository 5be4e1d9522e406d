"""Bijections g and operators A of other libraries.

Nothing of these libraries is imported: you bring their objects.
"""

from linearizer.adapters.foreign import ForeignBijection
from linearizer.adapters.freia import FrEIABijection
from linearizer.adapters.gpytorch import GPyTorchOperator
from linearizer.adapters.normflows import NormflowsBijection
from linearizer.adapters.transforms import TransformBijection, ZukoBijection

__all__ = [
    "ForeignBijection",
    "FrEIABijection",
    "GPyTorchOperator",
    "NormflowsBijection",
    "TransformBijection",
    "ZukoBijection",
]
