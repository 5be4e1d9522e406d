"""The tab of the one-step flow."""

import gradio as gr
from torch import Tensor

from linearizer.app import one_step
from linearizer.app.events import on
from linearizer.app.models import Models
from linearizer.app.parts import action, class_choice, pictures
from linearizer.app.pictures import digit_from, photo_from

SAYS = """
**A sampler of N steps is one step.** The flow from noise to digits is linear between two induced
spaces. So each of its steps is a matrix, and their product, one matrix, does the work of all:
the first two rows are equal. Its inverse finds the noise of an image, and the singular
vectors of a class are what its digits differ in.
"""


def one_step_tab(tab: gr.Tab, models: Models) -> None:
    """Build it, and fill it when it is opened."""
    digits, side = models.digits, models.digits.side
    gr.Markdown(SAYS)
    with gr.Row():
        with gr.Column(min_width=240):
            gr.Markdown("### Samples")
            steps = gr.Slider(1, one_step.MOST_STEPS, 20, step=1, label="N, the number of steps")
            seed = gr.Slider(0, 999, 3, step=1, label="seed of the noise")
            label = class_choice(digits, "class", every=True)
            guidance = gr.Slider(
                0,
                one_step.MOST_GUIDANCE,
                0,
                step=0.1,
                label="guidance: more typical, less varied",
                visible=bool(digits.classes),
            )
            draw = action("Sample", "sample")
        with gr.Column(scale=3):
            samples = pictures("samples")
            times = gr.Markdown(elem_id="times")
    with gr.Row():
        with gr.Column(min_width=240):
            gr.Markdown(
                "### Images to noise, and between them\n"
                f"Images become grey and {side}×{side}; a light border turns them negative."
            )
            files = gr.File(
                label="One or two digits",
                file_count="multiple",
                file_types=["image"],
                height=150,
                elem_id="images",
            )
            turn = action("Invert and interpolate", "invert")
        with gr.Column(scale=3):
            inverse = pictures("inverse")
            closeness = gr.Markdown(elem_id="closeness")
            line = pictures("image-line")
    with gr.Row():
        with gr.Column(min_width=240):
            gr.Markdown("### Singular directions")
            start = gr.Slider(0, 999, 1, step=1, label="seed of the digit in the middle")
            count = gr.Slider(1, one_step.MOST_DIRECTIONS, 4, step=1, label="directions")
            reach = gr.Slider(
                0,
                one_step.FURTHEST,
                6,
                step=0.5,
                label="reach, in standard deviations of the noise",
            )
            walk = action("Walk", "walk")
        with gr.Column(scale=3):
            walks = pictures("walks")

    def sample(steps: float, seed: float, label: str | None, guidance: float) -> tuple[str, str]:
        return one_step.samples(digits, int(steps), int(seed), digits.named(label), guidance)

    def invert(files: list[str] | None) -> tuple[str, str, str]:
        images = [_digit(file, side) for file in (files or [])[:2]]
        drawn, note = one_step.inversion(digits, images)
        return drawn, note, one_step.line(digits, images)

    def directions(seed: float, count: float, reach: float) -> str:
        digit = digits.generated(1, int(seed))[0]
        return one_step.walks(digits, digit, int(count), reach)

    sampling = [draw.click, steps.release, seed.release, label.input, guidance.release]
    on(sampling, sample, [steps, seed, label, guidance], [samples, times], opening=tab)
    on([turn.click, files.upload], invert, [files], [inverse, closeness, line])
    walking = [walk.click, start.release, count.release, reach.release]
    on(walking, directions, [start, count, reach], [walks], opening=tab)


def _digit(file: str, side: int) -> Tensor:
    return digit_from(photo_from(file, grey=True, max_side=8 * side), side)
