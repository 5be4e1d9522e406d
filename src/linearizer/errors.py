"""All that linearizer raises on purpose: "expected ..., got ..." and the cure."""


class LinearizerError(Exception):
    """Base of all errors of this library: catch this one to catch them all."""


class ShapeError(LinearizerError, ValueError):
    """A tensor or a map has another shape than the one it meets."""


class DtypeError(LinearizerError, TypeError):
    """A tensor has another dtype than the module that it is given to."""


class DeviceError(LinearizerError, ValueError):
    """A tensor lies on another device than the module that it is given to."""


class NonFiniteError(LinearizerError, ValueError):
    """NaN or infinity where only finite numbers make sense."""


class RangeError(LinearizerError, ValueError):
    """An argument lies outside the values that it can take."""


class SpaceMismatchError(LinearizerError, ValueError):
    """Two maps or vectors live in induced spaces of different bijections."""


class NoRealRootError(LinearizerError, ValueError):
    """A fractional power was asked of an operator that has no real one."""


class SingularOperatorError(LinearizerError, ValueError):
    """An inverse was asked of an operator that has none."""


class InterfaceError(LinearizerError, TypeError):
    """A class does not fill in its base class in the way that the library calls it."""


class NotConvergedError(LinearizerError, RuntimeError):
    """An iteration stopped before it reached its tolerance.

    Args:
        what: The iteration, in words.
        residual: The error that was left.
        steps: The steps that were taken.
    """

    def __init__(self, what: str, residual: float, steps: int) -> None:
        super().__init__(
            f"{what} did not converge: residual {residual:.3g} after {steps} steps; "
            "allow more steps, loosen the tolerance, or use float64"
        )
        self.residual = residual
        self.steps = steps


class LawError(LinearizerError, AssertionError):
    """A law that a bijection, an operator or a map must obey does not hold."""


class FileFormatError(LinearizerError, ValueError):
    """A file or folder is missing, damaged, from a newer version, or not ours."""


class NotSaveableError(LinearizerError, TypeError):
    """An object cannot be described in JSON, so it cannot be saved."""


class NotWrittenError(LinearizerError, OSError):
    """A file cannot be written: the disk is full, or the folder is read-only."""


class FileExistsAlreadyError(LinearizerError, FileExistsError):
    """Writing would overwrite something that the user made."""


class MissingExtraError(LinearizerError, ImportError):
    """A feature needs an optional dependency that is not installed."""


class HubError(LinearizerError, OSError):
    """The Hugging Face hub cannot be reached, or refuses what is pushed to it."""


class CertificateError(LinearizerError, ValueError):
    """Weights do not obey the laws, or are not those of their certificate."""


class LinearizerWarning(UserWarning):
    """Base of all warnings of this library."""


class CertificateWarning(LinearizerWarning):
    """No certificate says that the laws hold on weights that were loaded."""


class ExportError(LinearizerError, RuntimeError):
    """A model cannot be written as a graph, or the graph is not equal to it."""
