"""Modular style transfer: the model, what its styles have in common, and how they are fitted."""

from linearizer.applications.style_transfer.analysis import SharedBasis
from linearizer.applications.style_transfer.files import Style
from linearizer.applications.style_transfer.model import PLAIN, StyleTransfer

__all__ = ["PLAIN", "SharedBasis", "Style", "StyleTransfer"]
