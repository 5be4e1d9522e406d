"""The tab of classes."""

from typing import Any

import gradio as gr
from torch import Tensor

from linearizer.app import classes
from linearizer.app.digit_pad import DigitPad
from linearizer.app.events import on, on_opening
from linearizer.app.models import Models
from linearizer.app.parts import action, class_choice, pictures
from linearizer.applications import ConditionalFlow
from linearizer.applications.conditional_flow import Kind

SAYS = """
**A class is a linear operator.** All classes share one network g; each has a mean and a covariance
of its own, so an operator from noise to its digits. From one class to another leads `B_b B_a⁻¹`,
one operator again. What all classes share, the hand, stays. The density of each class is exact,
so Bayes' formula gives the probability of each.
"""
KINDS: list[tuple[str, Kind]] = [
    ("keep the noise", "noise"),
    ("move as little as possible (optimal transport)", "transport"),
]
NONE = (
    "This flow of digits has no classes: add them with `linearizer classes add RUN --out NEW`, RUN "
    "being its folder and NEW a new one, and start the page with `linearizer app --flow NEW`."
)


def classes_tab(tab: gr.Tab, models: Models) -> None:
    """Build it, and fill it when it is opened."""
    gr.Markdown(SAYS)
    if isinstance(models.digits.model, ConditionalFlow):
        _panel(tab, models, models.digits.model)
    else:
        gr.Markdown(NONE, elem_id="no-classes")


def _panel(tab: gr.Tab, models: Models, flow: ConditionalFlow) -> None:
    with gr.Row():
        with gr.Column(min_width=300):
            pad = DigitPad(models, "draw a digit", "hand", seed=1, first=0)
        with gr.Column(min_width=280):
            kind = gr.Radio(KINDS, value=KINDS[0][1], label="the map between classes")
            label = class_choice(models.digits, "to the class")
            run = action("Translate", "translate")
            note = gr.Markdown(elem_id="read")
        with gr.Column(min_width=280):
            t = gr.Slider(
                0, 1, 0.5, step=1 / (classes.POINTS - 1), label="t, from yours to the class"
            )
            place = pictures("place")
    gr.Markdown("### The same hand in every class")
    translated = pictures("translated")
    gr.Markdown("### From yours to the class, keeping the noise")
    line = pictures("way")
    points = gr.State()

    def translate(canvas: Any, kind: Kind) -> tuple[str, str]:
        return classes.translated(flow, pad.digit(canvas, models.digits.side), kind)

    def walk(canvas: Any, label: str, t: float) -> tuple[Tensor, str, str]:
        to = models.digits.named(label)
        assert to is not None, "this choice has no 'all'"
        way = classes.way(flow, pad.digit(canvas, models.digits.side), to)
        return way, classes.line(way), classes.place(way, t)

    def answer(canvas: Any, kind: Kind, label: str, t: float) -> tuple[Any, ...]:
        return *translate(canvas, kind), *walk(canvas, label, t)

    def start(kind: Kind, label: str, t: float) -> tuple[Any, ...]:
        canvas = pad.start()
        return canvas, *answer(canvas, kind, label, t)

    def move(way: Tensor | None, t: float) -> str:
        return "" if way is None else classes.place(way, t)

    controls, walked = [kind, label, t], [points, line, place]
    on([run.click], answer, [pad.canvas, *controls], [translated, note, *walked])
    on([kind.input], translate, [pad.canvas, kind], [translated, note])
    on([label.input], walk, [pad.canvas, label, t], walked)
    on([t.change], move, [points, t], [place])
    on_opening(tab, start, controls, [pad.canvas, translated, note, *walked])
