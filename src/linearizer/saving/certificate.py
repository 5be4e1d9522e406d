"""What was checked on trained weights, kept beside them and tied to their bytes."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from linearizer._files import as_json, read_json, sha256, short, write_text
from linearizer._version import __version__
from linearizer.errors import CertificateWarning, FileFormatError
from linearizer.measurement import Measurement
from linearizer.saving.folder import current
from linearizer.saving.reading import CONFIG_FILE, WEIGHTS_FILE

CERTIFICATE_FILE = "certificate.json"
CERTIFICATE_VERSION = 1


@dataclass(frozen=True)
class Certificate:
    """The laws of a model, for the files that held it.

    Attributes:
        model: The name of its class.
        files: The hash of each file, by its path in the folder.
        laws: What was measured.
        probe: What the model makes of inputs that are always the same, in a few numbers: tells
            a changed model from one that was only written anew.
        linearizer_version: That measured.
    """

    model: str
    files: dict[str, str]
    laws: tuple[Measurement, ...]
    probe: tuple[float, ...]
    linearizer_version: str = __version__

    @property
    def holds(self) -> bool:
        """Whether every law holds."""
        return all(law.holds for law in self.laws)

    def write(self, folder: Path) -> None:
        """Write `certificate.json` into a folder."""
        content: dict[str, Any] = {"format_version": CERTIFICATE_VERSION}
        content |= {field.name: getattr(self, field.name) for field in fields(self)}
        content["laws"] = [
            {
                "name": law.name,
                "measured": law.value if math.isfinite(law.value) else None,  # JSON has no infinity
                "threshold": law.threshold,
            }
            for law in self.laws
        ]
        write_text(folder / CERTIFICATE_FILE, as_json(content))

    @classmethod
    def read(cls, folder: Path) -> "Certificate | None":
        """The certificate in a folder, if there is one.

        Raises:
            FileFormatError: If it is damaged or of a newer format.
        """
        path = current(folder / CERTIFICATE_FILE)
        if not path.is_file():
            return None
        try:
            content: dict[str, Any] = read_json(path)
            version = content.pop("format_version")
            laws = tuple(
                Measurement(law["name"], _number(law["measured"]), _number(law["threshold"]))
                for law in content.pop("laws")
            )
            probe = tuple(float(number) for number in content.pop("probe"))
            read = cls(laws=laws, probe=probe, **content)
            texts = [read.model, read.linearizer_version, *read.files, *read.files.values()]
            if not all(isinstance(text, str) for text in (*texts, *(law.name for law in laws))):
                raise TypeError("a name that is no text")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(
                f"expected a certificate in {path}, got something else ({short(error)}); delete "
                f"the file and run: linearizer verify {folder}"
            ) from error
        if version != CERTIFICATE_VERSION:
            raise FileFormatError(
                f"expected a certificate of format {CERTIFICATE_VERSION} in {path}, got "
                f"{short(version)}; upgrade linearizer, or run: linearizer verify {folder} "
                "--overwrite"
            )
        return read

    def changed(self, folder: Path, parts: Iterable[Path]) -> list[str]:
        """The files that are not those that were certified, by their paths in the folder."""
        now = hashes(folder, parts)
        return sorted(name for name in self.files | now if self.files.get(name) != now.get(name))


def hashes(folder: Path, parts: Iterable[Path]) -> dict[str, str]:
    """The hash of each file of a model, by its path in the folder.

    Args:
        folder: Of the model.
        parts: The folders of its parts, itself among them.
    """
    files = [part / name for part in parts for name in (CONFIG_FILE, WEIGHTS_FILE)]
    return {path.relative_to(folder).as_posix(): sha256(current(path)) for path in files}


def _number(value: float | None) -> float:
    """A number from JSON, which has no NaN and no infinity."""
    return math.nan if value is None else float(value)


def warn_unless_certified(folder: Path, parts: Iterable[Path], *, required: bool) -> None:
    """Warn if there is no certificate that fits the files in a folder.

    Args:
        folder: Of the model.
        parts: The folders of its parts.
        required: Whether to warn of a missing one as well.
    """
    if complaint := _complaint(folder, parts, required=required):
        warnings.warn(complaint, CertificateWarning, stacklevel=4)


def _complaint(folder: Path, parts: Iterable[Path], *, required: bool) -> str | None:
    try:
        certificate = Certificate.read(folder)
    except FileFormatError as error:
        return str(error)
    if certificate is None:
        return (
            f"expected a certificate beside the weights in {folder}, got none; "
            f"run: linearizer verify {folder}"
            if required
            else None
        )
    if changed := certificate.changed(folder, parts):
        return (
            f"expected the files that {CERTIFICATE_FILE} in {folder} was written for, got another "
            f"{', '.join(changed)}; copy the model again, or run: linearizer verify {folder}"
        )
    if failed := [law.name for law in certificate.laws if not law.holds]:
        return (
            f"expected weights on which all laws hold in {folder}, got a certificate on which "
            f"these do not: {', '.join(failed)}; train a g with a more stable "
            "inverse, or compute in float64"
        )
    return None
