"""Saving and loading: structure as JSON, numbers as safetensors, never a pickle."""

from linearizer.saving.describing import is_importable, known_types, type_name
from linearizer.saving.folder import current, files_in
from linearizer.saving.reading import CONFIG_FILE, WEIGHTS_FILE
from linearizer.saving.saveable import (
    PRETRAINED,
    Saveable,
    find_model,
    list_pretrained,
    load,
    round_to_half_,
    save,
    save_parts,
)

__all__ = [
    "CONFIG_FILE",
    "PRETRAINED",
    "WEIGHTS_FILE",
    "Saveable",
    "current",
    "files_in",
    "find_model",
    "is_importable",
    "known_types",
    "list_pretrained",
    "load",
    "round_to_half_",
    "save",
    "save_parts",
    "type_name",
]
