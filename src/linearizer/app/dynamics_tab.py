"""The tab of dynamics."""

from typing import Any

import gradio as gr
import torch

from linearizer.app.events import on
from linearizer.app.parts import action
from linearizer.app.stroke_pad import stroke_pad
from linearizer.app.strokes import drawing, learned, pushed, read_strokes
from linearizer.applications import LinearDynamics

SAYS = """
**A nonlinear flow is a linear one.** Draw the same stroke several times, all to one end, and learn
it: `x(t) = g⁻¹( e^{Lt} g(x(0)) )`, with L stable by construction. The lines are the flow, the
blue is its Lyapunov function, which falls along each line everywhere. Click anywhere to put the
point there: it finds its way, whatever it is pushed to.
"""
Learned = tuple[LinearDynamics, float]


def dynamics_tab() -> None:
    """Build it; nothing is computed before a visitor asks for it."""
    gr.Markdown(SAYS)
    with gr.Row():
        with gr.Column(min_width=440):
            pad = stroke_pad("draw a stroke several times", "strokes")
        with gr.Column(min_width=300):
            run = action("Learn the strokes", "learn")
            note = gr.Markdown(elem_id="dynamics-note")
    model = gr.State()

    def learn(canvas: Any) -> tuple[dict[str, Any], Learned, str]:
        points, times = read_strokes(canvas)
        dynamics = learned(points, times)
        duration = float(torch.stack([t[-1] for t in times]).mean())
        path = pushed(dynamics, points[0][0].tolist(), duration)
        shown = {**canvas, **drawing(dynamics, duration), "path": path, "push": None}
        return shown, (dynamics, duration), _told(dynamics, points, times)

    def push(canvas: Any, known: Learned | None) -> dict[str, Any]:
        canvas = canvas if isinstance(canvas, dict) else {}
        return (
            canvas
            if known is None
            else {**canvas, "path": pushed(known[0], canvas["push"], known[1])}
        )

    on([run.click], learn, [pad], [pad, model, note])
    on([pad.click], push, [pad, model], [pad])


def _told(model: LinearDynamics, points: list[torch.Tensor], times: list[torch.Tensor]) -> str:
    """The error of the strokes, and the modes."""
    error = model.error(points, times).forecast
    modes = model.modes()
    turns = [f"{f:.2g}" for f in modes.frequencies.unique().tolist() if f > 0]
    return (
        f"The strokes are reproduced with an error of **{error:.2g}** of their variance. Every "
        f"point comes to the end; the slowest mode halves in "
        f"{float(torch.log(torch.tensor(2.0)) / -modes.rates[0]):.2g} s"
        + (f", and it turns {' and '.join(turns)} times a second." if turns else ".")
    )
