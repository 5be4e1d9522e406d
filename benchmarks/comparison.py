"""Writes docs/comparison.md: what arXiv:2510.08570 claims, and what this library measures.

What the models that come with the library can show is measured here, live. What needs a data set is
read from the cards and pages that `linearizer evaluate` and the scripts beside this one wrote.
"""

import argparse
import copy
import platform
import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

import linearizer as lz
from linearizer.applications import ConditionalFlow, OneStepFlow, StyleTransfer
from linearizer.data import load_letters, open_data
from linearizer.evaluation.classes_table import (
    MIN_AS_ASKED,
    MIN_CORRELATION,
    MIN_POSTERIOR,
    MIN_TRANSLATED,
)
from linearizer.evaluation.flow_table import (
    MAX_COLLAPSE_LPIPS,
    MAX_INVERSION_LPIPS,
    MIN_COLLAPSE_DB,
    MIN_INVERSION_DB,
    PUBLISHED,
    confidence_of_samples,
    frechet_ratio,
)
from linearizer.flows import METHODS, Method
from linearizer.laws import idempotence_error
from linearizer.linearizer import Linearizer
from linearizer.measurement import MISSED, Measurement, decibels
from linearizer.metrics import linearity_error, psnr_db
from linearizer.saving import PRETRAINED
from linearizer.testing import check_linear, perturb_

SINGLE, DOUBLE = 1e-4, 1e-10
"""Thresholds of relative errors in float32 and float64."""
IDEMPOTENCE = 1e-3
STEPS = 100
NONE = "-"
DOCS = Path(__file__).parent.parent / "docs"
EVALUATE = "`linearizer evaluate mnist --data-dir FOLDER`"
CARD = "[card](../src/linearizer/pretrained/mnist/README.md)"
PEERS = "`python benchmarks/projector_peers.py`, [page](projector.md)"


README = DOCS.parent / "README.md"
PAGE = "comparison.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
HIGHLIGHTS = (
    "Superposition",
    "Pseudo-inverse",
    "One step = 100 euler steps, mnist",
    "Inversion of held-out images, MNIST",
    "Class asked for",
    "Translation by noise: class judged",
    "`f(f(x)) = f(x)`, N(0, I), float32",
    "One g for all styles",
    "A style added",
    "Projected noise looks like data",
)
"""Beginnings of the claims that the README shows: what holds, and what does not."""


@dataclass(frozen=True)
class Claim:
    """One row of the page.

    Attributes:
        measured: The claim, our number, and what was asked of it.
        how: The command, and where the number stands if it was not measured here.
        paper: What the paper reports; `-` if it gives no number.
    """

    measured: Measurement
    how: str
    paper: str = NONE

    def line(self) -> str:
        """The row as Markdown."""
        what, ours, threshold, verdict = self.measured.row
        verdict = f"**{verdict}**" if verdict == MISSED else verdict
        return f"| {' | '.join((what, self.paper, ours, threshold or NONE, verdict, self.how))} |"


def at_most(what: str, value: float, threshold: float, how: str, paper: str = NONE) -> Claim:
    return Claim(Measurement(what, value, threshold, form=".1e"), how, paper)


def at_least_db(what: str, value: float, threshold: float, how: str, paper: str = NONE) -> Claim:
    return Claim(decibels(what, value, threshold), how, paper)


def at_least(what: str, value: float, threshold: float, how: str, paper: str = NONE) -> Claim:
    return Claim(Measurement(what, value, threshold, "at_least", form=".3f"), how, paper)


def written(path: Path, row: str, column: str, *, after: str = "") -> str:
    """A cell of a Markdown table: of the first row of that name that has such a column."""
    header: list[str] = []
    text = path.read_text(encoding="utf-8")
    for line in text[text.index(after) :].splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        header = header or cells
        if cells[0] == row and column in header:
            return cells[header.index(column)]
    raise LookupError(f"no cell {row!r}, {column!r} in {path}")


