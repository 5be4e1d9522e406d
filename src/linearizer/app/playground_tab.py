"""The tab of two digits."""

from typing import Any

import gradio as gr

from linearizer.app import playground
from linearizer.app.digit_pad import DigitPad
from linearizer.app.events import on
from linearizer.app.models import Models
from linearizer.app.parts import action, pictures

SAYS = """
**Digits as vectors.** A network g maps a digit to coordinates and back without loss. There, digits
are added and scaled like any vectors: `u ⊕ v = g⁻¹(g(u) + g(v))`, so this is linear by
construction. Sums in pixels lie on top of each other; here they read as one digit, often.

g learned digits with noise on them. What you draw has none, and lies nearer to zero than they do;
results are shown without noise. g was not trained for sums, and some look odd.
"""


def playground_tab(page: gr.Blocks, models: Models) -> None:
    """Build it, and fill it when the page is opened."""
    gr.Markdown(SAYS)
    with gr.Row():
        with gr.Column(min_width=300):
            u = DigitPad(models, "u: draw a digit", "u", seed=1, first=0)
        with gr.Column(min_width=300):
            v = DigitPad(models, "v: draw another", "v", seed=8, first=1)
        with gr.Column(min_width=240):
            reach = playground.FURTHEST
            a = gr.Slider(-reach, reach, 0.5, step=0.05, label="a, the factor of u")
            b = gr.Slider(-reach, reach, 0.5, step=0.05, label="b, the factor of v")
            run = action("Add, scale, interpolate", "add")
            law = gr.Markdown(elem_id="law")
    gr.Markdown("### Sums and multiples")
    sums = pictures("sums")
    gr.Markdown("### The straight line from u to v")
    line = pictures("line")

    def answer(canvas_u: Any, canvas_v: Any, a: float, b: float) -> tuple[str, str, str]:
        side = models.digits.side
        x, y = u.digit(canvas_u, side), v.digit(canvas_v, side)
        error = playground.law(models.digits, x, y)
        return (
            playground.sums(models.digits, x, y, a, b),
            playground.line(models.digits, x, y),
            f"`g(u ⊕ v)` and `g(u) + g(v)` differ by {error:.1e}, relatively: rounding.",
        )

    def start(a: float, b: float) -> tuple[Any, ...]:
        x, y = u.start(), v.start()
        return x, y, *answer(x, y, a, b)

    results = [sums, line, law]
    on([run.click, a.release, b.release], answer, [u.canvas, v.canvas, a, b], results)
    on([page.load], start, [a, b], [u.canvas, v.canvas, *results])
