"""Writes docs/style.md and its pictures: styles as operators, against teachers, pixels, the paper.

Takes a run of `linearizer train style` that `linearizer style evaluate` has measured. The parts of
the page are kept in the scratch folder: `--only strips walks` makes these two again, and writes the
page of all that are there. Everything that is timed here is timed on one thread, teachers and ours
in turn.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import style_costs
import style_pictures
import torch
from torch import Tensor

from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.data import Images
from linearizer.display.tables import page_markdown
from linearizer.evaluation.style_table import style_page
from linearizer.metrics import border_ratio, grid_energy, psnr_db
from linearizer.runs import StyleRun
from linearizer.training.lessons import taught
from linearizer.training.style_run import open_contents, open_held_out, train_style
from linearizer.training.teachers import FastNeuralStyle, teach

# Contents and steps of an added style; the second is what the command does by itself.
ADDED = ((100, 0), (100, 250))
HELD_OUT = 100
"""Contents that added styles and the paper's recipe are measured on."""

INTRO = """# Style transfer

A style is a linear operator between the latents of two bijections that all styles share:
`f_style(x) = g_y⁻¹(A_style g_x(x))`. So styles are mixed, weakened, undone and composed by linear
algebra, and a new one is a least-squares problem. [The mathematics](mathematics.md).

## Train and use

    linearizer train style --content FOLDER --size 128 --teacher candy=candy.pth \\
        --teacher mosaic=mosaic.pth --out runs/style
    linearizer style apply runs/style photo.jpg --mix candy=0.4,mosaic=0.6 --out out.png
    linearizer style apply runs/style photo.jpg --mix candy --strength 0.5
    linearizer style add runs/style udnie --teacher udnie.pth     # g stays as it is: a minute
    linearizer style add runs/style mine --pairs FOLDER           # content/a.png, style/a.png, ...
    linearizer style add runs/style mine --picture picture.jpg --content-weight 0.5
    linearizer style interpolate runs/style photo.jpg candy mosaic --steps 9
    linearizer style undo runs/style out.png                      # by the record beside it
    linearizer style compose runs/style photo.jpg candy udnie
    linearizer style directions runs/style photo.jpg candy
    linearizer style compare runs/style
    linearizer style evaluate runs/style --teacher candy=candy.pth --size 64 --size 256

[Style a photograph, and take the style off again](how-to/styles.md) says more: records, folders,
films and large pictures.

Teachers are the networks of PyTorch's fast-neural-style example; in Python any image-to-image
module can be one (`linearizer.training.teachers.teach`). Images of any size are stylized, also
larger ones than were trained on. Each style is a small folder under `RUN/styles`, which can be
passed on alone; it is refused by a model with another g.
"""


@dataclass
class Bench:
    """What the parts of the page are made of; each is opened when it is needed."""

    arguments: argparse.Namespace

    @cached_property
    def model(self) -> StyleTransfer:
        """The styles."""
        return StyleTransfer.from_pretrained(self.arguments.run)

    @cached_property
    def note(self) -> dict[str, Any]:
        """What their training wrote of itself."""
        note: dict[str, Any] = json.loads(
            (self.arguments.run / "run.json").read_text(encoding="utf-8")
        )
        return {**note, "content": self.arguments.content or note["content"]}

    @property
    def teachers(self) -> dict[str, Path]:
        """The files of the teachers by their names."""
        names = [name for name in self.note["teachers"] if name != PLAIN]
        return {name: self.arguments.teachers / f"{name}.pth" for name in names}

    @cached_property
    def contents(self) -> tuple[Images, Images]:
        """Those of the run."""
        note = self.note
        return open_contents(
            note["content"], self.arguments.data_dir, note["size"], note.get("seed", 0)
        )

    @property
    def held_out(self) -> Tensor:
        """Some contents that were not trained on."""
        return self.contents[1].images[:HELD_OUT]


def measured(bench: Bench) -> list[str]:
    """The tables of `style evaluate`."""
    note, folder = bench.note, bench.arguments.evaluation or bench.arguments.run
    results = json.loads((folder / "style-evaluation.json").read_text(encoding="utf-8"))
    parameters = sum(p.numel() for g in (bench.model.g_x, bench.model.g_y) for p in g.parameters())
    return [
        "## Measured",
        "",
        f"Trained on {note['contents']:,} contents at {note['size']}×{note['size']}: "
        f"{note['steps']:,} steps in {note['seconds'] / 60:.0f} minutes on "
        f"{bench.arguments.hardware}, {parameters / 1e6:.1f} M parameters in g. This page is made "
        "by `python benchmarks/style.py --run RUN --teachers FOLDER`: PyTorch "
        f"{torch.__version__}, one thread, {platform.machine()}.",
        "",
        page_markdown(style_page(results)),
    ]