def number(text: str) -> float:
    """The first number of a cell."""
    found = re.search(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?", text)
    if found is None:
        raise LookupError(f"no number in {text!r}")
    return float(found[0].replace(",", ""))


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


# The algebra --------------------------------------------------------------------------------


def algebra() -> list[Claim]:
    """Section 3 of the paper: on the sampler of MNIST, noise (784,) to images (1, 28, 28).

    It is that of all classes as one.
    """
    flow = with_classes("mnist").pooled
    claims = []
    for name, model, threshold in (
        ("float32", flow, SINGLE),
        ("float64", copy.deepcopy(flow).double(), DOUBLE),
    ):
        f, x = model.collapse(), model.noise(64, seed=0)
        h = model.collapse(STEPS, "euler")
        y, s, W = f(x), f.svd(), f.codomain
        inverse = f.pinv()
        both = W.add(W.scale(0.7, y), W.scale(-0.4, h(x)))
        k = len(s.singular_values)
        images = f(s.right), W.scale(s.singular_values, s.left)
        turned = Linearizer(model.g_data, model.operator.velocity(0.5) + lz.ScaledIdentity(k).to(y))
        power = turned**3
        errors = {
            "Superposition, `f(0.7 ⊙ x ⊖ 0.4 ⊙ y) = 0.7 ⊙ f(x) ⊖ 0.4 ⊙ f(y)`": (
                linearity_error(f, x, model.noise(64, seed=1)),
                "`linearity_error(f, x, y)`",
            ),
            "Composition, `(f⁺ f)(x) = f⁺(f(x))`": (
                relative((inverse @ f)(x), inverse(y)),
                "`(f.pinv() @ f)(x)`",
            ),
            "Linear combination, `(0.7 f - 0.4 h)(x) = 0.7 ⊙ f(x) ⊖ 0.4 ⊙ h(x)`": (
                relative((0.7 * f - 0.4 * h)(x), both),
                "`(0.7 * f - 0.4 * h)(x)`",
            ),
            "Powers, `f³(y) = f(f(f(y)))`": (
                relative(power(y), turned(turned(turned(y)))),
                "`f ** 3`",
            ),
            "Transpose, `⟨f(x), y⟩ = ⟨x, fᵀ(y)⟩`": (
                check_linear(f, x=x, rtol=1.0)["adjoint"],
                "`check_linear(f)`",
            ),
            "Pseudo-inverse, `f f⁺ f = f` and `f⁺ f f⁺ = f⁺`": (
                max(
                    (
                        relative((f @ inverse @ f)(x), y),
                        relative((inverse @ f @ inverse)(y), inverse(y)),
                    )
                ),
                "`f.pinv()`",
            ),
            f"Singular points, `f(v_i) = σ_i ⊙ u_i`, all {k}": (relative(*images), "`f.svd()`"),
        }
        claims += [
            at_most(f"{what}, {name}", e, threshold, how) for what, (e, how) in errors.items()
        ]
        claims.append(far_from_data(f"{name}, mnist", f, h, model.noise(256, seed=0), threshold))
    projector = lz.load("projector").requires_grad_(False)
    noise = projector.noise(256, seed=0)
    name = "float32, the g with a stable inverse of projector"
    claims.append(far_from_data(name, projector.at(64), projector.at(16), noise, SINGLE))
    return claims


def with_classes(name: str) -> ConditionalFlow:
    """A flow that comes with the library, for use and not for training."""
    return ConditionalFlow.from_pretrained(name).requires_grad_(False)


def far_from_data(name: str, f: Linearizer, h: Linearizer, x: Tensor, threshold: float) -> Claim:
    """A combination whose points lie where g never learned anything."""
    W = f.codomain
    left, right = (2 * f - 0.5 * h)(x), W.sub(W.scale(2.0, f(x)), W.scale(0.5, h(x)))
    errors = (left - right).flatten(1).norm(dim=1) / right.flatten(1).norm(dim=1)
    share = float((errors <= threshold).double().mean())  # not those that overflow
    what = f"Far from the data: `2f - h/2`, points with an error of at most {threshold:g}, {name}"
    return Claim(
        Measurement(what, 100 * share, 100.0, "at_least", "%", ".1f"),
        "`(2 * f - 0.5 * h)(x)`, [cures](how-to/numerics.md#far-from-the-data)",
    )


# One step -----------------------------------------------------------------------------------


def released_collapse(velocity: dict[float, Tensor], steps: int) -> Tensor:
    """Runge-Kutta steps without nesting: every slope is taken at the start of the step."""
    h, total = 1 / steps, torch.eye(len(velocity[0.0])).to(velocity[0.0])
    for i in range(steps):
        slopes = [velocity[(2 * i + j) / (2 * steps)] for j in (0, 1, 1, 2)]
        total = total + h / 6 * (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3]) @ total
    return total


