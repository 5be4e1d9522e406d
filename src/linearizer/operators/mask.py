"""A trainable choice of coordinates: exactly zeros and ones, and a gradient all the same."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from linearizer._checks import as_shape, check_between
from linearizer.errors import RangeError
from linearizer.saving import Saveable

Estimator = Literal["straight-through", "gumbel", "rotation"]


class BinaryMask(nn.Module, Saveable):
    """`b ∈ {0, 1}ⁿ` from scores: those above zero, or the `rank` highest.

    Its value is exactly binary; its gradient is that of `p = sigmoid(scores)`.

    - `straight-through`: `db/dp = I` (Bengio, Léonard, Courville, arXiv:1308.3432).
    - `gumbel`: the same, with logistic noise added to the scores in training, so that each b is
      drawn with probability p (Jang, Gu, Poole, arXiv:1611.01144).
    - `rotation`: `db/dp` is the rotation and scaling that carries p to b, each beside its
      complement (Fifty et al., arXiv:2410.06424).

    Args:
        shape: Of the mask.
        rank: Number of ones; learned if not given.
        estimator: Of the gradient.

    Raises:
        RangeError: If the rank is not from 1 to n, or there is no such estimator.

    Example:
        >>> import torch, linearizer as lz
        >>> mask = lz.operators.BinaryMask(5, rank=2)
        >>> mask()
        tensor([1., 1., 0., 0., 0.], grad_fn=<AddBackward0>)
    """

    scores: Tensor

    def __init__(
        self,
        shape: int | Sequence[int],
        rank: int | None = None,
        estimator: Estimator = "straight-through",
    ) -> None:
        super().__init__()
        self.shape, self.rank, self.estimator = as_shape(shape), rank, estimator
        n = torch.Size(self.shape).numel()
        if rank is not None:
            check_between(rank, 1, n, f"the rank of a mask of {n}")
        if estimator not in ("straight-through", "gumbel", "rotation"):
            raise RangeError(
                f"expected estimator 'straight-through', 'gumbel' or 'rotation', got '{estimator}'"
            )
        scores = torch.ones(n) if rank is None else torch.linspace(1.0, 0.5, n)
        self.scores = nn.Parameter(scores.reshape(self.shape))

    def probabilities(self) -> Tensor:
        """p, of the shape of the mask."""
        return torch.sigmoid(self.scores)

    def forward(self) -> Tensor:
        """b, of the dtype of the scores."""
        scores, p = self.scores, self.probabilities()
        if self.estimator == "gumbel" and self.training:
            uniform = torch.rand_like(scores).clamp(1e-6, 1 - 1e-6)
            scores = scores + torch.logit(uniform)
        b = self._chosen(scores.detach())
        soft = _rotated(p, b) if self.estimator == "rotation" else p
        return b + (soft - soft.detach())  # the bracket is exactly zero: b stays binary

    def _chosen(self, scores: Tensor) -> Tensor:
        if self.rank is None:
            return (scores > 0).to(scores)
        highest = scores.flatten().topk(self.rank).indices
        return torch.zeros_like(scores).flatten().scatter(0, highest, 1.0).reshape(scores.shape)


def _rotated(p: Tensor, b: Tensor) -> Tensor:
    """`|q|/|e| · R e`, R the rotation, held constant, from `e = (p, 1 - p)` to `q = (b, 1 - b)`.

    The complements are there so that q is never zero, where all gradients would end.
    """
    e, q = torch.stack([p, 1 - p]), torch.stack([b, 1 - b])
    with torch.no_grad():
        before, after = e / e.norm(), q / q.norm()
        middle = (before + after) / (before + after).norm()
        scale = q.norm() / e.norm()
    turned = e - 2 * (middle * e).sum() * middle + 2 * (before * e).sum() * after
    chosen, left = scale * turned
    return (1 + chosen - left) / 2
