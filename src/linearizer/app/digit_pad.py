"""A canvas to draw a digit on, with generated digits below it to pick from.

Gradio's own sketchpad draws by WebGL, which keeps a processor busy where there is no graphics card,
even if nobody draws. This one is a plain canvas, and what is drawn is no file on the server.
"""

from functools import cached_property
from typing import Any

import gradio as gr
from torch import Tensor

from linearizer.app.models import Models
from linearizer.app.pictures import CANVAS, as_data, drawing_from

CHOICES = 8
TEMPLATE = f"""
<div class="pad">
  <div class="pad-head"><span>${{label}}</span><button type="button">Clear</button></div>
  <canvas width="{CANVAS}" height="{CANVAS}" aria-label="${{label}}"></canvas>
  <span>or pick one that the flow generated:</span>
  <div class="choices"></div>
</div>
"""
SCRIPT = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d');
const choices = element.querySelector('.choices');
let last = null, mine = null;  // the visitor's own, which no later answer overwrites

function send(image, drawn) {
  mine = { image, drawn, touched: true };
  props.value = { ...props.value, ...mine };
}

function wipe() {
  pen.fillStyle = 'white';
  pen.fillRect(0, 0, canvas.width, canvas.height);
}

function put(source) {
  const image = new Image();
  image.onload = () => {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  };
  image.src = source;
}

function fill() {
  if (choices.children.length || !props.value?.choices?.length) return;
  if (mine) props.value = { ...props.value, ...mine };
  else put(props.value.image);
  props.value.choices.forEach((source, i) => {
    const choice = document.createElement('button');
    choice.type = 'button';
    choice.ariaLabel = `digit ${i + 1}`;
    choice.innerHTML = `<img alt="" src="${source}">`;
    choice.onclick = () => { put(source); send(source, false); };
    choices.append(choice);
  });
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width,
          (event.clientY - box.top) * canvas.height / box.height];
}

function stroke(event) {
  const here = place(event);
  Object.assign(pen, { lineWidth: 22, lineCap: 'round', lineJoin: 'round', strokeStyle: 'black' });
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...here);
  pen.stroke();
  last = here;
}

canvas.onpointerdown = (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = place(event);
  stroke(event);
};
canvas.onpointermove = (event) => { if (last) stroke(event); };
canvas.onpointerup = canvas.onpointercancel = () => {
  if (last) send(canvas.toDataURL('image/png'), true);
  last = null;
};
element.querySelector('.pad-head button').onclick = () => { wipe(); send('', false); };
wipe();
fill();
watch('value', fill);
"""


class DigitPad:
    """The canvas, and what it holds at first.

    Args:
        models: Whose flow makes the digits.
        label: Above it.
        name: Of its element in the page.
        seed: Of the digits.
        first: Which of them it holds at first.
    """

    def __init__(self, models: Models, label: str, name: str, seed: int, first: int) -> None:
        self.models, self.seed, self.first = models, seed, first
        self.canvas = gr.HTML(
            {"image": "", "drawn": False, "touched": False, "choices": []},
            label=label,
            html_template=TEMPLATE.replace("${label}", label),
            js_on_load=SCRIPT,
            apply_default_css=False,
            elem_id=name,
        )

    @cached_property
    def choices(self) -> list[str]:
        """Generated digits to pick from, in dark ink on white; the same for all visitors."""
        return [as_data(-x) for x in self.models.digits.generated(CHOICES, self.seed)]

    def start(self) -> dict[str, Any]:
        """What the canvas and the choices hold at first."""
        return {
            "image": self.choices[self.first],
            "drawn": False,
            "touched": False,
            "choices": self.choices,
        }

    def digit(self, value: Any, side: int) -> Tensor:
        """The digit (1, side, side) on the canvas; one that was drawn is centered, as MNIST's are.

        A canvas that nobody has touched holds its first digit, although the browser may not have
        it yet: a visitor can be quicker than the first answer.

        Raises:
            RangeError: If there is none, because the canvas was cleared.
            FileFormatError: If a crafted request holds something else than an image.
        """
        value = value if isinstance(value, dict) else {}
        image = str(value.get("image") or "")
        if not image and not value.get("touched"):
            image = self.choices[self.first]
        return drawing_from(image, side, centered=bool(value.get("drawn")))
