"""`linearizer train style`: one pair of bijections, and an operator a teacher."""

from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.data import Images, open_data, pieces_of_photographs
from linearizer.data.folder import load_image_folder
from linearizer.data.images import from_bytes
from linearizer.errors import RangeError
from linearizer.operators import SymmetricConvolution
from linearizer.presets import style_bijection
from linearizer.runs import StyleRun
from linearizer.saving.run_information import Opened
from linearizer.training import HypernetworkStyleTraining, StyleTraining, TrainingBudget
from linearizer.training.averaging import average_decay
from linearizer.training.job import Job, train_and_save
from linearizer.training.lessons import lessons_of
from linearizer.training.objectives.style_matching import Lessons, StyleMatching
from linearizer.training.teachers import FastNeuralStyle
from linearizer.training.verdicts import judged_styles

BATCH = 16
SHOWN = 6
"""Contents in the picture at the end."""
FLOOR = 0.03
"""Noise of the images that bijections are initialized on."""
NAMED_SIZES = {"faces64": 64}


def train_style(run: StyleRun) -> None:
    """Train bijections and styles on what the teachers make of contents, and save them."""
    if not run.teachers:
        raise RangeError("expected a teacher, got none; name one with --teacher NAME=FILE")
    networks = {name: FastNeuralStyle.from_file(path) for name, path in run.teachers.items()}
    train, held_out = open_contents(run.content, run.data_dir, run.size, run.seed)
    by_paper = run.objective == "paper"  # it has one content, and one number per channel
    wanted = 1 if by_paper else run.contents or len(train)
    train = train.take(torch.arange(min(len(train), wanted)))

    def module(checkpoints: Path) -> StyleMatching:
        lessons = lessons_of(networks, train.images, checkpoints, halved=not by_paper)
        torch.manual_seed(run.seed)
        model = untrained(run, lessons[-1])
        if by_paper:
            return HypernetworkStyleTraining(model, lessons, run.steps)
        return StyleTraining(model, lessons, run.steps, run.variations)

    def finish(trained: LightningModule) -> StyleTransfer:
        assert isinstance(trained, StyleMatching)
        if isinstance(trained, HypernetworkStyleTraining):
            trained.resolve()
        model, some = trained.model, train.images[:500].split(100)
        plain = trained.plain if isinstance(trained, StyleTraining) else None
        if plain is None:
            model.add(PLAIN, model.fit(((x, x) for x in some), kernel_size=run.kernel))
        else:
            model.add(PLAIN, plain)
        return model

    job = Job(
        module=module,
        data=Images(train.images, torch.arange(len(train)), train.quantization_levels),
        budget=TrainingBudget(
            run.steps,
            batch_size=len(networks) if by_paper else BATCH,
            noise=0.0,
            seed=run.seed,
            max_minutes=run.max_minutes,
            average=average_decay(run.steps),
            precision=run.precision,
        ),
        finish=finish,
        result="styles are",
        look=f"Look at them: linearizer style apply {run.out} PHOTO --mix NAME",
        title="Training styles",
        notes={"contents": len(train)},
        show=lambda model: _shown(model, [*networks], held_out.images[:SHOWN]),
        judge=lambda model, steps: judged_styles(
            model, networks, train, held_out, logs=run.out, steps=steps, planned=run.steps
        ),
    )
    train_and_save(run, job)


@torch.no_grad()
def _shown(model: StyleTransfer, names: Sequence[str], contents: Tensor) -> list[Tensor]:
    """Contents that were not trained on, and each style of them."""
    return [contents, *(model.stylize(contents, name) for name in names)]


def open_contents(
    content: str, data_dir: Path | None, size: int, seed: int
) -> tuple[Images, Images]:
    """Contents in color, to train on and held out."""
    named = NAMED_SIZES.get(content)
    if named not in (None, size):
        raise RangeError(f"expected --size {named} with {content}, got {size}")
    parts = open_data(content, data_dir, seed=seed, size=None if named else size)
    if parts[0].shape[0] != 3:
        parts = tuple(  # type: ignore[assignment]
            Images(p.images.expand(-1, 3, -1, -1), p.labels, p.quantization_levels) for p in parts
        )
    return parts


def untrained(run: StyleRun, lessons: Lessons) -> StyleTransfer:
    """Bijections initialized on contents and targets, and the identity as every style."""
    shape = lessons.contents.shape[1:]
    g_x, g_y = (style_bijection(shape, depth=run.depth, width=run.width) for _ in range(2))
    for g, images in ((g_x, lessons.contents[:64]), (g_y, lessons.targets[:, :16].flatten(0, 1))):
        x = from_bytes(images.repeat(2, 1, 1, 1))  # ActNorm takes two images or more.
        # Without noise it would scale up frequencies that hardly occur, and all rounding in them.
        g.initialize(x + FLOOR * torch.randn_like(x))
    styles = {name: _identity(g_x.out_shape, run.operator, run.kernel) for name in run.teachers}
    return StyleTransfer(g_x, g_y, styles)


def _identity(shape: Shape, kind: str, side: int) -> SymmetricConvolution:
    """A style to train: from every channel to every one, or only within each of them."""
    channels, *size = shape
    entries = SymmetricConvolution.entries(side)
    kernel = torch.zeros(channels, channels, entries, entries)
    kernel[:, :, 0, 0] = torch.eye(channels)
    parameter = nn.Parameter(kernel)
    if kind == "depthwise":
        within = torch.eye(channels)[..., None, None]
        parameter.register_hook(lambda gradient: gradient * within.to(gradient))
    return SymmetricConvolution(parameter, size)


def contents_of(
    run: Opened[StyleTransfer], content: str | None, data_dir: Path | None, size: int | None = None
) -> tuple[Images, Images]:
    """The contents that are named, or else those that a model was trained on.

    They have the size of the model, or another.
    """
    name = content or run.note.get("content")
    if name is None:
        raise RangeError(f"expected contents, got none in {run.folder}; name some with --content")
    if data_dir is None and content is None and run.note.get("data_dir"):
        data_dir = Path(run.note["data_dir"])
    side = size or run.model.g_x.in_shape[1]
    return open_contents(name, data_dir, side, run.note.get("seed", 0))


def open_held_out(folder: Path, size: int) -> Tensor:
    """All images of a folder or zip, in color."""
    return load_image_folder(folder, size=size).images.expand(-1, 3, -1, -1)


def contents_to_add(
    run: Opened[StyleTransfer], content: str | None, data_dir: Path | None, count: int
) -> Tensor:
    """Contents to add a style with: those of `contents_of`, or pieces of two free photographs."""
    if content is None and run.note.get("content") is None:
        return pieces_of_photographs(count, run.model.g_x.in_shape[1], gray=False)
    return contents_of(run, content, data_dir)[0].images[:count]