def one_against_many(flow: OneStepFlow, method: Method) -> float:
    """The PSNR of one step against many real ones, from the same noise."""
    noise = flow.noise(256, seed=0)
    once, many = flow.collapse(STEPS, method)(noise), flow.integrate(noise, STEPS, method)
    return psnr_db(once, many)


def one_step() -> list[Claim]:
    """Section 4.1."""
    claims = []
    theirs = PUBLISHED["mnist"]
    for name, paper in (("mnist", f"{theirs.one_step[0]} dB"), ("digits", NONE)):
        mixture = with_classes(name)
        for method in METHODS:
            of_classes = [one_against_many(mixture.at(c), method) for c in mixture.classes]
            claims.append(
                at_least_db(
                    f"One step = {STEPS} {method} steps, {name}, worst class",
                    min(of_classes),
                    MIN_COLLAPSE_DB,
                    f'`flow.at(label).collapse({STEPS}, "{method}")`',
                    paper,
                )
            )
        if name == "mnist":
            flow = mixture.pooled
            noise = flow.noise(256, seed=0)
            times = {i / (2 * STEPS) for i in range(2 * STEPS + 1)}
            velocity = {t: lz.linalg.fuse(flow.operator.velocity(t)).to_dense() for t in times}
            operator = lz.Dense(released_collapse(velocity, STEPS))
            released = Linearizer(flow.g_noise, operator, flow.g_data)
            what = (
                f"For comparison: {STEPS} rk4 steps collapsed without nesting, as we read the code "
                "released with the paper, mnist"
            )
            psnr = psnr_db(released(noise), flow.integrate(noise, STEPS, "rk4"))
            claims.append(Claim(decibels(what, psnr), "`released_collapse` in the script"))
    flow, (_, held_out) = with_classes("digits").pooled, open_data("digits")
    back = psnr_db(flow.reconstruct(held_out.images), held_out.images)
    how = "`flow.decode(flow.encode(x))`"
    claims.append(at_least_db("Inversion of held-out digits", back, MIN_INVERSION_DB, how))
    return claims + one_step_from_cards()


