"""What styles cost: time an image, large pictures, and the algebra of one operator."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from style_pictures import image
from timing import seconds

import linearizer as lz
from linearizer.applications import StyleTransfer
from linearizer.data.images import resized
from linearizer.data.pixels import as_picture, read_image
from linearizer.metrics import psnr_db
from linearizer.training.teachers import FastNeuralStyle, teach

LARGE = ((900, 1200), (3000, 4000))


def time_an_image(model: StyleTransfer, teacher: FastNeuralStyle, name: str) -> list[str]:
    """Ours against a teacher."""
    lines = [
        "## Time an image",
        "",
        "| size | teacher, ms | ours, ms | ratio |",
        "|---|---|---|---|",
    ]
    for side in (64, 256):
        x = torch.rand(1, 3, side, side) * 2 - 1
        slow, quick = seconds(
            lambda: teach(teacher, x),  # noqa: B023
            lambda: model.stylize(x, name),  # noqa: B023
            rounds=5,
        )
        lines.append(
            f"| {side}×{side} | {1e3 * slow:.0f} | {1e3 * quick:.0f} | {slow / quick:.2f} |"
        )
    return [*lines, ""]


def large_pictures(run: Path, name: str, scratch: Path) -> list[str]:
    """The commands on large photographs, each in a process of its own."""
    lines = [
        "## Large pictures",
        "",
        f"`style apply --mix {name}` and `style undo`, one thread, with all that a command does: "
        "the start of Python, reading, writing. The last column compares the photograph with what "
        "undoing gives back, both in 8 bits.",
        "",
        "| pixels | apply, s | peak, GB | undo, s | peak, GB | undone, PSNR |",
        "|---|---|---|---|---|---|",
    ]
    for height, width in LARGE:
        photo, styled, undone = (
            scratch / f"{width}-{what}.png" for what in ("photo", "styled", "undone")
        )
        as_picture(resized(image("china"), (height, width))).save(photo, compress_level=1)
        applied = _command(
            "style", "apply", run, photo, "--mix", name, "--out", styled, "--overwrite"
        )
        taken_off = _command("style", "undo", run, styled, "--out", undone, "--overwrite")
        psnr = psnr_db(read_image(undone), read_image(photo))
        cells = (f"{took:.0f} | {peak:.1f}" for took, peak in (applied, taken_off))
        lines.append(f"| {width}×{height} | {' | '.join(cells)} | {psnr:.1f} dB |")
    return [*lines, ""]


def _command(*words: object) -> tuple[float, float]:
    """Seconds of a command on one thread, and the gigabytes that it held at most."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "linearizer", *map(str, words)], env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)  # of this process alone, unlike getrusage
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return time.perf_counter() - started, _gigabytes(usage)


def _gigabytes(usage: resource.struct_rusage) -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 1e9


def algebra() -> list[str]:
    """What the algebra of one large convolution costs."""
    torch.manual_seed(0)
    kernel = 0.02 * torch.randn(12, 12, 3, 3)
    kernel[:, :, 0, 0] += torch.eye(12)
    A = lz.SymmetricConvolution(kernel, (256, 256))
    y = torch.randn(A.out_shape)
    calls: dict[str, Callable[[], object]] = {
        "pseudo-inverse": lambda: lz.linalg.pinv(A),
        "pseudo-inverse of one image": lambda: lz.linalg.solve(A, y),
        "4 leading singular triplets": lambda: lz.linalg.svd(A, 4),
        "all singular values": lambda: lz.linalg.singular_values(A),
        "square": lambda: lz.linalg.power(A, 2),
        "square root": lambda: lz.linalg.power(A, 0.5),
    }
    lines = ["## The algebra of a convolution of 12 channels at 256×256", ""]
    lines += [f"Exact, frequency by frequency; its matrix would be {A.n_in:,} × {A.n_in:,}.", ""]
    lines += ["| what | seconds |", "|---|---|"]
    for name, call in calls.items():
        lines.append(f"| {name} | {seconds(call, rounds=1)[0]:.1f} |")
    return [*lines, ""]
