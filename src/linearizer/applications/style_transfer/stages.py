"""A pass through bijections and operators as stages, so that its progress can be told."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from linearizer import linalg
from linearizer.applications.style_transfer.analysis import in_double
from linearizer.bijections import Bijection, Chain
from linearizer.linearizer import Linearizer
from linearizer.operators import LinearOperator

Progress = Callable[[float], None]
"""Is told the share of the work that is done, up to 1."""
SOLVING = 10.0
"""How much longer than applying an operator it takes to apply its pseudo-inverse."""


class Stage(NamedTuple):
    """A part of a pass, and how much of the work it is."""

    map: Callable[[Tensor, Progress], Tensor]
    work: float


def stylize(maps: Sequence[Linearizer], x: Tensor, progress: Progress | None) -> Tensor:
    """`g_y⁻¹(A_k ... A_1 g_x(x))` of maps between the same bijections."""
    route = _layers(maps[0].g_x, progress)
    route += [Stage(_silent(f.operator), _work(f.operator)) for f in maps]
    return _run(route + _inverse_layers(maps[0].g_y, progress), x, progress)


def undo(maps: Sequence[Linearizer], y: Tensor, progress: Progress | None) -> Tensor:
    """`g_x⁻¹(A_1⁺ ... A_k⁺ g_y(y))`."""
    route = _layers(maps[0].g_y, progress)
    route += [Stage(_pseudo_inverse(f.operator), SOLVING * _work(f.operator)) for f in maps[::-1]]
    return _run(route + _inverse_layers(maps[0].g_x, progress), y, progress)


def _layers(g: Bijection, progress: Progress | None) -> list[Stage]:
    return [Stage(_silent(part), _work(part)) for part in _parts(g, progress)]


def _inverse_layers(g: Bijection, progress: Progress | None) -> list[Stage]:
    return [Stage(_silent(part.inverse), _work(part)) for part in reversed(_parts(g, progress))]


def _parts(g: Bijection, progress: Progress | None) -> list[Bijection]:
    """The layers of g, if somebody wants to know of each; g may be more than they are."""
    if progress is None or not isinstance(g, Chain):
        return [g]
    return list(g.bijections)  # type: ignore[arg-type]


def _pseudo_inverse(operator: LinearOperator) -> Callable[[Tensor, Progress], Tensor]:
    """A⁺, computed in float64 when it is applied."""

    def apply(z: Tensor, tell: Progress) -> Tensor:
        return linalg.solve(in_double(operator), z.double(), tell).to(z.dtype)

    return apply


def _silent(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Progress], Tensor]:
    """A part that tells nothing before it is done."""
    return lambda x, _: function(x)


def _run(route: Sequence[Stage], x: Tensor, progress: Progress | None) -> Tensor:
    """One stage after the other; nothing but what the next one takes is kept."""
    total, done = sum(stage.work for stage in route), 0.0

    def tell(share: float, before: float, work: float) -> None:
        if progress is not None:
            progress((before + share * work) / total)

    for stage in route:
        x = stage.map(x, partial(tell, before=done, work=stage.work))
        done += stage.work
        tell(0.0, done, 0.0)
    return x


def _work(module: nn.Module) -> float:
    """How much a module has to do for one pixel: of convolutions, that is their parameters."""
    return 1.0 + sum(t.numel() for t in module.state_dict().values())
