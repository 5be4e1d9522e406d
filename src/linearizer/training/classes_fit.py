"""Classes for a g that is trained: closed forms of the latents of labeled images."""

import shutil
from pathlib import Path
from typing import Any

import torch

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.bijections import Bijection, Centering, Chain
from linearizer.data import Images
from linearizer.errors import LinearizerError, RangeError, ShapeError
from linearizer.training.run_folder import CHECKPOINTS, finish_run, open_data_of, open_run

LARGEST_COVARIANCE = 4096
"""Length of latents; longer ones keep their leading directions alone."""
NOISE = 0.1
"""Standard deviation of the noise that classes are told apart with."""
DIRECTIONS = 256
"""That they keep; fewer than these cost the samples a lot."""
SHORT, CLASS_DIRECTIONS = 512, 128
"""Length of latents up to which a class keeps all directions; longer ones keep so many."""


def shared_bijection(model: OneStepFlow | ConditionalFlow) -> Bijection:
    """The g of a flow, without the mean of its latents."""
    if isinstance(model, ConditionalFlow):
        return model.g
    g = model.g_data
    if isinstance(g, Chain) and isinstance(g.bijections[-1], Centering):
        layers: list[Bijection] = list(g.bijections)[:-1]  # type: ignore[assignment]
        return layers[0] if len(layers) == 1 else Chain(*layers)
    return g


def check_labels(train: Images) -> None:
    """Refuse images without labels, which all have the same.

    Raises:
        RangeError: If there are fewer than two classes.
    """
    found = len(train.labels.unique())
    if found < 2:
        raise RangeError(
            f"expected images with labels of two classes or more, got {found}; put the images of "
            "each class in a folder of its own, or find clusters without labels with --components"
        )


@torch.no_grad()
def fit_classes(
    g: Bijection,
    train: Images,
    *,
    components: int | None = None,
    rank: int | None = None,
    noise: float = NOISE,
    seed: int = 0,
) -> ConditionalFlow:
    """The classes of images on a trained g, or clusters of them, in closed form.

    Args:
        g: Of the images.
        train: Images as they are; their labels are the classes.
        components: Number of clusters to find instead of labels.
        rank: As of `ConditionalFlow.fit`; 128 for latents longer than 512.
        noise: Standard deviation of the noise that densities are of.
        seed: Of clusters and noise.

    Raises:
        RangeError: If there are no labels, or more components than images.
    """
    if rank is None and g.out_shape[0] > SHORT:
        rank = CLASS_DIRECTIONS
    if components is None:
        check_labels(train)
    labels = train.labels if components is None else None
    return ConditionalFlow.fit(
        g, train.images, labels, components=components, rank=rank, noise=noise, seed=seed
    )


def add_classes(
    model: OneStepFlow | ConditionalFlow,
    out: Path,
    *,
    note: dict[str, Any],
    data: str,
    data_dir: Path | None = None,
    overwrite: bool = False,
    components: int | None = None,
    noise: float = NOISE,
    rank: int | None = None,
    seed: int = 0,
) -> ConditionalFlow:
    """Fit the classes of a data set on the g of a flow, and save them in a folder of a run.

    Args:
        model: The flow; it stays as it is.
        out: The folder, new or empty.
        note: What the training of the flow wrote of itself.
        data: Data set, split as in that training.
        data_dir: Where its files are; by default where the training found them.
        overwrite: Replace what the folder holds.
        components: As of `fit_classes`.
        noise: As of `fit_classes`.
        rank: As of `fit_classes`.
        seed: As of `fit_classes`.

    Raises:
        FileExistsAlreadyError: If the folder holds something and may not be overwritten.
        ShapeError: If the images have another shape than those that g takes.
        RangeError: As `fit_classes`.
    """
    g = shared_bijection(model)
    train, _ = open_data_of(note, data, data_dir)
    if g.in_shape != train.shape:
        raise ShapeError(
            f"expected images {g.in_shape}, as the model makes them, got {train.shape} of "
            f"{data}; name the data set that it was trained on with --data"
        )
    chosen = {"components": components, "rank": rank, "noise_std": noise, "classes_seed": seed}
    folder = note.get("data_dir") if data_dir is None else str(data_dir)
    settings = {**note, "data": data, "data_dir": folder, **chosen}
    open_run(out, settings, overwrite=overwrite)
    try:
        made = fit_classes(g, train, components=components, rank=rank, noise=noise, seed=seed)
    except LinearizerError:  # there is nothing to resume
        shutil.rmtree(out / CHECKPOINTS)
        raise
    finish_run(out, made, settings)
    return made
