"""The patch transformer conditioner of Jet (arXiv:2412.15129): all matrix products."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer.errors import ShapeError
from linearizer.saving import Saveable


@dataclass(frozen=True)
class PatchTransformer(Saveable):
    """Factory of a small vision transformer on patch tokens (T, D).

    Args:
        width: Channels of the residual stream; a multiple of `heads`.
        depth: Transformer blocks.
        heads: Attention heads.

    Raises:
        ShapeError: When called, unless the event is (tokens, channels) and keeps its tokens.

    Example:
        >>> import torch, linearizer as lz
        >>> net = lz.conditioners.PatchTransformer(width=32)((9, 4), (2, 9, 5))
        >>> net(torch.randn(3, 9, 4)).shape
        torch.Size([3, 2, 9, 5])
    """

    width: int = 64
    depth: int = 2
    heads: int = 4

    def __call__(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        """Make the network."""
        if len(in_shape) != 2 or in_shape[0] != out_shape[-2]:
            raise ShapeError(
                f"expected events (tokens, channels) with as many tokens, got {in_shape} and "
                f"{out_shape}; put Patches before the coupling, and an even number of tokens"
            )
        return _TokenNet(self, in_shape, out_shape)


class _TokenNet(nn.Module):
    def __init__(self, factory: PatchTransformer, in_shape: Shape, out_shape: Shape) -> None:
        super().__init__()
        self.out_shape = out_shape
        self.embed = nn.Linear(in_shape[1], factory.width)
        self.position = nn.Parameter(0.02 * torch.randn(in_shape[0], factory.width))
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    factory.width,
                    factory.heads,
                    4 * factory.width,
                    dropout=0.0,
                    activation="gelu",
                    batch_first=True,
                    norm_first=True,
                )
                for _ in range(factory.depth)
            )
        )
        self.norm = nn.LayerNorm(factory.width)
        self.head = nn.Linear(factory.width, torch.Size(out_shape).numel() // out_shape[-2])

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.head(self.norm(self.blocks(self.embed(tokens) + self.position)))
        parts = out.unflatten(-1, (-1, self.out_shape[-1])).movedim(-2, 1)
        return parts.reshape(-1, *self.out_shape)
