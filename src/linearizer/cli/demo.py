"""`linearizer demo`: train a Linearizer on real digits, then use it as a linear map."""

import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.bijections import Bijection
from linearizer.cli.pictures import save_mosaic
from linearizer.cli.report import Row, Section, write_report
from linearizer.cli.run_folder import close_run, open_run
from linearizer.data import Images, load_digits
from linearizer.linearizer import Linearizer
from linearizer.metrics import Classifier, confidence, frechet_distance, linearity_error, psnr_db
from linearizer.operators import IdentityPlusLowRank, Method
from linearizer.ready_made import image_bijection
from linearizer.training import CHECKPOINT, MaximumLikelihood, Schedule, fit, train_classifier

HELD_OUT = 297
SAMPLES = 1000
N_STEPS = 100
NOISE = 2.0
METHODS: tuple[Method, ...] = ("euler", "midpoint", "heun", "rk4")

CODE = """import linearizer as lz
flow = lz.load("{folder}")
digits = flow.sample(16)              # (16, 1, 8, 8) in [-1, 1], in one step
f = flow.collapse()                   # the whole sampler: one linear map, noise to digit
print(f.rank(), f.cond(), f.pinv()(digits).shape)"""


def run_demo(out: Path, *, steps: int, max_minutes: float, seed: int, overwrite: bool) -> None:
    """Train, measure, draw and report into the folder `out`."""
    console = Console()
    settings = {"steps": steps, "max_minutes": max_minutes, "seed": seed}
    checkpoints = open_run(out, settings, overwrite=overwrite)
    train, held_out = load_digits().split(HELD_OUT, seed)

    torch.manual_seed(seed)
    g = image_bijection(train.shape, depth=8, width=128)
    schedule = Schedule(
        steps, noise=NOISE, seed=seed, max_minutes=max_minutes, average=min(0.999, 1 - 10 / steps)
    )
    if (checkpoints / CHECKPOINT).exists():
        console.print(f"Going on with the interrupted run in {out} (resumed from its checkpoint)")
    started = time.monotonic()
    taken = fit(
        MaximumLikelihood(g, steps), train, schedule, title="Training g", checkpoints=checkpoints
    )
    seconds = time.monotonic() - started
    flow = OneStepFlow.fit(g.eval(), [train.dequantized(NOISE, _generator(seed))])
    judge = train_classifier(train, steps=min(1500, steps), seed=seed)

    with torch.no_grad(), console.status("Measuring and drawing"):
        metrics = {
            "training_steps": taken,
            "training_seconds": seconds,
            "training_images_per_second": taken * schedule.batch_size / seconds,
            **measure(flow, judge, train, held_out, seed),
        }
        sections = draw(flow, held_out, out, seed)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    rows = report_rows(metrics)
    code = CODE.format(folder=out)
    write_report(
        out / "report.html",
        title="A linear generator of handwritten digits",
        lead=(
            "One invertible network g was trained on 1,500 real digits of 8×8 pixels; the linear "
            "operator between noise and digits was then computed, not trained. What follows is "
            "linear algebra on the result: f(x) = g⁻¹(B x)."
        ),
        rows=rows,
        sections=sections,
        code=code,
    )
    flow.save_pretrained(out, overwrite=True)
    close_run(out)
    _print_summary(console, rows, out, code)


def measure(
    flow: OneStepFlow, judge: Classifier, train: Images, held_out: Images, seed: int
) -> dict[str, Any]:
    """All numbers of the report."""
    f, f64 = flow.collapse(), copy.deepcopy(flow).double().collapse()
    noise, other = flow.noise(2 * SAMPLES, seed + 1).split(SAMPLES)
    samples = f(noise)
    images, everything = held_out.images, torch.cat([train.images, held_out.images])
    many = {method: flow.integrate(noise, N_STEPS, method) for method in METHODS}
    half = len(train) // 2
    return {
        "linearity_error_float32": _linearity(f, noise, other),
        "linearity_error_float64": _linearity(f64, noise.double(), other.double()),
        "round_trip_error_float32": flow.g_data.round_trip(images),
        "inversion_psnr_db": psnr_db(flow.decode(flow.encode(images)), images),
        "one_step_vs_n_step_psnr_db": {
            method: psnr_db(flow.collapse(N_STEPS, method)(noise), many[method])
            for method in METHODS
        },
        "exact_flow_vs_n_step_psnr_db": {m: psnr_db(samples, many[m]) for m in METHODS},
        "steps_of_n_step_samplers": N_STEPS,
        "condition_number": float(f.cond()),
        "bits_per_dimension_held_out": _bits(flow, held_out, seed),
        "bits_per_dimension_train": _bits(flow, train, seed),
        "classifier_accuracy_held_out": judge.accuracy(images, held_out.labels),
        "classifier_confidence_samples": confidence(judge, samples.clamp(-1, 1)),
        "classifier_confidence_real": confidence(judge, images),
        "frechet_distance_samples": frechet_distance(judge, samples.clamp(-1, 1), everything),
        "frechet_distance_real_split": frechet_distance(
            judge, train.images[:half], train.images[half:]
        ),
        "classes_of_samples": torch.bincount(
            judge(samples.clamp(-1, 1)).argmax(1), minlength=10
        ).tolist(),
        "samples": SAMPLES,
        "held_out_digits": len(held_out),
        "torch_threads": torch.get_num_threads(),
    }


