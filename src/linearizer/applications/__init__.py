"""What Linearizers are for."""

from linearizer.applications.one_step_flow import OneStepFlow

__all__ = ["OneStepFlow"]
