"""`linearizer evaluate`: the paper's table for a trained flow, as JSON and Markdown."""

import json
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from linearizer.applications import OneStepFlow
from linearizer.cli.evaluation import evaluate_flow, has_labels
from linearizer.cli.evaluation_table import Paper, evaluation_markdown
from linearizer.cli.flow import open_flow
from linearizer.cli.run_folder import read_note
from linearizer.data import Images, open_data
from linearizer.errors import FileExistsAlreadyError, RangeError, ShapeError
from linearizer.metrics import LPIPS, Classifier
from linearizer.saving import CONFIG_FILE, find_model
from linearizer.training import train_classifier

PAPERS: dict[str, Paper] = {"mnist": "mnist", "faces64": "celeba"}
JUDGE_STEPS = 1500


def evaluate(
    run: str,
    *,
    data: str | None,
    data_dir: Path | None,
    out: Path | None,
    lpips: tuple[Path, Path] | None,
    steps: int,
    count: int,
    seed: int,
    overwrite: bool,
) -> None:
    """Measure the flow in `run` and write `evaluation.json` and `evaluation.md` into `out`."""
    flow = open_flow(run)
    note = read_note(find_model(run))
    data = data or note.get("data")
    if data is None:
        raise RangeError(f"expected the data set of {run}, got none; name it with --data")
    data_dir = data_dir or (Path(note["data_dir"]) if note.get("data_dir") else None)
    out = out or Path(run)
    if (out / "evaluation.json").exists() and not overwrite:
        raise FileExistsAlreadyError(
            f"expected no evaluation in {out}, got one; choose another folder with --out, or "
            "replace it with --overwrite"
        )
    train, held_out = open_data(data, data_dir, seed=note.get("seed", 0), size=note.get("size"))
    _check_shape(flow, train, data)
    judge = _judge(out / "judge", train)
    results = evaluate_flow(
        flow,
        train,
        held_out,
        judge,
        lpips=None if lpips is None else LPIPS.from_files(*lpips),
        steps=steps,
        count=count,
        seed=seed,
        noise_width=note.get("recipe", {}).get("noise", 1.0),
    )
    table = evaluation_markdown(results, PAPERS.get(data))
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, allow_nan=False)
    (out / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    (out / "evaluation.md").write_text(table, encoding="utf-8")
    console = Console()
    console.print(Markdown(table))
    console.print(f"{out / 'evaluation.json'} and {out / 'evaluation.md'}", soft_wrap=True)


def _check_shape(flow: OneStepFlow, data: Images, name: str) -> None:
    if flow.g_data.in_shape != data.shape:
        raise ShapeError(
            f"expected images {flow.g_data.in_shape}, as the flow makes them, got {data.shape} of "
            f"{name}; name the data set that it was trained on with --data"
        )


def _judge(folder: Path, train: Images) -> Classifier:
    """The classifier that judges samples; trained once and kept beside the evaluation.

    Images without labels are judged by one that tells how they are turned.
    """
    if (folder / CONFIG_FILE).exists():
        return Classifier.from_pretrained(folder).eval()
    if not has_labels(train):
        train = train.turned()
    judge = train_classifier(train, steps=JUDGE_STEPS)
    judge.save_pretrained(folder)
    return judge
