"""The tab of styles."""

from typing import Any

import gradio as gr
import torch
from torch import Tensor

from linearizer._extras import needs_extra
from linearizer.app import style
from linearizer.app.events import on
from linearizer.app.models import Models
from linearizer.app.parts import action
from linearizer.app.pictures import photo_from
from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.data.pixels import as_picture

OWN, NOTHING, UNDO = "yours", "nothing", "undo it"
PHOTOS = ("china", "flower")
SAYS = f"""
**A style is a linear operator.** A photograph goes through one network, an operator A, and back
through another: `g_y⁻¹(A g_x(x))`. So styles are mixed by adding operators, weakened towards the
plain photograph, undone by the pseudo-inverse, and one after another they are a product.
Photographs are reduced to {style.MAX_SIDE} pixels a side; to {style.UNDONE_SIDE} for undoing, which
inverts a matrix for each frequency.
"""
NONE = (
    "There is no model of styles here: train one with `linearizer train style`, and start the page "
    "with `linearizer app --style RUN`, RUN being its folder."
)


def style_tab(tab: gr.Tab, models: Models) -> None:
    """Build it: for one model as it is, for several with a tab each."""
    gr.Markdown(SAYS)
    if not models.styles:
        gr.Markdown(NONE, elem_id="no-style")
    elif len(models.styles) == 1:
        _panel(tab, next(iter(models.styles.values())))
    else:
        for name, model in models.styles.items():
            with gr.Tab(name) as inner:
                _panel(inner, model)


def _panel(tab: gr.Tab, model: StyleTransfer) -> None:
    names = [name for name in model.names if name != PLAIN]
    with gr.Row():
        with gr.Column(min_width=260):
            choice = gr.Radio([*PHOTOS, OWN], value=PHOTOS[0], label="photograph")
            file = gr.File(
                label="Your photograph", file_types=["image"], height=130, elem_id="photo"
            )
            sliders = [
                gr.Slider(0, 1, float(i == 0), step=0.05, label=name)
                for i, name in enumerate(names)
            ]
            strength = gr.Slider(0, style.STRONGEST, 1, step=0.05, label="strength of the mix")
            then = gr.Radio([NOTHING, UNDO, *names], value=NOTHING, label="and then")
            run = action("Stylize", "stylize")
        with gr.Column(scale=3):
            with gr.Row():
                before = _image("photograph", "before")
                styled = _image("in the style", "styled")
            with gr.Row():
                after = _image("and then", "after", visible=False)
                note = gr.Markdown(elem_id="style-note")

    def answer(choice: str, file: str | None, strength: float, then: str, *weights: float) -> Any:
        own = choice == OWN
        photo = photo_from(file, grey=False, max_side=style.MAX_SIDE) if own else _sample(choice)
        result = style.styled(
            model,
            photo,
            dict(zip(names, weights, strict=True)),
            strength,
            second=then if then in names else None,
            undo=then == UNDO,
        )
        last = gr.Image(visible=False)
        if result.after is not None:
            label = "undone" if then == UNDO else f"and then in {then}"
            last = gr.Image(as_picture(result.after), label=label, visible=True)
        return as_picture(result.photo), as_picture(result.styled), last, result.note

    def uploaded(_: str, *rest: Any) -> Any:
        return OWN, *answer(OWN, *rest)

    controls = [choice, file, strength, then, *sliders]
    results = [before, styled, after, note]
    releases = [slider.release for slider in (strength, *sliders)]
    triggers = [run.click, choice.input, then.input, *releases]
    on(triggers, answer, controls, results, opening=tab)
    on([file.upload], uploaded, controls, [choice, *results])


def _image(label: str, name: str, *, visible: bool = True) -> gr.Image:
    return gr.Image(
        label=label,
        interactive=False,
        visible=visible,
        format="png",
        buttons=["download", "fullscreen"],
        elem_id=name,
        elem_classes="photo",
    )


def _sample(name: str) -> Tensor:
    """A photograph that scikit-learn ships."""
    with needs_extra("scikit-learn"):
        from sklearn.datasets import load_sample_image  # noqa: PLC0415
    pixels = torch.from_numpy(load_sample_image(f"{name}.jpg").copy())
    return pixels.movedim(-1, 0) / 127.5 - 1
