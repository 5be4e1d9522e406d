"""Saving and loading: structure as JSON, numbers as safetensors, never a pickle.

A class is saveable when it keeps every constructor argument as an attribute of the same name,
the convention of scikit-learn's estimators. Nothing else is asked of it: what it was built
from goes to `config.json`, every parameter and buffer to `model.safetensors`. An object that
occurs twice (a g shared by both sides of a Linearizer) is written once and shared again.
"""

import inspect
import json
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from linearizer._files import sha256, written_whole
from linearizer._version import __version__
from linearizer.certificate import warn_unless_certified
from linearizer.errors import FileExistsAlreadyError, FileFormatError, NotSaveableError
from linearizer.hub import HUB, download, push_folder

FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
PRETRAINED = Path(__file__).parent / "pretrained"


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

    registry: ClassVar[dict[str, type["Saveable"]]] = {}
    certified: ClassVar[bool] = False
    """Whether `load` warns if no certificate says that the laws hold on the weights."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class known to `load` by its name."""
        super().__init_subclass__(**kwargs)
        Saveable.registry[type_name(cls)] = cls

    def save_pretrained(
        self, folder: str | Path, *, overwrite: bool = False, compact: bool = False
    ) -> None:
        """Write `config.json` and `model.safetensors` into `folder`.

        Args:
            folder: Is made if it does not exist.
            overwrite: Replace a model that is already there.
            compact: Write float32 tensors whose numbers are all half-precision ones in half the
                bytes; they load as the same float32 numbers. `round_to_half_` makes them so.

        Raises:
            FileExistsAlreadyError: If there is one and `overwrite` is false.
            NotSaveableError: If an argument is not data, such as a lambda as conditioner.
        """
        folder = Path(folder)
        if not overwrite and (folder / CONFIG_FILE).exists():
            raise FileExistsAlreadyError(
                f"expected a folder without a model, got {folder}, which has one; "
                "choose another folder, or pass overwrite=True"
            )
        tensors = unique_tensors(self)
        objects = _Describer({id(t): name for name, t in tensors.items()})
        root = objects.describe(self)
        folder.mkdir(parents=True, exist_ok=True)
        weights = folder / WEIGHTS_FILE
        with written_whole(weights) as path:
            save_file({k: _stored(t, compact) for k, t in tensors.items()}, path)
        config = {
            "format": "linearizer",
            "format_version": FORMAT_VERSION,
            "linearizer_version": __version__,
            "sha256": sha256(weights),
            "dtypes": {name: _dtype_name(t) for name, t in tensors.items()},
            "frozen": [name for name, t in tensors.items() if _is_frozen(t)],
            "root": root,
            "objects": objects.table,
        }
        with written_whole(folder / CONFIG_FILE) as path:
            path.write_text(json.dumps(config, indent=1, allow_nan=False) + "\n", encoding="utf-8")

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
        loaded = load(folder)
        if not isinstance(loaded, cls):
            raise FileFormatError(
                f"expected {_named(cls)} in {folder}, got {_named(type(loaded))}; "
                f"load it with {type(loaded).__name__}.from_pretrained or linearizer.load"
            )
        return loaded


def load(folder: str | Path) -> Any:
    """Build whatever was saved in `folder`, the pretrained model of that name, or `hf:OWNER/NAME`.

    Example:
        >>> import linearizer as lz
        >>> lz.load("digits").sample(2, seed=0).shape
        torch.Size([2, 1, 8, 8])

    Raises:
        FileFormatError: If the files are missing, damaged, foreign or of a newer format.

    Warns:
        CertificateWarning: If the model of an application has no certificate of these very
            files, or one on which a law does not hold; `linearizer verify` writes one.
    """
    folder = find_model(folder)
    config = _read_config(folder / CONFIG_FILE)
    tensors = _read_weights(folder / WEIGHTS_FILE, config["sha256"])
    try:
        with torch.random.fork_rng(devices=[]):  # fresh initial values must not move the user's RNG
            root = _build(config, tensors)
        own = unique_tensors(root)
        if own.keys() != tensors.keys():
            raise KeyError(", ".join(sorted(own.keys() ^ tensors.keys())[:4]))
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                raise ValueError(f"{name} has shape {tuple(tensors[name].shape)}")
            dtype = getattr(torch, config["dtypes"][name])
            tensor.data = tensors[name].to(dtype, copy=True)  # files are not aligned, copies are
            if name in config["frozen"]:
                tensor.requires_grad_(False)
    except FileFormatError:
        raise
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"expected weights that fit the config in {folder}, got a mismatch ({error}); "
            "the two files are not of one model, or this is not a linearizer model: save it again"
        ) from error
    if isinstance(root, Saveable):
        root.loaded_from(folder)
        warn_unless_certified(folder, root.parts_in(folder), required=root.certified)
    return root


def find_model(name: str | Path) -> Path:
    """The folder itself if there is one, or else that of the pretrained model of this name.

    `hf:OWNER/NAME` is downloaded from the Hugging Face hub.
    """
    if str(name).startswith(HUB):
        return download(str(name).removeprefix(HUB))
    path = Path(name)
    is_shipped = not path.exists() and str(name) in list_pretrained()
    return PRETRAINED / path if is_shipped else path


