"""The command line as a user meets it, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer

pytest.importorskip("lightning")

PROMISED = {
    "linearity_error_float32",
    "linearity_error_float64",
    "one_step_vs_n_step_psnr_db",
    "inversion_psnr_db",
    "round_trip_error_float32",
    "classifier_confidence_samples",
    "classifier_confidence_real",
    "classifier_accuracy_held_out",
    "frechet_distance_samples",
    "frechet_distance_real_split",
    "samples_as_asked",
    "translations_as_asked",
    "recognized_held_out",
}
QUICK = ["--steps", "60", "--seed", "3"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "run"
    done = linearizer("demo", "--out", folder, *QUICK)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_demo_writes_model_numbers_pictures_and_report(run):
    folder, _ = run
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics.keys() >= PROMISED
    assert metrics["linearity_error_float64"] <= 1e-10
    assert metrics["round_trip_error_float32"] <= 1e-4
    assert metrics["inversion_psnr_db"] >= 60
    for method in ("euler", "midpoint", "heun", "rk4"):
        assert metrics["one_step_vs_n_step_psnr_db"][method] >= 80
    pictures = {p.name for p in folder.glob("*.png")}
    assert len(pictures) == 8
    assert not (folder / "checkpoints").exists()


def test_the_report_is_one_file_with_every_picture(run):
    class Images(HTMLParser):
        def __init__(self):
            super().__init__()
            self.sources = []

        def handle_starttag(self, tag, attrs):
            if tag == "img":
                self.sources.append(dict(attrs)["src"])

    parser = Images()
    parser.feed((run[0] / "report.html").read_text())
    assert len(parser.sources) == 8
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)


def test_the_lines_that_the_demo_prints_run(run):
    folder, printed = run
    code = printed[printed.index("import linearizer as lz") :]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "torch.Size([16, 64])" in done.stdout
    assert str(folder) in printed


def test_each_class_is_one_invertible_linear_map(run):
    classes = lz.load(run[0])
    assert classes.classes == list(range(10))
    flow = classes.at(3)
    f = flow.collapse()
    digits = flow.sample(8, seed=1)
    torch.testing.assert_close(digits, f(flow.noise(8, seed=1)))
    torch.testing.assert_close(f(f.pinv()(digits)), digits, rtol=0, atol=1e-4)


def test_a_finished_run_is_kept_unless_told_otherwise(run):
    folder, _ = run
    before = (folder / "metrics.json").read_bytes()
    assert_one_clear_line(linearizer("demo", "--out", folder, *QUICK), "expected", "--overwrite")
    assert (folder / "metrics.json").read_bytes() == before


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    assert_one_clear_line(linearizer("demo", "--out", tmp_path, *QUICK), "other files")


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    options = ["demo", "--out", str(tmp_path / "run"), "--steps", "400"]
    process = subprocess.Popen(
        [sys.executable, "-m", "linearizer", *options], stdout=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    assert_one_clear_line(linearizer(*options, "--seed", "9"), "settings", "--overwrite")
    done = linearizer(*options)
    assert done.returncode == 0, done.stderr
    assert "400 steps" in done.stdout
    assert "resum" in done.stdout


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/proc"), reason="needs /proc")
def test_an_output_that_cannot_be_written_is_one_clear_line():
    assert_one_clear_line(linearizer("demo", "--out", "/proc/nowhere", *QUICK), "--out")


def test_an_option_out_of_range_is_refused():
    done = linearizer("demo", "--steps", "0")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_help_names_every_option(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = linearizer("demo", "--help")
    assert done.returncode == 0
    for option in ("--out", "--steps", "--max-minutes", "--seed", "--overwrite"):
        assert option in done.stdout
    assert linearizer("--version").stdout.strip() == f"linearizer {lz.__version__}"
