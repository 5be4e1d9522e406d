"""Operators of styles from images, for bijections that stay as they are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from linearizer._modes import differentiable, own_precision
from linearizer.applications.style_transfer.analysis import mixed
from linearizer.applications.style_transfer.likeness import weighed_error
from linearizer.applications.style_transfer.sizes import factor
from linearizer.bijections import Bijection
from linearizer.errors import RangeError
from linearizer.estimation import (
    ConvolutionLeastSquares,
    gaussian_transport,
    refine_convolution,
)
from linearizer.operators import Convolution

STRETCH = 2.0
"""Of the colors of contents, in any direction, by the style of a picture."""


@torch.no_grad()
def fit_operator(
    g_x: Bijection,
    g_y: Bijection,
    kind: type[Convolution],
    pairs: Iterable[tuple[Tensor, Tensor]],
    *,
    ridge: float,
    kernel_size: int | None,
    refinement: int,
    styles: Sequence[Convolution],
    progress: Callable[[float], None],
) -> Convolution:
    """What `StyleTransfer.fit` returns, for these bijections.

    Refinement begins at the mean of the styles, which decodes to images, and without any at the
    closed form.
    """
    if refinement and kernel_size is None:
        raise RangeError("expected the size of a kernel to refine, got None; an odd number")
    if refinement and torch.is_inference_mode_enabled():
        with torch.inference_mode(False):  # which knows no derivatives
            return fit_operator(
                differentiable(g_x),
                differentiable(g_y),
                kind,
                ((differentiable(x), differentiable(y)) for x, y in pairs),
                ridge=ridge,
                kernel_size=kernel_size,
                refinement=refinement,
                styles=[differentiable(A) for A in styles],
                progress=progress,
            )
    start = _mean(styles, kind, kernel_size) if refinement else None
    moments = ConvolutionLeastSquares((g_x.out_shape[0], g_y.out_shape[0]), g_x.out_shape[1:], kind)
    kept = []
    for x, y in pairs:
        z = g_x(x)
        if start is None:
            moments.update(z, g_y(y))
        if refinement:
            kept.append((z, y))
    operator = moments.solve(ridge, kernel_size) if start is None else start
    if not refinement:
        return operator
    if not kept:
        raise RangeError("expected pairs of images to refine a style on, got none")
    z, y = (torch.cat(parts) for parts in zip(*kept, strict=True))
    with _frozen(g_y), own_precision(operator.device):
        return refine_convolution(
            operator,
            z,
            y,
            g_y.inverse,
            steps=refinement,
            error=partial(weighed_error, block=factor(g_x)),
            progress=progress,
        )


def _mean(
    styles: Sequence[Convolution], kind: type[Convolution], side: int | None
) -> Convolution | None:
    """The mean of the styles of a kind, with a kernel that spans `side` pixels; None of none."""
    entries = kind.entries(side or 1)
    ours = [A for A in styles if type(A) is kind and max(A.kernel.shape[2:]) <= entries]
    if not ours:
        return None
    mean = mixed(ours, [1 / len(ours)] * len(ours))
    return kind(kind.enlarged(mean.kernel.detach(), (entries, entries)), mean.size)


def colored(
    latents: Iterable[Tensor], plain: Convolution, g_y: Bijection, picture: Tensor
) -> Convolution:
    """`T P`: T carries the second moments of P z, for latents z of contents, to a picture's.

    P takes the latents of contents to those of the same images as g_y sees them, which keeps
    what is drawn where it is; T mixes channels alone. It stretches no direction more than
    `STRETCH` times and shrinks none more: where contents hardly vary, a picture would blow up what
    little there is to colors and patterns that neither has.
    """
    moments = [second_moment(plain(z)) for z in latents]
    if not moments:
        raise RangeError("expected contents to whiten, got none; pass a batch of images")
    S_x, S_y = torch.stack(moments).mean(0), second_moment(g_y(picture))
    stretches, directions = torch.linalg.eigh(gaussian_transport(S_x, S_y, floor=0.0))
    T = directions * stretches.clamp(1 / STRETCH, STRETCH) @ directions.mT
    kernel = torch.einsum("om,mipq->oipq", T, plain.kernel.double())
    return type(plain)(kernel.to(picture.dtype), plain.size)


def second_moment(z: Tensor) -> Tensor:
    """`mean z zᵀ` over pixels and images of latents (..., c, h, w), in float64, regularized."""
    rows = z.double().movedim(-3, -1).flatten(0, -2)
    S = rows.mT @ rows / len(rows)
    return S + 1e-4 * S.diagonal().mean() * torch.eye(len(S), dtype=S.dtype)


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """No gradients for its parameters, for as long as it lasts."""
    trained = [p for p in module.parameters() if p.requires_grad]
    for p in trained:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trained:
            p.requires_grad_(True)
