"""One training run: Lightning with averaged weights, checkpoints that resume, a progress bar."""

import logging
import os
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, Timer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from rich.console import Console
from torch import Tensor

from linearizer._extras import needs_extra
from linearizer.data.images import Images
from linearizer.training.averaging import weight_averaging
from linearizer.training.batches import RandomBatches, SeededBatches
from linearizer.training.config import TrainingBudget
from linearizer.training.precision import conditioners_in
from linearizer.training.progress import WholeRunProgress

CHECKPOINT = "last.ckpt"


class Trained(NamedTuple):
    """What a run took, the time between interruptions not counted.

    Attributes:
        steps: Optimizer steps.
        seconds: Time of training.
        is_first_process: Whether this process is the one that should save, of several.
    """

    steps: int
    seconds: float
    is_first_process: bool


def train(
    module: LightningModule,
    data: Images | SeededBatches,
    budget: TrainingBudget,
    *,
    title: str = "Training",
    checkpoints: Path | None = None,
    logs: Path | None = None,
    tensorboard: bool = False,
    callbacks: Sequence[Callback] = (),
    verbose: bool = True,
) -> Trained:
    """Train `module` in place, on whatever device there is.

    An interrupted run whose `checkpoints` folder is still there goes on from its last
    checkpoint, to the same result as an uninterrupted one. Under torchrun all processes train
    together, each on its share of every batch.

    Args:
        module: What is trained.
        data: Images, of which batches are drawn as the budget says, or batches of anything.
        budget: How long.
        title: Title of the progress bar.
        checkpoints: Folder for the last checkpoint; none is kept if not given.
        logs: Folder for the losses of every tenth step, as CSV; none if not given.
        tensorboard: Log them for TensorBoard too.
        callbacks: More of Lightning's callbacks.
        verbose: Show a bar of progress, where there is a terminal.

    Returns:
        The steps and seconds that it took in all, those before an interruption included.

    Raises:
        MissingExtraError: If TensorBoard is asked for and not installed.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    limit = None if budget.max_minutes is None else {"seconds": round(60 * budget.max_minutes)}
    timer = Timer(limit)
    callbacks = [*callbacks, timer, _RandomState()]
    if verbose:
        callbacks.append(WholeRunProgress(budget.steps, title))
    if budget.average is not None:
        callbacks.append(weight_averaging(budget.average))
    if checkpoints is not None:
        callbacks.append(
            ModelCheckpoint(
                checkpoints,
                filename="last",
                every_n_train_steps=budget.checkpoint_every,
                enable_version_counter=False,
            )
        )
    trainer = Trainer(
        max_steps=budget.steps,
        callbacks=callbacks,
        enable_checkpointing=checkpoints is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=[] if logs is None else _loggers(logs, tensorboard=tensorboard),
        log_every_n_steps=10,
        devices=_processes("LOCAL_WORLD_SIZE"),
        num_nodes=_processes("WORLD_SIZE") // _processes("LOCAL_WORLD_SIZE"),
        gradient_clip_val=1.0,
    )
    loader = data
    if isinstance(data, Images):
        loader = RandomBatches(
            data,
            batch_size=budget.batch_size,
            steps=budget.steps,
            noise=budget.noise,
            seed=budget.seed,
        )
    last = None if checkpoints is None else checkpoints / CHECKPOINT
    resume = last if last is not None and last.is_file() else None
    if resume is not None:
        Console().print(f"Going on with an interrupted run, resumed from {resume}", soft_wrap=True)
    dtype = torch.bfloat16 if budget.precision == "bf16" else None
    with warnings.catch_warnings(), conditioners_in(module, dtype):
        for message in ("many workers", "LeafSpec", "exists and is not empty", "logging interval"):
            warnings.filterwarnings("ignore", message=f".*{message}.*")
        trainer.fit(module, loader, ckpt_path=resume)
    return Trained(int(trainer.global_step), timer.time_elapsed(), trainer.is_global_zero)


class _RandomState(Callback):
    """Keeps torch's random state in the checkpoints: noise drawn after resuming is the same."""

    def state_dict(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        torch.set_rng_state(state_dict["cpu"])
        if "cuda" in state_dict and torch.cuda.is_available():
            torch.cuda.set_rng_state(state_dict["cuda"])


def _loggers(folder: Path, *, tensorboard: bool) -> list[Logger]:
    loggers: list[Logger] = [CSVLogger(folder, name="logs")]
    if tensorboard:
        with needs_extra("tensorboard", "tensorboard"):
            import_module("tensorboard")
        loggers.append(TensorBoardLogger(folder, name="tensorboard"))
    return loggers


def _processes(scope: str) -> int:
    """How many processes torchrun started, in all or on this machine; one without torchrun."""
    return int(os.environ.get(scope, "1"))
