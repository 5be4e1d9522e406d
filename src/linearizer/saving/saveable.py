"""Saving and loading: structure as JSON, numbers as safetensors, never a pickle.

A class is saveable when it keeps every constructor argument as an attribute of the same name,
the convention of scikit-learn's estimators. Nothing else is asked of it: what it was built
from goes to `config.json`, every parameter and buffer to `model.safetensors`. An object that
occurs twice (a g shared by both sides of a Linearizer) is written once and shared again.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from linearizer._files import as_json, sha256
from linearizer._version import __version__
from linearizer.errors import (
    FileExistsAlreadyError,
    FileFormatError,
    MissingExtraError,
    NotSaveableError,
)
from linearizer.saving.building import build
from linearizer.saving.certificate import warn_unless_certified
from linearizer.saving.describing import Describer, known_types, unique_tensors
from linearizer.saving.folder import current, locked, remove, replacing
from linearizer.saving.hub import HUB, download, push_folder
from linearizer.saving.reading import (
    CONFIG_FILE,
    FORMAT_VERSION,
    WEIGHTS_FILE,
    dtype_name,
    mismatch,
    read_config,
    read_weights,
)

T = TypeVar("T")

PRETRAINED = Path(__file__).parent.parent / "pretrained"
"""Where the models that come with the library are: in a checkout all, in a wheel the small ones."""

WEIGHTS = "linearizer_weights"
"""The package that brings the others, in folders of their own: see `weights/` in the repository."""

SHIPPED = ("digits", "mnist", "projector", "style")
"""The names of all these models, wherever they are."""


class Saveable:
    """Mixin for what can be written to a folder and built again from it.

    Example:
        >>> import tempfile, torch, linearizer as lz
        >>> g = lz.vector_bijection(4)
        >>> folder = tempfile.mkdtemp()
        >>> g.save_pretrained(folder)
        >>> h = lz.load(folder)
        >>> x = torch.randn(3, 4)
        >>> torch.equal(g(x), h(x))
        True
    """

    certified: ClassVar[bool] = False
    """Whether `load` warns if no certificate says that the laws hold on the weights."""

    def save_pretrained(
        self, folder: str | Path, *, overwrite: bool = False, compact: bool = False
    ) -> None:
        """Write `config.json` and `model.safetensors` into `folder`.

        All files change together: who is killed meanwhile, or finds the disk full, leaves the
        old model or the new one. A certificate of the old one stays, is tied to its files, and
        is missed when the new one is loaded.

        Args:
            folder: Is made if it does not exist.
            overwrite: Replace a model that is already there.
            compact: Write float32 tensors whose numbers are all half-precision ones in half the
                bytes; they load as the same float32 numbers. `round_to_half_` makes them so.

        Raises:
            FileExistsAlreadyError: If there is one and `overwrite` is false.
            NotSaveableError: If an argument is not data, such as a lambda as conditioner.
            NotWrittenError: If the disk is full, or the folder cannot be written to.
        """
        save(self, folder, overwrite=overwrite, compact=compact)

    def saved_parts(self) -> dict[str, "Saveable"]:
        """What is written, by its place in the folder, for classes that keep more files there."""
        return {".": self}

    def loaded_from(self, folder: Path) -> None:
        """Called by `load` at the end, for classes that keep more files in the folder."""

    def parts_in(self, folder: Path) -> list[Path]:
        """The folders that hold this model: `folder`, and those of what `loaded_from` reads."""
        return [folder]

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Save, and push to `OWNER/NAME` on the Hugging Face hub; `load("hf:OWNER/NAME")` loads.

        A model in a folder goes there with its card and certificate by `linearizer push`.

        Args:
            repo_id: `OWNER/NAME`.
            options: Of `huggingface_hub.ModelHubMixin.push_to_hub`, such as `private=True`.

        Returns:
            The address of the commit.

        Raises:
            MissingExtraError: If huggingface_hub is not installed.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(Path(folder), repo_id, **options)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Build again what `save_pretrained` wrote, on the CPU, in the saved dtype.

        Raises:
            FileFormatError: If the files are missing, damaged, of a newer format, or hold
                something that is not a `cls`.
        """
        return check_kind(load(folder), cls, folder)


def load(folder: str | Path) -> Any:
    """`linearizer.load`, for what lies below the applications that it loads."""
    return load_folder(find_model(folder))


def check_kind(loaded: Any, cls: type[T], name: str | Path) -> T:
    """A loaded model, if it is a `cls`.

    Raises:
        FileFormatError: If it is something else.
    """
    if not isinstance(loaded, cls):
        raise FileFormatError(
            f"expected {_named(cls)} in {name}, got {_named(type(loaded))}; "
            f"load it with {type(loaded).__name__}.from_pretrained or linearizer.load"
        )
    return loaded


def load_folder(folder: Path) -> Any:
    """`load` from the folder that `find_model` found."""
    import_module("linearizer._public")  # all classes of the library are known, whoever asks
    with locked(folder, shared=True):
        config = read_config(folder, sorted({*SHIPPED, *list_pretrained()}))
        tensors = read_weights(folder, config)
        try:
            root = build(config, tensors, known_types(Saveable))
        except (FileFormatError, MissingExtraError, MemoryError):
            raise
        except Exception as error:  # whatever a constructor says of what is not its own
            raise mismatch(folder, error) from error
        if isinstance(root, Saveable):
            root.loaded_from(folder)
            warn_unless_certified(folder, root.parts_in(folder), required=root.certified)
    return root


