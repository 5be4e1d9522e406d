"""Fitted estimators as files: safetensors and JSON, and no pickle."""

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from linearizer._version import __version__
from linearizer.errors import (
    CertificateWarning,
    FileExistsAlreadyError,
    FileFormatError,
    NotSaveableError,
)
from linearizer.saving import Saveable, load, save

FILE = "estimator.json"
CLASSES = ("FlowDensity", "LinearizerDetector", "NonlinearPCA", "TransportMap")


class Rows(nn.Module, Saveable):
    """Rows of numbers that an estimator keeps.

    Args:
        values: Any tensor.
    """

    values: torch.Tensor

    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values)


def save_estimator(
    estimator: BaseEstimator, folder: str | Path, *, overwrite: bool = False
) -> None:
    """Write a fitted estimator of this package: parameters as JSON, g and tensors as safetensors.

    Args:
        estimator: A fitted estimator of `linearizer.sklearn`.
        folder: Is made if it does not exist.
        overwrite: Replace an estimator that is already there.

    Raises:
        FileExistsAlreadyError: If there is one and `overwrite` is false.
        NotSaveableError: If it is no estimator of this package, or a parameter is no data.

    Example:
        >>> import tempfile, numpy as np
        >>> from linearizer.sklearn import FlowDensity, load_estimator, save_estimator
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> density, folder = FlowDensity(max_iter=0).fit(X), tempfile.mkdtemp()
        >>> save_estimator(density, folder)
        >>> bool((load_estimator(folder).score_samples(X) == density.score_samples(X)).all())
        True
    """
    name = type(estimator).__name__
    if name not in CLASSES:
        raise NotSaveableError(f"expected an estimator of {', '.join(CLASSES)}, got {name}")
    folder = Path(folder)
    if (folder / FILE).exists() and not overwrite:
        raise FileExistsAlreadyError(
            f"expected a folder without an estimator, got {folder}; pass overwrite=True"
        )
    described: dict[str, Any] = {}
    modules: list[Any] = []
    for key, value in vars(estimator).items():
        if isinstance(value, torch.Tensor):
            described[key] = {"rows": len(modules)}
            modules.append(Rows(value))
        elif isinstance(value, Saveable):
            described[key] = {"model": len(modules)}
            modules.append(value)
        else:
            described[key] = {"value": _plain(key, value)}
    folder.mkdir(parents=True, exist_ok=True)
    for number, module in enumerate(modules):
        save(module, folder / f"part-{number}", overwrite=True)
    text = json.dumps({"class": name, "version": __version__, "attributes": described}, indent=1)
    (folder / FILE).write_text(text, encoding="utf-8")


def load_estimator(folder: str | Path) -> Any:
    """The estimator that `save_estimator` wrote.

    Raises:
        FileFormatError: If there is none, or it is damaged.
    """
    folder = Path(folder)
    try:
        read = json.loads((folder / FILE).read_text(encoding="utf-8"))
        name, attributes = read["class"], read["attributes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(
            f"expected an estimator in {folder}, got: {error}; write it by save_estimator"
        ) from error
    if name not in CLASSES:
        raise FileFormatError(f"expected an estimator of {', '.join(CLASSES)}, got {name}")
    cls = getattr(importlib.import_module("linearizer.sklearn"), name)
    estimator = cls.__new__(cls)
    for key, entry in attributes.items():
        if "value" in entry:
            value = _unplain(entry["value"])
        else:
            (kind, number), *_ = entry.items()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CertificateWarning)  # there are none of estimators
                value = load(folder / f"part-{int(number)}")
            value = value.values if kind == "rows" else value
        setattr(estimator, key, value)
    return estimator


def _plain(key: str, value: Any) -> Any:
    """What JSON can hold of an attribute."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": "O" if value.dtype == object else value.dtype.str}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise NotSaveableError(
        f"expected {key} to be a number, a text or an array, got {type(value).__name__}; pass an "
        "integer as random_state"
    )


def _unplain(value: Any) -> Any:
    if isinstance(value, dict):
        return np.array(value["array"], dtype=value["dtype"])
    return value
