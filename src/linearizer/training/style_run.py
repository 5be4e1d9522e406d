"""`linearizer train style`: one pair of bijections, and an operator a teacher."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer._files import atomic_write
from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.data import Images, open_data
from linearizer.data.images import as_bytes
from linearizer.display.console import say
from linearizer.errors import RangeError
from linearizer.operators import CircularConvolution
from linearizer.presets import style_bijection
from linearizer.saving.run_information import read_note
from linearizer.training import HypernetworkStyleTraining, StyleTraining, TrainingBudget, loop
from linearizer.training.config import average_decay
from linearizer.training.progress import track
from linearizer.training.run_folder import finish_run, open_run
from linearizer.training.teachers import FastNeuralStyle, teach

BATCH, TEACHING_BATCH = 32, 50
NAMED_SIZES = {"faces64": 64}


def train_style(
    content: str,
    data_dir: Path | None,
    teachers: Mapping[str, Path],
    out: Path,
    *,
    size: int,
    contents: int | None,
    depth: int,
    width: int,
    operator: str,
    kernel: int,
    steps: int,
    max_minutes: float | None,
    precision: str,
    objective: str,
    seed: int,
    tensorboard: bool,
    overwrite: bool,
) -> None:
    """Train bijections and styles on what the teachers make of contents, and save them."""
    if not teachers:
        raise RangeError("expected a teacher, got none; name one with --teacher NAME=FILE")
    networks = {name: FastNeuralStyle.from_file(path) for name, path in teachers.items()}
    train, _ = open_contents(content, data_dir, size, seed)
    of_paper = objective == "paper"  # one image, and one number a channel for a style
    wanted = 1 if of_paper else contents or len(train)
    train = train.take(torch.arange(min(len(train), wanted)))
    settings = {
        "application": "style",
        "data": content,
        "data_dir": None if data_dir is None else str(data_dir),
        "teachers": {name: path.name for name, path in teachers.items()},
        "size": size,
        "contents": len(train),
        "depth": depth,
        "width": width,
        "operator": operator,
        "kernel": kernel,
        "steps": steps,
        "max_minutes": max_minutes,
        "precision": precision,
        "recipe": objective,
        "seed": seed,
    }
    checkpoints = open_run(out, settings, overwrite=overwrite)
    targets = torch.stack(
        [_targets(checkpoints, name, network, train) for name, network in networks.items()]
    )
    torch.manual_seed(seed)
    model = untrained(
        train, targets, list(networks), depth=depth, width=width, operator=operator, kernel=kernel
    )
    numbered = Images(train.images, torch.arange(len(train)), train.quantization_levels)
    module = (HypernetworkStyleTraining if of_paper else StyleTraining)(model, targets, steps)
    trained = loop.train(
        module,
        numbered,
        TrainingBudget(
            steps,
            batch_size=len(networks) if of_paper else BATCH,
            noise=0.0,
            seed=seed,
            max_minutes=max_minutes,
            average=average_decay(steps),
            precision="bf16" if precision == "bf16" else "32",
        ),
        title="Training styles",
        checkpoints=checkpoints,
        logs=out,
        tensorboard=tensorboard,
    )
    if not trained.is_first_process:
        return
    module.cpu().eval()
    if isinstance(module, HypernetworkStyleTraining):
        module.resolve()
    some = train.images[:500].split(100)
    model.add(PLAIN, model.fit(((x, x) for x in some), kernel_size=kernel))
    note = {**settings, "steps": trained.steps, "seconds": trained.seconds}
    finish_run(out, model, note)
    say(f"{trained.steps} steps in {trained.seconds:.0f} s; the styles are in {out}")
    say(f"Look at them: linearizer stylize {out} PHOTO --mix NAME=1")


def open_contents(
    content: str, data_dir: Path | None, size: int, seed: int
) -> tuple[Images, Images]:
    """Contents in colour, to train on and held out."""
    named = NAMED_SIZES.get(content)
    if named not in (None, size):
        raise RangeError(f"expected --size {named} with {content}, got {size}")
    parts = open_data(content, data_dir, seed=seed, size=None if named else size)
    if parts[0].shape[0] != 3:
        parts = tuple(  # type: ignore[assignment]
            Images(p.images.expand(-1, 3, -1, -1), p.labels, p.quantization_levels) for p in parts
        )
    return parts


def untrained(
    contents: Images,
    targets: Tensor,
    names: list[str],
    *,
    depth: int,
    width: int,
    operator: str,
    kernel: int,
) -> StyleTransfer:
    """Bijections initialised on contents and targets, and the identity as every style."""
    g_x = style_bijection(contents.shape, depth=depth, width=width)
    g_y = style_bijection(contents.shape, depth=depth, width=width)
    g_x.initialize(contents.images[:64].repeat(2, 1, 1, 1))  # ActNorm takes two images or more
    g_y.initialize(targets[:, :16].flatten(0, 1).repeat(2, 1, 1, 1) / 127.5 - 1)
    styles = {name: _identity(g_x.out_shape, operator, kernel) for name in names}
    return StyleTransfer(g_x, g_y, styles)


def _identity(shape: Shape, kind: str, side: int) -> CircularConvolution:
    """A style to train: from every channel to every one, or only within each of them."""
    channels, *size = shape
    kernel = torch.zeros(channels, channels, side, side)
    kernel[:, :, side // 2, side // 2] = torch.eye(channels)
    parameter = nn.Parameter(kernel)
    if kind == "depthwise":
        within = torch.eye(channels)[..., None, None]
        parameter.register_hook(lambda gradient: gradient * within.to(gradient))
    return CircularConvolution(parameter, size)


def _targets(folder: Path, name: str, teacher: nn.Module, contents: Images) -> Tensor:
    """What a teacher makes of all contents, as bytes; kept, so that a resumed run has it."""
    path = folder / f"{name}.safetensors"
    if path.exists():
        return load_file(path)["targets"]
    targets = torch.cat([as_bytes(y) for _, y in taught(teacher, contents.images, name)])
    with atomic_write(path) as whole:
        save_file({"targets": targets}, whole)
    return targets


def taught(teacher: nn.Module, contents: Tensor, name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of contents and what a teacher makes of them, with a progress bar."""
    batches = contents.split(TEACHING_BATCH)
    for x in track(batches, f"The teacher {name}"):
        yield x, teach(teacher, x)


def contents_of(
    run: Path, content: str | None, data_dir: Path | None, size: int
) -> tuple[Images, Images]:
    """The contents that are named, or else those that a run was trained on."""
    note = read_note(run)
    name = content or note.get("data")
    if name is None:
        raise RangeError(f"expected contents, got none in {run}; name some with --content")
    if data_dir is None and content is None and note.get("data_dir"):
        data_dir = Path(note["data_dir"])
    return open_contents(name, data_dir, size, note.get("seed", 0))
