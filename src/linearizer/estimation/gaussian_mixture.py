"""The density of a mixture of Gaussians that share a covariance, but for a few directions each."""

import math

import torch
from torch import Tensor, nn

from linearizer.saving import Saveable


class GaussianMixture(nn.Module, Saveable):
    """A mixture of Gaussians whose covariances differ from a shared one in few directions.

        C_c = P (s_c (I - U_c U_cᵀ) + U_c diag(λ_c) U_cᵀ) Pᵀ

    with `P Pᵀ` the covariance within classes, and U_c the r directions in which class c differs
    from it most. So a class has a covariance of its own where its data tell it, and that of all
    elsewhere: moments that fit the data too well are surer of them than of new ones. The
    densities of all K classes cost one n × n product and K r more columns.

    Args:
        whitening: P⁻¹, (n, n), lower triangular.
        centers: P⁻¹ μ_c, (K, n).
        directions: U_c, (n, K, r), orthonormal for each c.
        variances: λ_c, (K, r).
        rest: s_c, (K,).
        weights: π, (K,), positive, of sum 1.

    Example:
        >>> import torch, linearizer as lz
        >>> z, labels = torch.randn(200, 3), torch.arange(200) % 2
        >>> z = z + 9.0 * labels[:, None]
        >>> moments = lz.estimation.MixtureMoments(3).update(z, labels)
        >>> mixture = moments.mixture(rank=3)
        >>> bool((mixture.log_joints(z.double()).argmax(1) == labels).all())
        True
    """

    whitening: Tensor
    centers: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor
    weights: Tensor

    def __init__(
        self,
        whitening: Tensor,
        centers: Tensor,
        directions: Tensor,
        variances: Tensor,
        rest: Tensor,
        weights: Tensor,
    ) -> None:
        super().__init__()
        # As it is in a file: products round by the order in memory.
        self.register_buffer("whitening", whitening.contiguous())
        self.register_buffer("centers", centers)
        self.register_buffer("directions", directions)
        self.register_buffer("variances", variances)
        self.register_buffer("rest", rest)
        self.register_buffer("weights", weights)

    @classmethod
    @torch.no_grad()
    def from_moments(
        cls,
        counts: Tensor,
        means: Tensor,
        scatters: Tensor,
        rank: int,
        shrinkage: float,
    ) -> "GaussianMixture":
        """The mixture of given moments, in closed form.

        With N_c vectors in class c, its whitened covariance W_c is shrunk to
        `(N_c W_c + α I) / (N_c + α)`, and of its eigenvalues those are kept that differ most from
        1 by the Kullback-Leibler divergence `λ - 1 - log λ`; s_c is the mean of the others.

        Args:
            counts: N_c, (K,); a class without vectors has the covariance of all.
            means: μ_c, (K, n).
            scatters: Sums of the outer products of centered vectors, (K, n, n).
            rank: r, of at most n.
            shrinkage: α, the vectors that the covariance within classes counts for.
        """
        n, seen = means.shape[1], counts.clamp_min(1e-12)
        within = scatters.sum(0) / counts.sum()
        eye = torch.eye(n, dtype=within.dtype, device=within.device)
        floor = torch.finfo(torch.float32).eps * within.diagonal().mean()
        P = torch.linalg.cholesky(within + floor * eye)
        whitening = torch.linalg.solve_triangular(P, eye, upper=False)
        directions, variances, rest = [], [], []
        for count, scatter in zip(seen, scatters, strict=True):
            share = shrinkage / (shrinkage + count)
            white = whitening @ (scatter / count) @ whitening.mT
            values, vectors = torch.linalg.eigh(share * eye + (1 - share) * white)
            values = values.clamp_min(torch.finfo(torch.float32).eps)
            order = (values - 1 - values.log()).argsort(descending=True)
            kept, others = order[:rank], order[rank:]
            directions.append(vectors[:, kept])
            variances.append(values[kept])
            rest.append(values[others].mean() if len(others) else values.new_ones(()))
        return cls(
            whitening,
            means @ whitening.mT,
            torch.stack(directions, 1),
            torch.stack(variances),
            torch.stack(rest),
            seen / seen.sum(),
        )

    def log_joints(self, z: Tensor) -> Tensor:
        """`log π_c + log N(z; μ_c, C_c)` of vectors (*batch, n), for every class: (*batch, K)."""
        n, rank = self.directions.shape[0], self.directions.shape[-1]
        white = z @ self.whitening.mT
        square = white.square().sum(-1, keepdim=True) - 2 * white @ self.centers.mT
        square = square + self.centers.square().sum(1)
        along = (white @ self.directions.flatten(1)).unflatten(-1, self.variances.shape)
        own = (along - torch.einsum("ncr,cn->cr", self.directions, self.centers)).square()
        energy = (square - own.sum(-1)) / self.rest + (own / self.variances).sum(-1)
        log_det = self.variances.log().sum(1) + (n - rank) * self.rest.log()
        log_det = log_det - 2 * self.whitening.diagonal().log().sum() + n * math.log(2 * math.pi)
        return self.weights.log() - 0.5 * (energy + log_det)
