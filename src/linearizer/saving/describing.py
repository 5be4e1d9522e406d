"""Objects as JSON: the type of each, and what its constructor was given."""

import inspect
import math
import sys
from typing import Any

from torch import Tensor, nn

from linearizer.errors import NotSaveableError


class Describer:
    """Turns objects into JSON; `table` lists them, parts before what is made of them.

    Args:
        base: Objects of this class are described by the arguments of their constructors.
        tensors: All that are saved, by name.
    """

    def __init__(self, base: type, tensors: dict[str, Tensor]) -> None:
        self.table: list[dict[str, Any]] = []
        self._base = base
        self._names = {id(tensor): name for name, tensor in tensors.items()}
        self._seen: dict[int, int] = {}

    def describe(self, value: Any) -> Any:
        """JSON that `build` makes the same value of.

        Raises:
            NotSaveableError: If it is no data, such as a lambda, or is NaN or infinite.
        """
        if isinstance(value, float) and not math.isfinite(value):
            raise NotSaveableError(
                f"expected finite numbers, got {value}, which JSON does not have; give "
                "another number, or None where there is no bound"
            )
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, self._base):
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

    def _object(self, value: Any) -> int:
        if id(value) not in self._seen:
            if not is_importable(type(value)):
                raise NotSaveableError(
                    f"expected classes that can be found by their names, got {type(value)!r}; "
                    "define it at the top of a module, not inside a function"
                )
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


def known_types(base: type) -> dict[str, type]:
    """The classes under `base` that a config can name: those of modules that are imported.

    They are found from their base class, never by the name that a file gives, so that no file
    can have anything imported, or an attribute of a module computed.
    """
    known: dict[str, type] = {}
    waiting: list[type] = [base]
    while waiting:
        derived: list[type] = waiting.pop().__subclasses__()
        waiting += derived
        known |= {type_name(cls): cls for cls in derived if is_importable(cls)}
    return known


def is_importable(cls: type) -> bool:
    """Whether a class is what its module holds by its name.

    Not so are classes inside functions, those that were defined anew since (in a notebook), and
    the proxies that torch.export derives from ours.
    """
    found: object = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(name)  # not getattr, which may import
    return found is cls
