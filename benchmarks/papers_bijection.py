"""The g of arXiv:2510.08570, as its appendix describes it: what ours is compared with."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

import linearizer as lz


class _Residual(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.GroupNorm(4, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1)),
            *(nn.GroupNorm(4, after), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1)),
        )
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.layers(x)


class _UNet(nn.Module):
    def __init__(self, channels: int, out_shape: tuple[int, ...], width: int, blocks: int) -> None:
        super().__init__()

        def same() -> nn.Module:
            return nn.Sequential(*(_Residual(width, width) for _ in range(blocks)))

        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.down, self.shrink, self.coarse = same(), nn.Conv2d(width, width, 3, 2, 1), same()
        self.grow = nn.Upsample(scale_factor=2)
        self.join, self.up = _Residual(2 * width, width), same()
        outputs = torch.Size(out_shape[:-2]).numel()
        self.last = nn.Sequential(
            *(nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, outputs, 3, padding=1)),
            nn.Unflatten(1, out_shape[:-2]),
        )

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down(self.first(x))
        coarse = self.grow(self.coarse(self.shrink(fine)))
        return self.last(self.up(self.join(torch.cat([fine, coarse], 1))))


@dataclass(frozen=True)
class UNet(lz.Saveable):
    """TrainingConfig of a small U-Net of two resolutions, as conditioner of a coupling."""

    width: int = 16
    blocks: int = 2

    def __call__(self, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> nn.Module:
        """Make the network."""
        return _UNet(in_shape[0], out_shape, self.width, self.blocks)


def papers_bijection(shape: tuple[int, int, int], blocks: int = 4) -> lz.Bijection:
    """A 2x2 squeeze, then blocks of ActNorm, two affine couplings by U-Nets, 1x1 convolution."""
    squeeze = lz.Squeeze(shape)
    layers: list[lz.Bijection] = [squeeze]
    for _ in range(blocks):
        layers += [
            lz.ActNorm(squeeze.out_shape),
            lz.AffineCoupling(squeeze.out_shape, UNet(), flip=True, log_scale_bound=5.0),
            lz.AffineCoupling(squeeze.out_shape, UNet(), log_scale_bound=5.0),
            lz.Conv1x1(squeeze.out_shape),
        ]
    return lz.Chain(*layers, lz.Flatten(squeeze.out_shape))
