"""The laws of a bijection."""

import torch
from torch import Tensor

from linearizer._checks import reference
from linearizer.bijections import Bijection, HasLogDet, forward_and_log_det
from linearizer.testing.laws import Laws, Random, check_batches

LARGEST_JACOBIAN = 64
"""Up to this dimension log-determinants are compared with those of the full Jacobian."""


@torch.no_grad()
def check_bijection(
    g: Bijection, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that g is a bijection: `g⁻¹(g(x)) = x`, `g(g⁻¹(z)) = z`, batch axes, dtype, log-det.

    Args:
        g: The bijection.
        x: At least two points (N, *in_shape); random ones if not given.
        rtol: Largest relative error; by dtype if not given.
        seed: Of the random points.

    Returns:
        The relative error of each law.

    Raises:
        LawError: At the first law that does not hold.

    Example:
        >>> import linearizer as lz
        >>> from linearizer.testing import check_bijection, perturb_
        >>> errors = check_bijection(perturb_(lz.vector_bijection(6)))
        >>> errors["inverse after forward"] < 1e-4
        True
    """
    if x is None:
        x = Random(seed, reference(g))(6, *g.in_shape)
    laws = Laws(g, x.dtype, rtol)
    z, n = g(x), len(x)
    laws.holds("shape of forward", z.shape == (n, *g.out_shape))
    laws.holds("shape of inverse", g.inverse(z).shape == x.shape)
    laws.holds("dtype and device", (z.dtype, z.device) == (x.dtype, x.device))
    laws.equal("inverse after forward", g.inverse(z), x)
    latent = z.roll(1, 0) + 0.5 * z
    laws.equal("forward after inverse", g(g.inverse(latent)), latent)
    check_batches(laws, g, x, z, "")
    check_batches(laws, g.inverse, z, x, " of the inverse")
    laws.holds("inv undoes inv", g.inv.inv.same_as(g))
    laws.equal("inv is the inverse", g.inv(z), g.inverse(z))
    laws.equal("inverse of inv is forward", g.inv.inverse(x), z)
    if isinstance(g, HasLogDet) and x[0].numel() <= LARGEST_JACOBIAN:
        image, log_det = g.forward_and_log_det(x)
        laws.equal("forward beside log-determinant", image, z)
        laws.holds("shape of log-determinant", log_det.shape == (n,))
        with torch.enable_grad():
            reached = torch.stack([_log_det_of_jacobian(g, event) for event in x[:2]])
        one = torch.ones_like(reached)
        laws.equal("log-determinant", log_det[:2], reached, one)
        laws.equal("log-determinant of inv", forward_and_log_det(g.inv, z)[1], -log_det, one[0])
    return laws.errors


def _log_det_of_jacobian(g: Bijection, event: Tensor) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(g, event.detach())
    assert isinstance(jacobian, Tensor)
    n = event.numel()
    return torch.linalg.slogdet(jacobian.reshape(n, n)).logabsdet
