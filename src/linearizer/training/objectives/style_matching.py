"""Training bijections and styles together, to do what teachers do."""

import abc

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from linearizer.applications import StyleTransfer
from linearizer.training.objectives.optimization import CosineTraining


class StyleMatching(CosineTraining, abc.ABC):
    """Lowers `|g_y⁻¹(A_s g_x(x)) - y_s|²` over contents x, styles s and the teachers' y_s.

    Each content of a batch meets one style; batches carry the contents' numbers as labels, by
    which their targets are found.

    Args:
        model: With all styles; trained in place.
        targets: Bytes (styles, contents, C, H, W) in the order of `model.names`.
        steps: Steps of the whole run, for the decay of the learning rate.
        learning_rate: Peak learning rate.
    """

    def __init__(
        self, model: StyleTransfer, targets: Tensor, steps: int, learning_rate: float = 2e-3
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay=0.0)
        self.model, self.targets = model, targets

    @abc.abstractmethod
    def operate(self, style: int, z: Tensor) -> Tensor:
        """The operator of style number `style` on latents (B, c, h, w)."""

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The mean squared error of a batch, every style on its share of it."""
        x, number = batch
        z = self.model.g_x(x)
        latents, truth = [], []
        for s in range(len(self.model.names)):
            share = slice(s, None, len(self.model.names))
            latents.append(self.operate(s, z[share]))
            truth.append(self.targets[s, number[share].cpu()])
        made = self.model.g_y.inverse(torch.cat(latents))
        loss = mse_loss(made, torch.cat(truth).to(made) / 127.5 - 1)
        self.log("loss", loss, sync_dist=True)
        return loss


class StyleTraining(StyleMatching):
    """Trains the bijections together with the operators that the model has."""

    def operate(self, style: int, z: Tensor) -> Tensor:
        """The operator of style number `style` on latents (B, c, h, w)."""
        return self.model.operator(self.model.names[style])(z)


class HypernetworkStyleTraining(StyleMatching):
    """Trains the paper's operators: one number per channel, from a network of the style.

    `A_s = diag(h(s))`, where h is a small perceptron of the style's place on [0, 1], as in the
    script that goes with arXiv:2510.08570: 48 numbers a style. `resolve` writes them into the
    model as ordinary operators.
    """

    def __init__(
        self, model: StyleTransfer, targets: Tensor, steps: int, learning_rate: float = 2e-3
    ) -> None:
        super().__init__(model, targets, steps, learning_rate)
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