def draw(flow: OneStepFlow, held_out: Images, out: Path, seed: int) -> list[Section]:
    """All pictures of the report."""
    real = held_out.images
    return [
        _draw_samples(flow, real, out / "samples.png", seed),
        _draw_steps(flow, out / "one_step_vs_n_step.png", seed),
        _draw_inversion(flow, real, out / "inversion.png"),
        _draw_interpolation(flow, held_out, out / "interpolation.png"),
        _draw_directions(flow, real[0], out / "singular_directions.png"),
        _draw_orbit(flow.g_data, held_out, out / "powers.png"),
    ]


def _draw_samples(flow: OneStepFlow, real: Tensor, path: Path, seed: int) -> Section:
    fake = flow.sample(60, seed=seed)
    save_mosaic(
        path,
        [*fake.split(12), *real[:36].split(12)],
        row_labels=["generated", *[""] * 4, "real", *[""] * 2],
    )
    return Section(
        "Samples beside real digits",
        "Upper five rows: noise through one application of f, not chosen. Lower three rows: "
        "held-out real digits.",
        path,
    )


def _draw_steps(flow: OneStepFlow, path: Path, seed: int) -> Section:
    noise = flow.noise(12, seed)
    rows, labels = [], []
    for method in ("euler", "midpoint", "rk4"):
        rows += [flow.integrate(noise, N_STEPS, method), flow.collapse(N_STEPS, method)(noise)]
        labels += [f"{method}, {N_STEPS} steps", "the same, one step"]
    rows.append(flow.decode(noise))
    save_mosaic(path, rows, row_labels=[*labels, "exact flow, one step"])
    return Section(
        f"{N_STEPS} steps beside one step",
        "Each pair of rows starts from the same noise: first the sampler really takes its "
        f"{N_STEPS} steps, then the single operator that its steps multiply up to is applied "
        "once. The last row is the limit of infinitely many steps, known in closed form.",
        path,
    )


def _draw_inversion(flow: OneStepFlow, real: Tensor, path: Path) -> Section:
    digits = real[:12]
    noise = flow.encode(digits)
    as_image = (noise / 3).reshape(digits.shape)
    error = 1e5 * (flow.decode(noise) - digits).abs() - 1
    save_mosaic(
        path,
        [digits, as_image, flow.decode(noise), error],
        row_labels=["held-out digit", "its noise f⁺(x)", "f(f⁺(x))", "error × 100,000"],
    )
    return Section(
        "Inversion and reconstruction",
        "The pseudo-inverse of f takes a digit that was never trained on to the noise it comes "
        "from, and f takes that back. The error is shown a hundred thousand times too large.",
        path,
    )


def _draw_interpolation(flow: OneStepFlow, held_out: Images, path: Path) -> Section:
    rows, labels = [], []
    for a, b in ((3, 5), (1, 4), (0, 6)):
        x, y = _first(held_out, a), _first(held_out, b)
        rows += [
            flow.interpolate(x, y, 9),
            torch.stack([torch.lerp(x, y, i / 8) for i in range(9)]),
        ]
        labels += ["induced space", "pixels"]
    save_mosaic(path, rows, row_labels=labels, column_labels=[f"{i / 8:.2f}" for i in range(9)])
    return Section(
        "Interpolation between two real digits",
        "The straight line from one held-out digit to another, in the induced space and, below "
        "it, in pixels, where the middle is a double exposure.",
        path,
    )


def _draw_directions(flow: OneStepFlow, digit: Tensor, path: Path) -> Section:
    f, count = flow.collapse(), 6
    W, s = f.codomain, f.svd(count)
    lengths = torch.linspace(-3, 3, 9)
    rows = [
        torch.stack([W.add(digit, W.scale(float(t * sigma), point)) for t in lengths])
        for point, sigma in zip(s.left, s.singular_values, strict=True)
    ]
    save_mosaic(
        path,
        rows,
        row_labels=[f"σ{i + 1} = {value:.2f}" for i, value in enumerate(s.singular_values)],
        column_labels=[f"{t:+.2f}" for t in lengths],
    )
    return Section(
        "Leading singular directions",
        "A held-out digit (middle column) plus multiples of the leading left singular points of "
        "f, in the induced space: the directions into which f stretches noise most, in units of "
        "its deviation there.",
        path,
    )


