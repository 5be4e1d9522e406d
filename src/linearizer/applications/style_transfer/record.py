"""What was done to a picture, as a file beside it: from it the content comes back."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from linearizer._checks import numbers_of
from linearizer._files import as_json, atomic_write, parse_json, short
from linearizer.applications.style_transfer import files
from linearizer.applications.style_transfer.model import PLAIN, StyleTransfer
from linearizer.applications.style_transfer.stages import Progress
from linearizer.applications.style_transfer.steps import Step
from linearizer.data.images import as_bytes
from linearizer.errors import FileFormatError, SingularOperatorError

_DAMAGED = (
    *(SafetensorError, ValueError, KeyError, TypeError, AttributeError),
    *(OverflowError, RecursionError),
)
"""What reading raises of a file that is something else."""
IMAGE, NOTE, VERSION = "image", "linearizer.style", 1


@dataclass(frozen=True)
class Record:
    """A stylized picture before it was rounded, and all that undoing it needs to know.

    As a file it is a safetensors file with the numbers as `image`, and the rest as JSON in its
    metadata.

    Attributes:
        image: The exact numbers (C, H', W'), padded to sides that the squeeze divides.
        size: (H, W) of the picture.
        steps: What was done, the first step first.
        model: `StyleTransfer.fingerprint` of the model.
        operators: Hashes of the operators that the steps name; None for one that is not there.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications.style_transfer import Record, Step, StyleTransfer
        >>> g = [lz.style_bijection((3, 16, 16), depth=1, width=8) for _ in range(2)]
        >>> negative = lz.SymmetricConvolution(-torch.eye(48)[..., None, None], (4, 4))
        >>> model = StyleTransfer(*g, {"negative": negative})
        >>> photo = torch.rand(3, 30, 50)
        >>> record = Record.of(model, photo, [Step({"negative": 1.0}, strength=0.8)])
        >>> record.picture.shape
        torch.Size([3, 30, 50])
        >>> torch.allclose(record.undo(model), photo, atol=1e-4)
        True
    """

    image: Tensor
    size: tuple[int, int]
    steps: tuple[Step, ...]
    model: str
    operators: dict[str, str | None]

    @classmethod
    def of(
        cls,
        model: StyleTransfer,
        content: Tensor,
        steps: Sequence[Step],
        *,
        exact: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Take the steps on a content (C, H, W).

        Args:
            model: The styles.
            content: In [-1, 1].
            steps: What to do.
            exact: Whether to compute and to keep float64, from which the content comes back bit
                by bit. The rounding of float32 is amplified: a style gives the content back to a
                few gray levels of 255, two styles after each other to ten or more.
            progress: As of `StyleTransfer.stylize`.

        Raises:
            ShapeError: If the content is too small or has other channels.
            RangeError: If a step names an unknown style.
        """
        dtype = torch.float64 if exact else content.dtype
        image = _in(dtype, model).stylize(
            content.to(dtype), steps, cropped=False, progress=progress
        )
        height, width = content.shape[-2:]
        names = _names(steps)
        hashes = {name: _hash(model, name) for name in names}
        return cls(image, (height, width), tuple(steps), model.fingerprint(), hashes)

    @property
    def picture(self) -> Tensor:
        """The stylized picture (C, H, W), as it is before it is rounded to 8 bits."""
        return self.image[..., : self.size[0], : self.size[1]]

    def is_of(self, picture: Tensor) -> bool:
        """Whether a picture is this one, rounded to 8 bits and not edited since."""
        exact = self.picture
        return exact.shape == picture.shape and torch.equal(as_bytes(exact), as_bytes(picture))

    def undo(self, model: StyleTransfer, *, progress: Progress | None = None) -> Tensor:
        """The content (C, H, W): all steps taken back, the last one first.

        Raises:
            FileFormatError: If the model has another g, or a style of it was replaced.
            SingularOperatorError: If a step has no inverse.
        """
        self.check(model)
        check_invertible(model, self.steps, self.image.dtype)
        content = _in(self.image.dtype, model).undo(self.image, self.steps, progress=progress)
        return content[..., : self.size[0], : self.size[1]].to(numbers_of(model))

    def check(self, model: StyleTransfer) -> None:
        """Raise unless a model is the one that made the picture.

        Raises:
            FileFormatError: If it has another g, or a style of it was replaced.
        """
        if model.fingerprint() != self.model:
            raise FileFormatError(
                "expected the model that this picture was made with, got one with another g; name "
                "the folder of that model"
            )
        for name, mark in self.operators.items():
            now = _hash(model, name)
            if mark is None and now is not None:
                raise FileFormatError(
                    f"expected no style {name}, as when this picture was made, got one; undo it "
                    "with a copy of the model that has none"
                )
            if now != mark:
                got = "none of that name" if now is None else "another"
                raise FileFormatError(
                    f"expected the style {name} as it was when this picture was made, got {got}; "
                    "put its folder of that time back into the model"
                )

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all.

        Raises:
            NotWrittenError: If the disk is full or the folder cannot be written to.
        """
        note = {
            "version": VERSION,
            "size": self.size,
            "steps": [asdict(step) for step in self.steps],
            "model": self.model,
            "operators": self.operators,
        }
        with atomic_write(path) as part:
            save_file({IMAGE: self.image.contiguous()}, part, metadata={NOTE: as_json(note)})

    @classmethod
    def read(cls, path: Path) -> Self:
        """The record in a file.

        Raises:
            FileFormatError: If there is none, or it is damaged or something else.
        """
        if not path.is_file():
            raise FileFormatError(
                f"expected a record of a stylized picture, got no file {path}; make the picture "
                "again, or bring its record there"
            )
        try:
            with safe_open(path, framework="pt") as file:
                note = parse_json((file.metadata() or {})[NOTE])
                return cls._from(note, file.get_tensor(IMAGE))
        except _DAMAGED as error:
            raise FileFormatError(
                f"expected a record of a stylized picture in {path}, got something else "
                f"({short(error)}); make the picture again"
            ) from error

    @classmethod
    def _from(cls, note: dict[str, Any], image: Tensor) -> Self:
        if note["version"] != VERSION:
            raise ValueError(f"version {note['version']}, of a newer linearizer")
        height, width = note["size"]
        if image.ndim != 3 or not (0 < height <= image.shape[1] and 0 < width <= image.shape[2]):
            raise ValueError(f"numbers {tuple(image.shape)} of a picture {height}×{width}")
        if not image.is_floating_point() or not bool(image.isfinite().all()):
            raise ValueError("numbers that are not finite")
        steps = tuple(
            Step(step["weights"], strength=step["strength"], geodesic=step["geodesic"])
            for step in note["steps"]
        )
        if not steps:
            raise ValueError("no steps")
        return cls(image, (height, width), steps, note["model"], dict(note["operators"]))


def check_invertible(model: StyleTransfer, steps: Sequence[Step], dtype: torch.dtype) -> None:
    """Raise unless steps can be taken back.

    Beyond a condition number of 1/ε of the dtype, the rounding of the numbers themselves is
    amplified to as much as there is.

    Raises:
        SingularOperatorError: If not.
    """
    limit, condition = 1 / torch.finfo(dtype).eps, model.cond(steps)
    if not condition <= limit:
        raise SingularOperatorError(
            f"expected an operator with an inverse, got {', then '.join(map(str, steps))}, whose "
            f"condition number is {condition:.3g}, above {limit:.3g}; a little more or less of a "
            "style has one"
        )


def _in(dtype: torch.dtype, model: StyleTransfer) -> StyleTransfer:
    """The model, or a copy of it in another dtype."""
    return model if numbers_of(model).dtype == dtype else copy.deepcopy(model).to(dtype)


def _names(steps: Sequence[Step]) -> list[str]:
    """The styles that steps take their operators from."""
    names = dict.fromkeys(name for step in steps for name in step.weights)
    weakened = any(step.strength != 1.0 for step in steps)
    return [*names, PLAIN] if weakened and PLAIN not in names else list(names)


def _hash(model: StyleTransfer, name: str) -> str | None:
    return files.fingerprint(model.operator(name)) if name in model.names else None
