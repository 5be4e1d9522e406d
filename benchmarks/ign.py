"""A plain idempotent generative network, the peer: idempotent because a loss asks for it.

Source: Shocher, Dravid, Gandelsman, Mosseri, Rubinstein, Efros, arXiv:2311.01462: an autoencoder
of DCGAN's shape, with reconstruction, idempotence and tightness losses as in its section 2.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from linearizer.training.objectives.optimization import CosineTraining

RECONSTRUCTION, IDEMPOTENCE, TIGHTNESS, CLAMP = 20.0, 20.0, 2.5, 1.5  # the paper's


class IGNLosses(NamedTuple):
    """The parts of the loss, weighted."""

    reconstruction: Tensor
    idempotence: Tensor
    tightness: Tensor

    def total(self) -> Tensor:
        """Their sum."""
        return self.reconstruction + self.idempotence + self.tightness


class IGN(nn.Module):
    """Images (N, 1, 28, 28) to images: convolutions down to a vector, and up again."""

    def __init__(self, width: int = 32, latent: int = 256) -> None:
        super().__init__()
        w = width
        self.layers = nn.Sequential(
            nn.Conv2d(1, w, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(w, 2 * w, 4, 2, 1),
            nn.GroupNorm(8, 2 * w),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * w, latent, 7),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(latent, 2 * w, 7),
            nn.GroupNorm(8, 2 * w),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * w, w, 4, 2, 1),
            nn.GroupNorm(8, w),
            nn.ReLU(),
            nn.ConvTranspose2d(w, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """f(x)."""
        out: Tensor = self.layers(x)
        return out


class IGNTraining(CosineTraining):
    """Lowers |f(x) - x|, |f(f(z)) - f(z)| in the inner f, and raises the latter in the outer f."""

    def __init__(self, f: IGN, steps: int, learning_rate: float = 1e-3) -> None:
        super().__init__(steps, learning_rate, weight_decay=0.0)
        self.f = f

    def losses(self, x: Tensor) -> IGNLosses:
        """The losses of a batch, with noise drawn anew."""
        z = torch.randn_like(x)
        frozen = copy.deepcopy(self.f).requires_grad_(False)
        fz = self.f(z)
        reconstruction = l1_loss(self.f(x), x)
        idempotence = l1_loss(frozen(fz), fz)
        inner = fz.detach()
        tightness = -l1_loss(self.f(inner), inner)
        bound = CLAMP * reconstruction.detach()
        return IGNLosses(
            RECONSTRUCTION * reconstruction,
            IDEMPOTENCE * idempotence,
            TIGHTNESS * torch.tanh(tightness / bound) * bound,
        )

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of images."""
        losses = self.losses(batch[0])
        self.log("loss", losses.total())
        return losses.total()
