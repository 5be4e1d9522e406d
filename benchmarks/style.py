"""Writes docs/style.md: styles as operators, against their teachers, pixels and the paper's recipe.

Takes a run of `linearizer train style` that `linearizer style evaluate` has measured. Everything
that is timed here is timed in one run: teachers and ours in turn.
"""

import argparse
import itertools
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_sample_images
from timing import seconds
from torch import Tensor

import linearizer as lz
from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.data.images import resized
from linearizer.display.pictures import save_mosaic
from linearizer.display.tables import page_markdown
from linearizer.evaluation.style import style_page
from linearizer.metrics import psnr_db
from linearizer.runs import StyleRun
from linearizer.training.lessons import taught
from linearizer.training.style_run import open_contents, train_style
from linearizer.training.teachers import FastNeuralStyle, teach

# Contents and refining steps of an added style; the second is what the command does by itself.
ADDED = ((500, 0), (500, 6), (2000, 16))

INTRO = """# Style transfer

A style is a linear operator between the latents of two bijections that all styles share:
`f_style(x) = g_y⁻¹(A_style g_x(x))`. So styles are mixed, weakened, undone and composed by linear
algebra, and a new one is a least-squares problem. [The mathematics](mathematics.md).

## Train and use

    linearizer train style --content faces64 --data-dir FOLDER --teacher candy=candy.pth \\
        --teacher mosaic=mosaic.pth --out runs/style
    linearizer style apply runs/style photo.jpg --mix candy=0.4,mosaic=0.6 --out out.png
    linearizer style apply runs/style photo.jpg --mix candy --strength 0.5
    linearizer style add runs/style udnie --teacher udnie.pth     # no training: least squares
    linearizer style add runs/style mine --pairs FOLDER           # content/a.png, style/a.png, ...
    linearizer style add runs/style mine --picture picture.jpg
    linearizer style interpolate runs/style photo.jpg candy mosaic --steps 9
    linearizer style undo runs/style out.png                      # by the record beside it
    linearizer style compose runs/style photo.jpg candy udnie
    linearizer style directions runs/style photo.jpg candy
    linearizer style compare runs/style
    linearizer style evaluate runs/style --teacher candy=candy.pth

[Style a photograph, and take the style off again](how-to/styles.md) says more: records, folders,
films and large pictures.

Teachers are the networks of PyTorch's fast-neural-style example; in Python any image-to-image
module can be one (`linearizer.training.teachers.teach`). Images of any size are stylized, also
larger ones than were trained on. Each style is a small folder under `RUN/styles`, which can be
passed on alone; it is refused by a model with another g.
"""


def time_an_image(model: StyleTransfer, teacher: FastNeuralStyle, name: str) -> list[str]:
    """Ours against a teacher."""
    lines = [
        "## Time an image",
        "",
        "| size | teacher, ms | ours, ms | ratio |",
        "|---|---|---|---|",
    ]
    for side in (64, 256):
        x = torch.rand(1, 3, side, side) * 2 - 1
        slow, quick = seconds(
            lambda: teach(teacher, x),  # noqa: B023
            lambda: model.stylize(x, name),  # noqa: B023
            rounds=5,
        )
        lines.append(
            f"| {side}×{side} | {1e3 * slow:.0f} | {1e3 * quick:.0f} | {slow / quick:.2f} |"
        )
    return [*lines, ""]