def list_pretrained() -> list[str]:
    """The names of the models that come with the library, for `load`.

    Example:
        >>> import linearizer as lz
        >>> "digits" in lz.list_pretrained()
        True
    """
    return sorted(path.parent.name for path in PRETRAINED.glob(f"*/{CONFIG_FILE}"))


def unique_tensors(root: object) -> dict[str, Tensor]:
    """All parameters and persistent buffers of a module, each once, under its first name."""
    if not isinstance(root, nn.Module):
        return {}
    saved = root.state_dict().keys()
    buffers = {name: buffer for name, buffer in root.named_buffers() if name in saved}
    return dict(root.named_parameters()) | buffers


def type_name(cls: type) -> str:
    """The name of a class in config files: bare for ours, with its module for a user's."""
    ours = cls.__module__.split(".")[0] == __name__.split(".")[0]
    return cls.__name__ if ours else f"{cls.__module__}.{cls.__qualname__}"


class _Describer:
    """Turns objects into JSON; `table` lists them, parts before what is made of them."""

    def __init__(self, names: dict[int, str]) -> None:
        self.table: list[dict[str, Any]] = []
        self._names = names
        self._seen: dict[int, int] = {}

    def describe(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, Saveable):
            return {"$object": self._object(value)}
        if isinstance(value, list | tuple | nn.ModuleList):
            return [self.describe(v) for v in value]
        if isinstance(value, dict | nn.ModuleDict):
            return {"$dict": {str(k): self.describe(v) for k, v in value.items()}}
        raise NotSaveableError(
            f"expected numbers, text, tensors or saveable objects, got a {type(value).__name__}; "
            "write it as a class that derives from linearizer.Saveable"
        )

    def _tensor(self, value: Tensor) -> dict[str, Any]:
        if id(value) not in self._names:
            raise NotSaveableError(
                "expected every tensor argument to be a parameter or buffer, got a plain "
                "attribute; register it with register_buffer"
            )
        return {"$tensor": self._names[id(value)], "trainable": isinstance(value, nn.Parameter)}

    def _object(self, value: Saveable) -> int:
        if id(value) not in self._seen:
            described: dict[str, Any] = {"type": type_name(type(value)), "args": [], "kwargs": {}}
            for name, parameter in inspect.signature(type(value)).parameters.items():
                argument = getattr(value, name)
                if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                    described["args"] = [self.describe(v) for v in argument]
                else:
                    described["kwargs"][name] = self.describe(argument)
            self._seen[id(value)] = len(self.table)
            self.table.append(described)
        return self._seen[id(value)]


def _build(config: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    built: list[Saveable] = []
    made: dict[str, Tensor] = {}

    def value(described: Any) -> Any:
        if isinstance(described, list):
            return [value(v) for v in described]
        if not isinstance(described, dict):
            return described
        if "$dict" in described:
            return {k: value(v) for k, v in described["$dict"].items()}
        if "$object" in described:
            return built[described["$object"]]
        name = described["$tensor"]
        if name not in made:
            tensor = tensors[name].clone()
            made[name] = nn.Parameter(tensor) if described["trainable"] else tensor
        return made[name]

    for described in config["objects"]:
        cls = Saveable.registry.get(described["type"])
        if cls is None:
            raise FileFormatError(
                f"expected a type that is known here, got '{described['type']}'; "
                "import the module that defines it before loading"
            )
        args = [value(v) for v in described["args"]]
        built.append(cls(*args, **{k: value(v) for k, v in described["kwargs"].items()}))
    return value(config["root"])


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        names = ", ".join(list_pretrained())
        raise FileFormatError(
            f"expected a saved model, got no {path.name} in {path.parent}; "
            f"pass the folder that save_pretrained wrote, or one of the names {names}"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FileFormatError(
            f"expected JSON in {path}, got something else ({error}); the file is damaged: "
            "save or download the model again"
        ) from error
    if not isinstance(config, dict) or config.get("format") != "linearizer":
        raise FileFormatError(
            f"expected a linearizer model in {path.parent}, got a config of another program; "
            "load it with the library that wrote it"
        )
    version = config.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise FileFormatError(
            f"expected format version {FORMAT_VERSION} or older in {path}, got {version}; "
            "upgrade linearizer to read this model"
        )
    if missing := {"sha256", "dtypes", "frozen", "root", "objects"} - config.keys():
        raise FileFormatError(
            f"expected the keys {', '.join(sorted(missing))} in {path}, got none; "
            "the file is damaged: save or download the model again"
        )
    return config


def _read_weights(path: Path, expected: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileFormatError(
            f"expected {path.name} in {path.parent}, got no such file; "
            "copy the whole folder that save_pretrained wrote"
        )
    if sha256(path) != expected:
        raise FileFormatError(
            f"expected {path} to be the file that its config describes, got other bytes; "
            "it is truncated, damaged or of another model: save or download it again"
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise FileFormatError(
            f"expected safetensors in {path}, got something else ({error}); save the model again"
        ) from error


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


def _dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _is_frozen(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) and not tensor.requires_grad


def _named(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEI' else 'a'} {cls.__name__}"
