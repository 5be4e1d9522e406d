"""Bijections of other libraries as g: nothing of them is imported, you bring the objects."""

from linearizer.adapters.foreign import ForeignBijection
from linearizer.adapters.freia import FrEIABijection
from linearizer.adapters.normflows import NormflowsBijection
from linearizer.adapters.transforms import TransformBijection, ZukoBijection

__all__ = [
    "ForeignBijection",
    "FrEIABijection",
    "NormflowsBijection",
    "TransformBijection",
    "ZukoBijection",
]
