"""A canvas to draw a digit on, with generated digits below it to pick from."""

from typing import Any

import gradio as gr
from torch import Tensor

from linearizer.app.events import on
from linearizer.app.models import Models
from linearizer.app.pictures import CANVAS, canvas_of, drawing_from

CHOICES = 8
PEN = 22


class DigitPad:
    """The canvas, and what it holds at first.

    Args:
        models: Whose flow makes the digits.
        label: Above it.
        name: Of its elements in the page.
        seed: Of the digits.
        first: Which of them it holds at first.
    """

    def __init__(self, models: Models, label: str, name: str, seed: int, first: int) -> None:
        self.models, self.seed, self.first = models, seed, first
        self.canvas = gr.Sketchpad(
            type="pil",
            label=label,
            canvas_size=(CANVAS, CANVAS),
            fixed_canvas=True,
            height=CANVAS + 90,
            brush=gr.Brush(default_size=PEN, colors=["#000000"], color_mode="fixed"),
            layers=False,
            transforms=(),
            buttons=[],
            format="png",
            elem_id=f"{name}-canvas",
        )
        gr.Markdown("or pick one that the flow generated:")
        self.choices = gr.Gallery(
            show_label=False,
            columns=CHOICES,
            height="auto",
            allow_preview=False,
            buttons=[],
            format="png",
            object_fit="contain",
            elem_id=f"{name}-choices",
            elem_classes="choices",
        )

    def start(self) -> tuple[Any, list[Any], Tensor]:
        """What the canvas and the choices hold at first, and the digit that this is."""
        digits = self.models.digits.generated(CHOICES, self.seed)
        first = digits[self.first]
        return layered(first), [canvas_of(digit) for digit in digits], first

    def listen(self) -> None:
        """Put a digit that is picked on the canvas."""

        def pick(event: gr.SelectData) -> Any:
            return layered(self.models.digits.generated(CHOICES, self.seed)[event.index])

        on([self.choices.select], pick, [], [self.canvas])


def layered(digit: Tensor) -> dict[str, Any]:
    """A digit as the paper to draw on."""
    paper = canvas_of(digit)
    return {"background": paper, "layers": [], "composite": paper}


def digit_on(value: dict[str, Any] | None) -> Tensor:
    """The digit (1, 28, 28) on a canvas; one that was drawn is centred, as those of MNIST are.

    Raises:
        RangeError: If there is none.
    """
    if value is None:
        return drawing_from(None, centred=False)
    drawn = any(layer.getextrema()[-1][1] > 0 for layer in value["layers"])
    return drawing_from(value["composite"], centred=drawn)