def left_out(
    arguments: argparse.Namespace,
    note: dict[str, Any],
    results: dict[str, Any],
    teachers: dict[str, Path],
    held_out: Tensor,
) -> list[str]:
    """A style that a second run never saw, added to it, beside the jointly trained one."""
    if arguments.without is None:
        return []
    model = StyleTransfer.from_pretrained(arguments.without)
    train, _ = open_contents(note["content"], arguments.data_dir, note["size"], note["seed"])
    torch.set_num_threads(arguments.threads)
    lines = [
        "## A new style, added without training g",
        "",
        "`linearizer style add --contents N --refine STEPS`, on a model that was trained without "
        f"the style, threads: {arguments.threads}. No steps is the closed form, least squares "
        "between latents; steps go on to images.",
        "",
        "| style | contents | steps | seconds | of these the teacher | PSNR to the teacher "
        "| jointly trained | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, path in teachers.items():
        if name in model.names:
            continue
        teacher, joint = FastNeuralStyle.from_file(path), results["styles"][name]["psnr_db"]
        truth = torch.cat([teach(teacher, part) for part in held_out.split(50)])
        for contents, steps in ADDED:
            started = time.perf_counter()
            pairs = list(taught(teacher, train.images[:contents], name))
            taken = time.perf_counter() - started
            operator = model.fit(pairs, refinement=steps)
            total = time.perf_counter() - started
            psnr = psnr_db(model.stylize(held_out, operator).clamp(-1, 1), truth)
            lines.append(
                f"| {name} | {contents:,} | {steps} | {total:.0f} | {taken:.0f} | {psnr:.2f} dB "
                f"| {joint:.2f} dB | {psnr - joint:+.2f} dB |"
            )
    torch.set_num_threads(1)
    return [*lines, ""]


def algebra() -> list[str]:
    """What the algebra of one large convolution costs."""
    torch.manual_seed(0)
    kernel = 0.02 * torch.randn(12, 12, 3, 3)
    kernel[:, :, 0, 0] += torch.eye(12)
    A = lz.SymmetricConvolution(kernel, (256, 256))
    y = torch.randn(A.out_shape)
    calls: dict[str, Callable[[], object]] = {
        "pseudo-inverse": lambda: lz.linalg.pinv(A),
        "pseudo-inverse of one image": lambda: lz.linalg.solve(A, y),
        "4 leading singular triplets": lambda: lz.linalg.svd(A, 4),
        "all singular values": lambda: lz.linalg.singular_values(A),
        "square": lambda: lz.linalg.power(A, 2),
        "square root": lambda: lz.linalg.power(A, 0.5),
    }
    lines = ["## The algebra of a convolution of 12 channels at 256×256", ""]
    lines += [f"Exact, frequency by frequency; its matrix would be {A.n_in:,} × {A.n_in:,}.", ""]
    lines += ["| what | seconds |", "|---|---|"]
    for name, call in calls.items():
        lines.append(f"| {name} | {seconds(call, rounds=1)[0]:.1f} |")
    return [*lines, ""]


def papers_recipe(
    arguments: argparse.Namespace, teachers: dict[str, Path], held_out: Tensor
) -> list[str]:
    """One content and a number a channel, for as long as ours had for an image of that size."""
    run = arguments.scratch / "paper-style"
    note = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    if not (run / "config.json").exists():
        train_style(
            StyleRun(
                content=note["content"],
                data_dir=arguments.data_dir,
                teacher=[f"{name}={path}" for name, path in teachers.items()],
                out=run,
                size=note["size"],
                contents=1,
                depth=note["depth"],
                width=note["width"],
                kernel=1,
                steps=100_000,
                max_minutes=arguments.minutes,
                precision=note["precision"],
                objective="paper",
                overwrite=True,
            )
        )
    model = StyleTransfer.from_pretrained(run)
    train, _ = open_contents(note["content"], arguments.data_dir, note["size"], 0)
    lines = [
        f"## The paper's recipe, {arguments.minutes:g} minutes",
        "",
        "One content, and a network of the style's index that makes one number a channel: what "
        "the script that goes with the paper does. On that content, and on others:",
        "",
        "| style | its own training image, PSNR | held-out contents, PSNR |",
        "|---|---|---|",
    ]
    for name, path in teachers.items():
        teacher = FastNeuralStyle.from_file(path)
        scores = []
        for x in (train.images[:1], held_out[:50]):
            made = model.stylize(x, name).clamp(-1, 1)
            scores.append(psnr_db(made, teach(teacher, x)))
        lines.append(f"| {name} | {scores[0]:.2f} dB | {scores[1]:.2f} dB |")
    return [*lines, ""]


def photographs() -> dict[str, Tensor]:
    """The two that scikit-learn ships (CC BY 2.0), at 256×256."""
    pictures = load_sample_images()
    found = {}
    for name, pixels in zip(("china", "flower"), pictures.images, strict=True):
        image = torch.tensor(pixels).movedim(-1, 0) / 127.5 - 1
        side = min(image.shape[1:])
        left = (image.shape[2] - side) // 2
        found[name] = resized(image[:, :side, left : left + side], (256, 256))
    return found


def strips(model: StyleTransfer, names: list[str], out: Path) -> list[str]:
    """Every pair of styles on every photograph, at four times the size of training."""
    lines = ["## From style to style", ""]
    for photo, image in photographs().items():
        rows, labels = [], []
        for a, b in itertools.combinations(names, 2):
            places = torch.linspace(0, 1, 7).tolist()
            frames = [model.stylize(image, model.interpolate(a, b, s)) for s in places]
            rows.append(torch.stack(frames))
            labels.append(f"{a}\nto {b}")
        save_mosaic(out / "images" / f"styles-{photo}.png", rows, row_labels=labels, inches=1.0)
        lines += [f"![Style pairs on {photo}](images/styles-{photo}.png)", ""]
    return lines


def gallery(model: StyleTransfer, teachers: dict[str, Path], out: Path) -> list[str]:
    """Photographs, teachers and ours, undone again."""
    x = torch.stack([*photographs().values()])
    rows, labels = [x], ["photograph"]
    for name, path in teachers.items():
        made = model.stylize(x, name)
        rows += [teach(FastNeuralStyle.from_file(path), x), made, model.undo(made, name)]
        labels += [f"{name}: teacher", "ours", "undone"]
    columns = [torch.stack([row[i] for row in rows]) for i in range(len(x))]
    save_mosaic(out / "images" / "styles.png", columns, column_labels=labels, inches=1.2)
    return [
        "![Photographs, teachers, ours, undone](images/styles.png)",
        "",
        "Photographs that scikit-learn ships, at 256×256: four times the size of training.",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="of train style, evaluated")
    parser.add_argument("--teachers", type=Path, required=True, help="folder of NAME.pth")
    parser.add_argument("--data-dir", type=Path, help="where the contents lie")
    parser.add_argument("--without", type=Path, help="a run that lacks one of the styles")
    parser.add_argument("--threads", type=int, default=2, help="of adding a style")
    parser.add_argument("--minutes", type=float, default=5.0, help="of the paper's recipe")
    parser.add_argument("--scratch", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = StyleTransfer.from_pretrained(arguments.run)
    note = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    names = [name for name in note["teachers"] if name != PLAIN]
    teachers = {name: arguments.teachers / f"{name}.pth" for name in names}
    _, held_out = open_contents(note["content"], arguments.data_dir, note["size"], note["seed"])
    results = json.loads((arguments.run / "style-evaluation.json").read_text(encoding="utf-8"))
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    lines = [
        INTRO,
        "## Measured",
        "",
        f"Trained on {note['contents']:,} contents of {note['content']} at {note['size']}×"
        f"{note['size']}: {note['steps']:,} steps in {note['seconds'] / 60:.0f} minutes on one "
        f"thread of a processor, {parameters:.1f} M parameters. This page is made by "
        f"`python benchmarks/style.py --run RUN --teachers FOLDER`: PyTorch {torch.__version__}, "
        f"one thread, {platform.machine()}.",
        "",
        page_markdown(style_page(results)),
        *left_out(arguments, note, results, teachers, held_out.images[: results["contents"]]),
        *gallery(model, teachers, arguments.out),
        *papers_recipe(arguments, teachers, held_out.images),
        *algebra(),
        *time_an_image(model, FastNeuralStyle.from_file(teachers[names[0]]), names[0]),
    ]
    lines += strips(model, names, arguments.out)
    (arguments.out / "style.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
