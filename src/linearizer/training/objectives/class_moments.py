"""Moments of the latents of each class, while g moves."""

import math

import torch
from torch import Tensor, nn

from linearizer.estimation import GaussianMixture


class ClassMoments(nn.Module):
    """Count, sum and second moments of the latents of each class, as moving averages.

    All are multiplied by `exp(-N / window)` for every N images that come; `refresh` renews of
    them, in float64 and in closed form, `mixture`: the density under which g is trained. The
    shrinkage matters more here than for samples: moments that fit the training images too well
    give an image's own class some nats that no held-out image gets.

    All numbers are buffers, so an interrupted training resumes with them.

    Args:
        classes: K.
        n: Length of the latents.
        rank: Directions of its own that each class has, at most n.
        window: Images that the averages remember.
        shrinkage: α, images that the covariance within classes counts for; 4 n if not given.

    Example:
        >>> import torch
        >>> from linearizer.training.objectives.class_moments import ClassMoments
        >>> moments, labels = ClassMoments(2, 3, rank=3, shrinkage=1.0), torch.arange(200) % 2
        >>> z = torch.randn(200, 3) + 9.0 * labels[:, None]
        >>> moments.update(z, labels)
        >>> moments.refresh()
        >>> bool((moments.mixture.log_joints(z).argmax(1) == labels).all())
        True
    """

    def __init__(
        self,
        classes: int,
        n: int,
        rank: int = 32,
        window: float = 60_000,
        shrinkage: float | None = None,
    ) -> None:
        super().__init__()
        self.rank, self.window = min(rank, n), window
        self.shrinkage = 4.0 * n if shrinkage is None else shrinkage
        self.count = nn.Buffer(torch.zeros(classes, dtype=torch.float64))
        self.sum = nn.Buffer(torch.zeros(classes, n, dtype=torch.float64))
        self.second = nn.Buffer(torch.zeros(classes, n, n, dtype=torch.float64))
        self.mixture = GaussianMixture(
            torch.eye(n),
            torch.zeros(classes, n),
            torch.zeros(n, classes, self.rank),
            torch.ones(classes, self.rank),
            torch.ones(classes),
            torch.full((classes,), 1 / classes),
        )

    @torch.no_grad()
    def update(self, z: Tensor, labels: Tensor) -> None:
        """Take in latents (N, n) of classes (N,)."""
        decay = math.exp(-len(z) / self.window)
        for moment in (self.count, self.sum, self.second):
            moment.mul_(decay)
        for c in labels.unique().tolist():
            rows = z[labels == c].double()
            self.count[c] += len(rows)
            self.sum[c] += rows.sum(0)
            self.second[c].addmm_(rows.mT, rows)

    @torch.no_grad()
    def refresh(self) -> None:
        """Renew the mixture from the averages; a class without images waits for some."""
        means = self.sum / self.count.clamp_min(1e-12)[:, None]
        scatters = self.second - self.sum[:, :, None] * means[:, None, :]
        made = GaussianMixture.from_moments(self.count, means, scatters, self.rank, self.shrinkage)
        for mine, new in zip(self.mixture.buffers(), made.buffers(), strict=True):
            mine.copy_(new)
