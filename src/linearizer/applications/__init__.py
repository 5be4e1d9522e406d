"""The applications of the paper, each made of the core."""

from linearizer.applications.one_step_flow import OneStepFlow
from linearizer.applications.style_transfer import Style, StyleTransfer

__all__ = ["OneStepFlow", "Style", "StyleTransfer"]
