"""Plots of linear dynamics, as picture files: trajectories, the plane of states, the spectrum."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

DPI = 144
MOST_ROWS, MOST_CURVES = 8, 4
"""Coordinates and trajectories in a picture of them."""
MARGIN = 0.15
"""Of a phase portrait around the data, as a share of their extent."""
GRID = 41
TRUE, MADE = "0.6", "C0"


def save_forecasts(
    path: Path,
    names: Sequence[str],
    forecasts: Sequence[tuple[Tensor, Tensor]],
    true: Sequence[tuple[Tensor, Tensor]] = (),
    clock: str = "t",
) -> None:
    """Curves over time, a row for each coordinate.

    Args:
        path: Where to.
        names: Of the d coordinates; eight are drawn at most.
        forecasts: Times (T,) and points (T, d) of each curve; four are drawn at most.
        true: The same of what happened.
        clock: Name of the time.
    """
    names = names[:MOST_ROWS]
    figure = Figure(figsize=(6.4, 0.7 + 1.5 * len(names)), layout="constrained")
    rows = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for i, (axes, name) in enumerate(zip(rows, names, strict=True)):
        for curves, style, label in (
            (true, {"color": TRUE, "lw": 3}, "data"),
            (forecasts, {"color": MADE, "lw": 1.3}, "forecast"),
        ):
            for k, (t, x) in enumerate(curves[:MOST_CURVES]):
                axes.plot(t, x[:, i], label=label if k == 0 else None, **style)
        axes.set_ylabel(_short(name))
        _plain(axes)
    rows[-1].set_xlabel(_short(clock))
    if true:
        rows[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=DPI)


def save_portrait(
    path: Path,
    names: Sequence[str],
    extent: tuple[Tensor, Tensor],
    velocity: Callable[[Tensor], Tensor],
    *,
    level: Callable[[Tensor], Tensor] | None = None,
    equilibrium: Tensor,
    true: Sequence[Tensor] = (),
) -> None:
    """The flow in the plane of the first two coordinates; others are as at the equilibrium.

    Args:
        path: Where to.
        names: Of the coordinates.
        extent: The smallest and the largest number of each coordinate, (d,).
        velocity: dx/dt of points (N, d).
        level: A Lyapunov function of points (N, d), whose level sets are drawn.
        equilibrium: (d,).
        true: Trajectories (T, d) to draw over it.
    """
    low, high = (side[:2].double() for side in extent)
    room = MARGIN * torch.where(high > low, high - low, 1)
    sides = [
        torch.linspace(float(a), float(b), GRID)
        for a, b in zip(low - room, high + room, strict=True)
    ]
    plane = torch.cartesian_prod(*sides).to(equilibrium)
    points = equilibrium.repeat(len(plane), 1)
    points[:, :2] = plane
    grid = [part.reshape(GRID, GRID).T for part in velocity(points)[:, :2].unbind(1)]
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.add_subplot()
    if level is not None:  # of logarithms: evenly spaced from the equilibrium to the border
        heights = level(points).clamp_min(torch.finfo(points.dtype).tiny).log().reshape(GRID, GRID)
        axes.contourf(*sides, heights.T, levels=14, cmap="Blues", alpha=0.55)
        axes.contour(
            *sides, heights.T, levels=14, colors="white", linewidths=0.7, linestyles="solid"
        )
    x, y, across, up = (part.numpy() for part in (*sides, *grid))
    axes.streamplot(x, y, across, up, color="0.35", linewidth=0.7, arrowsize=0.8, density=1.2)
    for k, path_of in enumerate(true):
        axes.plot(*path_of[:, :2].T, color="C1", lw=1.6, label="data" if k == 0 else None)
    if all(a <= x <= b for a, x, b in zip(low - room, equilibrium, high + room, strict=False)):
        axes.plot(*equilibrium[:2].tolist(), "o", color="C3", ms=6, label="equilibrium")
    axes.set(
        xlim=sides[0][[0, -1]].tolist(),
        ylim=sides[1][[0, -1]].tolist(),
        xlabel=_short(names[0]),
        ylabel=_short(names[1]),
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
    _plain(axes)
    figure.savefig(path, dpi=DPI)


def save_spectrum(path: Path, eigenvalues: Tensor) -> None:
    """Eigenvalues (n,) of L in the complex plane; what lies left of the line decays."""
    figure = Figure(figsize=(5.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="0.5", lw=1)
    axes.axhline(0, color="0.85", lw=1, zorder=0)
    axes.plot(eigenvalues.real, eigenvalues.imag, "o", color=MADE, ms=7, clip_on=False)
    axes.set(xlabel="rate, Re λ", ylabel="angular frequency, Im λ")
    axes.margins(0.2)
    height = 1.2 * max(float(eigenvalues.imag.abs().max()), float(eigenvalues.abs().max()) / 2)
    axes.set_ylim(-height, height)
    _plain(axes)
    figure.savefig(path, dpi=DPI)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _short(name: str) -> str:
    """A name as a label: of bounded length, and without formulas, which matplotlib would read."""
    return (name if len(name) <= 24 else f"{name[:23]}…").replace("$", r"\$")