def teachers(bench: Bench) -> list[str]:
    """How far the teachers agree with themselves, which bounds who learns no grid from them."""
    lines = [
        "## What the teachers allow",
        "",
        "A teacher enlarges by repetition, so its output moves with an image only by multiples of "
        "four pixels. Its output for held-out contents is compared with those for the same "
        "contents moved by other numbers of pixels and moved back: with each of them, and with "
        "the mean of all fifteen, which is about the best that can be said without the place of "
        "the grid. Border as above: of each of them.",
        "",
        "| style | contents | one move, dB | mean of all moves, dB | border |",
        "|---|---|---|---|---|",
    ]
    moves = [(down, right) for down in range(4) for right in range(4)]
    folder, data_dir = bench.arguments.held_out, bench.arguments.data_dir
    held_out = {
        "64×64": open_held_out(folder, 64)[:48],
        "256×256": open_held_out(folder, 256)[:12],
    }
    if data_dir is not None:
        held_out["64×64, faces"] = open_contents("faces64", data_dir, 64, 0)[1].images[:48]
    for which, contents in held_out.items():
        found = []
        for path in bench.teachers.values():
            teacher = FastNeuralStyle.from_file(path)
            still, *moved = (
                torch.cat([teach(teacher, x, shift=move) for x in contents.split(4)])
                for move in moves
            )
            errors = torch.stack([y - still for y in moved])
            one, mean = (psnr_db(e, torch.zeros_like(e)) for e in (errors, errors.mean(0)))
            found.append((one, mean, border_ratio(errors)))
        names = [*bench.teachers, "mean"]
        found.append(tuple(sum(column) / len(column) for column in zip(*found, strict=True)))
        lines += [
            f"| {name} | {which} | {one:.2f} | {mean:.2f} | {border:.2f} |"
            for name, (one, mean, border) in zip(names, found, strict=True)
        ]
    return [*lines, ""]


def added(bench: Bench) -> list[str]:
    """Styles added to the g of the page, which saw them, as if they were not there."""
    rows = [row for name in bench.teachers for row in _added(bench, bench.model, bench.model, name)]
    return [
        "## A new style, added without training g",
        "",
        "`linearizer style add --contents N --refine STEPS`, seconds of one processor. No steps is "
        "the closed form, least squares between latents; steps lower the error of images, from "
        f"the mean of the other styles on. PSNR to the teacher of {len(bench.held_out)} held-out "
        "contents, beside that of the same style trained jointly with g; grid and undoing as "
        "above. The g of this page, which was trained with the style:",
        "",
        *ADDED_HEAD,
        *rows,
        "",
    ]


def left_out(bench: Bench) -> list[str]:
    """Styles added to a g that was trained without them, for a short time."""
    joint, minutes = _briefly(bench.arguments.joint)
    rows = []
    for run in bench.arguments.without:
        model, _ = _briefly(run)
        missing = [name for name in bench.teachers if name not in model.names]
        rows += [row for name in missing for row in _added(bench, model, joint, name)]
    return [
        f"A g that was trained without the style, for {minutes}, beside one that was trained "
        "with all for as long:",
        "",
        *ADDED_HEAD,
        *rows,
        "",
    ]


ADDED_HEAD = (
    "| style | contents | steps | seconds | of these the teacher | PSNR | jointly trained "
    "| difference | grid | condition | undone, dB |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
)


def _briefly(run: Path) -> tuple[StyleTransfer, str]:
    """A model, and how long it was trained."""
    note = json.loads((run / "run.json").read_text(encoding="utf-8"))
    trained = f"{note['steps']:,} steps ({note['seconds'] / 60:.0f} minutes)"
    return StyleTransfer.from_pretrained(run), trained


def _added(bench: Bench, model: StyleTransfer, joint: StyleTransfer, name: str) -> list[str]:
    """A row for each way to add a style to a model, from which it is taken away if it is there."""
    others = {other: model.operator(other) for other in model.names if other != name}
    model = StyleTransfer(model.g_x, model.g_y, others)
    teacher = FastNeuralStyle.from_file(bench.teachers[name])
    truth = torch.cat([y for _, y in taught(teacher, bench.held_out, name, shifted=False)])
    best = psnr_db(_stylized(joint, bench.held_out, name), truth)
    rows = []
    for contents, steps in ADDED:
        started = time.process_time()
        pairs = list(taught(teacher, bench.contents[0].images[:contents], name))
        taken = time.process_time() - started
        operator = model.fit(pairs, refinement=steps)
        total = time.process_time() - started
        made = _stylized(model, bench.held_out, operator)
        psnr, some = psnr_db(made, truth), bench.held_out[:10]
        undone = psnr_db(model.undo(model.stylize(some, operator), operator), some)
        rows.append(
            f"| {name} | {sum(len(x) for x, _ in pairs):,} | {steps} | {total:.0f} | {taken:.0f} "
            f"| {psnr:.2f} dB | {best:.2f} dB | {psnr - best:+.2f} dB | {grid_energy(made):.1f} "
            f"| {model.cond(operator):.3g} | {undone:.1f} |"
        )
    return rows


