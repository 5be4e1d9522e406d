"""Training linear dynamics by exact roll-outs: any time is one step, so no solver is needed."""

import torch
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.errors import RangeError
from linearizer.training.objectives.optimization import CosineTraining


class RollOutTraining(CosineTraining):
    """Trains g and L so that `g⁻¹(e^{L(t-s)} g(x_s)) = x_t` at random pairs of times s < t.

    The loss is the mean of the squared errors, each entry of the states in units of its scale.
    Padded entries count like all others: they are trained to stay zero, so that forecasts can go
    on from forecasts.

    Args:
        model: The dynamics; trained in place.
        scale: The unit of each entry of a state, (n,), such as the standard deviations of data.
        steps: Steps of the whole run, for the decay of the learning rate.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.

    Raises:
        RangeError: If a scale is not positive.
    """

    scale: Tensor

    def __init__(
        self,
        model: LinearDynamics,
        scale: Tensor,
        steps: int,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        if not bool((scale > 0).all()):
            raise RangeError("expected positive scales, got one of zero or below; use 1 for it")
        self.model = model
        self.register_buffer("scale", scale)

    def loss(self, before: Tensor, after: Tensor, elapsed: Tensor) -> Tensor:
        """The mean squared error of states (N, n) forecast from states (N, n) over times (N,)."""
        z = self.model.g(before)
        moved = (self.model.generator.propagators(elapsed) @ z.unsqueeze(-1)).squeeze(-1)
        return ((self.model.g.inverse(moved) - after) / self.scale).square().mean()

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """The loss of a batch of pairs."""
        loss = self.loss(*batch)
        self.log("loss", loss, sync_dist=True)
        return loss

    @torch.no_grad()
    def measure(self, batch: tuple[Tensor, ...]) -> float:
        """The loss of pairs that are held out."""
        before, after, elapsed = (part.to(self.scale.device) for part in batch)
        return float(self.loss(before, after, elapsed))
