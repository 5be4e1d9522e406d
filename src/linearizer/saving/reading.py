"""The two files of a model, checked against each other before anything is built of them."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from linearizer._files import read_json, sha256, short
from linearizer._names import meant
from linearizer.errors import FileFormatError
from linearizer.saving.folder import current

FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TYPES = {
    "sha256": str,
    "dtypes": dict,
    "frozen": list,
    "objects": list,
}


def read_config(folder: Path, known: list[str]) -> dict[str, Any]:
    """The config of a model.

    Args:
        folder: Of the model.
        known: Names of models, to tell who mistyped one.

    Raises:
        FileFormatError: If there is none, or it is damaged, of another program or a newer format.
    """
    path = current(folder / CONFIG_FILE)
    if not path.is_file():
        raise FileFormatError(
            f"expected a saved model, got no {path.name} in {folder}{meant(folder, known)}; pass "
            "the folder that "
            f"save_pretrained wrote, or one of the names {', '.join(known)}"
        )
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != "linearizer":
        raise FileFormatError(
            f"expected a linearizer model in {folder}, got a config of another program; "
            "load it with the library that wrote it"
        )
    version = config.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise FileFormatError(
            f"expected a format version from 1 to {FORMAT_VERSION} in {path}, got "
            f"{short(version)}; upgrade linearizer to read this model"
        )
    if missing := {*TYPES, "root"} - config.keys():
        raise FileFormatError(
            f"expected the keys {', '.join(sorted(missing))} in {path}, got none; "
            "the file is damaged: save or download the model again"
        )
    for key, kind in TYPES.items():
        if not isinstance(config[key], kind):
            raise mismatch(folder, f"{key} is {short(config[key])}")
    return config


def read_weights(folder: Path, config: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of a model by name, each in the dtype that it is to have.

    Raises:
        FileFormatError: If there are none, or not those of the config.
    """
    path = current(folder / WEIGHTS_FILE)
    if not path.is_file():
        raise FileFormatError(
            f"expected {path.name} in {folder}, got no such file; "
            "copy the whole folder that save_pretrained wrote"
        )
    try:
        tensors = load_file(path)  # reads the header alone, which tells how long the file is
        is_whole, why = sha256(path) == config["sha256"], ""
    except (OSError, SafetensorError) as error:
        is_whole, why = False, f" ({short(error)})"
    if not is_whole:
        raise FileFormatError(
            f"expected {path} to be the file that its config describes, got other bytes{why}; "
            "it is truncated, damaged or of another model: save or download it again"
        )
    dtypes = config["dtypes"]
    if differing := dtypes.keys() ^ tensors.keys():
        raise mismatch(folder, ", ".join(sorted(differing)[:4]))
    if strange := [name for name in config["frozen"] if name not in list(tensors)]:
        raise mismatch(folder, f"frozen is {short(strange)}")
    for name, tensor in tensors.items():
        stored = dtype_name(tensor)
        if dtypes[name] != stored and (dtypes[name], stored) != ("float32", "float16"):
            raise mismatch(folder, f"{short(name)} is {stored}, not {short(dtypes[name])}")
        tensors[name] = tensor.to(getattr(torch, dtypes[name]))
    return tensors


def mismatch(folder: Path, what: object) -> FileFormatError:
    """The error of a config that fits neither the weights nor the constructors."""
    return FileFormatError(
        f"expected weights that fit the config in {folder}, got a mismatch ({short(what)}); the "
        "two files are not of one model, or this is not a linearizer model: save it again"
    )


def dtype_name(tensor: Tensor) -> str:
    """The dtype of a tensor as it is written in a config."""
    return str(tensor.dtype).removeprefix("torch.")
