"""A canvas to draw strokes on, which shows the flow that they teach and moves a point along it."""

from typing import Any

import gradio as gr

from linearizer.app.strokes import examples

SIDE = 420
TEMPLATE = f"""
<div class="pad strokes">
  <div class="pad-head"><span>${{label}}</span>
  <span><button type="button" class="undo">Undo</button>
  <button type="button" class="clear">Clear</button></span></div>
  <canvas width="{SIDE}" height="{SIDE}" aria-label="${{label}}"></canvas>
</div>
"""
SCRIPT = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d');
const side = canvas.width, at = ([x, y]) => [x * side, (1 - y) * side];
let stroke = null, dot = null, timer = null;

function send(change) { props.value = { ...props.value, ...change }; }

function line(points, color, width) {
  Object.assign(pen, { strokeStyle: color, lineWidth: width, lineCap: 'round', lineJoin: 'round' });
  pen.beginPath();
  points.forEach((p, i) => (i ? pen.lineTo(...at(p)) : pen.moveTo(...at(p))));
  pen.stroke();
}

function disk(point, radius, color) {
  pen.fillStyle = color;
  pen.beginPath();
  pen.arc(...at(point), radius, 0, 7);
  pen.fill();
}

function draw() {
  const { strokes = [], flow = [], levels = [], goal, path = [] } = props.value || {};
  pen.fillStyle = 'white';
  pen.fillRect(0, 0, side, side);
  const cell = side / (levels.length || 1);
  levels.forEach((row, i) => row.forEach((v, j) => {
    const step = Math.floor(v * 12) / 12;
    pen.fillStyle = `rgba(66, 133, 190, ${0.05 + 0.5 * step})`;
    pen.fillRect(j * cell, side - (i + 1) * cell, cell + 0.5, cell + 0.5);
  }));
  flow.forEach((points) => {
    line(points, '#555', 1);
    disk(points[0], 1.6, '#555');
  });
  strokes.forEach((s) => line(s.map((p) => p.slice(1)), '#e8761a', 3));
  if (stroke) line(stroke.map((p) => p.slice(1)), '#e8761a', 3);
  if (goal) disk(goal, 6, '#c62828');
  if (path.length) line(path.slice(0, dot + 1), '#111', 2);
  if (path.length) disk(path[dot], 7, '#111');
}

function move() {
  clearInterval(timer);
  dot = 0;
  timer = setInterval(() => {
    if (dot < (props.value?.path?.length ?? 0) - 1) dot += 1;
    else clearInterval(timer);
    draw();
  }, 40);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const inside = (v) => Math.min(1, Math.max(0, v));
  return [event.timeStamp / 1000, inside((event.clientX - box.left) / box.width),
          inside(1 - (event.clientY - box.top) / box.height)];
}

canvas.onpointerdown = (event) => {
  canvas.setPointerCapture(event.pointerId);
  stroke = [place(event)];
};
canvas.onpointermove = (event) => {
  if (!stroke) return;
  stroke.push(place(event));
  draw();
};
canvas.onpointerup = canvas.onpointercancel = () => {
  const drawn = stroke, { strokes = [], flow = [] } = props.value || {};
  stroke = null;
  if (!drawn) return;
  if (drawn.length >= 5) {
    send({ strokes: [...strokes, drawn], flow: [], levels: [], goal: null, path: [], push: null });
  } else if (flow.length) {
    send({ push: drawn[0].slice(1) });
    setTimeout(() => trigger('click'), 50);
  }
  draw();
};
element.querySelector('.undo').onclick = () => {
  const { strokes = [] } = props.value || {};
  send({ strokes: strokes.slice(0, -1), flow: [], levels: [], goal: null, path: [] });
  draw();
};
element.querySelector('.clear').onclick = () => {
  send({ strokes: [], flow: [], levels: [], goal: null, path: [] });
  draw();
};
let shown = null;
watch('value', () => {
  const path = JSON.stringify(props.value?.path ?? []);
  if (path !== shown && path !== '[]') { shown = path; move(); } else { draw(); }
});
draw();
"""


def stroke_pad(label: str, name: str) -> gr.HTML:
    """The canvas, with this label and this id in the page; it begins with three strokes.

    Its value is a dictionary: `strokes`, and of the dynamics `flow`, `levels`, `goal` and `path`,
    and `push`, where a visitor clicked last.
    """
    return gr.HTML(
        blank(),
        label=label,
        html_template=TEMPLATE.replace("${label}", label),
        js_on_load=SCRIPT,
        apply_default_css=False,
        elem_id=name,
    )


def blank() -> dict[str, Any]:
    """The canvas with three strokes and without dynamics."""
    empty: dict[str, Any] = {"flow": [], "levels": [], "goal": None, "path": [], "push": None}
    return {"strokes": examples(), **empty}
