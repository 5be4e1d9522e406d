"""Writes docs/projector.md: a trained projector, and its peers in equal time in one run.

Takes a run of `linearizer train projector` that `linearizer evaluate` has measured. The peers, the
paper's recipe, a plain idempotent network and ours from nothing, are each trained for the same
minutes, one after another.
"""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path

import torch
from ign import IGN, IGNTraining
from timing import Taken, train_for
from torch import Tensor, nn

import linearizer as lz
from linearizer.applications import IdempotentGenerator
from linearizer.cli.evaluation import BATCH
from linearizer.cli.flow import resized
from linearizer.cli.pictures import save_mosaic
from linearizer.cli.projector_evaluation import projector_markdown
from linearizer.cli.train_projector import STATISTICS
from linearizer.data import Images, corrupt, load_digits, load_letters, load_mnist
from linearizer.metrics import Classifier, confidence, psnr_db
from linearizer.training import (
    PRESETS,
    BinaryProjectionTraining,
    PrincipalProjection,
    train_classifier,
)

RANK, COUNT, JUDGE_STEPS = 64, 1000, 1500
RECIPE = PRESETS["mnist"].tame()

INTRO = """# Projectors: linear idempotent generative networks

`f = g⁻¹ A g` with `A² = A`: then `f(f(x)) = f(x)` for *every* input, by construction, and f
projects anything onto what data look like. For a given g the best A of a rank is closed form,
the principal components of the latents (Eckart and Young), and one model holds all ranks.

## Train and use

    linearizer train projector --data mnist --data-dir FOLDER --out runs/projector
    linearizer project runs/projector digit.png --resize
    linearizer project runs/projector --corrupt blur,noise,occlude --rank 64
    linearizer project runs/projector --noise 8
    linearizer generate runs/projector -n 64
    linearizer evaluate runs/projector

In Python, with the weights that come with the library:

```python
import torch
import linearizer as lz

f = lz.load("projector")
x = f.noise(4, seed=0)
once = f.project(x)
assert torch.allclose(f.project(once), once, atol=1e-3)      # f(f(x)) = f(x)
distance = f.residual(x)                                     # of x to the manifold
inside, outside = f.decompose(x)                             # x = f(x) ⊕ (I - f)(x)
P, Q = f.at(64), f.at(16)                                    # Linearizers, nested
assert (P @ Q).rank() == 16
```
"""


@torch.no_grad()
def measure(
    f: Callable[[Tensor], Tensor], held_out: Tensor, judge: nn.Module, samples: Tensor
) -> list[str]:
    """Idempotence on data and noise, reconstruction, and the confidence of samples."""
    noise = torch.randn(held_out.shape, generator=torch.Generator().manual_seed(0))
    errors = []
    for x in (held_out, noise):
        once = _apply(f, x)
        errors.append(float((_apply(f, once) - once).abs().max() / x.abs().max()))
    projected = _apply(f, noise).clamp(-1, 1)
    return [
        *(f"{error:.1e}" for error in errors),
        f"{psnr_db(_apply(f, held_out).clamp(-1, 1), held_out):.2f} dB",
        f"{confidence(judge, projected):.3f}",
        f"{confidence(judge, samples.clamp(-1, 1)):.3f}" if len(samples) else "none",
    ]