def _draw_orbit(g: Bijection, held_out: Images, path: Path) -> Section:
    rows = []
    for a, b in ((3, 5), (8, 2), (6, 0)):
        x, y = _first(held_out, a), _first(held_out, b)
        f = quarter_turn(g, x, y).power(1 / 3)
        rows.append(torch.stack([(f**n)(x) for n in range(13)]))
    save_mosaic(path, rows, column_labels=["x", "f", *[f"f^{n}" for n in range(2, 13)]])
    return Section(
        "A digit under fⁿ",
        "f is the third root, f.power(1/3), of the linear map that turns one digit x into "
        "another, y, and y into ⊖x, and leaves all else alone. So f³(x) = y, f⁶(x) = ⊖x, "
        "f⁹(x) = ⊖y, and f¹² is the identity: the last column is the first again.",
        path,
    )


def quarter_turn(g: Bijection, x: Tensor, y: Tensor) -> Linearizer:
    """The linear map with f(x) = y and f(y) = ⊖x that is the identity off their plane."""
    plane = torch.stack([g(x), g(y)], dim=-1)
    turn = plane.new_tensor([[0.0, -1.0], [1.0, 0.0]]) - torch.eye(2).to(plane)
    return Linearizer(g, IdentityPlusLowRank(1.0, plane @ turn, torch.linalg.pinv(plane).mT))


def _linearity(f: Linearizer, u: Tensor, v: Tensor) -> float:
    """The superposition error of f or of its pseudo-inverse, whichever is larger."""
    return max(linearity_error(f, u, v), linearity_error(f.pinv(), f(u), f(v)))


def _first(data: Images, label: int) -> Tensor:
    return data.images[data.labels == label][0]


def _bits(flow: OneStepFlow, data: Images, seed: int) -> float:
    """Bits a pixel of the continuous density at dequantised images, in units of grey levels."""
    x = data.dequantized(NOISE, _generator(seed))
    nats = -flow.log_prob(x).mean() / x[0].numel() + math.log((data.levels - 1) / 2)
    return float(nats) / math.log(2)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def report_rows(m: dict[str, Any]) -> list[Row]:
    """The rows of the report's table from what `measure` and the training returned."""
    collapse, share = m["one_step_vs_n_step_psnr_db"], m["classifier_confidence_samples"]
    real = m["classifier_confidence_real"]
    rows = [
        _at_most("Superposition error of f and f⁺, float64", m["linearity_error_float64"], 1e-10),
        _at_most("Superposition error of f and f⁺, float32", m["linearity_error_float32"], 1e-4),
        _at_most("Round trip |g⁻¹(g(x)) - x|, float32", m["round_trip_error_float32"], 1e-4),
        _at_least("Inversion of held-out digits", m["inversion_psnr_db"], 60, "dB"),
        *(
            _at_least(f"One step against {N_STEPS} {name} steps", collapse[name], 80, "dB")
            for name in METHODS
        ),
        Row(
            "Classifier's confidence: samples, real",
            f"{share:.3f}, {real:.3f}",
            "at least 0.9 of real",
            share >= 0.9 * real,
        ),
    ]
    plain = {
        "Fréchet distance of samples": f"{m['frechet_distance_samples']:.2f}",
        "Fréchet distance of two halves of the real": f"{m['frechet_distance_real_split']:.2f}",
        "Accuracy of the classifier, held out": f"{m['classifier_accuracy_held_out']:.1%}",
        "Bits a pixel, held out and train": (
            f"{m['bits_per_dimension_held_out']:.2f}, {m['bits_per_dimension_train']:.2f}"
        ),
        "Condition number of f": f"{m['condition_number']:.2f}",
        "Training": f"{m['training_steps']} steps, {m['training_seconds']:.0f} s",
    }
    return rows + [Row(name, value, "", None) for name, value in plain.items()]


def _at_most(name: str, value: float, bar: float) -> Row:
    return Row(name, f"{value:.1e}", f"≤ {bar:.0e}", value <= bar)


def _at_least(name: str, value: float, bar: float, unit: str) -> Row:
    return Row(name, f"{value:.1f} {unit}", f"≥ {bar:g} {unit}", value >= bar)


def _print_summary(console: Console, rows: list[Row], out: Path, code: str) -> None:
    table = Table("what", "measured", "bar", "", box=None, pad_edge=False)
    for row in rows:
        mark = "" if row.holds is None else "holds" if row.holds else "[red]does not hold[/red]"
        table.add_row(row.name, row.value, row.bar, mark)
    console.print(table)
    console.print(f"\nReport with pictures: {(out / 'report.html').resolve()}", soft_wrap=True)
    console.print("\nUse it:\n")
    console.print(code, highlight=False, markup=False, soft_wrap=True)