def _stylized(model: StyleTransfer, images: Tensor, style: Any) -> Tensor:
    return torch.cat([model.stylize(x, style).clamp(-1, 1) for x in images.split(10)])


def papers_recipe(bench: Bench) -> list[str]:
    """One content and a number a channel, for some minutes."""
    arguments, note, run = bench.arguments, bench.note, bench.arguments.scratch / "paper-style"
    if not (run / "config.json").exists():
        train_style(
            StyleRun(
                content=note["content"],
                data_dir=arguments.data_dir,
                teacher=[f"{name}={path}" for name, path in bench.teachers.items()],
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
    lines = [
        f"## The paper's recipe, {arguments.minutes:g} minutes",
        "",
        "One content, and a network of the style's index that makes one number a channel: what "
        "the script that goes with the paper does. On that content, and on others:",
        "",
        "| style | its own training image, PSNR | held-out contents, PSNR |",
        "|---|---|---|",
    ]
    for name, path in bench.teachers.items():
        teacher = FastNeuralStyle.from_file(path)
        scores = [
            psnr_db(_stylized(model, x, name), teach(teacher, x))
            for x in (bench.contents[0].images[:1], bench.held_out[:50])
        ]
        lines.append(f"| {name} | {scores[0]:.2f} dB | {scores[1]:.2f} dB |")
    return [*lines, ""]


def time_an_image(bench: Bench) -> list[str]:
    """The first style against its teacher."""
    name, path = next(iter(bench.teachers.items()))
    return style_costs.time_an_image(bench.model, FastNeuralStyle.from_file(path), name)


PARTS: dict[str, Callable[[Bench], list[str]]] = {
    "measured": measured,
    "teachers": teachers,
    "strips": lambda b: style_pictures.strips(b.model, b.teachers, b.arguments.out),
    "added": added,
    "left-out": left_out,
    "pictures": lambda b: style_pictures.pictures_as_styles(
        b.model, b.contents[0].images[:500], b.arguments.out
    ),
    "walks": lambda b: style_pictures.walks(b.model, list(b.teachers), b.arguments.out),
    "paper": papers_recipe,
    "large": lambda b: style_costs.large_pictures(
        b.arguments.run, next(iter(b.teachers)), b.arguments.scratch
    ),
    "time": time_an_image,
    "algebra": lambda _: style_costs.algebra(),
}
"""The parts of the page in their order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="of train style, evaluated")
    parser.add_argument("--evaluation", type=Path, help="where it was evaluated, if elsewhere")
    parser.add_argument("--teachers", type=Path, required=True, help="folder of NAME.pth")
    parser.add_argument("--content", help="contents, if they are not where the run had them")
    parser.add_argument("--data-dir", type=Path, help="where the faces of faces64 lie")
    parser.add_argument("--held-out", type=Path, help="folder of contents that are held out")
    parser.add_argument(
        "--without", type=Path, nargs="*", default=[], help="runs that lack one of the styles each"
    )
    parser.add_argument("--joint", type=Path, help="a run of all styles, as long as those without")
    parser.add_argument("--minutes", type=float, default=5.0, help="of the paper's recipe")
    parser.add_argument("--hardware", default="one thread of a processor", help="of the training")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--scratch", type=Path, default=Path("runs/style-page"))
    parser.add_argument("--out", type=Path, default=Path("docs"))
    bench = Bench(parser.parse_args())
    torch.set_num_threads(1)
    scratch, out = bench.arguments.scratch, bench.arguments.out
    scratch.mkdir(parents=True, exist_ok=True)
    (out / "images").mkdir(parents=True, exist_ok=True)
    for part in bench.arguments.only:
        text = "\n".join(PARTS[part](bench)).rstrip() + "\n"
        (scratch / f"{part}.md").write_text(text, encoding="utf-8")
    made = [scratch / f"{part}.md" for part in PARTS]
    texts = [path.read_text(encoding="utf-8") for path in made if path.exists()]
    (out / "style.md").write_text("\n".join([INTRO, *texts]), encoding="utf-8")


if __name__ == "__main__":
    main()