def save(
    model: Saveable,
    folder: str | Path,
    *,
    overwrite: bool = False,
    compact: bool = False,
    notes: Mapping[str, str] | None = None,
) -> None:
    """`model.save_pretrained(...)`, with notes: more files, texts by their names.

    What the folder holds of a former model of its kind goes.
    """
    folder = Path(folder)
    parts = model.saved_parts()
    former = {path.relative_to(folder).as_posix() for path in model.parts_in(folder)}
    save_parts(
        parts,
        folder,
        overwrite=overwrite,
        compact=compact,
        notes=notes,
        former=former - parts.keys(),
    )


def save_parts(
    parts: Mapping[str, Saveable],
    folder: Path,
    *,
    overwrite: bool = False,
    compact: bool = False,
    notes: Mapping[str, str] | None = None,
    former: Iterable[str] = (),
) -> None:
    """Write models into folders of a folder, and remove former ones there, all at once.

    Args:
        parts: Models by their places in the folder.
        folder: Is made if it does not exist.
        overwrite: Of `Saveable.save_pretrained`.
        compact: Of `Saveable.save_pretrained`.
        notes: Texts by the names of their files.
        former: Places that are to hold no model any more.
    """
    written = {place: _described(part) for place, part in parts.items()}
    names = [f"{place}/{name}" for place in written for name in (CONFIG_FILE, WEIGHTS_FILE)]
    gone = [f"{place}/{name}" for place in former for name in (CONFIG_FILE, WEIGHTS_FILE)]
    with replacing(folder, written) as stage:
        taken = [path for name in (*names, *gone) if (path := current(folder / name)).exists()]
        if taken and not overwrite:
            raise FileExistsAlreadyError(
                f"expected a folder without a model, got {folder}, which has a {taken[0].name}; "
                "choose another folder, or pass overwrite=True"
            )
        for place, (config, tensors) in written.items():
            _write(stage / place, config, {k: _stored(t, compact) for k, t in tensors.items()})
        for name, text in (notes or {}).items():
            (stage / name).write_text(text, encoding="utf-8")
        for name in gone:
            remove(stage, name)


def _described(model: Saveable) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A config that lacks the hash of the weights, and these."""
    tensors = unique_tensors(model)
    if empty := [name for name, tensor in tensors.items() if tensor.is_meta]:
        raise NotSaveableError(
            f"expected tensors with numbers to save, got {empty[0]} on the meta device; "
            "move the model with .to_empty(device='cpu') and load its numbers first"
        )
    objects = Describer(Saveable, tensors)
    root = objects.describe(model)
    config = {
        "format": "linearizer",
        "format_version": FORMAT_VERSION,
        "linearizer_version": __version__,
        "sha256": "",
        "dtypes": {name: dtype_name(t) for name, t in tensors.items()},
        "frozen": [name for name, t in tensors.items() if _is_frozen(t)],
        "root": root,
        "objects": objects.table,
    }
    return config, tensors


def _write(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS_FILE)
    config["sha256"] = sha256(folder / WEIGHTS_FILE)
    (folder / CONFIG_FILE).write_text(as_json(config), encoding="utf-8")
    shutil.copymode(folder / CONFIG_FILE, folder / WEIGHTS_FILE)  # safetensors lets nobody else in


def find_model(name: str | Path) -> Path:
    """The folder itself if there is one, or else that of the pretrained model of this name.

    `hf:OWNER/NAME` is downloaded from the Hugging Face hub.

    Raises:
        MissingExtraError: If the weights of the model of this name are not installed.
    """
    if str(name).startswith(HUB):
        return download(str(name).removeprefix(HUB))
    path = Path(name)
    if path.exists():
        return path
    if found := _pretrained().get(str(name)):
        return found
    if str(name) in SHIPPED:
        raise MissingExtraError(
            f"expected the weights of {name}, got a linearizer without them; "
            "run: pip install 'linearizer[weights]'"
        )
    return path


def list_pretrained() -> list[str]:
    """The names of the models that come with the library and are installed, for `load`.

    Example:
        >>> import linearizer as lz
        >>> "digits" in lz.list_pretrained()
        True
    """
    return sorted(_pretrained())


def _pretrained() -> dict[str, Path]:
    """The folders of the installed models by their names."""
    package = find_spec(WEIGHTS)
    places = [] if package is None else [*(package.submodule_search_locations or ())]
    configs = (path for p in (*places, PRETRAINED) for path in Path(p).glob(f"*/{CONFIG_FILE}"))
    return {path.parent.name: path.parent for path in configs}


@torch.no_grad()
def round_to_half_(module: nn.Module) -> None:
    """Round all float32 parameters to half-precision numbers, in place, for `compact` saving.

    They stay float32. A coupling is exactly invertible whatever its weights are, so a rounded g
    is a slightly other g, and no less of a bijection; fit the operators after rounding.
    """
    for parameter in module.parameters():
        if parameter.dtype == torch.float32:
            parameter.copy_(parameter.half().float())


def _stored(tensor: Tensor, compact: bool) -> Tensor:
    copy = tensor.detach().contiguous().clone()
    if compact and copy.dtype == torch.float32:
        half = copy.half()
        return half if torch.equal(half.float(), copy) else copy
    return copy


def _is_frozen(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) and not tensor.requires_grad


def _named(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEI' else 'a'} {cls.__name__}"
