"""The paper's way to train styles: one number per channel, from a network of the style."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from linearizer.applications import StyleTransfer
from linearizer.training.objectives.style_matching import Lessons, StyleMatching


class HypernetworkStyleTraining(StyleMatching):
    """Trains the paper's operators: one number per channel, from a network of the style.

    `A_s = diag(h(s))`, where h is a small perceptron of the style's place on [0, 1], as in the
    script that goes with arXiv:2510.08570: 48 numbers a style. `resolve` writes them into the
    model as ordinary operators.
    """

    def __init__(
        self,
        model: StyleTransfer,
        lessons: Sequence[Lessons],
        steps: int,
        learning_rate: float = 2e-3,
    ) -> None:
        super().__init__(model, lessons, steps, learning_rate)
        channels = model.g_x.out_shape[0]
        self.network = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, channels))

    def numbers(self, style: int) -> Tensor:
        """The diagonal of A_s; near the identity at the start."""
        place = style / max(len(self.model.names) - 1, 1)
        index = next(self.network.parameters()).new_full((1,), place)
        numbers: Tensor = 1 + self.network(index)
        return numbers

    def operate(self, style: int, z: Tensor) -> Tensor:
        """The diagonal operator of a style on latents."""
        return self.numbers(style)[:, None, None] * z

    @torch.no_grad()
    def resolve(self) -> None:
        """Write what the network makes into the model's operators."""
        size = self.model.g_x.out_shape[1:]
        for s, name in enumerate(self.model.names):
            kernel = torch.diag(self.numbers(s))[..., None, None]
            self.model.add(name, self.model.kind(kernel, size))
