"""Modular style transfer: the model, its styles, what they have in common, and what they did."""

from linearizer.applications.style_transfer.analysis import SharedBasis
from linearizer.applications.style_transfer.files import Style
from linearizer.applications.style_transfer.model import PLAIN, StyleTransfer
from linearizer.applications.style_transfer.record import Record
from linearizer.applications.style_transfer.steps import Step

__all__ = ["PLAIN", "Record", "SharedBasis", "Step", "Style", "StyleTransfer"]
