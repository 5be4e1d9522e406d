"""The flow of handwritten digits, and the noise that it was trained with."""

from dataclasses import dataclass

from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.errors import FileFormatError
from linearizer.saving.run_information import NOTE, open_model

TEMPERATURE = 0.8


@dataclass(frozen=True)
class Digits:
    """A flow of digits (1, 28, 28).

    Attributes:
        flow: Whose g was trained on digits with noise.
        noise: The standard deviation of that noise.
    """

    flow: OneStepFlow
    noise: float

    @classmethod
    def load(cls, name: str) -> "Digits":
        """The flow in a folder or of a name, for use and not for training.

        Raises:
            FileFormatError: If it is none, or has no note of its noise beside it.
        """
        opened = open_model(name, OneStepFlow)
        noise = opened.note.get("noise_std")
        if noise is None:
            raise FileFormatError(f"expected 'noise_std' in the {NOTE} of {name}, got none")
        return cls(opened.model.requires_grad_(False), noise)

    def clean(self, points: Tensor) -> Tensor:
        """Points (*batch, 1, 28, 28) without the noise: no points of the linear map any more."""
        return self.flow.denoise(points, self.noise)

    def generated(self, count: int, seed: int) -> Tensor:
        """Digits (count, 1, 28, 28) to pick from."""
        return self.clean(self.flow.sample(count, temperature=TEMPERATURE, seed=seed))
