"""The applications, each made of the core."""

from linearizer.applications.conditional_flow import ConditionalFlow
from linearizer.applications.idempotent_generator import Decomposition, IdempotentGenerator
from linearizer.applications.linear_dynamics import LinearDynamics
from linearizer.applications.one_step_flow import OneStepFlow
from linearizer.applications.style_transfer import Record, Step, Style, StyleTransfer

__all__ = [
    "ConditionalFlow",
    "Decomposition",
    "IdempotentGenerator",
    "LinearDynamics",
    "OneStepFlow",
    "Record",
    "Step",
    "Style",
    "StyleTransfer",
]
