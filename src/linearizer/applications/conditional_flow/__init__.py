"""Conditional one-step flows: a class is an operator, as a style is."""

from linearizer.applications.conditional_flow.components import Kind, directions_between
from linearizer.applications.conditional_flow.model import ConditionalFlow, Label

__all__ = ["ConditionalFlow", "Kind", "Label", "directions_between"]