def one_step_from_cards() -> list[Claim]:
    """What needs the data sets."""
    card, page = PRETRAINED / "mnist" / "README.md", DOCS / "one-step.md"
    faces = "`linearizer evaluate RUN`, [page](one-step.md#faces)"
    claims = []
    for name, key, path, ours, after, how in (
        ("MNIST", "mnist", card, "ours", "", f"{EVALUATE}, {CARD}"),
        ("CelebA, 64×64", "celeba", page, "ours", "## Faces", faces),
    ):
        paper = PUBLISHED[key]
        inversion = number(written(path, "Inversion, PSNR", ours, after=after))
        lpips = number(written(path, "Inversion, LPIPS", ours, after=after))
        once = [
            number(written(path, f"One step against {STEPS} {m} steps, LPIPS", ours, after=after))
            for m in METHODS
        ]
        ratios = [
            number(
                written(
                    path,
                    f"Fréchet distance of one step / of {STEPS} {m} steps",
                    ours,
                    after=after,
                )
            )
            for m in METHODS
        ]
        worst = max(ratios, key=lambda ratio: abs(ratio - 1))
        claims += [
            at_least_db(
                f"Inversion of held-out images, {name}",
                inversion,
                MIN_INVERSION_DB,
                how,
                f"{paper.inversion[0]} dB",
            ),
            at_most(
                f"The same, LPIPS, {name}",
                lpips,
                MAX_INVERSION_LPIPS,
                how,
                f"{paper.inversion[1]}",
            ),
            at_most(
                f"One step = {STEPS} steps, LPIPS, worst method, {name}",
                max(once),
                MAX_COLLAPSE_LPIPS,
                how,
                f"{paper.one_step[1]}",
            ),
            Claim(
                frechet_ratio(
                    f"Fréchet distance, one step / {STEPS} steps, worst method, {name}", worst
                ),
                how,
                "comparable",
            ),
        ]
    drawn, real = written(card, "Classifier's confidence: samples, real", "measured").split(", ")
    claims.append(
        Claim(
            confidence_of_samples(
                "Samples look like data: confidence of a classifier, MNIST",
                float(drawn),
                float(real),
            ),
            f"{EVALUATE}, {CARD}",
            "pictures",
        )
    )
    equal = DOCS / "equal-time.md"
    theirs, ours = (
        written(equal, row, "Fréchet distance")
        for row in (
            "the paper's, rank 16: trained jointly by its losses",
            "closed form, g trained alone by likelihood",
        )
    )
    claims.append(
        Claim(
            Measurement(
                "Fréchet distance of samples after equal training time, MNIST: the paper's recipe "
                "in our code, and ours",
                number(ours),
                number(theirs),
                form=".1f",
            ),
            "`python benchmarks/equal_time.py`, [page](equal-time.md)",
            theirs,
        )
    )
    return claims


# Classes ------------------------------------------------------------------------------------


def classes() -> list[Claim]:
    """Beyond the paper: every class is an operator on the same g."""
    flow, card = with_classes("mnist").double(), PRETRAINED / "mnist" / "README.md"
    a, b, c = flow.classes[:3]
    x = flow.at(a).sample(64, seed=0)
    ab, bc, ac, ba = (flow.between(*ends) for ends in ((a, b), (b, c), (a, c), (b, a)))
    claims = [
        at_most(
            "Maps between classes compose, `f_bc f_ab = f_ac`, float64, mnist",
            relative((bc @ ab)(x), ac(x)),
            DOUBLE,
            "`flow.between(b, c) @ flow.between(a, b)`",
        ),
        at_most(
            "and undo each other, `f_ba f_ab = id`, float64, mnist",
            relative(ba(ab(x)), x),
            DOUBLE,
            "`flow.between(b, a) @ flow.between(a, b)`",
        ),
    ]
    rows = {
        "Class asked for = class judged": MIN_AS_ASKED,
        "Posterior as a classifier, held out": MIN_POSTERIOR,
        "Translation by noise: class judged as asked": MIN_TRANSLATED,
        "Translation by noise: correlation of slant before and after": MIN_CORRELATION,
        "Translation by noise: correlation of stroke width before and after": MIN_CORRELATION,
    }
    for row, least in rows.items():
        value = number(written(card, row, "measured"))
        claims.append(at_least(f"{row}, MNIST", value, least, f"{EVALUATE}, {CARD}"))
    return claims


# Styles -------------------------------------------------------------------------------------


def style_model() -> tuple[StyleTransfer, list[str], str]:
    """The model that comes with the library, or an untrained one: algebra holds in any."""
    if "style" in lz.list_pretrained():
        model = lz.load("style").requires_grad_(False)
        names = [name for name in model.names if name != "plain"]
        return model, names, "the shipped model"
    torch.manual_seed(0)
    g = [perturb_(lz.style_bijection((3, 16, 16), depth=2, width=16)) for _ in range(2)]
    channels, *size = g[0].out_shape
    styles: dict[str, lz.SymmetricConvolution] = {}
    for name in ("one", "other"):
        kernel = 0.02 * torch.randn(channels, channels, 2, 2)
        kernel[:, :, 0, 0] += torch.eye(channels)
        styles[name] = lz.SymmetricConvolution(kernel, size)
    return StyleTransfer(*g, styles).requires_grad_(False), list(styles), "untrained bijections"


