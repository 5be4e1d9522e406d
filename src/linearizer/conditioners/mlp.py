"""The fully connected conditioner: large matrix products, the quickest on a CPU."""

from dataclasses import dataclass
from itertools import chain, pairwise, repeat

import torch
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer.saving import Saveable


@dataclass(frozen=True)
class MLP(Saveable):
    """Factory of a multilayer perceptron on the flattened event.

    Args:
        width: Units of each hidden layer.
        depth: Hidden layers.
        saturation: c of `c tanh(x / c)`, which the inputs go through; the network then hardly
            changes far from the data, where it learned nothing.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.conditioners.MLP(width=32)((4, 4), (2, 3))(torch.randn(5, 4, 4)).shape
        torch.Size([5, 2, 3])
    """

    width: int = 256
    depth: int = 2
    saturation: float | None = None

    def __call__(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        """Make the network."""
        n_in, n_out = torch.Size(in_shape).numel(), torch.Size(out_shape).numel()
        widths = chain([n_in], repeat(self.width, self.depth))
        layers: list[nn.Module] = [nn.Flatten()]
        if self.saturation is not None:
            layers.append(_Saturation(self.saturation))
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.SiLU()]
        last = self.width if self.depth > 0 else n_in
        return nn.Sequential(*layers, nn.Linear(last, n_out), nn.Unflatten(-1, out_shape))


class _Saturation(nn.Module):
    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, x: Tensor) -> Tensor:
        return self.bound * torch.tanh(x / self.bound)
