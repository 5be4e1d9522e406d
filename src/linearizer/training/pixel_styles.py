"""What styles can be without training: the best operator between pixels."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from linearizer.applications import StyleTransfer
from linearizer.bijections import ActNorm, Chain, Squeeze
from linearizer.operators import Convolution
from linearizer.training.lessons import TEACHING_PIXELS, taught


def pixel_baseline(model: StyleTransfer, x: Tensor, y: Tensor, like: Convolution) -> StyleTransfer:
    """The same class of operator with g nothing but squeeze and ActNorm, fitted to pairs."""
    baseline = StyleTransfer(_initialized(x, model.factor), _initialized(y, model.factor))
    pairs = zip(batches_of(x), batches_of(y), strict=True)
    fitted = baseline.fit(pairs, ridge=1e-6, kernel_size=like.side, kind=type(like))
    baseline.add("fitted", fitted)
    return baseline


def _initialized(images: Tensor, factor: int) -> Chain:
    squeeze = Squeeze(images.shape[1:], factor)
    g = Chain(squeeze, ActNorm(squeeze.out_shape))
    g.initialize(images)
    return g


def made_by(teacher: nn.Module, contents: Tensor, name: str) -> Tensor:
    """What a teacher makes of contents, with a progress bar."""
    return torch.cat([y for _, y in taught(teacher, contents, name, shifted=False)])


def batches_of(images: Tensor) -> Sequence[Tensor]:
    """As many images at a time as a teacher takes."""
    return images.split(max(1, TEACHING_PIXELS // math.prod(images.shape[-2:])))