def styles() -> list[Claim]:
    """Section 4.2."""
    model, names, which = style_model()
    a, b = names[:2]
    x = 2 * torch.rand(4, *model.g_x.in_shape, generator=torch.Generator().manual_seed(0)) - 1
    W = Linearizer(model.g_x, model.operator(a), model.g_y).codomain
    made = {name: model.stylize(x, name) for name in names}
    mixed = W.add(W.scale(0.3, made[a]), W.scale(0.7, made[b]))
    mixture = relative(model.stylize(x, {a: 0.3, b: 0.7}), mixed)
    again = min(psnr_db(model.stylize(model.undo(made[n], n), n), made[n]) for n in names)
    page = DOCS / "style.md"
    rows = ("candy", "mosaic", "rain_princess", "udnie")
    evaluate = "`linearizer style evaluate RUN --teacher NAME=FILE`, [page](style.md#measured)"
    script = "`python benchmarks/style.py --run RUN --teachers FOLDER`, [page](style.md)"
    psnr, pixels, again_held_out, rounds = (
        [number(written(page, row, column)) for row in rows]
        for column in ("PSNR, dB", "on pixels, dB", "made again, dB", "20 rounds, dB")
    )
    gain = [ours - linear for ours, linear in zip(psnr, pixels, strict=True)]
    recipe = "## The paper's recipe"
    held, own = (
        [number(written(page, row, column, after=recipe)) for row in rows]
        for column in ("held-out contents, PSNR", "its own training image, PSNR")
    )
    missing = page.read_text(encoding="utf-8").partition("A g that was trained without the style")[
        2
    ]
    added = [
        number(cells[8])
        for cells in (line.split("|") for line in missing.partition("\n## ")[0].splitlines())
        if len(cells) > 8 and cells[3].strip().isdigit() and int(cells[3]) > 0
    ]
    return [
        at_most(
            f"A mix of operators is the same mix of images, {which}",
            mixture,
            SINGLE,
            f"`model.stylize(x, {{{a!r}: 0.3, {b!r}: 0.7}})`",
        ),
        at_least_db(
            f"A style undone and done again, worst style, {which}",
            again,
            MIN_INVERSION_DB,
            "`model.undo(model.stylize(x, name), name)`",
        ),
        at_least_db(
            "The same, held-out contents, worst of four",
            min(again_held_out),
            MIN_INVERSION_DB,
            evaluate,
        ),
        Claim(
            decibels("Contents after 20 times there and back, worst of four", min(rounds)), evaluate
        ),
        Claim(
            decibels(
                "One g for all styles: likeness to the teachers, mean of four, held out",
                sum(psnr) / len(psnr),
            ),
            evaluate,
            "pictures",
        ),
        Claim(
            Measurement(
                "Against the best operator of this kind on pixels, least gain",
                min(gain),
                0.0,
                "above",
                " dB",
                "+.1f",
            ),
            evaluate,
        ),
        Claim(
            decibels(
                "The paper's recipe in our code: on the one content it trains on, and on others, "
                "mean",
                sum(psnr) / len(psnr),
            ),
            f"{script}; shorter training, see below",
            f"{sum(own) / len(own):.1f} dB, {sum(held) / len(held):.1f} dB",
        ),
        Claim(
            Measurement(
                "A style added to a g that never saw it, against training it jointly, mean of "
                f"{len(added)}",
                sum(added) / len(added),
                0.0,
                "at_least",
                " dB",
                "+.1f",
            ),
            script,
        ),
    ]


# Projectors ---------------------------------------------------------------------------------


