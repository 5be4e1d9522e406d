"""A coupling that gives what lies far from the data codes of the data."""

import math

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer._rotation import check_orthonormal, orthonormalized
from linearizer.bijections.base import Bijection
from linearizer.errors import ShapeError

LEAST = 0.05
"""What is left of the codes of a point just beyond `far`: with less, rounding grows in g⁻¹."""


class Redraw(Bijection):
    """Keeps latents near a range, and redraws the codes of those far from it.

    With orthonormal columns Q, latents have codes `r = Qᵀz` in the range of Q and a rest
    `o = z - Q r` outside. A projection keeps the codes alone; those of noise mean nothing. So they
    are replaced by codes of the data that are drawn with the rest as the random numbers:

        r ↦ s r + (1 - s) c(o),      o ↦ o

    - `s = 1` where `|o| ≤ near`, so that data and damaged data stay as they are; from there it
      falls smoothly to 0.05 at `far`, and as `1 / |o|` beyond.
    - `c(o) = μ_j + B_j u` is a draw from a mixture of Gaussians: `(v, u) = h ↦ Rᵀ o / |o|`, with R
      the reader, u scaled to the length √m of m standard normal numbers, and the component j the
      quantile of `v √(m + 1) / |h|` under the weights.

    As c depends on o alone, this is a coupling: invertible, with `log|det| = k log s`. A projection
    after it, `f = g⁻¹ Q Qᵀ g`, makes new data of noise, and is as idempotent as before.

    Args:
        basis: Q, (n, k), orthonormal.
        reader: R, (n, m + 1).
        means: μ, (K, k).
        roots: B, (K, k, m), of the covariances `B Bᵀ`.
        weights: π, (K,), positive.
        near: Up to this length of the rest latents stay as they are.
        far: From this length on codes are redrawn.

    Raises:
        ShapeError: If the shapes do not fit.
        RangeError: If the basis is not orthonormal, or not `0 <= near <= far`.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.bijections.Redraw(
        ...     torch.eye(4, 1), torch.eye(4)[:, 1:3], torch.tensor([[-9.0], [9.0]]),
        ...     torch.ones(2, 1, 1), torch.ones(2), near=1.0, far=2.0,
        ... )
        >>> near, away = torch.tensor([5.0, 0.5, 0.0, 0.0]), torch.tensor([5.0, -3.0, 0.0, 0.0])
        >>> bool((g(near) == near).all()), g(away).round()
        (True, tensor([-9., -3.,  0.,  0.]))
        >>> torch.allclose(g.inverse(g(away)), away, atol=1e-2)
        True
    """

    basis: Tensor
    reader: Tensor
    means: Tensor
    roots: Tensor
    weights: Tensor
    near: Tensor
    far: Tensor

    def __init__(
        self,
        basis: Tensor,
        reader: Tensor,
        means: Tensor,
        roots: Tensor,
        weights: Tensor,
        near: float | Tensor,
        far: float | Tensor,
    ) -> None:
        n, k = basis.shape
        K, m = len(weights), reader.shape[1] - 1
        if reader.shape != (n, m + 1) or means.shape != (K, k) or roots.shape != (K, k, m) or m < 1:
            raise ShapeError(
                f"expected a reader ({n}, m + 1), means ({K}, {k}) and roots ({K}, {k}, m), got "
                f"{tuple(reader.shape)}, {tuple(means.shape)} and {tuple(roots.shape)}"
            )
        check_orthonormal(basis.float(), "take torch.linalg.qr(basis)[0]")
        super().__init__(n)
        near, far = (torch.as_tensor(x, dtype=basis.dtype) for x in (near, far))
        if not near.is_meta:
            check_between(float(near), 0.0, float(far), "the length up to which latents stay")
        for name, tensor in (
            ("basis", basis),
            ("reader", reader),
            ("means", means),
            ("roots", roots),
            ("weights", weights),
            ("near", near),
            ("far", far),
        ):
            self.register_buffer(name, tensor.contiguous())

    def pick(self, v: Tensor) -> Tensor:
        """The components (*batch) of random numbers (*batch) of N(0, 1), by their weights."""
        quantiles = (self.weights / self.weights.sum()).cumsum(0)[:-1]
        return (torch.special.ndtr(v)[..., None] > quantiles).sum(-1)

    def code(self, components: Tensor, u: Tensor) -> Tensor:
        """The codes (*batch, k) of components (*batch) and of draws (*batch, m) of N(0, 1)."""
        drawn = torch.einsum("...km,...m->...k", self.roots[components], u)
        return self.means[components] + drawn

    def _forward(self, z: Tensor) -> Tensor:
        return self._forward_and_log_det(z)[0]

    def _inverse(self, z: Tensor) -> Tensor:
        Q = orthonormalized(self.basis)
        r, s, c = self._parts(z, Q)
        return z + ((r - (1 - s) * c) / s - r) @ Q.mT

    def _forward_and_log_det(self, z: Tensor) -> tuple[Tensor, Tensor]:
        Q = orthonormalized(self.basis)
        r, s, c = self._parts(z, Q)
        log_det = len(Q.mT) * s.log()[..., 0]
        return z + ((s - 1) * r + (1 - s) * c) @ Q.mT, log_det

    def _parts(self, z: Tensor, Q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The codes, what is kept of them, and the codes that are drawn."""
        r = z @ Q
        o = z - r @ Q.mT
        tiny = torch.finfo(z.dtype).tiny
        length = torch.linalg.vector_norm(o, dim=-1, keepdim=True)
        place = ((self.far - length) / (self.far - self.near)).clamp(0, 1)
        smooth = place.square() * (3 - 2 * place)
        least = LEAST * (self.far / length.clamp_min(tiny)).clamp_max(1)
        s = smooth + (1 - smooth) * least
        h = (o / length.clamp_min(tiny)) @ self.reader
        v, u = h[..., 0], h[..., 1:]
        m = u.shape[-1]
        lengths = torch.linalg.vector_norm(h, dim=-1).clamp_min(tiny)
        u = math.sqrt(m) * u / torch.linalg.vector_norm(u, dim=-1, keepdim=True).clamp_min(tiny)
        return r, s, self.code(self.pick(math.sqrt(m + 1) * v / lengths), u)
