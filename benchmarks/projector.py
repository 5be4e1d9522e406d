"""Writes docs/projector.md: a trained projector, measured, beside its peers, and pictures.

Takes a run of `linearizer train projector` that `linearizer evaluate` has measured, and the table
that `projector_peers.py` writes.
"""

import argparse
import json
import platform
from pathlib import Path

import torch
from torch import nn

from linearizer.applications import IdempotentGenerator
from linearizer.data import corrupt, load_digits, load_letters
from linearizer.data.images import resized
from linearizer.display.pictures import save_mosaic
from linearizer.display.tables import page_markdown
from linearizer.evaluation.projector import anything, projector_page

RANK, SAMPLED_RANK = 64, 16

INTRO = """# Projectors: linear idempotent generative networks

`f = g⁻¹ A g` with `A² = A`: then `f(f(x)) = f(x)` for *every* input, by construction, and f
projects anything onto what data look like. For a given g the best A of a rank is closed form,
the principal components of the latents (Eckart and Young), and one model holds all ranks.

## Train and use

    linearizer train projector --data mnist --data-dir FOLDER --init mnist --out runs/projector
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
assert torch.allclose(f.project(once), once, atol=1e-3)  # f(f(x)) = f(x)
distance = f.residual(x)  # of x to the manifold
inside, outside = f.decompose(x)  # x = f(x) ⊕ (I - f)(x)
P, Q = f.at(64), f.at(16)  # Linearizers, nested
assert (P @ Q).rank() == 16
```

## What lies far from the data

The point of the manifold nearest to noise is like no data. An idempotent generative network is to
make data of it all the same, and still be a projection. So the g of a projector ends with a
coupling, `bijections.Redraw`. With the codes `r = Qᵀz` in the range of A and what lies outside,
`o = z - Q r`,

    r ↦ s r + (1 - s) c(o),      o ↦ o

where `s = 1` as long as `|o|` is that of data or of damaged data, and small beyond. `c(o)` is a
code of the data: a draw from the Gaussians of the classes, with the direction of o as the random
numbers. As c does not look at r, this is a bijection like any coupling, found in closed form; f
stays linear in the space that g induces, and `f(f(x)) = f(x)` as exact as before. What a picture
of noise becomes is decided by the noise, as it is in a sampler; nothing of it is kept.

```python
from linearizer.data import load_digits

digits = load_digits()
g = lz.load("digits").g
plain = lz.applications.IdempotentGenerator.fit(g, [digits.images], rank=16)
f = plain.redrawing(digits.images, digits.labels)  # without labels: clusters
f.project(f.noise(4)), f.generate(4)
```

`train projector` does so by default (`--no-redraw` leaves it out). While it trains g, it keeps
what looks like no data, blank, smooth and mixed images, as far from the range as noise
(`--apart`), so that it is told from damaged data, which are restored. What lies near the range
and is no data, as letters do, is projected onto the nearest data as before.
"""


@torch.no_grad()
def pictures(model: IdempotentGenerator, out: Path) -> list[str]:
    """Of what may be shown: samples, noise, letters, and digits of another collection."""
    images = out / "images"
    save_mosaic(
        images / "projector-samples.png",
        list(model.generate(60, rank=SAMPLED_RANK, seed=0).split(12)),
        inches=0.6,
    )
    noise = model.noise(12, seed=0)
    save_mosaic(
        images / "projector-noise.png",
        [noise, model.project(noise)],
        row_labels=["noise", "projected"],
    )
    found = load_digits().images[:120]
    framed = torch.stack([resized(x, (20, 20)) for x in found])
    digits = nn.functional.pad(framed, (4, 4, 4, 4), value=-1.0)
    rows, labels = [], []
    for name, others in anything(digits, 0).items():
        some = others[:12]
        rows += [some, model.project(some, RANK)]
        labels += [name, "projected"]
    save_mosaic(images / "projector-anything.png", rows, row_labels=labels)
    digits = digits[:10]
    rows, labels = [digits, model.project(digits, RANK)], ["digits of scikit-learn", "projected"]
    for name in ("noise", "occlude", "pixelate", "fade", "scratch"):
        damaged = corrupt(digits, name)
        rows += [damaged, model.project(damaged, RANK)]
        labels += [name, "projected"]
    save_mosaic(images / "projector-digits.png", rows, row_labels=labels)
    letters = load_letters(10).images
    inside, outside = model.decompose(letters, SAMPLED_RANK)
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
        f"Drawn from the range, by one Gaussian a class, along the first {SAMPLED_RANK} "
        "directions. Projected noise:",
        "",
        "![Projected noise](images/projector-noise.png)",
        "",
        "Anything, and what becomes of it; the first of each kind. Constant images begin at black:",
        "",
        "![Anything](images/projector-anything.png)",
        "",
        "Digits of another collection (scikit-learn's, 8×8, enlarged), damaged and projected:",
        "",
        "![Digits](images/projector-digits.png)",
        "",
        f"Letters are no digits: the nearest ones of rank {SAMPLED_RANK}, and what is left, "
        "`x = f(x) ⊕ (I - f)(x)`:",
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
    parser.add_argument("--run", type=Path, required=True, help="of train projector, or shipped")
    parser.add_argument("--evaluation", type=Path, help="folder that evaluate wrote; the run")
    parser.add_argument("--peers", type=Path, required=True, help="what projector_peers.py wrote")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = IdempotentGenerator.from_pretrained(arguments.run)
    note = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    measured = (arguments.evaluation or arguments.run) / "evaluation.json"
    results = json.loads(measured.read_text(encoding="utf-8"))
    trained = [n for n in (*note.get("earlier", []), note) if n["application"] == "projector"]
    steps, seconds = (sum(n[key] for n in trained) for key in ("steps", "seconds"))
    lines = [
        INTRO,
        "## Measured",
        "",
        'MNIST, the weights that come with the library, `linearizer.load("projector")`: g of a '
        f"one-step flow, trained on as a projector for {steps:,} steps in {seconds / 60:.0f} "
        "minutes on one thread of a processor; its card has the commands. This page is made by "
        f"`python benchmarks/projector.py --run RUN --evaluation FOLDER --peers FILE`: PyTorch "
        f"{torch.__version__}, one thread, {platform.machine()}.",
        "",
        page_markdown(projector_page(results)),
        arguments.peers.read_text(encoding="utf-8"),
        *pictures(model, arguments.out),
    ]
    (arguments.out / "projector.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