def projectors() -> list[Claim]:
    """Section 4.3."""
    f = lz.load("projector").requires_grad_(False)
    double = copy.deepcopy(f).double()
    noise = f.noise(256, seed=0)
    uniform = 2 * torch.rand(noise.shape, generator=torch.Generator().manual_seed(0)) - 1
    kinds = {
        "N(0, I)": noise,
        "uniform noise": uniform,
        "letters": load_letters(256).images,
        "1,000 · N(0, I)": 1000 * noise,
    }
    claims = []
    for name, model, threshold in (("float32", f, IDEMPOTENCE), ("float64", double, DOUBLE)):
        for kind, x in kinds.items():
            error = idempotence_error(model.project, x.to(model.basis), len(x))
            claims.append(
                at_most(f"`f(f(x)) = f(x)`, {kind}, {name}", error, threshold, "`f.project(x)`")
            )
    P, Q = double.at(64), double.at(16)
    x = noise.double()
    claims.append(
        at_most(
            "Ranks are nested, `f₆₄ f₁₆ = f₁₆`, float64",
            relative((P @ Q)(x), Q(x)),
            DOUBLE,
            "`f.at(64) @ f.at(16)`",
        )
    )
    card = PRETRAINED / "projector" / "README.md"
    confidence = "confidence of a classifier"
    noise_, real, drawn = (
        number(written(card, row, confidence))
        for row in ("projected noise", "held-out images", "samples at rank 16")
    )
    evaluate = (
        "`linearizer evaluate projector --data-dir FOLDER`, "
        "[card](../src/linearizer/pretrained/projector/README.md)"
    )
    page = DOCS / "projector.md"
    rows = ("ours, from nothing", "the paper's recipe, straight-through diagonal", "plain IGN")
    restored = [written(page, row, "held-out images, PSNR") for row in rows]
    projected = [written(page, row, "confidence of projected noise") for row in rows]
    return [
        *claims,
        Claim(
            confidence_of_samples(
                "Projected noise looks like data: confidence of a classifier", noise_, real
            ),
            evaluate,
            "pictures",
        ),
        Claim(
            confidence_of_samples("The same of samples drawn from the range, rank 16", drawn, real),
            evaluate,
        ),
        Claim(
            Measurement(
                "Held-out images projected, after equal training time: the paper's recipe in our "
                "code, and ours",
                number(restored[0]),
                number(restored[1]),
                "at_least",
                " dB",
                ".2f",
            ),
            PEERS,
            restored[1],
        ),
        at_least(
            "Projected noise in the same run: the paper's recipe, and ours",
            number(projected[0]),
            number(projected[1]),
            PEERS,
            projected[1],
        ),
        at_least(
            "The same against a plain IGN, which is not idempotent",
            number(projected[0]),
            number(projected[2]),
            PEERS,
        ),
    ]


# The page -----------------------------------------------------------------------------------


