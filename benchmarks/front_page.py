"""One picture of each application, for the first screen of the README, each made by a command.

    python benchmarks/front_page.py --out docs/images [--dynamics RUN --series A.csv B.csv ...]

Runs the commands as anyone would, on the models that are loaded by name, prints them, and writes
front-NAME.png. Nothing is chosen: digits are the first that seed 0 draws of each class, the
photograph is the first that scikit-learn ships, and the row of its table of wines is the one with
the lowest score of all. `--only NAME` makes some of the pictures.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_sample_images, load_wine

import linearizer as lz
from linearizer.data.images import resized
from linearizer.data.pixels import read_image, write_picture
from linearizer.display.pictures import save_mosaic
from linearizer.sklearn import LinearizerDetector

SIDE = 320
COLUMNS = 6
"""Of the table, in the picture: those that are oddest."""


def ran(*words: str | Path) -> None:
    """Run a command of linearizer, and show it as it would be typed."""
    typed = [Path(w).name if isinstance(w, Path) else w for w in words]
    print("linearizer", shlex.join(typed), flush=True)
    command = [sys.executable, "-m", "linearizer", *map(str, words), "--overwrite"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def digits(folder: Path) -> list[Path]:
    """The first digit that seed 0 draws of each class, without noise, as files."""
    flow = lz.load("mnist")
    images = flow.denoise(flow.decode(flow.pooled.noise(10, 0), flow.draw_evenly(10, 0)), 0.1)
    paths = [folder / f"{label}.png" for label in range(10)]
    for path, image in zip(paths, images, strict=True):
        write_picture(path, image)
    return paths


def samples(out: Path, _: Path) -> None:
    """Noise to digits of each class, in one step."""
    ran("sample", "mnist", "-n", "80", "--denoise", "--out", out)


def translated(out: Path, folder: Path) -> None:
    """Four digits, each as all classes, in the same hand."""
    ran("translate", "mnist", *digits(folder)[2:6], "--denoise", "--out", out)


def directions(out: Path, _: Path) -> None:
    """What the threes differ in: the singular points of their sampler."""
    ran("directions", "mnist", "--label", "3", "-k", "3", "--denoise", "--out", out)


def noise(out: Path, _: Path) -> None:
    """Noise, and its projection onto what digits look like."""
    ran("project", "projector", "--noise", "10", "--rank", "16", "--out", out)


def restored(out: Path, folder: Path) -> None:
    """Damaged digits, and their projections."""
    damage = "salt,occlude,scratch"
    ran("project", "projector", *digits(folder), "--corrupt", damage, "--rank", "64", "--out", out)


def style(out: Path, folder: Path) -> None:
    """A photograph, a mix of two styles of it, and the photograph again."""
    photo, styled, undone = (folder / name for name in ("photo.png", "styled.png", "undone.png"))
    pixels = torch.from_numpy(load_sample_images().images[0].copy()).movedim(-1, 0) / 127.5 - 1
    height, width = pixels.shape[1:]
    write_picture(photo, resized(pixels, (SIDE * height // width // 4 * 4, SIDE)))
    names = [name for name in lz.load("style").names if name != "plain"][:2]
    mix = ",".join(f"{name}=0.5" for name in names)
    ran("style", "apply", "style", photo, "--mix", mix, "--out", styled)
    ran("style", "undo", "style", styled, "--out", undone)
    row = torch.stack([read_image(path) for path in (photo, styled, undone)])
    save_mosaic(out, [row], column_labels=["photograph", mix, "undone"], inches=2.6)


def table(out: Path, _: Path) -> None:
    """The oddest wine of a table: by how much each column is odd, beside a normal wine."""
    wines = load_wine(as_frame=True).data
    detector = LinearizerDetector(random_state=0).fit(wines)
    number = int(detector.score_samples(wines).argmin())
    odd = wines.iloc[[number]]
    (reasons,), (normal,) = detector.explain(odd), detector.nearest_normal(odd)
    order = abs(reasons).argsort()[-COLUMNS:]
    figure = Figure(figsize=(5.2, 2.4), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(range(len(order)), reasons[order], color="C0")
    axes.axvline(0, color="0.3", lw=1)
    axes.set_yticks(range(len(order)), labels=[short(wines.columns[i]) for i in order], fontsize=10)
    for place, i in enumerate(order):
        values = f" {odd.iloc[0, i]:.3g}, not {normal[i]:.3g} "
        side = "left" if reasons[i] > 0 else "right"
        axes.text(reasons[i], place, values, va="center", ha=side, fontsize=10)
    axes.set_title(f"The oddest of {len(wines)} wines, beside a normal one", fontsize=11)
    axes.set_xlabel("off by, in usual spreads of the column")
    axes.margins(x=0.3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(out, dpi=144)


def short(column: str) -> str:
    """The name of a column, in words, without what it may be divided by."""
    return column.partition("/")[0].replace("_", " ")


PICTURES: dict[str, Callable[[Path, Path], None]] = {
    made.__name__: made for made in (samples, translated, directions, noise, restored, style, table)
}


def dynamics(out: Path, run: str, series: Sequence[Path]) -> None:
    """Forecasts of trajectories, and the plane that they move in."""
    ran("dynamics", "portrait", run, *series, "--out", out)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", action="append", choices=[*PICTURES, "dynamics"])
    parser.add_argument("--dynamics", help="a run of linearizer dynamics fit")
    parser.add_argument("--series", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    wanted = options.only or [*PICTURES, *(["dynamics"] if options.dynamics else [])]
    options.out.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        path = options.out / f"front-{name}.png"
        with tempfile.TemporaryDirectory() as folder:
            if name == "dynamics":
                dynamics(path, options.dynamics, options.series)
            else:
                PICTURES[name](path, Path(folder))
        path.with_suffix(".safetensors").unlink(missing_ok=True)
        with Image.open(path) as picture:
            print(f"  {path}: {picture.width}×{picture.height}", flush=True)


if __name__ == "__main__":
    main()
