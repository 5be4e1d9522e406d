"""Objects from JSON: constructors of known classes, and nothing else, within bounds.

A config is text that anybody can write, and `Permute(10**9)` is short. What is built of it may
hold no more than the weights beside it can fill: every tensor that a constructor asks for is
counted before it is made, and an object that is named many times counts each time, so that
nesting multiplies nothing unseen. That is one pass with real tensors, in which a constructor may
look at its arguments; a rehearsal on the meta device would refuse those that do.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from linearizer._files import short
from linearizer.errors import FileFormatError
from linearizer.saving.describing import unique_tensors

FREE, TIMES = 2**20, 4
"""Numbers that any model may make, and how often those of its weights may be made."""
PER_TENSOR = 1024
"""What a tensor counts beside its numbers: small ones take time as well."""
LARGEST_TREE = 100_000
"""Objects within objects, each as often as it is named."""
MAKERS = {
    *(torch.empty, torch.zeros, torch.ones, torch.full, torch.eye, torch.empty_strided),
    *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal),
    *(torch.arange, torch.linspace, torch.logspace, torch.tril_indices, torch.triu_indices),
}


def build(config: dict[str, Any], tensors: dict[str, Tensor], known: Mapping[str, type]) -> object:
    """The object that a config describes, with these weights.

    Raises:
        FileFormatError: If a type is not known.
        Exception: Whatever constructors raise at arguments that are not theirs.
    """
    builder = _Builder(tensors, known)
    count = sum(PER_TENSOR + tensor.numel() for tensor in tensors.values())
    # Initial values must not move the user's random state, nor lie on the user's device.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), _Bounded(FREE + TIMES * count):
        for described in config["objects"]:
            builder.add(described)
        root = builder.value(config["root"])
    _fill(root, tensors, config["frozen"])
    return root


class _Builder:
    def __init__(self, tensors: dict[str, Tensor], known: Mapping[str, type]) -> None:
        self._tensors, self._known = tensors, known
        self._built: list[Any] = []
        self._sizes: list[int] = []
        self._made: dict[str, Tensor] = {}
        self._size = 1
        self._converted: set[int] = set()
        floating = {t.dtype for t in tensors.values() if t.is_floating_point()}
        self._dtype = floating.pop() if len(floating) == 1 else None

    def add(self, described: Any) -> None:
        """Build the next object of the table."""
        if described.keys() != {"type", "args", "kwargs"}:
            raise KeyError(f"an object of {short(list(described))}")
        cls = self._known.get(described["type"])
        if cls is None:
            raise FileFormatError(
                f"expected a type that is known here, got {short(described['type'])}; "
                "import the module that defines it before loading, for nothing is imported here"
            )
        kinds = {p.kind for p in inspect.signature(cls).parameters.values()}
        if described["args"] and inspect.Parameter.VAR_POSITIONAL not in kinds:
            raise TypeError(f"{cls.__name__} takes its arguments by name")
        self._size = 1
        args = [self.value(v) for v in described["args"]]
        kwargs = {k: self.value(v) for k, v in described["kwargs"].items()}
        self._sizes.append(self._size)
        if sum(self._sizes) > LARGEST_TREE:
            raise ValueError(f"more than {LARGEST_TREE} objects")
        made = cls(*args, **kwargs)
        if self._dtype is not None and isinstance(made, nn.Module):
            self._convert(made)  # others are built on it, and compare their dtype with its
        self._built.append(made)

    def value(self, described: Any) -> Any:
        """The value of an argument."""
        match described:
            case list():
                return [self.value(v) for v in described]
            case {"$dict": dict(entries), **rest} if not rest:
                return {k: self.value(v) for k, v in entries.items()}
            case {"$object": index, **rest} if not rest and self._is_built(index):
                self._size += self._sizes[index]
                return self._built[index]
            case {"$tensor": str(name), "trainable": bool(trainable), **rest} if not rest:
                return self._tensor(name, trainable=trainable)
            case dict():
                raise KeyError(f"an argument {short(described)}")
            case _:
                return described

    def _convert(self, module: nn.Module) -> None:
        """`module.to(dtype)`, which does not go again through the objects that it is made of."""
        if id(module) not in self._converted:
            self._converted.add(id(module))
            for child in module.children():
                self._convert(child)
            module._apply(
                lambda t: t.to(self._dtype) if t.is_floating_point() else t, recurse=False
            )

    def _is_built(self, index: object) -> bool:
        return type(index) is int and 0 <= index < len(self._built)

    def _tensor(self, name: str, *, trainable: bool) -> Tensor:
        if name not in self._made:
            tensor = self._tensors[name].clone()
            self._made[name] = nn.Parameter(tensor) if trainable else tensor
        return self._made[name]


class _Bounded(TorchFunctionMode):
    """Refuses to make more numbers than it was given."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.left = numbers

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in MAKERS:
            size = function(*args, **{**kwargs, "device": "meta"}).numel()
            self.left -= size + PER_TENSOR
            if self.left < 0:
                raise ValueError(f"{size} numbers more than the weights have")
        return function(*args, **kwargs)


def _fill(root: object, tensors: dict[str, Tensor], frozen: list[str]) -> None:
    """Put the weights in place of initial values."""
    own = unique_tensors(root)
    if own.keys() != tensors.keys():
        raise KeyError(", ".join(sorted(own.keys() ^ tensors.keys())[:4]))
    for name, tensor in own.items():
        saved = tensors[name]
        if tensor.shape != saved.shape:
            raise ValueError(f"{name} has shape {tuple(saved.shape)}, not {tuple(tensor.shape)}")
        if tensor.dtype != saved.dtype and not (
            tensor.is_floating_point() and saved.is_floating_point()
        ):
            raise ValueError(f"{name} is {saved.dtype}, not {tensor.dtype}")
        tensor.data = saved.clone()  # files are not aligned, copies are
        if name in frozen:
            if not isinstance(tensor, nn.Parameter):
                raise TypeError(f"{name} is frozen and no parameter")
            tensor.requires_grad_(False)
