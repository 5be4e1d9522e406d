"""The convolution that is best after a nonlinear map, from the least-squares one on."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from linearizer.estimation.convolution_fit import ConvolutionLeastSquares
from linearizer.operators.convolution import Convolution

DAMPING = 1e-3  # of the two metrics, relative to their mean
EVERY = 4  # of so many batches, one is used for the length of a step


def refine_convolution(
    start: Convolution,
    moments: ConvolutionLeastSquares,
    pairs: Sequence[tuple[Tensor, Tensor]],
    decode: Callable[[Tensor], Tensor],
    *,
    steps: int,
    progress: Callable[[float], None] = lambda loss: None,
) -> Convolution:
    """Lower `½ Σ |decode(k * z) - y|²` over kernels k, where least squares cannot.

    Conjugate gradients on the kernel alone, in coordinates in which the second derivative is
    nearer to the identity. With J the Jacobian of `decode` it is about `E JᵀJ ⊗ E z zᵀ`; with
    `E z zᵀ = R Rᵀ` and `E JᵀJ = C Cᵀ` the kernel `C⁻ᵀ X R⁻¹` makes it `I ⊗ I` in X. One random
    probe for each image estimates E JᵀJ. A step along d has the length `-⟨g, d⟩ / |J d|²` that is
    best for the linearized problem (Gauss and Newton). A handful of steps does what hundreds
    would without these coordinates, and few steps keep the kernel near the start, so that few
    pairs are enough. Source: Nocedal, Wright, Numerical Optimization, 2006, chapters 5 and 10.

    Args:
        start: The least-squares solution.
        moments: What it was solved from.
        pairs: Batches (z, y), all of which every step takes.
        decode: Differentiable, from (B, C_out, H, W) to the shape of y.
        steps: Evaluations of the loss; the best kernel that was met is returned.
        progress: Is called with the mean squared error at each.
    """
    like = start.kernel.detach()
    rows = torch.linalg.cholesky(_damped(moments.gram(like.shape[2:])))
    columns = torch.linalg.cholesky(_damped(_mean_metric(start, pairs[0][0], decode)))
    to_rows, to_columns = (torch.linalg.inv(factor).to(like) for factor in (rows, columns))

    def made(x: Tensor, z: Tensor) -> Tensor:
        kernel = (to_columns.mT @ x @ to_rows).reshape(like.shape)
        return decode(type(start)(kernel, start.size)(z))

    def loss_and_gradient(x: Tensor) -> tuple[float, Tensor]:
        x, total = x.detach().requires_grad_(), 0.0
        with torch.enable_grad():
            for z, y in pairs:
                part = mse_loss(made(x, z), y, reduction="sum") / 2
                part.backward()
                total += part.item()
        assert x.grad is not None, "there is a pair"
        return total, x.grad

    def curvature(x: Tensor, direction: Tensor) -> float:
        some = pairs[::EVERY]
        scale = sum(len(z) for z, _ in pairs) / sum(len(z) for z, _ in some)
        changes = [torch.func.jvp(partial(made, z=z), (x,), (direction,))[1] for z, _ in some]
        return scale * sum(float(change.square().sum()) for change in changes)

    count = sum(y.numel() for _, y in pairs)
    x = (columns.mT @ like.double().flatten(1) @ rows).to(like)
    best, lowest = x, torch.inf
    direction = last = torch.zeros_like(x)
    for step in range(steps):
        loss, gradient = loss_and_gradient(x)
        progress(2 * loss / count)
        if loss < lowest:
            best, lowest = x, loss
        # Polak and Ribière's choice, restarted where it would turn back.
        turn = float((gradient * (gradient - last)).sum() / last.square().sum()) if step else 0.0
        direction, last = max(turn, 0.0) * direction - gradient, gradient
        if step < steps - 1:
            slope = float((gradient * direction).sum())
            x = x - slope / curvature(x, direction) * direction
    kernel = (to_columns.mT @ best @ to_rows).reshape(like.shape)
    return type(start)(kernel, start.size)


def _mean_metric(A: Convolution, z: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
    """`E JᵀJ` of `decode` at A z, over pixels and images: (C_out, C_out)."""
    with torch.enable_grad():
        w = A(z).detach().requires_grad_()
        image = decode(w)
        probe = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(image)
        (back,) = torch.autograd.grad(image, w, probe)
    samples = back.double().movedim(1, -1).flatten(0, -2)
    return samples.mT @ samples / len(samples)


def _damped(metric: Tensor) -> Tensor:
    mean = metric.diagonal().mean()
    return metric + DAMPING * mean * torch.eye(len(metric)).to(metric)
