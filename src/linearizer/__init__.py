"""Neural networks that are exactly linear: train g once, everything else is linear algebra.

`f(x) = g_y⁻¹(A g_x(x))` with invertible networks g and a linear operator A is linear for the
operations that g induces. Start with `Linearizer`, `InducedSpace`, `vector_bijection` and
`image_bijection`.

Names are imported when they are first used, so that what needs none of them, such as the help of
the command line, does not wait for torch.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from linearizer._version import __version__ as __version__

if TYPE_CHECKING:
    from linearizer._public import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        """A part of the library, or one of its public names."""
        if name != "__all__" and name.startswith("__"):  # such as inspection asks for
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if find_spec(f"{__name__}.{name}"):
            return import_module(f"{__name__}.{name}")
        value = getattr(import_module(f"{__name__}._public"), name, None)
        if value is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """The public names, and what every module has."""
        return sorted({*globals(), *import_module(f"{__name__}._public").__all__})
