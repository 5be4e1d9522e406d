"""Linear dynamics: a nonlinear system whose flow is `g⁻¹ ∘ e^{Lt} ∘ g`, at any time."""

from linearizer.applications.linear_dynamics.accuracy import ForecastError
from linearizer.applications.linear_dynamics.control import ControlledDynamics, Regulator
from linearizer.applications.linear_dynamics.gaussian import GaussianForecast
from linearizer.applications.linear_dynamics.improvement import ImprovedFeedback
from linearizer.applications.linear_dynamics.kalman import Estimate, estimate
from linearizer.applications.linear_dynamics.model import LinearDynamics
from linearizer.applications.linear_dynamics.modes import Modes
from linearizer.applications.linear_dynamics.trajectories import Trajectories, read_trajectories

__all__ = [
    "ControlledDynamics",
    "Estimate",
    "ForecastError",
    "GaussianForecast",
    "ImprovedFeedback",
    "LinearDynamics",
    "Modes",
    "Regulator",
    "Trajectories",
    "estimate",
    "read_trajectories",
]