def _apply(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.cat([f(batch) for batch in x.split(BATCH)])


def peers(train: Images, held_out: Tensor, judge: nn.Module, minutes: float) -> list[str]:
    """All trained from nothing, for the same time, at one rank."""
    rows: list[tuple[str, Taken, list[str]]] = []
    shape = train.shape
    some = train.images[:STATISTICS].split(1000)
    noise = RECIPE.noise * 2 / (train.levels - 1)

    def ours(steps: int) -> PrincipalProjection:
        module = PrincipalProjection(RECIPE.bijection(shape), steps, noise=noise)
        module.initialize(train.images[:2000])
        return module

    def paper(steps: int) -> BinaryProjectionTraining:
        mask = lz.BinaryMask(torch.Size(shape).numel(), RANK)
        return BinaryProjectionTraining(RECIPE.bijection(shape), lz.BinaryDiagonal(mask), steps)

    module, taken = train_for(minutes, train, RECIPE.batch_size, 0.0, ours)
    f = IdempotentGenerator.fit(module.g, some, rank=RANK)
    rows.append(
        (
            "ours, from nothing",
            taken,
            measure(f.project, held_out, judge, f.generate(COUNT, seed=0)),
        )
    )
    module, taken = train_for(minutes, train, RECIPE.batch_size, 0.0, paper)
    f = IdempotentGenerator.fit(module.g, some, projection=module.projection.frozen())
    rows.append(
        (
            "the paper's recipe, straight-through diagonal",
            taken,
            measure(f.project, held_out, judge, f.generate(COUNT, seed=0)),
        )
    )
    module, taken = train_for(
        minutes, train, RECIPE.batch_size, 0.0, lambda n: IGNTraining(IGN(), n)
    )
    rows.append(("plain IGN", taken, measure(module.f, held_out, judge, held_out[:0])))
    pixels = IdempotentGenerator.fit(lz.Flatten(shape), some, rank=RANK)
    rows.append(
        (
            "components of pixels",
            Taken(0, 0.0),
            measure(pixels.project, held_out, judge, pixels.generate(COUNT, seed=0)),
        )
    )
    return [
        f"## Peers, {minutes:g} minutes each, in one run, rank {RANK}",
        "",
        "| what | steps | idempotence error, data | noise | held-out images, PSNR "
        "| confidence of projected noise | of samples of the range |",
        "|---|---|---|---|---|---|---|",
        *(f"| {name} | {taken.steps:,} | {' | '.join(row)} |" for name, taken, row in rows),
        "",
        "Errors are `max abs of f(f(x)) - f(x)` over `max abs of x`, in float32. The plain IGN "
        "(arXiv:2311.01462) is a convolutional autoencoder of about the paper's shape, at our "
        "size; its range has no basis to draw from. All peers train in float32 with ours' batch.",
        "",
    ]


@torch.no_grad()
def pictures(model: IdempotentGenerator, out: Path) -> list[str]:
    """Of what may be shown: samples, noise, letters, and digits of another collection."""
    images = out / "images"
    save_mosaic(
        images / "projector-samples.png", list(model.generate(60, seed=0).split(12)), inches=0.6
    )
    noise = model.noise(12, seed=0)
    save_mosaic(
        images / "projector-noise.png",
        [noise, model.project(noise)],
        row_labels=["noise", "projected"],
    )
    found = load_digits().images[:10]
    framed = torch.stack([resized(x, (20, 20)) for x in found])
    digits = nn.functional.pad(framed, (4, 4, 4, 4), value=-1.0)
    rows, labels = [digits, model.project(digits, RANK)], ["digits of scikit-learn", "projected"]
    for name in ("noise", "occlude", "pixelate", "fade", "scratch"):
        damaged = corrupt(digits, name)
        rows += [damaged, model.project(damaged, RANK)]
        labels += [name, "projected"]
    save_mosaic(images / "projector-digits.png", rows, row_labels=labels)
    letters = load_letters(10).images
    inside, outside = model.decompose(letters, RANK)
    save_mosaic(
        images / "projector-letters.png",
        [letters, inside, outside],
        row_labels=["letters", "nearest digits", "the rest"],
    )
    line = model.interpolate(digits[3], digits[8], 10)
    ranks = [r for r in (2, 4, 8, 16, 32, 64, 128) if r <= model.rank]
    nested = [model.project(digits, r) for r in ranks]
    save_mosaic(
        images / "projector-ranks.png",
        [*nested, line],
        row_labels=[*(f"rank {r}" for r in ranks), "interpolation"],
    )
    return [
        "## Pictures",
        "",
        "![Samples of the range](images/projector-samples.png)",
        "",
        "Drawn from the range, by the Gaussian of the latents. What projected noise looks like, as "
        "it is:",
        "",
        "![Projected noise](images/projector-noise.png)",
        "",
        "Digits of another collection (scikit-learn's, 8×8, enlarged), damaged and projected:",
        "",
        "![Digits](images/projector-digits.png)",
        "",
        "Letters are no digits: the nearest ones, and what is left, `x = f(x) ⊕ (I - f)(x)`:",
        "",
        "![Letters](images/projector-letters.png)",
        "",
        "One model, all ranks; below a straight line on the manifold:",
        "",
        "![Ranks](images/projector-ranks.png)",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="of train projector, evaluated")
    parser.add_argument("--data-dir", type=Path, required=True, help="where MNIST lies")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each peer")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = IdempotentGenerator.from_pretrained(arguments.run)
    note = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    results = json.loads((arguments.run / "evaluation.json").read_text(encoding="utf-8"))
    train, held_out = load_mnist(arguments.data_dir)
    folder = arguments.run / "judge"
    judge = (
        Classifier.from_pretrained(folder).eval()
        if folder.exists()
        else train_classifier(train, steps=JUDGE_STEPS)
    )
    options = " ".join(f"--{k} {v}" for k, v in note["weights"].items())
    lines = [
        INTRO,
        "## Measured",
        "",
        f"MNIST, `linearizer train projector --data mnist {options}"
        f"{'' if note['init'] is None else ' --init ' + note['init']}`: {note['steps']:,} steps in "
        f"{note['seconds'] / 60:.0f} minutes on one thread of a processor. This page is made by "
        f"`python benchmarks/projector.py --run RUN --data-dir FOLDER`: PyTorch "
        f"{torch.__version__}, one thread, {platform.machine()}.",
        "",
        projector_markdown(results),
        *peers(train, held_out.images[:COUNT], judge, arguments.minutes),
        *pictures(model, arguments.out),
    ]
    (arguments.out / "projector.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
