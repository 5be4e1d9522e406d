"""What all training runs share: open the folder, train, save, say where the result is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor

from linearizer._names import meant
from linearizer.data import Images
from linearizer.display.console import say, tell
from linearizer.display.pictures import save_mosaic
from linearizer.errors import RangeError
from linearizer.runs import ImageRun, OneStepRun, ProjectorRun, StyleRun
from linearizer.saving import Saveable
from linearizer.training import loop
from linearizer.training.config import PRESETS, TrainingBudget, TrainingConfig
from linearizer.training.run_folder import finish_run, open_run
from linearizer.training.sample_grids import SampleGrids
from linearizer.training.verdicts import Verdict

PICTURE = "samples.png"
INCHES, PIXELS = 0.55, 100
"""The least side of an image in it, and the pixels of an inch of larger images."""


@dataclass(frozen=True)
class Job:
    """What a run trains, on what and for how long, and the model that comes of it.

    Attributes:
        module: Builds what is trained, given the checkpoint folder of the run.
        data: The images that it is trained on.
        budget: How long it is trained.
        finish: Makes the model to save of the trained module, on the CPU in evaluation mode.
        result: The name of the model in the message at the end, with its verb.
        look: The last line of that message, with the command that shows what the model makes.
        title: Title of the progress bar.
        notes: More settings for `run.json`; a run is resumed only if they are the same.
        findings: More for `run.json` that a resumed run need not share.
        draw: Rows of pictures of what there is so far; none are drawn if not given.
        show: Rows of pictures of the model at the end; none are drawn if not given.
        judge: Says how the model stands, given the steps that were taken.
    """

    module: Callable[[Path], LightningModule]
    data: Images
    budget: TrainingBudget
    finish: Callable[[LightningModule], Saveable]
    result: str
    look: str
    title: str = "Training g"
    notes: dict[str, Any] = field(default_factory=dict)
    findings: dict[str, Any] = field(default_factory=dict)
    draw: Callable[[], Sequence[Tensor]] | None = None
    show: Callable[[Any], Sequence[Tensor]] | None = None
    judge: Callable[[Any, int], Verdict] | None = None


def train_and_save(run: OneStepRun | ProjectorRun | StyleRun, job: Job) -> None:
    """Train what the job says and save it in the folder of the run; an interrupted run goes on.

    Raises:
        FileExistsAlreadyError: If the folder holds something else and may not be overwritten.
    """
    settings = {k: v for k, v in run.noted().items() if k not in job.notes.get("config", ())}
    settings |= job.notes
    checkpoints = open_run(run.out, settings, overwrite=run.overwrite)
    module = job.module(checkpoints)
    trained = loop.train(
        module,
        job.data,
        job.budget,
        title=job.title,
        checkpoints=checkpoints,
        logs=run.out,
        tensorboard=run.tensorboard,
        callbacks=[] if job.draw is None else [SampleGrids(job.draw, run.out / "samples")],
    )
    if not trained.is_first_process:
        return
    model = job.finish(module.cpu().eval())
    took: dict[str, Any] = {"steps": trained.steps, "seconds": trained.seconds}
    verdict = None if job.judge is None else job.judge(model, trained.steps)
    if verdict is not None:
        took["verdict"] = verdict.note
    finish_run(run.out, model, {**settings, **job.findings, **took})
    say(f"{trained.steps} steps in {trained.seconds:.0f} s; the {job.result} in {run.out}")
    if verdict is not None:
        tell(verdict.text)
    if job.show is not None:
        picture = run.out / PICTURE
        rows = job.show(model)
        save_mosaic(picture, rows, inches=max(INCHES, rows[0].shape[-1] / PIXELS))
        say(f"What it makes: {picture}")
    say(job.look)


def config_of(run: ImageRun) -> TrainingConfig:
    """The preset that is named, or that of the data set, with what the run has of its own.

    Raises:
        RangeError: If there is no such preset.
    """
    name = run.preset or (run.data if run.data in PRESETS else "mnist")
    if name not in PRESETS:
        raise RangeError(
            f"expected a preset of {', '.join(PRESETS)}, got '{name}'{meant(name, PRESETS)}"
        )
    own = {f.name: getattr(run, f.name, None) for f in fields(TrainingConfig)}
    return replace(PRESETS[name], **{k: v for k, v in own.items() if v is not None})
