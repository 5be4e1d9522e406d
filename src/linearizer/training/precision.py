"""Training in a short type, without giving up exact inverses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from linearizer.bijections.coupling import Coupling


@contextmanager
def conditioners_in(module: nn.Module, dtype: torch.dtype | None) -> Iterator[None]:
    """Run the networks inside the couplings of `module` in `dtype`; all else stays as it is.

    A coupling inverts exactly whatever its network returns, so only the network may be rounded:
    the couplings, determinants and losses keep the type of the data.
    """
    couplings = [m for m in module.modules() if isinstance(m, Coupling)]
    before = [c.autocast for c in couplings]
    for coupling in couplings:
        coupling.autocast = dtype
    try:
        yield
    finally:
        for coupling, old in zip(couplings, before, strict=True):
            coupling.autocast = old
