"""A save is one step: killed, beside another one or on a full disk, it loses nothing."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import linearizer as lz
from kill_saves import files, model_of, which
from linearizer.errors import (
    CertificateWarning,
    FileExistsAlreadyError,
    FileFormatError,
    NotWrittenError,
)
from linearizer.saving import folder as folders
from linearizer.verification import certify

pytestmark = pytest.mark.filterwarnings("ignore::linearizer.errors.CertificateWarning")
KINDS = ("linearizer", "styles")


HERE = Path(__file__).parent
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="kills, limits and rights of POSIX")


def in_another_process(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_killed_savers_leave_a_model(kind):
    shown = in_another_process(
        "import runpy; runpy.run_path('kill_saves.py', run_name='__main__')", kind, 25
    )
    assert shown.startswith(f"{kind}: 25 kills")
    assert " 0 in the middle" not in shown


class Stopped(BaseException):
    """What a kill is in one process: nothing is tidied up."""


def steps_of(monkeypatch, act, stop_at=None):
    """Count the steps that change files, and stop before one of them as a kill would."""
    steps = 0

    def counted(function):
        def step(*args, **kwargs):
            nonlocal steps
            steps += 1
            if steps == stop_at:
                raise Stopped
            return function(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "unlink", "mkdir", "touch", "write_text", "rmdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(folders.shutil, "rmtree", counted(folders.shutil.rmtree))
        if stop_at is None:
            act()
        else:
            patch.setattr(folders.shutil, "rmtree", lambda *a, **k: None)
            with pytest.raises(Stopped):
                act()
    return steps


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_before_every_step(kind, tmp_path, monkeypatch):
    """Wherever it stops, the folder loads as the old or the new model, and whole afterwards."""
    old, new = model_of(kind, 0), model_of(kind, 1)
    count = steps_of(monkeypatch, lambda: new.save_pretrained(tmp_path / "count"))
    clean = files(tmp_path / "count")
    found = []
    for step in range(1, count + 1):
        folder = tmp_path / str(step)
        old.save_pretrained(folder)
        try:
            steps_of(monkeypatch, lambda f=folder: new.save_pretrained(f, overwrite=True), step)
        except pytest.fail.Exception:
            continue  # an overwriting save has other steps than a first one: some fewer
        is_new = which(lz.load(folder))
        found.append(is_new)
        if kind == "styles":
            part = lz.load(folder / "styles" / "two")
            assert part.fingerprint == (new if is_new else old).fingerprint()
        new.save_pretrained(folder, overwrite=True)
        assert files(folder) == clean
        assert which(lz.load(folder)) == 1
    assert found == sorted(found)
    assert 0 < sum(found) < len(found)


SAVER = """
import os, sys
from pathlib import Path
from kill_saves import keep_saving
keep_saving(Path(sys.argv[1]), sys.argv[2], 1)
"""
LOADER = """
import sys, time, warnings, linearizer as lz
from kill_saves import which
warnings.simplefilter("ignore")
end, found = time.monotonic() + 2, []
while time.monotonic() < end:
    found.append(which(lz.load(sys.argv[1])))
