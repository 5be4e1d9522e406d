"""A digit as digits of all classes, and on the way to one of them."""

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.app.pictures import board
from linearizer.applications import ConditionalFlow
from linearizer.applications.conditional_flow import Kind, Label

POINTS, EVERY = 21, 2
NAMED, LEAST = 3, 0.001


@torch.no_grad()
def translated(flow: ConditionalFlow, x: Tensor, kind: Kind) -> tuple[str, str]:
    """A digit (1, n, n) and the same hand in each class.

    It is `flow.translate` to each class, which reads the digit once instead of each time.

    Returns:
        The pictures, and a sentence with the likeliest classes and their probabilities.

    Raises:
        RangeError: If there is no such kind of map.
    """
    shares = flow.posterior(x)
    names = flow.classes
    read = names[int(shares.argmax())]
    made = [flow.between(read, name, kind)(x[None]) for name in names]
    pictures = board([torch.cat([x[None], *made])], [kind], ["yours", *map(str, names)])
    best, *others = zip(*(x.tolist() for x in shares.topk(min(NAMED, len(names)))), strict=True)
    rest = [f"{names[i]}: {share:.1%}" for share, i in others if share >= LEAST]
    note = f"**Read as {read}**, with probability {best[0]:.1%}" + ", then ".join(["", *rest])
    return pictures, note + "."


@torch.no_grad()
def way(flow: ConditionalFlow, x: Tensor, label: Label) -> Tensor:
    """Points (21, 1, n, n) from a digit (1, n, n) to the same hand in a class, `flow.morph`."""
    return flow.morph(x, label, POINTS)


def line(points: Tensor) -> str:
    """Every second point of a way."""
    places = torch.linspace(0, 1, len(points))[::EVERY].tolist()
    return board([points[::EVERY]], ["t"], [f"{t:.1f}" for t in places])


def place(points: Tensor, t: float) -> str:
    """The point of a way nearest to t.

    Raises:
        RangeError: If t is not between 0 and 1.
    """
    check_between(t, 0.0, 1.0, "the place on the way")
    return board([points[round(t * (len(points) - 1))][None]], [f"t = {t:.2f}"])
