"""Moments of the latents of each class, while g moves."""

import math

import torch
from torch import Tensor, nn


class ClassMoments(nn.Module):
    """Weight, mean and covariance of the latents of each class, as moving averages.

    With count N_c, sum S_c and second moments Q_c of the latents of class c, all multiplied by
    `exp(-N / window)` for every N images that come, `refresh` renews in closed form, in float64,

        μ_c = S_c / N_c,      C_c = P (s_c (I - U_c U_cᵀ) + U_c diag(λ_c) U_cᵀ) Pᵀ,

    with `P Pᵀ` the covariance within classes. U_c are the `rank` directions in which the whitened
    and shrunk covariance of the class, `a I + (1 - a) P⁻¹ (Q_c / N_c - μ_c μ_cᵀ) P⁻ᵀ` with
    `a = α / (α + N_c)`, differs most from I, measured by the Kullback-Leibler divergence
    `λ - 1 - log λ`; s_c is the mean of its other eigenvalues. So a class has a covariance of its
    own where its images tell it, and that of all elsewhere, and the densities of all K classes
    cost one n × n product and K · rank more columns. The shrinkage matters more here than for
    samples: moments that fit the training images too well give an image's own class some nats
    that no held-out image gets.

    All numbers are buffers, so an interrupted training resumes with them.

    Args:
        classes: K.
        n: Length of the latents.
        rank: Directions of its own that each class has, at most n.
        window: Images that the averages remember.
        shrinkage: α, images that the covariance within classes counts for.

    Example:
        >>> import torch
        >>> from linearizer.training.objectives.class_moments import ClassMoments
        >>> moments, labels = ClassMoments(2, 3, rank=3, shrinkage=1.0), torch.arange(200) % 2
        >>> z = torch.randn(200, 3) + 9.0 * labels[:, None]
        >>> moments.update(z, labels)
        >>> moments.refresh()
        >>> bool((moments.log_joints(z).argmax(1) == labels).all())
        True
    """

    def __init__(
        self,
        classes: int,
        n: int,
        rank: int = 32,
        window: float = 60_000,
        shrinkage: float = 3000.0,
    ) -> None:
        super().__init__()
        self.rank, self.window, self.shrinkage = min(rank, n), window, shrinkage
        self.count = nn.Buffer(torch.zeros(classes, dtype=torch.float64))
        self.sum = nn.Buffer(torch.zeros(classes, n, dtype=torch.float64))
        self.second = nn.Buffer(torch.zeros(classes, n, n, dtype=torch.float64))
        self.whitening = nn.Buffer(torch.eye(n))  # P⁻¹
        self.centers = nn.Buffer(torch.zeros(classes, n))  # P⁻¹ μ_c
        self.directions = nn.Buffer(torch.zeros(n, classes, self.rank))  # U_c
        self.variances = nn.Buffer(torch.ones(classes, self.rank))  # λ_c
        self.rest = nn.Buffer(torch.ones(classes))  # s_c
        self.log_norm = nn.Buffer(torch.zeros(classes))  # log π_c - ½ log|2π C_c|

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
        """Renew the closed forms from the averages; a class without images waits for some."""
        n = self.sum.shape[1]
        seen = self.count.clamp_min(1e-12)
        means = self.sum / seen[:, None]
        scatter = self.second - seen[:, None, None] * means[:, :, None] * means[:, None, :]
        within = scatter.sum(0) / self.count.sum()
        eye = torch.eye(n, dtype=within.dtype, device=within.device)
        floor = torch.finfo(torch.float32).eps * within.diagonal().mean()
        P = torch.linalg.cholesky(within + floor * eye)
        inverse = torch.linalg.solve_triangular(P, eye, upper=False)
        self.whitening.copy_(inverse)
        self.centers.copy_(means @ inverse.mT)
        for c in range(len(self.count)):
            share = self.shrinkage / (self.shrinkage + self.count[c])
            white = inverse @ (scatter[c] / seen[c]) @ inverse.mT
            values, vectors = torch.linalg.eigh(share * eye + (1 - share) * white)
            values = values.clamp_min(torch.finfo(torch.float32).eps)
            order = (values - 1 - values.log()).argsort(descending=True)
            kept, others = order[: self.rank], order[self.rank :]
            rest = values[others].mean() if len(others) else values.new_ones(())
            self.directions[:, c] = vectors[:, kept].to(self.directions)
            self.variances[c], self.rest[c] = values[kept].to(self.rest), rest.to(self.rest)
            log_det = 2 * P.diagonal().log().sum() + values[kept].log().sum()
            log_det = log_det + len(others) * rest.log()
            weight = seen[c] / self.count.sum()
            self.log_norm[c] = weight.log() - 0.5 * (log_det + n * math.log(2 * math.pi))

    def log_joints(self, z: Tensor) -> Tensor:
        """`log π_c + log N(z; μ_c, C_c)` of latents (N, n), for every class: (N, K)."""
        white = z @ self.whitening.mT
        square = white.square().sum(1)[:, None] - 2 * white @ self.centers.mT
        square = square + self.centers.square().sum(1)
        along = (white @ self.directions.flatten(1)).unflatten(1, self.variances.shape)
        own = (along - torch.einsum("ncr,cn->cr", self.directions, self.centers)).square()
        energy = (square - own.sum(2)) / self.rest + (own / self.variances).sum(2)
        return self.log_norm - 0.5 * energy
