"""Saves killed at random moments: what every folder holds afterwards, and how often that was new.

`python tests/kill_saves.py linearizer 200` is the long run of `test_saving_atomic.py`.
"""

import itertools
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NoReturn

import torch

import linearizer as lz
from linearizer.applications import StyleTransfer


def model_of(kind: str, i: int) -> lz.Saveable:
    """One of two models, told apart by `number`; they are of other shapes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(i)
        if kind == "linearizer":
            return lz.Linearizer(
                lz.vector_bijection(4 + i, depth=1 + i), torch.eye(4 + i) * (i + 1)
            )
        g = lz.style_bijection((3, 8, 8), depth=1, width=4 + i)
        eye = torch.eye(48)[..., None, None]
        names = ("one", "two", "three")[: 2 + i]
        return StyleTransfer(
            g, g, {n: lz.CircularConvolution((i + 1) * eye, (2, 2)) for n in names}
        )


def which(model: lz.Saveable) -> int:
    """0 or 1, if all of it is of that one."""
    tensors = model.state_dict()
    for i in range(2):
        expected = model_of("styles" if isinstance(model, StyleTransfer) else "linearizer", i)
        state = expected.state_dict()
        if state.keys() == tensors.keys() and all(torch.equal(state[k], tensors[k]) for k in state):
            return i
    raise AssertionError("neither the one nor the other")


def files(folder: Path) -> list[str]:
    """All files and folders, to see that nothing is left over."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def keep_saving(folder: Path, kind: str, ready: int) -> NoReturn:
    """Save one model after the other, for ever."""
    models = [model_of(kind, i) for i in range(2)]
    os.write(ready, b".")
    for i in itertools.count():
        models[i % 2].save_pretrained(folder, overwrite=True)
    raise AssertionError


def kill_saves(folder: Path, kind: str, count: int, seed: int = 0) -> list[tuple[int, bool]]:
    """Kill so many savers: which model was found after each, and whether a save was under way."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # threads do not survive a fork
    chance, found, clean = random.Random(seed), [], {}
    for i in range(2):
        model_of(kind, i).save_pretrained(folder, overwrite=True)
        clean[i] = files(folder)
    for _ in range(count):
        waiting, ready = os.pipe()
        saver = os.fork()
        if not saver:
            keep_saving(folder, kind, ready)
        os.read(waiting, 1)
        time.sleep(chance.uniform(0.0, 0.1))
        os.kill(saver, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(saver, 0)[1]) == -signal.SIGKILL
        os.close(waiting)
        os.close(ready)
        interrupted = (folder / ".saving").exists() or any(folder.glob(".saving-*"))
        found.append((which(lz.load(folder)), interrupted))
        last = len(found) % 2
        model_of(kind, last).save_pretrained(folder, overwrite=True)
        assert files(folder) == clean[last]
        assert which(lz.load(folder)) == last
    return found


if __name__ == "__main__":
    kind, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        found = kill_saves(Path(folder), kind, count, seed=1)
    second, interrupted = (sum(column) for column in zip(*found, strict=True))
    print(
        f"{kind}: {len(found)} kills, {interrupted} in the middle of a save; {len(found)} loads, "
        f"{second} of the second model"
    )
