"""The flow of handwritten digits, and the noise that it was trained with."""

from dataclasses import dataclass

from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.applications.conditional_flow import Label
from linearizer.errors import FileFormatError, ShapeError
from linearizer.saving.run_information import NOTE, open_model
from linearizer.saving.saveable import check_kind

TEMPERATURE = 0.8
ALL = "all"


@dataclass(frozen=True)
class Digits:
    """A flow of digits (1, n, n), with classes or without.

    Attributes:
        model: With classes it is of digits as they are; without, of digits with noise.
        noise: The standard deviation of that noise.
    """

    model: OneStepFlow | ConditionalFlow
    noise: float = 0.0

    @classmethod
    def load(cls, name: str) -> "Digits":
        """The flow in a folder or of a name, for use and not for training.

        Raises:
            FileFormatError: If it is none, or has no note of its noise beside it.
            ShapeError: If it makes other images than square, gray ones.
        """
        opened = open_model(name, object)
        if isinstance(opened.model, ConditionalFlow):
            digits = cls(opened.model)
        else:
            noise = opened.note.get("noise_std")
            digits = cls(check_kind(opened.model, OneStepFlow, name), noise or 0.0)
            if noise is None:
                raise FileFormatError(f"expected 'noise_std' in the {NOTE} of {name}, got none")
        digits.model.requires_grad_(False)
        shape = digits.flow.g_data.in_shape
        if len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
            raise ShapeError(
                f"expected a flow of square, gray images (1, n, n), got images {shape} in {name}; "
                "take a flow of handwritten digits"
            )
        return digits

    @property
    def flow(self) -> OneStepFlow:
        """The flow of all classes as one."""
        return self.model.pooled if isinstance(self.model, ConditionalFlow) else self.model

    @property
    def side(self) -> int:
        """The number n of pixels on a side."""
        return self.flow.g_data.in_shape[-1]

    @property
    def classes(self) -> list[Label]:
        """The labels of the classes; none, if the flow has none."""
        return self.model.classes if isinstance(self.model, ConditionalFlow) else []

    def named(self, text: str | None) -> Label | None:
        """The class that is written so, or none for all; the model refuses a text that is none."""
        every = text in (None, ALL)
        return None if every else next((c for c in self.classes if str(c) == text), text)

    def clean(self, points: Tensor) -> Tensor:
        """Points (*batch, 1, n, n) without the noise: no points of the linear map any more.

        A flow with classes makes none, and its points stay as they are.
        """
        return self.model.denoise(points, self.noise) if not self.classes else points

    def generated(self, count: int, seed: int) -> Tensor:
        """Digits (count, 1, n, n) to pick from."""
        return self.clean(self.model.sample(count, temperature=TEMPERATURE, seed=seed))
