"""`linearizer evaluate`: tables for a trained flow or projector, as JSON and Markdown."""

from collections.abc import Mapping
from pathlib import Path

from linearizer._files import as_json, write_text
from linearizer.applications import IdempotentGenerator, OneStepFlow, StyleTransfer
from linearizer.data import Images
from linearizer.display.console import say
from linearizer.display.tables import page_markdown, show_page
from linearizer.errors import RangeError, ShapeError
from linearizer.evaluation.flow import evaluate_flow
from linearizer.evaluation.flow_table import Paper, evaluation_page
from linearizer.evaluation.predictions import has_labels
from linearizer.evaluation.projector import evaluate_projector, projector_page
from linearizer.evaluation.style import measure_styles, style_page
from linearizer.metrics import LPIPS, Classifier
from linearizer.saving import CONFIG_FILE, find_model, load
from linearizer.saving.run_information import read_note
from linearizer.training import train_classifier
from linearizer.training.run_folder import new_file, open_data_of
from linearizer.training.style_run import contents_of
from linearizer.training.teachers import FastNeuralStyle

PAPERS: dict[str, Paper] = {"mnist": "mnist", "faces64": "celeba"}
CLASSIFIER_STEPS = 1500


def evaluate(
    run: str,
    *,
    data: str | None,
    data_dir: Path | None,
    out: Path | None,
    lpips: tuple[Path, Path] | None,
    steps: int,
    count: int,
    rank: int | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Measure the model in `run` and write `evaluation.json` and `evaluation.md` into `out`."""
    model = load(run)
    if not isinstance(model, OneStepFlow | IdempotentGenerator):
        raise RangeError(
            f"expected a one-step flow or a projector, got a {type(model).__name__} in {run}; "
            "styles are measured by: linearizer style evaluate"
        )
    note = read_note(find_model(run))
    data = data or note.get("data")
    if data is None:
        raise RangeError(f"expected the data set of {run}, got none; name it with --data")
    out = out or Path(run)
    path = new_file(out / "evaluation.json", overwrite=overwrite)
    train, held_out = open_data_of(note, data, data_dir)
    shape = model.g.in_shape if isinstance(model, IdempotentGenerator) else model.g_data.in_shape
    _check_shape(shape, train, data)
    classifier = _classifier(out / "classifier", train)
    if isinstance(model, IdempotentGenerator):
        results = evaluate_projector(
            model, train, held_out, classifier, count=count, rank=rank, seed=seed
        )
        page = projector_page(results)
    else:
        results = evaluate_flow(
            model,
            train,
            held_out,
            classifier,
            lpips=None if lpips is None else LPIPS.from_files(*lpips),
            steps=steps,
            count=count,
            seed=seed,
            noise_width=note.get("config", {}).get("noise", 1.0),
        )
        page = evaluation_page(results, PAPERS.get(data))
    write_text(path, as_json(results))
    write_text(path.with_suffix(".md"), page_markdown(page))
    show_page(page)
    say(f"{path} and {path.with_suffix('.md')}")


def _check_shape(shape: tuple[int, ...], data: Images, name: str) -> None:
    if shape != data.shape:
        raise ShapeError(
            f"expected images {shape}, as the model makes them, got {data.shape} of "
            f"{name}; name the data set that it was trained on with --data"
        )


def _classifier(folder: Path, train: Images) -> Classifier:
    """The classifier that samples are shown to; trained once and kept beside the evaluation.

    Images without labels are shown to one that tells how they are turned.
    """
    if (folder / CONFIG_FILE).exists():
        return Classifier.from_pretrained(folder).eval()
    if not has_labels(train):
        train = train.turned()
    classifier = train_classifier(train, steps=CLASSIFIER_STEPS)
    classifier.save_pretrained(folder)
    return classifier


def evaluate_style(
    run: str,
    teachers: Mapping[str, Path],
    *,
    content: str | None,
    data_dir: Path | None,
    count: int,
    lpips: tuple[Path, Path] | None,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Measure the styles of `run` and write `style-evaluation.json` and `.md` into `out`."""
    model, folder = StyleTransfer.from_pretrained(run), find_model(run)
    out = out or folder
    path = new_file(out / "style-evaluation.json", overwrite=overwrite)
    if not teachers:
        raise RangeError("expected a teacher, got none; name one with --teacher NAME=FILE")
    train, held_out = contents_of(folder, content, data_dir, model.g_x.in_shape[1])
    results = measure_styles(
        model,
        {style: FastNeuralStyle.from_file(file) for style, file in teachers.items()},
        train,
        held_out.images[:count],
        lpips=None if lpips is None else LPIPS.from_files(*lpips),
    )
    write_text(path, as_json(results))
    page = style_page(results)
    write_text(path.with_suffix(".md"), page_markdown(page))
    show_page(page)
    say(f"{path} and {path.with_suffix('.md')}")
