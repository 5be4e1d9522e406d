"""A run replaces what was there only when it has something better."""

from pathlib import Path

import pytest
import torch

import linearizer as lz
from linearizer.errors import FileExistsAlreadyError, FileFormatError, RangeError
from linearizer.saving import folder as folders
from linearizer.saving.run_information import read_note
from linearizer.training.run_folder import finish_run, open_run

OLD, NEW = {"seed": 1}, {"seed": 2}


def flow(n: int) -> lz.Linearizer:
    return lz.Linearizer(lz.vector_bijection(n, depth=1, width=4), torch.eye(n))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    open_run(tmp_path, OLD, overwrite=False)
    finish_run(tmp_path, flow(3), OLD)
    return tmp_path


def test_a_finished_run(run: Path) -> None:
    names = sorted(path.name for path in run.iterdir())
    assert names == ["certificate.json", "config.json", "model.safetensors", "run.json"]
    assert read_note(run) == OLD


def test_the_old_model_stays_until_the_new_one_is_there(run: Path) -> None:
    with pytest.raises(FileExistsAlreadyError):
        open_run(run, NEW, overwrite=False)
    open_run(run, NEW, overwrite=True)
    assert lz.load(run).domain.shape == (3,)
    assert read_note(run) == OLD
    finish_run(run, flow(4), NEW)
    assert lz.load(run).domain.shape == (4,)
    assert read_note(run) == NEW


def test_an_interrupted_run_over_an_old_one_resumes(run: Path) -> None:
    checkpoints = open_run(run, NEW, overwrite=True)
    (checkpoints / "last.ckpt").write_text("kept")
    assert (open_run(run, NEW, overwrite=True) / "last.ckpt").exists()
    assert not (open_run(run, {"seed": 3}, overwrite=True) / "last.ckpt").exists()


def test_a_model_and_its_note_change_together(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the step that counts, before a file was moved."""

    def killed(folder: Path) -> None:
        if (folder / ".saving").is_dir():
            raise KeyboardInterrupt

    open_run(run, NEW, overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(folders, "_move", killed)
        with pytest.raises(KeyboardInterrupt):
            finish_run(run, flow(4), NEW)
    assert lz.load(run).domain.shape == (4,)
    assert read_note(run) == NEW


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": NaN}', "[" * 10**5])
def test_a_damaged_note_is_refused(text: str, run: Path) -> None:
    (run / "run.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"^expected .* got "):
        read_note(run)


def test_settings_that_are_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(RangeError, match="finite"):
        open_run(tmp_path, {"max_minutes": float("inf")}, overwrite=False)
    assert not list(tmp_path.rglob("*.json"))
