"""Measuring a trained flow or projector against held-out images of its data set."""

from pathlib import Path
from typing import Any

from linearizer.applications import ConditionalFlow, IdempotentGenerator, OneStepFlow
from linearizer.data import Images
from linearizer.display.tables import Page
from linearizer.errors import RangeError, ShapeError
from linearizer.evaluation.flow import evaluate_flow
from linearizer.evaluation.flow_table import Paper, evaluation_page
from linearizer.evaluation.predictions import has_labels
from linearizer.evaluation.projector import evaluate_projector, projector_page
from linearizer.evaluation.samples import Flow
from linearizer.metrics import LPIPS, Classifier
from linearizer.saving import CONFIG_FILE
from linearizer.saving.run_information import Opened
from linearizer.training import train_classifier
from linearizer.training.run_folder import open_data_of

PAPERS: dict[str, Paper] = {"mnist": "mnist", "faces64": "celeba"}
CLASSIFIER_STEPS = 1500
PROJECTED = 1000
"""Images that a projector is measured on."""


def evaluate_model(
    opened: Opened[Any],
    data: str,
    data_dir: Path | None,
    classifier: Path,
    *,
    lpips: tuple[Path, Path] | None,
    steps: int,
    count: int | None,
    rank: int | None,
    seed: int,
) -> tuple[dict[str, Any], Page]:
    """What is measured, and its page.

    Args:
        opened: The model.
        data: Data set, with the split of the training of the model.
        data_dir: Where its files are; by default where the training found them.
        classifier: Folder of the classifier of samples; it is trained if there is none.
        lpips: Files of LPIPS, for a flow.
        steps: Steps of the many-step samplers, for a flow.
        count: Samples of a flow, images of a projector; by default as of what measures them.
        rank: Rank of the restoration, for a projector.
        seed: Seed of everything random.

    Raises:
        ShapeError: If the data set has images of another shape than the model.
    """
    model: Flow | IdempotentGenerator = opened.model
    train, held_out = open_data_of(opened.note, data, data_dir)
    g = model.g_data if isinstance(model, OneStepFlow) else model.g
    if g.in_shape != train.shape:
        raise ShapeError(
            f"expected images {g.in_shape}, as the model makes them, got {train.shape} of "
            f"{data}; name the data set that it was trained on with --data"
        )
    network = _classifier(classifier, train)
    if isinstance(model, IdempotentGenerator):
        results = evaluate_projector(
            model, train, held_out, network, count=count or PROJECTED, rank=rank, seed=seed
        )
        return results, projector_page(results)
    width = opened.note.get("config", {}).get("noise")
    std = opened.note.get("noise_std", width and train.noise_std(width))
    results = evaluate_flow(
        model,
        train,
        held_out,
        network,
        lpips=None if lpips is None else LPIPS.from_files(*lpips),
        steps=steps,
        count=count,
        seed=seed,
        noise_width=width or 1.0,
        noise_std=std,
        labeled=opened.note.get("components") is None,
    )
    return results, evaluation_page(results, PAPERS.get(data))


def data_set_of(opened: Opened[Any], name: str, data: str | None) -> str:
    """The data set to measure a model on.

    Raises:
        RangeError: If the model is neither flow nor projector, or no data set is known.
    """
    if not isinstance(opened.model, OneStepFlow | ConditionalFlow | IdempotentGenerator):
        raise RangeError(
            f"expected a one-step flow or a projector, got a {type(opened.model).__name__} in "
            f"{name}; styles are measured by: linearizer style evaluate"
        )
    data = data or opened.note.get("data")
    if data is None:
        raise RangeError(f"expected the data set of {name}, got none; name it with --data")
    return data


def _classifier(folder: Path, train: Images) -> Classifier:
    """The classifier of samples; trained once and kept beside the evaluation.

    Images without labels are told apart by how they are turned.
    """
    if (folder / CONFIG_FILE).exists():
        return Classifier.from_pretrained(folder).eval()
    if not has_labels(train):
        train = train.turned()
    classifier = train_classifier(train, steps=CLASSIFIER_STEPS)
    classifier.save_pretrained(folder)
    return classifier