print(len(found), sum(found))
"""


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_savers_and_a_loader_at_one_time(kind, tmp_path):
    model_of(kind, 0).save_pretrained(tmp_path)
    command = [sys.executable, "-c", SAVER, tmp_path, kind]
    savers = [subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for saver in savers:
            saver.stdout.read(1)
        loads, of_second = map(int, in_another_process(LOADER, tmp_path).split())
        alive = [saver.poll() is None for saver in savers]
    finally:
        for saver in savers:
            saver.send_signal(signal.SIGKILL)
            saver.communicate()
    assert alive == [True, True]
    assert 0 < of_second < loads


# What is not ours, and what is no longer true


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_files_of_the_user_are_not_replaced_unasked(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsAlreadyError, match="overwrite=True"):
        lz.Permute(3).save_pretrained(tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert files(tmp_path) == [name]


def test_other_files_stay(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    for _ in range(2):
        lz.Permute(3).save_pretrained(tmp_path, overwrite=True)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"


def test_a_certificate_of_the_old_model_is_not_one_of_the_new(tmp_path):
    f = model_of("linearizer", 0)
    f.save_pretrained(tmp_path)
    certify(tmp_path, f)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CertificateWarning)
        lz.load(tmp_path)
    model_of("linearizer", 1).save_pretrained(tmp_path, overwrite=True)
    with pytest.warns(CertificateWarning, match="got another config.json, model.safetensors"):
        lz.load(tmp_path)


def test_styles_go_with_their_model(tmp_path):
    model_of("styles", 1).save_pretrained(tmp_path)
    two = model_of("styles", 0)
    with pytest.raises(FileExistsAlreadyError):
        two.save_pretrained(tmp_path)
    two.save_pretrained(tmp_path, overwrite=True)
    assert lz.load(tmp_path).names == ["one", "two"]
    assert not (tmp_path / "styles" / "three").exists()


def test_a_style_by_itself(tmp_path):
    model = model_of("styles", 0)
    model.save_pretrained(tmp_path)
    model.add("four", model.operator("one"))
    assert model.save_style("four", tmp_path) == tmp_path / "styles" / "four"
    with pytest.raises(FileExistsAlreadyError):
        model.save_style("four", tmp_path)
    assert lz.load(tmp_path).names == ["four", "one", "two"]


# No room, no right


FULL = """
import resource, signal, sys, linearizer as lz
from kill_saves import model_of
from linearizer.errors import NotWrittenError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
model = model_of("linearizer", 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    model.save_pretrained(sys.argv[1], overwrite=True)
except NotWrittenError as error:
    print(error)
"""
READ_ONLY = """
import os, sys, linearizer as lz
from kill_saves import model_of, which
from linearizer.errors import NotWrittenError
model = model_of("linearizer", 1)
if os.getuid() == 0:
    os.setuid(65534)
print(which(lz.load(sys.argv[1])))
try:
    model.save_pretrained(sys.argv[1], overwrite=True)
except NotWrittenError as error:
    print(error)
"""


@on_posix
@pytest.mark.parametrize("size", [10, 1000, 3000])
def test_a_full_disk_loses_nothing(size, tmp_path):
    model_of("linearizer", 0).save_pretrained(tmp_path)
    before = files(tmp_path)
    words = in_another_process(FULL, tmp_path, size)
    assert words.count("\n") == 1
    for word in ("expected to write", "got", "space"):
        assert word in words
    assert files(tmp_path) == before
    assert which(lz.load(tmp_path)) == 0


@on_posix
@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_read_only_folder_is_read_and_kept(is_interrupted, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    model_of("linearizer", 0).save_pretrained(folder)
    if is_interrupted:
        monkeypatch.setattr(folders, "_move", lambda folder: None)
        model_of("linearizer", 1).save_pretrained(folder, overwrite=True)
        assert (folder / ".saving").is_dir()
    before = files(folder)
    for path in (tmp_path, *tmp_path.parents):
        if path.owner() == tmp_path.owner() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    folder.chmod(0o555)
    try:
        shown = in_another_process(READ_ONLY, folder).splitlines()
    finally:
        folder.chmod(0o755)
    assert shown[0] == str(int(is_interrupted))
    assert len(shown) == 2
    assert "expected to write" in shown[1]
    assert files(folder) == before


def test_any_failing_step_loses_nothing(tmp_path, monkeypatch):
    """What a disk may answer to each step up to the one that counts."""
    model_of("linearizer", 0).save_pretrained(tmp_path)
    before = files(tmp_path)
    for owner, name in ((Path, "write_text"), (Path, "rename"), (folders, "synchronize")):
        with monkeypatch.context() as patch:

            def full(*args, **kwargs):
                raise OSError(28, "No space left on device")

            patch.setattr(owner, name, full)
            with pytest.raises(NotWrittenError, match="No space left"):
                model_of("linearizer", 1).save_pretrained(tmp_path, overwrite=True)
        assert files(tmp_path) == before
        assert which(lz.load(tmp_path)) == 0


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWrittenError, match="expected to write"):
        lz.Permute(3).save_pretrained(tmp_path / "file")
    with pytest.raises(FileFormatError, match="expected a saved model"):
        lz.load(tmp_path / "file")


def test_abandoned_parts_of_single_files_go(tmp_path):
    from linearizer._files import atomic_write

    target = tmp_path / "card.md"
    for age, name in ((0, "new"), (7200, "old")):
        part = tmp_path / f"card.{name}.part.md"
        part.write_text("half")
        os.utime(part, (time.time() - age,) * 2)
    with atomic_write(target) as path:
        path.write_text("whole")
    assert files(tmp_path) == ["card.md", "card.new.part.md"]
    with pytest.raises(TypeError), atomic_write(target) as path:
        path.write_text(b"no text")
    assert target.read_text() == "whole"
    assert files(tmp_path) == ["card.md", "card.new.part.md"]
