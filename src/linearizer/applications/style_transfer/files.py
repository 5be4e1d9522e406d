"""A style as files of its own, which belong to one pair of bijections."""

import abc
import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from linearizer.bijections import Bijection
from linearizer.errors import FileFormatError, RangeError
from linearizer.operators import Convolution
from linearizer.saving import CONFIG_FILE, Saveable, files_in, save_parts

STYLES = "styles"
"""The folder of the styles in that of their bijections."""


class Style(nn.Module, Saveable):
    """One style as a file of its own: its operator, and which bijections it belongs to.

    Args:
        operator: A convolution of latents.
        fingerprint: `StyleTransfer.fingerprint` of the bijections that it was made with.
    """

    def __init__(self, operator: Convolution, fingerprint: str) -> None:
        super().__init__()
        self.operator, self.fingerprint = operator, fingerprint


def check_name(name: str) -> None:
    """Raise unless a style of this name can be a folder."""
    if not name.replace("-", "_").isidentifier():
        raise RangeError(
            f"expected a name of letters, digits, '-' and '_', got {name!r}; rename the style"
        )
    if hasattr(nn.ModuleDict, name):  # a style is an attribute of one
        raise RangeError(f"expected another name, got {name!r}, which modules have; rename it")


class StyleFiles(nn.Module, Saveable, abc.ABC):
    """How bijections and their styles are written: each style in a folder of its own."""

    g_x: Bijection
    g_y: Bijection

    @property
    @abc.abstractmethod
    def names(self) -> list[str]:
        """The names of the styles."""

    @abc.abstractmethod
    def operator(self, style: str) -> Convolution:
        """The operator of a style."""

    @abc.abstractmethod
    def add(self, name: str, operator: Convolution) -> None:
        """Make an operator a style."""

    def fingerprint(self) -> str:
        """A hash of the weights of g_x and g_y: styles belong to one pair of bijections."""
        return fingerprint(self.g_x, self.g_y)

    def saved_parts(self) -> dict[str, Saveable]:
        """The bijections in the folder, and each style in `styles/NAME`, to pass on alone."""
        mark = self.fingerprint()
        styles = {f"{STYLES}/{name}": Style(self.operator(name), mark) for name in self.names}
        return {".": type(self)(self.g_x, self.g_y), **styles}

    def save_style(self, name: str, folder: str | Path, **options: Any) -> Path:
        """Write one style into `folder/styles/NAME`, and return where."""
        place = f"{STYLES}/{name}"
        style = Style(self.operator(name), self.fingerprint())
        save_parts({place: style}, Path(folder), **options)
        return Path(folder) / place

    def load_style(self, place: str | Path, name: str | None = None) -> str:
        """Add a style that `save_style` wrote, and return its name, that of the folder.

        Raises:
            FileFormatError: If it is no style, or was made with other bijections.
            RangeError: If its operator is of another kind than those of the other styles.
        """
        name = name or Path(place).name
        self.add(name, read_style(place, self.fingerprint()))
        return name

    def loaded_from(self, folder: Path) -> None:
        """Add every style beside the bijections."""
        for place in self.parts_in(folder)[1:]:
            self.load_style(place)

    def parts_in(self, folder: Path) -> list[Path]:
        """The folder of the bijections, and that of each style."""
        styles = files_in(folder, f"{STYLES}/*/{CONFIG_FILE}")
        return [folder, *(folder / name for name in (Path(n).parent for n in styles))]


def read_style(place: str | Path, mark: str) -> Convolution:
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
