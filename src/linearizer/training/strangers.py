"""Images that look like nothing in the data, made of the data's own size and parts."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def strangers(images: Tensor) -> Tensor:
    """As many images (N, C, H, W) as are given, in [-1, 1]: a third of each kind.

    - Flat: one gray level, half of them with a slope, and a little noise.
    - Smooth: a few random levels, enlarged.
    - Mixed: a half of one image, and the mirrored half of another.
    """
    first, second, third = images.tensor_split(3)
    return torch.cat([_flat(first), _smooth(second), _mixed(third)])


def _flat(like: Tensor) -> Tensor:
    level = 2 * _uniform(like).square() - 1  # more of the dark ones: blank images are of this kind
    slopes = 0.5 * like.new_empty(len(like), 2, 1, 1).normal_() * (_uniform(like) < 0.5)
    rows, columns = (torch.linspace(-1, 1, side).to(like) for side in like.shape[-2:])
    slope = slopes[:, :1] * rows[:, None] + slopes[:, 1:] * columns
    return (level + slope + 0.05 * _uniform(like) * torch.randn_like(like)).clamp(-1, 1)


def _smooth(like: Tensor) -> Tensor:
    coarse = torch.randn_like(like[..., :4, :4])
    waves = interpolate(coarse, like.shape[-2:], mode="bicubic")
    return (_uniform(like) * waves + 2 * _uniform(like) - 1).clamp(-1, 1)


def _mixed(images: Tensor) -> Tensor:
    mixed, others = images.clone(), images[torch.randperm(len(images), device=images.device)]
    middle, (height, width) = len(images) // 2, images.shape[-2:]
    mixed[:middle, :, : height // 2] = others[:middle].flip(-2)[:, :, : height // 2]
    mixed[middle:, ..., : width // 2] = others[middle:].flip(-1)[..., : width // 2]
    return mixed


def _uniform(like: Tensor) -> Tensor:
    return torch.rand(len(like), 1, 1, 1).to(like)
