"""The tab of the projector."""

from typing import Any

import gradio as gr

from linearizer.app import projector
from linearizer.app.digit_pad import DigitPad
from linearizer.app.events import on, on_opening
from linearizer.app.models import Models
from linearizer.app.parts import action, pictures
from linearizer.data import CORRUPTIONS

SAYS = """
**A projection onto what digits look like.** `f = g⁻¹ A g` with `A² = A`, a linear projection of
coordinates: so `f(f(x)) = f(x)` for anything, and what is damaged comes back as a digit.
Every x is the sum `f(x) ⊕ (x ⊖ f(x))`; "taken away" is the second part. The zero of this space
is no black square, but `g⁻¹(0)`, which looks like a faint 8: taking away nothing looks like that.
"""


def projector_tab(tab: gr.Tab, models: Models) -> None:
    """Build it, and fill it when it is opened."""
    gr.Markdown(SAYS)
    with gr.Row():
        with gr.Column(min_width=320):
            pad = DigitPad(models, "draw a digit", "digit", seed=21, first=2)
        with gr.Column(min_width=240):
            damage = gr.Dropdown(
                [projector.NO_DAMAGE, *CORRUPTIONS], value="salt", label="damage", elem_id="damage"
            )
            seed = gr.Slider(0, 999, 0, step=1, label="seed of the damage")
            rank = gr.Slider(1, projector.RANKS[-1], 64, step=1, label="rank of A")
            run = action("Project", "project")
            note = gr.Markdown(elem_id="residual")
        with gr.Column(scale=2, min_width=320):
            projection = pictures("projection")
    gr.Markdown("### The same x at all ranks, and its distance to each manifold")
    ranks = pictures("ranks")

    def answer(canvas: Any, damage: str, seed: float, rank: float) -> tuple[str, str, str]:
        f = models.projector
        digit = pad.digit(canvas, f.g.in_shape[-1])
        x = projector.damaged(digit, damage, int(seed))
        return *projector.projection(f, digit, x, int(rank)), projector.ladder(f, x)

    def start(damage: str, seed: float, rank: float) -> tuple[Any, ...]:
        canvas = pad.start()
        return canvas, *answer(canvas, damage, seed, rank)

    controls, results = [damage, seed, rank], [projection, note, ranks]
    triggers = [run.click, damage.input, seed.release, rank.release]
    on(triggers, answer, [pad.canvas, *controls], results)
    on_opening(tab, start, controls, [pad.canvas, *results])
