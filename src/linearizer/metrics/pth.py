"""Published weights in `.pth` files: the one place that reads them, and it runs no code in them.

The library's own models are never kept this way (see `linearizer.saving`); but networks that
others trained and published, such as those that measure likeness, come as nothing else.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from linearizer.errors import FileFormatError


def load_public_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` file by name, on the CPU.

    Only tensors are read (`weights_only`): a file that holds anything else is refused.

    Raises:
        FileFormatError: If the file is missing, cut off, or not a dictionary of tensors.

    Example:
        >>> from linearizer.metrics.pth import load_public_weights
        >>> load_public_weights("nowhere.pth")
        Traceback (most recent call last):
            ...
        linearizer.errors.FileFormatError: expected published weights in nowhere.pth, got no ...
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(
            f"expected published weights in {path}, got no such file; "
            "download them there, or name the file that has them"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # its reader raises whatever the bytes lead it to
        raise FileFormatError(
            f"expected the weights of a network in {path}, got something else or a file that is "
            f"cut off ({type(error).__name__}); download it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise FileFormatError(
            f"expected tensors by name in {path}, got other things as well; "
            "take the file that holds the network's state_dict alone"
        )
    return {str(name): tensor for name, tensor in state.items()}


def load_strictly(module: nn.Module, path: str | Path, what: str) -> None:
    """Fill `module` with published weights that have exactly its names and shapes.

    Args:
        module: Is changed in place.
        path: The `.pth` file.
        what: What the weights are, for the error.

    Raises:
        FileFormatError: As `load_public_weights`, or if a name or a shape differs.
    """
    given, own = load_public_weights(path), module.state_dict()
    cure = f"this is another network: download the {what}"
    if different := sorted(given.keys() ^ own.keys()):
        fault = "has an unknown" if different[0] in given else "lacks"
        raise FileFormatError(
            f"expected the {what} in {path}, got weights whose names differ "
            f"(it {fault} '{different[0]}', {len(different)} in all); {cure}"
        )
    for name, tensor in own.items():
        if given[name].shape != tensor.shape:
            raise FileFormatError(
                f"expected {name} of shape {tuple(tensor.shape)} in {path}, "
                f"got {tuple(given[name].shape)}; {cure}"
            )
    module.load_state_dict(given)
