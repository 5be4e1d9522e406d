"""The measurements of styles as tables, each narrow enough for a narrow terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from linearizer.display.tables import Page, Table
from linearizer.evaluation.likeness import LPIPS_MISSING, printed
from linearizer.evaluation.style import ROUNDS

Row = Mapping[str, Any]
Column = tuple[str, str, str]
"""A name, the key of a measurement, and how the number is written."""

LIKENESS: tuple[Column, ...] = (
    ("PSNR, dB", "psnr_db", ".2f"),
    ("SSIM", "ssim", ".3f"),
    ("LPIPS", "lpips", ".3f"),
    ("Gram", "gram", ".2f"),
    ("on pixels, dB", "linear_in_pixels_psnr_db", ".2f"),
)
PICTURE: tuple[Column, ...] = (
    ("Gram to the picture", "picture_gram", ".2f"),
    ("of the contents", "content_gram", ".2f"),
)
KEPT: tuple[Column, ...] = (
    ("SSIM to the content", "content_ssim", ".3f"),
    ("grid", "grid_energy", ".1f"),
    ("grid of the teacher", "teacher_grid_energy", ".1f"),
    ("border", "border_ratio", ".2f"),
)
UNDONE: tuple[Column, ...] = (
    ("undone, dB", "undo_psnr_db", ".1f"),
    (f"{ROUNDS} rounds, dB", "rounds_psnr_db", ".1f"),
    ("made again, dB", "undo_redo_psnr_db", ".1f"),
    ("condition", "condition", ".3g"),
    ("ms an image", "milliseconds_per_image", ".1f"),
)


def style_page(results: Mapping[str, Any]) -> Page:
    """The results as tables, some for each size, and what their columns are."""
    page: list[Table | str] = []
    for measured in results["sizes"].values():
        page += _of_one_size(measured)
    missing = "" if results["lpips"] else f" {LPIPS_MISSING}"
    network = f" LPIPS: {results['lpips']}, whose features Gram has too." if not missing else ""
    return [*page, LEGEND + network + missing]


LEGEND = (
    "PSNR, SSIM, LPIPS and Gram, the distance of Gram matrices, compare with the teacher, clamped "
    "to [-1, 1]. On pixels: the same class of operator, fitted by least squares between pixels. "
    "Grid: power of the luminance at periods of 2, 4 and 8 pixels over that near them, 1 where "
    "there is no grid. Border: mean squared error within 8 pixels of the border over that of the "
    f"interior. Undone: the contents again, by A⁺; {ROUNDS} rounds: after so many times there and "
    "back, one after the other; made again: stylized, undone and stylized, against stylized once."
)


def _of_one_size(measured: Mapping[str, Any]) -> Page:
    height, width = measured["size"]
    rows: Mapping[str, Row] = measured["styles"]
    taught = {name: row for name, row in rows.items() if "psnr_db" in row}
    pictured = {name: row for name, row in rows.items() if "picture_gram" in row}
    page: list[Table | str] = [
        f"{height}×{width} pixels, {measured['contents']} held-out contents, of which "
        f"{measured['in_rounds']} go {ROUNDS} rounds"
        + (f"; on pixels fitted to {measured['baseline_pairs']} contents." if taught else ".")
    ]
    if taught:
        page.append(_table(taught, LIKENESS, mean=True))
    if pictured:
        page.append(_table(pictured, PICTURE))
    return [*page, _table(rows, KEPT), _table(rows, UNDONE)]


def _table(rows: Mapping[str, Row], columns: Sequence[Column], *, mean: bool = False) -> Table:
    """Those columns that a style has a number in, and perhaps their means below."""
    columns = [c for c in columns if any(c[1] in row for row in rows.values())]
    lines = [
        (name, *(printed(row[key], form) if key in row else "-" for _, key, form in columns))
        for name, row in rows.items()
    ]
    if mean and len(rows) > 1:
        lines.append(("mean", *(_mean(rows.values(), key, form) for _, key, form in columns)))
    return Table(["style", *(name for name, _, _ in columns)], lines)


def _mean(rows: Any, key: str, form: str) -> str:
    numbers = [row[key] for row in rows]
    return printed(None if None in numbers else sum(numbers) / len(numbers), form)
