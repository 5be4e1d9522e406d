"""Files that are written whole or not at all, and told apart by their bytes."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class written_whole:  # noqa: N801  (used as a function)
    """A path to write to that takes the target's place only when all went well."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.part = target.with_name(target.name + ".part")

    def __enter__(self) -> Path:
        """The path to write to."""
        return self.part

    def __exit__(self, error: object, *_: object) -> None:
        """Put the file in its place, or drop it."""
        if error is None:
            self.part.replace(self.target)
        else:
            self.part.unlink(missing_ok=True)
