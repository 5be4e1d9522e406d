"""The Hugging Face hub: models go there and come from there, by huggingface_hub's own mixin."""

import shutil
from pathlib import Path
from typing import Any

from linearizer._extras import needs_extra
from linearizer.errors import FileFormatError, HubError
from linearizer.saving.folder import files_in

HUB = "hf:"
FILES = ("*.json", "*.safetensors", "*.md", "styles/*/*.json", "styles/*/*.safetensors")
"""What belongs to a model; a run's logs, pictures and checkpoints do not."""

CARD = """---
{{ card_data }}
---

# {{ model_name | default("A linearizer") }}

A model of [linearizer](https://arxiv.org/abs/2510.08570): `linearizer.load("hf:OWNER/NAME")`.
Check the laws on its weights: `linearizer verify FOLDER`.
"""


def push_folder(folder: Path, repo_id: str, **options: Any) -> str:
    """Push the model in a folder, with its card, its certificate and its note.

    Args:
        folder: That `save_pretrained` or a training wrote.
        repo_id: `OWNER/NAME` on the hub.
        options: Of `huggingface_hub.ModelHubMixin.push_to_hub`: `private`, `token`, `branch`,
            `commit_message`, ...

    Returns:
        The address of the commit.

    Raises:
        HubError: If the hub refuses it, or cannot be reached.
        MissingExtraError: If huggingface_hub is not installed.
    """
    with needs_extra("huggingface_hub", "hub"):
        from huggingface_hub import ModelHubMixin  # noqa: PLC0415  (an extra)

    class Pushed(
        ModelHubMixin,
        library_name="linearizer",
        tags=["linearizer"],
        paper_url="https://arxiv.org/abs/2510.08570",
        model_card_template=CARD,
    ):
        def _save_pretrained(self, save_directory: Path) -> None:
            found = {n: p for pattern in FILES for n, p in files_in(folder, pattern).items()}
            for name, path in found.items():
                target = save_directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)

    try:
        pushed: str = Pushed().push_to_hub(repo_id, **options)
    except Exception as error:  # its own classes, OSError, and those of its HTTP library
        raise HubError(
            f"expected to push to {repo_id} on the hub, got refused ({_reason(error)}); check the "
            "name and the connection, and log in with: hf auth login"
        ) from error
    return pushed


def download(repo_id: str) -> Path:
    """The folder of a model on the hub, downloaded once and kept where Hugging Face keeps it.

    Raises:
        FileFormatError: If there is no such model, or the hub cannot be reached.
        MissingExtraError: If huggingface_hub is not installed.
    """
    with needs_extra("huggingface_hub", "hub"):
        from huggingface_hub import snapshot_download  # noqa: PLC0415  (an extra)
        from huggingface_hub.errors import HFValidationError  # noqa: PLC0415
    try:
        return Path(snapshot_download(repo_id, allow_patterns=list(FILES)))
    except (OSError, HFValidationError) as error:
        raise FileFormatError(
            f"expected a model {repo_id} on the hub, got none ({_reason(error)}); check the "
            "name and the connection, or pass a folder"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what an error says, or its name if it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
