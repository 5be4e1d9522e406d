"""How well eigenvalues can be known at all from noisy samples: the Cramér-Rao bound."""

from itertools import combinations_with_replacement

import torch
from dynamics_systems import Planted
from torch import Tensor

NEGLIGIBLE = 1e-9
"""Size of a singular value, against the largest, below which the data say nothing."""


def bound(system: Planted, starts: Tensor, times: Tensor, noise: float, degree: int) -> float:
    """The least standard deviation of unbiased estimates of the eigenvalue that is hardest to know.

    A sample is `decode(z) + Σ c_a z^a + noise` with `z = e^{Lt} z_0`. Unknown are L, the start z_0
    of each trajectory, and the coefficients c_a of all monomials of degree 2 to `degree` in each
    coordinate, whose true values are zero: what they cost is what it costs not to know g, if one
    knows that it is as smooth as that. Degree 1 is a g that is known.

    Args:
        system: The truth.
        starts: z_0 of each trajectory, (K, n).
        times: (T,), those of each.
        noise: Standard deviation of the noise in each coordinate.
        degree: Of the monomials.

    Returns:
        The standard deviation as a share of the size of the eigenvalue; infinity if it cannot be
        known. Source: Kay, "Fundamentals of Statistical Signal Processing", 1993, chapter 3.
    """
    L, n = system.L, len(system.L)
    E = torch.linalg.matrix_exp(times[:, None, None] * L)
    by_L = torch.func.jacfwd(lambda M: torch.linalg.matrix_exp(times[:, None, None] * M))(L)
    blocks = []
    for z0 in starts:
        z = E @ z0
        slope = _slope(system, z)
        of_L = torch.einsum("tij,tjkab,k->tiab", slope, by_L, z0).flatten(2)
        of_g = torch.einsum("tm,ij->timj", _monomials(z, degree), torch.eye(n).to(z)).flatten(2)
        unknown = torch.cat([of_L, of_g], 2).flatten(0, 1)
        of_start = torch.linalg.qr((slope @ E).flatten(0, 1)).Q
        blocks.append(unknown - of_start @ (of_start.mT @ unknown))
    J = torch.cat(blocks) / noise
    sizes = J.norm(dim=0).clamp_min(torch.finfo(J.dtype).tiny)
    R = torch.linalg.qr(J / sizes).R
    _, S, Vh = torch.linalg.svd(R)
    seen = NEGLIGIBLE * S[0] < S
    worst = 0.0
    values, right = torch.linalg.eig(L)
    left = torch.linalg.inv(right)
    for i, value in enumerate(values):
        gradient = (left[i][:, None] * right[:, i]).flatten()
        variance = 0.0
        for part in (gradient.real, gradient.imag):
            direction = torch.zeros(len(Vh)).to(part)
            direction[: n * n] = part / sizes[: n * n]
            shares = Vh @ direction
            if float(shares[~seen].norm()) > 1e-3 * float(shares.norm()):
                return float("inf")
            variance += float((shares[seen] / S[seen]).square().sum())
        worst = max(worst, variance**0.5 / float(value.abs()))
    return worst


def _slope(system: Planted, z: Tensor) -> Tensor:
    """dx/dz (T, n, n)."""
    z = z.clone().requires_grad_()
    x = system.decode(z)
    rows = [torch.autograd.grad(x[:, i].sum(), z, retain_graph=True)[0] for i in range(x.shape[1])]
    return torch.stack(rows, 1)


def _monomials(z: Tensor, degree: int) -> Tensor:
    """All of degree 2 and more, (T, count)."""
    places = range(z.shape[1])
    found = [
        z[:, list(chosen)].prod(1)
        for d in range(2, degree + 1)
        for chosen in combinations_with_replacement(places, d)
    ]
    return torch.stack(found, 1) if found else z[:, :0]
