"""A style as files of its own, which belong to one pair of bijections."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from linearizer.errors import FileFormatError, RangeError
from linearizer.operators import CircularConvolution
from linearizer.saving import Saveable

STYLES = "styles"
"""The folder of the styles in that of their bijections."""


class Style(nn.Module, Saveable):
    """One style as a file of its own: its operator, and which bijections it belongs to.

    Args:
        operator: A convolution of latents.
        fingerprint: `StyleTransfer.fingerprint` of the bijections that it was made with.
    """

    def __init__(self, operator: CircularConvolution, fingerprint: str) -> None:
        super().__init__()
        self.operator, self.fingerprint = operator, fingerprint


def check_name(name: str) -> None:
    """Raise unless a style of this name can be a folder."""
    if not name.replace("-", "_").isidentifier():
        raise RangeError(
            f"expected a name of letters, digits, '-' and '_', got {name!r}; rename the style"
        )


def read_style(place: str | Path, mark: str) -> CircularConvolution:
    """The operator of the style in a folder, if its bijections have this fingerprint.

    Raises:
        FileFormatError: If it is no style, or was made with other bijections.
    """
    style = Style.from_pretrained(place)
    if style.fingerprint != mark:
        raise FileFormatError(
            f"expected a style of this model in {place}, got one that was made with another "
            "g; add it from its teacher or from pairs of images instead"
        )
    return style.operator


def fingerprint(*modules: nn.Module) -> str:
    """A hash of the weights of modules."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in module.state_dict().items():
            digest.update(name.encode())
            digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    """The numbers of a tensor as they lie in memory, in any dtype."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
