"""The laws of a bijection."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from linearizer._checks import check_input, reference
from linearizer.bijections import Bijection, HasLogDet
from linearizer.errors import DeviceError, DtypeError, ShapeError
from linearizer.testing.laws import Laws, Random, check_batches

_T = TypeVar("_T")

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
    check_input(x, g.in_shape, g)
    laws = Laws(g, x.dtype, rtol)
    z: Tensor = _let_through(laws, g, x, "forward")
    back = _let_through(laws, g.inverse, z, "inverse")
    laws.holds("dtype and device", (z.dtype, z.device) == (x.dtype, x.device))
    laws.equal("inverse after forward", back, x)
    latent = z.roll(1, 0) + 0.5 * z
    laws.equal("forward after inverse", g(g.inverse(latent)), latent)
    check_batches(laws, g, x, z, "")
    check_batches(laws, g.inverse, z, x, " of the inverse")
    laws.holds("inv undoes inv", g.inv.inv.same_as(g))
    laws.equal("inv is the inverse", g.inv(z), g.inverse(z))
    laws.equal("inverse of inv is forward", g.inv.inverse(x), z)
    if isinstance(g, HasLogDet) and x[0].numel() <= LARGEST_JACOBIAN:
        image, log_det = _let_through(laws, g.forward_and_log_det, x, "log-determinant")
        laws.equal("forward beside log-determinant", image, z)
        with torch.enable_grad():
            reached = torch.stack([_log_det_of_jacobian(g, event) for event in x[:2]])
        one = torch.ones_like(reached)
        laws.equal("log-determinant", log_det[:2], reached, one)
        laws.equal("log-determinant of inv", g.inv.forward_and_log_det(z)[1], -log_det, one[0])
    return laws.errors


def _let_through(laws: Laws, function: Callable[[Tensor], _T], x: Tensor, which: str) -> _T:
    """The image of points that fit; where the gate refuses it, a law is broken."""
    try:
        image = function(x)
    except ShapeError:
        laws.holds(f"shape of {which}", False)
        raise
    except (DtypeError, DeviceError):
        laws.holds("dtype and device", False)
        raise
    laws.holds(f"shape of {which}", True)
    return image


def _log_det_of_jacobian(g: Bijection, event: Tensor) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(g, event.detach())
    assert isinstance(jacobian, Tensor)
    n = event.numel()
    return torch.linalg.slogdet(jacobian.reshape(n, n)).logabsdet
