"""The run of `linearizer demo`: train on real digits, measure, draw, and report."""

import json
from dataclasses import replace

import torch

from linearizer import training
from linearizer._files import write_text
from linearizer.data import open_data
from linearizer.display.console import waiting
from linearizer.display.report import write_report
from linearizer.evaluation.demo import measure, report_rows
from linearizer.evaluation.demo_pictures import draw
from linearizer.runs import DemoRun
from linearizer.training import (
    PRESETS,
    ClassMoments,
    MixtureLikelihoodTraining,
    train_classifier,
)
from linearizer.training.classes_fit import NOISE, fit_classes
from linearizer.training.run_folder import close_run, open_run

REPORT = "report.html"


def run_demo(run: DemoRun, code: str) -> list[tuple[str, str, str, str]]:
    """Train, measure and draw into the folder of the run, with code in the report; its rows."""
    checkpoints = open_run(run.out, run.noted(), overwrite=run.overwrite)
    train, held_out = open_data("digits", seed=run.seed)

    # Networks this small gain nothing from more threads, and on a busy machine threads that
    # wait for each other were measured to take ten times as long.
    torch.set_num_threads(1)
    torch.manual_seed(run.seed)
    config = replace(PRESETS["digits"], steps=run.steps)
    budget = config.budget(seed=run.seed, max_minutes=run.max_minutes)
    g = config.bijection(train.shape)
    moments = ClassMoments(len(train.labels.unique()), g.out_shape[0])
    module = MixtureLikelihoodTraining(
        g, moments, config.steps, weight_decay=config.weight_decay, std=NOISE
    )
    module.start(train.images, train.labels)
    trained = training.train(
        module,
        train,
        replace(budget, noise=0.0),  # the objective adds its own
        title="Training g",
        checkpoints=checkpoints,
    )
    flow = fit_classes(g.eval(), train, seed=run.seed)
    classifier = train_classifier(train, steps=min(1500, run.steps), seed=run.seed)

    with torch.no_grad(), waiting("Measuring and drawing"):
        metrics = {
            "training_steps": trained.steps,
            "training_seconds": trained.seconds,
            "training_images_per_second": trained.steps * budget.batch_size / trained.seconds,
            **measure(flow, classifier, train, held_out, NOISE, run.seed),
        }
        sections = draw(flow, held_out, run.out, run.seed)
    write_text(run.out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    rows = report_rows(metrics)
    write_report(
        run.out / REPORT,
        title="A linear generator of handwritten digits",
        lead=(
            "One invertible network g was trained on 1,500 real digits of 8×8 pixels; the linear "
            "operators between noise and digits, one for each class, were then computed, not "
            "trained. What follows is linear algebra on the result: f(x) = g⁻¹(B x + μ), in which "
            "adding μ is a part of g: f is linear."
        ),
        rows=rows,
        sections=sections,
        code=code,
    )
    flow.save_pretrained(run.out, overwrite=True)
    close_run(run.out)
    return rows
