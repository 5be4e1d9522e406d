"""`linearizer demo`: train a Linearizer on real digits, then use it as a linear map."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from linearizer import training
from linearizer._files import write_text
from linearizer.applications import OneStepFlow
from linearizer.data import open_data
from linearizer.display.console import say, waiting
from linearizer.display.report import write_report
from linearizer.display.tables import Table
from linearizer.evaluation.demo import measure, report_rows
from linearizer.evaluation.demo_pictures import draw
from linearizer.training import PRESETS, LikelihoodTraining, TrainingBudget, train_classifier
from linearizer.training.run_folder import close_run, open_run

CODE = """import linearizer as lz
flow = lz.load("{folder}")
digits = flow.sample(16)              # (16, 1, 8, 8) in [-1, 1], in one step
f = flow.collapse()                   # the whole sampler: one linear map, noise to digit
print(f.rank(), f.cond(), f.pinv()(digits).shape)"""


def run_demo(out: Path, *, steps: int, max_minutes: float, seed: int, overwrite: bool) -> None:
    """Train, measure, draw and report into the folder `out`."""
    settings = {"steps": steps, "max_minutes": max_minutes, "seed": seed}
    checkpoints = open_run(out, settings, overwrite=overwrite)
    train, held_out = open_data("digits", seed=seed)

    # Networks this small gain nothing from more threads, and on a busy machine threads that
    # wait for each other were measured to take ten times as long.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config = replace(PRESETS["digits"], steps=steps)
    g = config.bijection(train.shape)
    schedule = TrainingBudget.of(config, seed=seed, max_minutes=max_minutes)
    trained = training.train(
        LikelihoodTraining(g, steps, weight_decay=config.weight_decay),
        train,
        schedule,
        title="Training g",
        checkpoints=checkpoints,
    )
    flow = OneStepFlow.fit(g.eval(), [train.dequantized(config.noise, seed)])
    classifier = train_classifier(train, steps=min(1500, steps), seed=seed)

    with torch.no_grad(), waiting("Measuring and drawing"):
        metrics = {
            "training_steps": trained.steps,
            "training_seconds": trained.seconds,
            "training_images_per_second": trained.steps * schedule.batch_size / trained.seconds,
            **measure(flow, classifier, train, held_out, config.noise, seed),
        }
        sections = draw(flow, held_out, out, seed)
    write_text(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    rows = report_rows(metrics)
    code = CODE.format(folder=out)
    write_report(
        out / "report.html",
        title="A linear generator of handwritten digits",
        lead=(
            "One invertible network g was trained on 1,500 real digits of 8×8 pixels; the linear "
            "operator between noise and digits was then computed, not trained. What follows is "
            "linear algebra on the result: f(x) = g⁻¹(B x)."
        ),
        rows=rows,
        sections=sections,
        code=code,
    )
    flow.save_pretrained(out, overwrite=True)
    close_run(out)
    _print_summary(rows, out, code)


def _print_summary(rows: Sequence[Sequence[str]], out: Path, code: str) -> None:
    Table(["what", "measured", "threshold", ""], rows).show()
    say(f"\nReport with pictures: {(out / 'report.html').resolve()}")
    say(f"\nUse it:\n\n{code}")
