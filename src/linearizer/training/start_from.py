"""`--init`: a g that begins as a trained one."""

import torch

from linearizer.applications import ConditionalFlow, IdempotentGenerator, OneStepFlow
from linearizer.bijections import Bijection, Centering, Chain
from linearizer.errors import RangeError, ShapeError
from linearizer.saving import load


@torch.no_grad()
def start_from(g: Bijection, source: str) -> None:
    """Give g the weights of the trained g in a flow or a projector, of the same layers."""
    model = load(source)
    match model:
        case OneStepFlow():
            trained = model.g_data
        case ConditionalFlow():
            trained = model.g
        case IdempotentGenerator():
            trained = model.g_of_data
        case _:
            raise RangeError(
                f"expected a one-step flow or a projector to start from, got a "
                f"{type(model).__name__} in {source}"
            )
    ours, theirs = list(g.state_dict().values()), list(trained.state_dict().values())
    if isinstance(trained, Chain) and isinstance(trained.bijections[-1], Centering):
        theirs.pop()  # the mean is found anew
    if [t.shape for t in ours] != [t.shape for t in theirs]:
        raise ShapeError(
            f"expected a g of the same layers in {source} to start from, got another; give the "
            "--depth and --width that it was trained with"
        )
    for mine, other in zip(ours, theirs, strict=True):
        mine.copy_(other)
