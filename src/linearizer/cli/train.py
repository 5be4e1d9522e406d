"""`linearizer train one-step`: a one-step flow on any images."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.bijections import Bijection
from linearizer.cli.pictures import save_mosaic
from linearizer.cli.run_folder import close_run, open_run
from linearizer.data import Images, open_data
from linearizer.errors import RangeError
from linearizer.training import CHECKPOINT, PRESETS, MaximumLikelihood, Recipe, Schedule, fit

STATISTICS = 20_000


def train_one_step(
    data: str,
    data_dir: Path | None,
    out: Path,
    *,
    preset: str | None,
    changes: dict[str, Any],
    max_minutes: float | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Train g by maximum likelihood, compute the operators, and save the flow in `out`."""
    console = Console()
    recipe = choose_recipe(data, preset, changes)
    train, _ = open_data(data, data_dir, seed=seed)
    if recipe.patch > 1 and recipe.layout == "patch" and train.shape[1] % recipe.patch:
        raise RangeError(
            f"expected a patch that divides {train.shape[1]} pixels, got {recipe.patch}; "
            "choose another preset"
        )
    settings = {
        "application": "one-step",
        "data": data,
        "data_dir": None if data_dir is None else str(data_dir),
        "seed": seed,
        "max_minutes": max_minutes,
        "recipe": asdict(recipe),
    }
    checkpoints = open_run(out, settings, overwrite=overwrite)
    if (checkpoints / CHECKPOINT).exists():
        console.print(f"Going on with the interrupted run in {out} (resumed from its checkpoint)")
    torch.manual_seed(seed)
    g = recipe.bijection(train.shape)
    module = MaximumLikelihood(g, recipe.steps, recipe.learning_rate, recipe.weight_decay)
    trained = fit(
        module,
        train,
        Schedule.of(recipe, seed=seed, max_minutes=max_minutes),
        title="Training g",
        checkpoints=checkpoints,
        logs=out,
        callbacks=[_SampleGrids(g, train, recipe, out / "samples")],
    )
    if not trained.is_first_process:
        return
    flow = fit_flow(g.cpu().eval(), train, recipe, seed)
    flow.save_pretrained(out, overwrite=True)
    note = {**settings, "steps": trained.steps, "seconds": trained.seconds}
    (out / "run.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    close_run(out)
    console.print(f"{trained.steps} steps in {trained.seconds:.0f} s; the flow is in {out}")
    console.print(f"Look at it: linearizer sample {out} -n 64", soft_wrap=True)


def choose_recipe(data: str, preset: str | None, changes: dict[str, Any]) -> Recipe:
    """The preset that is named, or that of the data set, with some entries changed."""
    name = preset or (data if data in PRESETS else "mnist")
    if name not in PRESETS:
        raise RangeError(f"expected a preset of {', '.join(PRESETS)}, got '{name}'")
    return replace(PRESETS[name], **{k: v for k, v in changes.items() if v is not None})


@torch.no_grad()
def fit_flow(g: Bijection, train: Images, recipe: Recipe, seed: int) -> OneStepFlow:
    """The closed-form flow on a trained g, from as many images as its statistics need."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    chosen = train.take(order[: max(STATISTICS, 16 * g.out_shape[0])])
    return OneStepFlow.fit(g, chosen.dequantized(recipe.noise, seed).split(1000))


class _SampleGrids(Callback):
    """A picture of one-step samples at every checkpoint, from the same noise each time."""

    def __init__(self, g: Bijection, train: Images, recipe: Recipe, folder: Path) -> None:
        self.g, self.recipe, self.folder = g, recipe, folder
        self.some = train.take(torch.arange(min(len(train), 2000)))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Draw at every checkpoint, where the latent covariance is not too large to measure."""
        step = trainer.global_step
        if step % 250 or not trainer.is_global_zero or self.g.out_shape[0] > 1024:
            return
        self.folder.mkdir(exist_ok=True)
        save_mosaic(self.folder / f"step_{step:06d}.png", list(self._samples().split(12)))

    @torch.no_grad()
    def _samples(self) -> Tensor:
        flow = OneStepFlow.fit(
            self.g, [self.some.dequantized(self.recipe.noise, 0).to(_device(self.g))]
        )
        return flow.sample(48, seed=0).cpu()


def _device(g: Bijection) -> torch.device:
    return next(g.parameters()).device
