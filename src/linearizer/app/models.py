"""The trained models of the page, each read once, and shared."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch

from linearizer.app.digits import Digits
from linearizer.applications import IdempotentGenerator, StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.saving import list_pretrained

SHIPPED_FLOW, SHIPPED_STYLE = "mnist", "style"


class Models:
    """A flow of digits, models of styles, and the projector that comes with the library.

    Args:
        styles: Folders or names of models of styles; the shipped one, if there is one, by
            default.
        flow: Folder or name of a flow of handwritten digits, with classes or without.

    Raises:
        FileFormatError: If one of them is no model of styles, or no flow.
        ShapeError: If the flow makes other images than square, gray ones.

    Example:
        >>> from linearizer.app.models import Models
        >>> Models([]).digits.side
        28
    """

    def __init__(self, styles: Sequence[str] | None = None, flow: str = SHIPPED_FLOW) -> None:
        if styles is None:
            styles = [SHIPPED_STYLE] if SHIPPED_STYLE in list_pretrained() else []
        # The names of styles and classes make the page, and a wrong model is told at once.
        self.digits = Digits.load(flow)
        self.styles = {Path(name).name: _styles(name) for name in styles}

    @cached_property
    def projector(self) -> IdempotentGenerator:
        """The projector onto what handwritten digits look like."""
        return IdempotentGenerator.from_pretrained("projector").requires_grad_(False)


def _styles(name: str) -> StyleTransfer:
    model = StyleTransfer.from_pretrained(name).requires_grad_(False)
    if PLAIN not in model.names:  # no style at all is then the identity of the latents
        unit = torch.eye(model.g_x.out_shape[0])[..., None, None]
        model.add(PLAIN, model.kind(unit, model.g_x.out_shape[1:]))
    return model