def honest() -> list[str]:
    """What is worse, or not like for like; numbers from the pages that measured them."""
    card, projector, style = (
        PRETRAINED / "mnist" / "README.md",
        PRETRAINED / "projector" / "README.md",
        (DOCS / "style.md").read_text(encoding="utf-8"),
    )
    ours, train = (written(card, row, "Fréchet distance") for row in ("samples", "training images"))
    euler = written(card, f"PSNR of one step (exact flow) against {STEPS} steps", "measured")
    noise = written(projector, "projected noise", "Fréchet distance in its features")
    trained = re.search(r"steps in (\d+ minutes)", style)
    recipe = re.search(r"## The paper's recipe, ([\d.]+ minutes)", style)
    assert trained is not None
    assert recipe is not None
    return [
        "- **The paper's numbers are the paper's.** Its networks, splits, seeds and image sizes "
        "are not ours, and its LPIPS need not be of the same network. It gives one number for "
        "one step against many, which stands beside every method here. Rows that say *the "
        "paper's recipe in our code* are our reading of it, trained for minutes on one thread: "
        "they say what a short training buys, not what the paper reached.",
        "- **Closed form and training are not the same model.** By default A is not the paper's "
        "low-rank hypernetwork but the optimal linear flow for a trained g. `--operator paper` "
        "trains the paper's.",
        "- **Decibels of exactness are not quality.** That one step equals many says nothing "
        f"about how good samples are. Their Fréchet distance on MNIST is {ours}, where as many "
        f"training images have {train}. It is measured in features of a small classifier of ours,"
        " so it cannot be compared with any published FID. Samples of convolutional diffusion "
        "models are better.",
        "- **One step of the exact flow is not the Euler sampler.** By default the one step "
        f"stands for infinitely many. Against {STEPS} real steps: {euler}.",
        "- **Far from the data, rounding wins.** The laws hold for all points in exact numbers. In "
        "floating point the inverse of g can amplify rounding beyond all measure where no data "
        "were, above all if g was trained by likelihood alone and without tight bounds. The rows "
        "*Far from the data* measure that.",
        "- **What a projector of ours makes of noise is drawn, not found.** The last layer of g is "
        "fitted in closed form so that what lies far from the data gets codes of the data; the "
        f"Fréchet distance of projected noise to real images is {noise}. What lies near the range "
        "and is no data, as letters do, stays near to what it was. A plain IGN learns to move "
        "everything, and is not idempotent.",
        "- **Styles.** The teachers are networks of PyTorch's fast-neural-style example. Ours "
        f"was trained for {trained[1]}, the paper's recipe in our code for {recipe[1]}: the row "
        "shows that one content does not generalize, not a race.",
        "- **Not compared:** training cost at the paper's scale, on GPUs, and CelebA at full "
        "resolution.",
    ]


def table(title: str, claims: list[Claim]) -> list[str]:
    """One section of the page."""
    return [
        f"## {title}",
        "",
        "| claim | paper | ours | threshold | | how |",
        "|---|---|---|---|---|---|",
        *(claim.line() for claim in claims),
        "",
    ]


def into_readme(claims: list[Claim]) -> None:
    """Put the highlights between their marks in the README, without links to pages."""
    chosen = [next(c for c in claims if c.measured.name.startswith(start)) for start in HIGHLIGHTS]
    shown = [replace(claim, how=claim.how.split(", [")[0]) for claim in chosen]
    lines = [*table("", shown)[2:], "All claims, with what does not hold, are in the", ""]
    lines[-1:] = [f"[comparison with the paper](docs/{PAGE}), made by `make docs/{PAGE}`."]
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    results = "\n".join(lines)
    README.write_text(f"{before}{BEGIN}\n\n{results}\n\n{END}{after}", encoding="utf-8")


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sections = {
        "The algebra, section 3": algebra(),
        "One-step flows, section 4.1": one_step(),
        "Classes, not in the paper": classes(),
        "Styles, section 4.2": styles(),
        "Projectors, section 4.3": projectors(),
    }
    verdicts = [claim.measured.holds for claims in sections.values() for claim in claims]
    lines = [
        "# Comparison with the paper",
        "",
        "Every claim of the paper that can be measured, beside what this library measures, and "
        "what does not hold.",
        "",
        "Made by `make docs/comparison.md`, that is `python benchmarks/comparison.py`: PyTorch "
        f"{torch.__version__}, one thread, {platform.machine()}. The paper is Berman, Hallak, "
        "Shocher, [Who Said Neural Networks Aren't Linear?](https://arxiv.org/abs/2510.08570) "
        "What the models that come with the library can show is measured by the script. What needs "
        "a data set is read from the card or page that is linked, which names its own command. "
        "Thresholds of exactness are those of `linearizer.testing` and `linearizer evaluate`.",
        "",
        f"Of {len(verdicts) - verdicts.count(None)} claims with a threshold "
        f"{verdicts.count(True)} hold and {verdicts.count(False)} do not. "
        "[What is worse, or not like for like](#what-is-worse-or-not-like-for-like).",
        "",
    ]
    for title, claims in sections.items():
        lines += table(title, claims)
    lines += ["## What is worse, or not like for like", "", *honest(), ""]
    (arguments.out / PAGE).write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    if arguments.out == DOCS:
        into_readme([claim for claims in sections.values() for claim in claims])


if __name__ == "__main__":
    main()
