"""Models by name or folder, of the class that a type checker is to know them by."""

from pathlib import Path
from typing import Any, Literal, overload

from linearizer.applications import ConditionalFlow, IdempotentGenerator, StyleTransfer
from linearizer.saving.saveable import find_model, load_folder


@overload
def load(folder: Literal["digits", "mnist"]) -> ConditionalFlow: ...
@overload
def load(folder: Literal["projector"]) -> IdempotentGenerator: ...
@overload
def load(folder: Literal["style"]) -> StyleTransfer: ...
@overload
def load(folder: str | Path) -> Any: ...
def load(folder: str | Path) -> Any:
    """Build whatever was saved in `folder`, the pretrained model of that name, or `hf:OWNER/NAME`.

    An editor knows the class of a pretrained model by its name. Of a model in a folder you tell it:
    `lz.OneStepFlow.from_pretrained(folder)` is an error if the folder holds another class.

    Example:
        >>> import linearizer as lz
        >>> lz.load("digits").sample(2, seed=0).shape
        torch.Size([2, 1, 8, 8])

    Raises:
        FileFormatError: If the files are missing, damaged, of another program or of a newer format.

    Warns:
        CertificateWarning: If the model of an application has no certificate of these very
            files, or one on which a law does not hold; `linearizer verify` writes one.
    """
    return load_folder(find_model(folder))
