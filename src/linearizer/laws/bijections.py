"""The laws of a bijection."""

from collections.abc import Callable, Generator
from typing import TypeVar

import torch
from torch import Tensor

from linearizer._checks import check_input, reference
from linearizer.bijections import Bijection, HasLogDet
from linearizer.errors import DeviceError, DtypeError, ShapeError
from linearizer.laws.relative import Laws, Random, Within
from linearizer.measurement import Measurement

_T = TypeVar("_T")

LARGEST_JACOBIAN = 64
"""Up to this dimension log-determinants are compared with those of the full Jacobian."""


@torch.no_grad()
def bijection_laws(
    g: Bijection, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> Laws:
    """g is a bijection, with its log-determinant: see `testing.check_bijection`."""
    if x is None:
        x = Random(seed, reference(g))(6, *g.in_shape)
    check_input(x, g.in_shape, g)
    within = Within(rtol, x.dtype)
    z: Tensor | None = yield from _let_through(within, g, x, "forward")
    if z is None:
        return
    back = yield from _let_through(within, g.inverse, z, "inverse")
    if back is None:
        return
    yield within.true("dtype and device", (z.dtype, z.device) == (x.dtype, x.device))
    yield within.equal("inverse after forward", back, x)
    latent = z.roll(1, 0) + 0.5 * z
    yield within.equal("forward after inverse", g(g.inverse(latent)), latent)
    yield from within.batches(g, x, z, "")
    yield from within.batches(g.inverse, z, x, " of the inverse")
    yield within.true("inv undoes inv", g.inv.inv.same_as(g))
    yield within.equal("inv is the inverse", g.inv(z), g.inverse(z))
    yield within.equal("inverse of inv is forward", g.inv.inverse(x), z)
    if isinstance(g, HasLogDet) and x[0].numel() <= LARGEST_JACOBIAN:
        both = yield from _let_through(within, g.forward_and_log_det, x, "log-determinant")
        if both is None:
            return
        image, log_det = both
        yield within.equal("forward beside log-determinant", image, z)
        with torch.enable_grad():
            reached = torch.stack([_log_det_of_jacobian(g, event) for event in x[:2]])
        one = torch.ones_like(reached)
        yield within.equal("log-determinant", log_det[:2], reached, one)
        yield within.equal(
            "log-determinant of inv", g.inv.forward_and_log_det(z)[1], -log_det, one[0]
        )


def _let_through(
    within: Within, function: Callable[[Tensor], _T], x: Tensor, which: str
) -> Generator[Measurement, None, _T | None]:
    """The image of points that fit; where the gate refuses it, a law is broken and it is None."""
    try:
        image = function(x)
    except ShapeError:
        yield within.true(f"shape of {which}", False)
        return None
    except (DtypeError, DeviceError):
        yield within.true("dtype and device", False)
        return None
    yield within.true(f"shape of {which}", True)
    return image


def _log_det_of_jacobian(g: Bijection, event: Tensor) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(g, event.detach())
    assert isinstance(jacobian, Tensor)
    n = event.numel()
    return torch.linalg.slogdet(jacobian.reshape(n, n)).logabsdet
