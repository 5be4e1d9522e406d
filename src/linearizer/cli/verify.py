"""`linearizer verify`: the laws on trained weights, their certificate, and the model card."""

from pathlib import Path

from linearizer.display.console import say, waiting
from linearizer.errors import CertificateError
from linearizer.evaluation.card import law_table, write_certificate
from linearizer.saving import Saveable, find_model
from linearizer.saving.certificate import CERTIFICATE_FILE, Certificate
from linearizer.verification import SAME, certify, difference, load_quietly, verify


def verify_model(run: str, *, overwrite: bool) -> None:
    """Check the laws on a model, show them, and write its certificate if it has none that fits.

    Raises:
        CertificateError: If a law does not hold, or the model is not that of its certificate.
    """
    folder = find_model(run)
    model = load_quietly(folder)
    old = None if overwrite else Certificate.read(folder)
    with waiting(f"Verifying {run}"):
        if old is None:
            certificate = certify(folder, model)
            laws = certificate.laws
            write_certificate(folder, certificate, model)
        else:
            found = verify(model)
            laws = found.laws
    law_table(laws).show()
    if old is not None:
        _compare(folder, model, old, found.probe)
    else:
        say(f"{folder / CERTIFICATE_FILE} and its model card")
    if failed := [law.name for law in laws if not law.holds]:
        raise CertificateError(
            f"expected all laws to hold on the weights of {run}, got {len(failed)} that do not: "
            f"{'; '.join(failed)}; train a g with a more stable inverse, or compute in float64"
        )


def _compare(folder: Path, model: Saveable, old: Certificate, probe: tuple[float, ...]) -> None:
    changed = old.changed(folder, model.parts_in(folder))
    if not changed:
        say(f"These are the weights of {folder / CERTIFICATE_FILE}.")
        return
    off = difference(old.probe, probe)
    if not off <= SAME:
        raise CertificateError(
            f"expected the model that {folder / CERTIFICATE_FILE} is of, got one whose outputs "
            f"differ by {off:.1e} (up to {SAME:.0e} are rounding), with another "
            f"{', '.join(changed)}; copy the model again, or certify this one with --overwrite"
        )
    say(
        f"{', '.join(changed)}: other bytes than those of {folder / CERTIFICATE_FILE}, and the "
        f"same outputs up to {off:.1e}; --overwrite renews the certificate."
    )
