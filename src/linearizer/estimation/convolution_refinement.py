"""The convolution that is best after a nonlinear map."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from linearizer._modes import wide_dtype
from linearizer.operators.convolution import Convolution

LEARNING_RATE = 2e-3
"""Peak of Adam's, for a kernel as large as that of the identity."""
BATCH = 2
"""Pairs of a step: many short steps get further than few exact ones."""
LONGEST = 1.0
"""Gradients are clipped to this norm, as few pairs decode to far too much."""
AMPLIFIED = 10.0
"""c: undoing may enlarge white noise so many times more than an operator that only turns."""
UNDO_WEIGHT = 0.03
"""Of what is amplified more, beside 1 for the squared error."""
FREQUENCIES = 8
"""Along an axis, at which that is looked at."""
SINGULAR = 1e-6
"""Added to squared singular values, relative to their mean, so that none of them is zero."""
JUDGED = 32
"""Pairs on which the start and the end are compared."""


def refine_convolution(
    start: Convolution,
    z: Tensor,
    y: Tensor,
    decode: Callable[[Tensor], Tensor],
    *,
    steps: int,
    error: Callable[[Tensor], Tensor] = lambda difference: difference.square().mean(),
    progress: Callable[[float], None] = lambda loss: None,
) -> Convolution:
    """Lower `mean |decode(k * z) - y|²` over kernels k, where least squares cannot.

    Adam (Kingma, Ba, arXiv:1412.6980) on the kernel, on few pairs a step. The least-squares
    solution makes latents that are near those of y, which may decode to anything where a decoder
    curves much; the mean of operators that are known to decode to images is the better start.
    What undoing would amplify adds to the loss: `mean_ω log(a(ω) / c)²` where a > c, with
    `a(ω)² = |K(ω)⁻¹|² E|K|² / C²`, which is 1 of an operator that only turns.

    Args:
        start: Where to begin.
        z: Latents (N, C, H, W).
        y: What they shall decode to, (N, ...).
        decode: Differentiable, from (B, C, H, W) to (B, ...).
        steps: Of Adam. The start is returned where they do not improve on it.
        error: Of differences (B, ...): what is lowered, if not their mean square.
        progress: Is called with the loss of each step.
    """

    def unlike(A: Convolution, z: Tensor, y: Tensor) -> Tensor:
        return error(decode(A(z)) - y)

    def judged(A: Convolution) -> float:
        parts = zip(z[:JUDGED].split(BATCH), y[:JUDGED].split(BATCH), strict=True)
        with torch.no_grad():
            total = sum(len(a) * unlike(A, a, b).item() for a, b in parts)
            return total / len(z[:JUDGED]) + UNDO_WEIGHT * _amplification(A).item()

    kind, size, dtype = type(start), start.size, start.dtype
    kernel = start.kernel.detach().to(wide_dtype(dtype), copy=True).requires_grad_()
    peak = LEARNING_RATE * float(kernel.detach().norm()) / kernel.shape[0] ** 0.5
    optimizer = torch.optim.Adam([kernel], lr=peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    turns = torch.randint(len(z), (steps, BATCH), generator=torch.Generator().manual_seed(0))
    for turn in turns.to(z.device):
        with torch.enable_grad():
            A = kind(kernel.to(dtype), size)
            part = unlike(A, z[turn], y[turn]) + UNDO_WEIGHT * _amplification(A)
        optimizer.zero_grad()
        part.backward()
        torch.nn.utils.clip_grad_norm_([kernel], LONGEST)
        optimizer.step()
        schedule.step()
        progress(part.item())
    ends = (kind(k.detach().to(dtype), size) for k in (start.kernel, kernel))
    return min(ends, key=judged)


def _amplification(A: Convolution) -> Tensor:
    """`mean_ω log(a(ω) / c)²` where a > c, at some frequencies."""
    size = [min(N, max(FREQUENCIES, k)) for N, k in zip(A.size, A.kernel.shape[2:], strict=True)]
    K = A.resized(size).response()
    gram = K.mH @ K
    mean = gram.diagonal(dim1=-2, dim2=-1).real.mean()
    nearly = gram + SINGULAR * mean * torch.eye(gram.shape[-1]).to(gram)
    inverse = torch.linalg.inv(nearly).diagonal(dim1=-2, dim2=-1).real.mean(-1)
    return ((mean * inverse).log() / 2 - math.log(AMPLIFIED)).relu().square().mean()
