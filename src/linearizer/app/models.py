"""The trained models of the page, each read once, when it is first needed, and shared."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch

from linearizer.app.digits import Digits
from linearizer.applications import IdempotentGenerator, StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.operators import CircularConvolution
from linearizer.saving import list_pretrained

SHIPPED_STYLE = "style"


class Models:
    """The flow and the projector that come with the library, and models of styles.

    Args:
        styles: Folders or names of models of styles; the shipped one, if there is one, by
            default.

    Raises:
        FileFormatError: If one of them is no model of styles.

    Example:
        >>> from linearizer.app.models import Models
        >>> Models([]).digits.flow.g_data.in_shape
        (1, 28, 28)
    """

    def __init__(self, styles: Sequence[str] | None = None) -> None:
        if styles is None:
            styles = [SHIPPED_STYLE] if SHIPPED_STYLE in list_pretrained() else []
        # These are small, and their names make the sliders: a wrong one is told at once.
        self.styles = {Path(name).name: _styles(name) for name in styles}

    @cached_property
    def digits(self) -> Digits:
        """The one-step flow of handwritten digits."""
        return Digits.load("mnist")

    @cached_property
    def projector(self) -> IdempotentGenerator:
        """The projector onto what handwritten digits look like."""
        return IdempotentGenerator.from_pretrained("projector").requires_grad_(False)


def _styles(name: str) -> StyleTransfer:
    model = StyleTransfer.from_pretrained(name).requires_grad_(False)
    if PLAIN not in model.names:  # no style at all is then the identity of the latents
        unit = torch.eye(model.g_x.out_shape[0])[..., None, None]
        model.add(PLAIN, CircularConvolution(unit, model.g_x.out_shape[1:]))
    return model
