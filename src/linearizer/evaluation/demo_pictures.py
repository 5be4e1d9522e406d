"""What the demo draws."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.bijections import Bijection
from linearizer.data import Images
from linearizer.display.pictures import save_mosaic
from linearizer.display.report import Section
from linearizer.evaluation.demo import N_STEPS, in_many_steps, in_one_step, of_each_class
from linearizer.flows import Method
from linearizer.linearizer import Linearizer
from linearizer.operators import IdentityPlusLowRank

METHODS_SHOWN: tuple[Method, ...] = ("euler", "midpoint", "rk4")


def draw(flow: ConditionalFlow, held_out: Images, out: Path, seed: int) -> list[Section]:
    """All pictures of the report."""
    real = held_out.images
    return [
        _draw_samples(flow, real, out / "samples.png", seed),
        _draw_classes(flow, out / "ten_classes.png", seed),
        _draw_hands(flow, held_out, out / "one_hand.png"),
        _draw_steps(flow, out / "one_step_vs_n_step.png", seed),
        _draw_inversion(flow, real, out / "inversion.png"),
        _draw_interpolation(flow, held_out, out / "interpolation.png"),
        _draw_directions(flow, held_out, out / "singular_directions.png"),
        _draw_orbit(flow.pooled.g_data, held_out, out / "powers.png"),
    ]


def _draw_samples(flow: ConditionalFlow, real: Tensor, path: Path, seed: int) -> Section:
    fake = flow.sample(60, seed=seed)
    return _section(
        path,
        "Samples beside real digits",
        "Upper five rows: noise through one application of the f of a class that is drawn at "
        "random, not chosen. Lower three rows: held-out real digits.",
        [*fake.split(12), *real[:36].split(12)],
        row_labels=["generated", *[""] * 4, "real", *[""] * 2],
    )


def _draw_classes(flow: ConditionalFlow, path: Path, seed: int) -> Section:
    noise = flow.pooled.noise(12, seed)
    return _section(
        path,
        "Ten classes",
        "A class is an operator: each row is the f of one class, applied once. All pictures of a "
        "column come from the same noise, which is not chosen.",
        [flow.at(label).decode(noise) for label in flow.classes],
        row_labels=list(map(str, flow.classes)),
    )


def _draw_hands(flow: ConditionalFlow, held_out: Images, path: Path) -> Section:
    digits = held_out.images[:12]
    return _section(
        path,
        "One hand",
        "Held-out digits, and below each the same noise as each of the ten classes, by the linear "
        "map between two classes. What the classes share stays: slant, width and weight of the "
        "stroke.",
        [digits, *(flow.translate(digits, label) for label in flow.classes)],
        row_labels=["held-out digit", *(f"as {label}" for label in flow.classes)],
    )


def _draw_steps(flow: ConditionalFlow, path: Path, seed: int) -> Section:
    noise = flow.pooled.noise(len(flow.classes), seed)
    rows, labels = [], []
    for method in METHODS_SHOWN:
        rows += [in_many_steps(flow, noise, method), in_one_step(flow, noise, method)]
        labels += [f"{method}, {N_STEPS} steps", "the same, one step"]
    rows.append(of_each_class(flow, OneStepFlow.decode, noise))
    return _section(
        path,
        f"{N_STEPS} steps beside one step",
        "A column is a class. Each pair of rows starts from the same noise: first the sampler "
        f"really takes its {N_STEPS} steps, then the single operator that its steps multiply up "
        "to is applied once. The last row is the limit of infinitely many steps, known in closed "
        "form.",
        rows,
        row_labels=[*labels, "exact flow, one step"],
    )


def _draw_inversion(flow: ConditionalFlow, real: Tensor, path: Path) -> Section:
    digits = real[:12]
    noise, classes = flow.encode(digits), flow.classify(digits)
    again = flow.decode(noise, classes)
    as_image = (noise / 3).reshape(digits.shape)
    error = 1e5 * (again - digits).abs() - 1
    return _section(
        path,
        "Inversion and reconstruction",
        "The pseudo-inverse of the f of its likeliest class takes a digit that was never trained "
        "on to the noise it comes from, and f takes that back. The error is shown a hundred "
        "thousand times too large.",
        [digits, as_image, again, error],
        row_labels=["held-out digit", "its noise f⁺(x)", "f(f⁺(x))", "error × 100,000"],
    )


def _draw_interpolation(flow: ConditionalFlow, held_out: Images, path: Path) -> Section:
    places = [i / 8 for i in range(9)]
    rows = []
    for x, y in _pairs(held_out, (3, 5), (1, 4), (0, 6)):
        rows += [flow.interpolate(x, y, 9), torch.stack([torch.lerp(x, y, t) for t in places])]
    return _section(
        path,
        "Interpolation between two real digits",
        "The straight line from one held-out digit to another, in the induced space and, below "
        "it, in pixels, where the middle is a double exposure.",
        rows,
        row_labels=["induced space", "pixels"] * 3,
        column_labels=[f"{t:.2f}" for t in places],
    )


def _draw_directions(flow: ConditionalFlow, held_out: Images, path: Path) -> Section:
    lengths = torch.linspace(-3, 3, 9).tolist()
    walks, values = flow.at(int(held_out.labels[0])).directions(held_out.images[0], lengths, 6)
    return _section(
        path,
        "Leading singular directions",
        "A held-out digit (middle column) plus multiples of the leading left singular points of "
        "the f of its class, in the induced space: the directions into which f stretches noise "
        "most, in units of its standard deviation there.",
        list(walks),
        row_labels=[f"σ{i + 1} = {value:.2f}" for i, value in enumerate(values)],
        column_labels=[f"{t:+.2f}" for t in lengths],
    )


def _draw_orbit(g: Bijection, held_out: Images, path: Path) -> Section:
    rows = []
    for x, y in _pairs(held_out, (3, 5), (8, 2), (6, 0)):
        f = quarter_turn(g, x, y).power(1 / 3)
        rows.append(torch.stack([(f**n)(x) for n in range(13)]))
    return _section(
        path,
        "A digit under fⁿ",
        "f is the third root, f.power(1/3), of the linear map that turns one digit x into "
        "another, y, and y into ⊖x, and leaves all else alone. So f³(x) = y, f⁶(x) = ⊖x, "
        "f⁹(x) = ⊖y, and f¹² is the identity: the last column is the first again.",
        rows,
        column_labels=["x", "f", *[f"f^{n}" for n in range(2, 13)]],
    )


def quarter_turn(g: Bijection, x: Tensor, y: Tensor) -> Linearizer:
    """The linear map with f(x) = y and f(y) = ⊖x that is the identity off their plane."""
    plane = torch.stack([g(x), g(y)], dim=-1)
    turn = plane.new_tensor([[0.0, -1.0], [1.0, 0.0]]) - torch.eye(2).to(plane)
    return Linearizer(g, IdentityPlusLowRank(1.0, plane @ turn, torch.linalg.pinv(plane).mT))


def _pairs(data: Images, *classes: tuple[int, int]) -> Iterator[tuple[Tensor, Tensor]]:
    """The first images of each two classes."""
    for pair in classes:
        x, y = (data.images[data.labels == label][0] for label in pair)
        yield x, y


def _section(
    path: Path, title: str, text: str, rows: Sequence[Tensor], **labels: Sequence[str]
) -> Section:
    save_mosaic(path, rows, **labels)  # type: ignore[arg-type]
    return Section(title, text, path)
