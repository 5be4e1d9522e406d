"""`linearizer verify`: the laws on trained weights, their certificate, and the model card."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from linearizer.cli.model_card import write_certificate
from linearizer.errors import CertificateError
from linearizer.saving import Saveable, find_model
from linearizer.saving.certificate import CERTIFICATE_FILE, Certificate, Law
from linearizer.verification import SAME, certify, difference, load_quietly, verify


def verify_model(run: str, *, overwrite: bool) -> None:
    """Check the laws on a model, show them, and write its certificate if it has none that fits.

    Raises:
        CertificateError: If a law does not hold, or the model is not that of its certificate.
    """
    folder = find_model(run)
    model = load_quietly(folder)
    console = Console()
    old = None if overwrite else Certificate.read(folder)
    with console.status(f"Verifying {run}"):
        if old is None:
            certificate = certify(folder, model)
            laws = certificate.laws
            write_certificate(folder, certificate, model)
        else:
            found = verify(model)
            laws = found.laws
    console.print(law_table(laws))
    if old is not None:
        _compare(console, folder, model, old, found.probe)
    else:
        console.print(f"{folder / CERTIFICATE_FILE} and its model card", soft_wrap=True)
    if failed := [law.name for law in laws if not law.holds]:
        raise CertificateError(
            f"expected all laws to hold on the weights of {run}, got {len(failed)} that do not: "
            f"{'; '.join(failed)}; train a tamer g, or compute in float64"
        )


def law_table(laws: tuple[Law, ...]) -> Table:
    """Laws, what was measured, and whether they hold."""
    table = Table("law", "measured", "bar", "", box=None, pad_edge=False)
    for law in laws:
        mark = "holds" if law.holds else "[red]does not hold[/red]"
        table.add_row(law.name, *law.figures, mark)
    return table


def _compare(
    console: Console, folder: Path, model: Saveable, old: Certificate, probe: tuple[float, ...]
) -> None:
    changed = old.changed(folder, model.parts_in(folder))
    if not changed:
        console.print(f"These are the weights of {folder / CERTIFICATE_FILE}.", soft_wrap=True)
        return
    off = difference(old.probe, probe)
    if not off <= SAME:
        raise CertificateError(
            f"expected the model that {folder / CERTIFICATE_FILE} is of, got one whose outputs "
            f"differ by {off:.1e} (up to {SAME:.0e} are rounding), with another "
            f"{', '.join(changed)}; copy the model again, or certify this one with --overwrite"
        )
    console.print(
        f"{', '.join(changed)}: other bytes than those of {folder / CERTIFICATE_FILE}, and the "
        f"same outputs up to {off:.1e}; --overwrite renews the certificate.",
        soft_wrap=True,
    )
