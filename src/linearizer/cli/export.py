"""`linearizer export`: one map of a model as a graph, and how it compares with PyTorch."""

from collections.abc import Mapping
from pathlib import Path

from linearizer.display.console import say, waiting
from linearizer.display.tables import Table
from linearizer.export import SUFFIXES, Part, Target, export
from linearizer.saving import find_model, load
from linearizer.training.run_folder import new_file


def export_model(
    run: str,
    *,
    to: Target,
    part: Part | None,
    rank: int | None,
    mix: Mapping[str, float] | None,
    size: tuple[int, int] | None,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Write the graph, and show its size, its speed and how equal it is."""
    model = load(run)
    if out is None:
        name = "-".join([find_model(run).resolve().name, *([part] if part else [])])
        out = Path(name + SUFFIXES[to])
    new_file(out, overwrite=overwrite)
    with waiting(f"Exporting {run}"):
        made = export(model, out, to=to, part=part, rank=rank, mix=mix, size=size)
    rows = [
        ("part", made.part),
        ("input, after the batch", str(made.in_shape)),
        ("output", str(made.out_shape)),
        ("size", f"{made.megabytes:.1f} MB"),
        ("largest difference from PyTorch, relative", f"{made.error:.1e}"),
        ("a batch of 16", f"{1e3 * made.seconds:.2f} ms"),
        ("in PyTorch", f"{1e3 * made.torch_seconds:.2f} ms"),
        ("times as fast", f"{made.torch_seconds / made.seconds:.2f}"),
    ]
    Table(["what", "measured"], rows).show()
    say(str(made.path))
