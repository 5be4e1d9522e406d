"""`linearizer dynamics` on small tables: what it writes, what it says, and what it refuses."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch

from command_line import assert_one_clear_line, linearizer

pytest.importorskip("lightning")

import linearizer as lz
from linearizer.applications.linear_dynamics import ForecastError
from linearizer.data import read_time_series
from linearizer.display.curves import save_portrait
from linearizer.errors import FileFormatError, RangeError
from linearizer.evaluation.dynamics import modes_table, verdict
from linearizer.verification import verify

TINY = ["--steps", 50, "--polish", 20, "--depth", 1, "--width", 4, "--batch-size", 16]


def spiral(k: int) -> list[tuple[float, float, float]]:
    """Points of `e^{(-.5 + 2i) t}`, at times that are not evenly spaced."""
    times = [0.1 * i + 0.03 * (i % 3) for i in range(30)]
    return [
        (t, math.exp(-t / 2) * math.cos(2 * t + k), math.exp(-t / 2) * math.sin(2 * t + k))
        for t in times
    ]


def written(path: Path, rows: list, header: str = "t,x,y", delimiter: str = ",") -> Path:
    lines = [header, *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    return header, rows


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("series")
    return [written(folder / f"{k}.csv", spiral(k)) for k in range(4)]


@pytest.fixture(scope="module")
def run(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "fitted"
    done = linearizer("dynamics", "fit", *files, "--out", out, *TINY)
    assert done.returncode == 0, done.stderr
    assert "held-out error" in done.stdout
    return out


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The system of `spiral` itself, as a model without what a training notes down."""
    L = lz.flows.FreeGenerator(torch.tensor([[-0.5, -2.0], [2.0, -0.5]], dtype=torch.float64))
    out = tmp_path_factory.mktemp("exact") / "model"
    lz.LinearDynamics(lz.Identity(2), L).save_pretrained(out)
    return out


# Fitting -----------------------------------------------------------------------------------


def test_a_run_says_what_it_made_of_what(run: Path) -> None:
    note = json.loads((run / "run.json").read_text())
    assert note["coordinates"] == ["x", "y"]
    assert note["files"] == [f"{k}.csv" for k in range(4)]
    assert note["steps"] == 50
    assert 0 < note["error"]["forecast"] < math.inf
    for picture in ("forecasts", "spectrum", "portrait"):
        assert (run / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    assert not (run / "checkpoints").exists()
    model = lz.load(run)
    assert isinstance(model, lz.LinearDynamics)
    assert model.is_stable


def test_the_laws_hold_on_the_trained_weights(run: Path) -> None:
    found = {law.name: law for law in verify(lz.load(run)).laws}
    assert {"forwards and back", "a flow after a flow"} <= found.keys()
    assert all(law.holds for law in found.values()), found


def test_a_finished_run_is_kept(run: Path, files: list[Path]) -> None:
    done = linearizer("dynamics", "fit", *files, "--out", run, *TINY)
    assert_one_clear_line(done, "finished", "--overwrite")


def test_an_interrupted_run_goes_on(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the weights of a run that was not interrupted."""
    from linearizer.training.config import TrainingBudget
    from linearizer.training.objectives.roll_out import RollOutTraining

    budget = TrainingBudget.__init__
    monkeypatch.setattr(
        TrainingBudget, "__init__", lambda self, *a, **k: budget(self, *a, checkpoint_every=20, **k)
    )
    whole = ["dynamics", "fit", *files, *TINY]
    assert linearizer(*whole, "--out", tmp_path / "whole").returncode == 0
    step = RollOutTraining.training_step

    def stops(self: RollOutTraining, batch: tuple) -> torch.Tensor:
        if self.global_step == 30:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(RollOutTraining, "training_step", stops)
    stopped = linearizer(*whole, "--out", tmp_path / "cut")
    assert (tmp_path / "cut" / "checkpoints" / "last.ckpt").exists(), stopped.stderr
    monkeypatch.setattr(RollOutTraining, "training_step", step)
    other = linearizer(*whole, "--out", tmp_path / "cut", "--seed", 1)
    assert_one_clear_line(other, "interrupted", "--overwrite")
    done = linearizer(*whole, "--out", tmp_path / "cut")
    assert "resumed" in done.stdout
    a, b = (lz.load(tmp_path / name).state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_dates_and_a_column_of_trajectories(tmp_path: Path) -> None:
    rows = [
        (f"2024-02-28T23:59:{58 + i}" if i < 2 else f"2024-02-29T00:00:0{i - 2}", k, x, y)
        for k in "ab"
        for i, (_, x, y) in enumerate(spiral(ord(k))[:10])
    ]
    file = written(tmp_path / "dates.csv", rows, "when;who;x;y", ";")
    out = tmp_path / "run"
    given = ["--time", "when", "--trajectory", "who", "--delays", 1, "--padding", 1]
    done = linearizer("dynamics", "fit", file, *given, "--out", out, *TINY)
    assert done.returncode == 0, done.stderr
    assert not (out / "portrait.png").exists()
    made = tmp_path / "next.csv"
    done = linearizer(
        "dynamics", "forecast", out, "--start", f"{file}:10", "--times", "0:2:1", "--out", made
    )
    assert done.returncode == 0, done.stderr
    header, found = table(made)
    assert header == ["when", "x", "y"]
    dates = ["2024-02-29T00:00:07", "2024-02-29T00:00:08", "2024-02-29T00:00:09"]
    assert [row[0] for row in found] == dates
    assert float(found[0][1]) == pytest.approx(rows[9][2], abs=1e-4)
    done = linearizer("dynamics", "forecast", out, "--start", f"{file}:1", "--times", "0:2:1")
    assert_one_clear_line(done, "row from 2 to 20")
    done = linearizer("dynamics", "portrait", out, "--out", tmp_path / "x.png")
    assert_one_clear_line(done, "without delays")


# Forecasts ---------------------------------------------------------------------------------


def test_forecasts_of_numbers_forwards_and_back(exact: Path, tmp_path: Path) -> None:
    for times, expected in (("-1:1:0.5", [-1, -0.5, 0, 0.5, 1]), ("3,0.25", [3, 0.25])):
        out = tmp_path / f"{len(expected)}.csv"
        done = linearizer(
            "dynamics", "forecast", exact, "--start", "1,0", "--times", times, "--out", out
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{out} and {out.with_suffix('.png')}"
        header, rows = table(out)
        assert header == ["t", "x1", "x2"]
        assert [float(row[0]) for row in rows] == expected
        for t, x, y in (map(float, row) for row in rows):
            assert x == pytest.approx(math.exp(-t / 2) * math.cos(2 * t), abs=1e-8)
            assert y == pytest.approx(math.exp(-t / 2) * math.sin(2 * t), abs=1e-8)


def test_forecasts_from_a_row_are_on_its_clock(
    run: Path, files: list[Path], tmp_path: Path
) -> None:
    model = lz.load(run)
    whole = read_time_series(files[:1], "t")
    out = tmp_path / "all.csv"
    given = ["--start", f"{files[0]}:3", "--times", files[0], "--out", out]
    done = linearizer("dynamics", "forecast", run, *given)
    assert done.returncode == 0, done.stderr
    _, rows = table(out)
    found = torch.tensor([[float(cell) for cell in row] for row in rows], dtype=torch.float64)
    torch.testing.assert_close(found[:, 0], whole.times[0], rtol=0, atol=1e-9)
    start, later = whole.points[0][2].float(), whole.times[0] - whole.times[0][2]
    expected = model.forecast(start, later).detach().double()
    torch.testing.assert_close(found[:, 1:], expected, rtol=1e-5, atol=1e-6)
    again = linearizer("dynamics", "forecast", run, *given)
    assert_one_clear_line(again, "exists", "--overwrite")


@pytest.mark.parametrize(
    ("start", "times", "words"),
    [
        ("1", "0:1:1", "2 numbers"),
        ("1,nan", "0:1:1", "could not read"),
        ("1,2;3,4", "0:1:1", "2 numbers"),
        ("1,2", "0:1", "FROM:TO:STEP"),
        ("1,2", "0:1:0", "step"),
        ("1,2", "1:0:1", "step"),
        ("1,2", "0:1e9:1", "step"),
        ("1,2", "nowhere.csv", "could not read"),
        ("1,2", "-1e6", "finite forecasts"),
        ("{file}:31", "0:1:1", "row from 1 to 30"),
        ("{file}:0", "0:1:1", "row from 1 to 30"),
    ],
)
def test_what_a_forecast_refuses(
    start: str, times: str, words: str, run: Path, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "x.csv"
    done = linearizer(
        *("dynamics", "forecast", run, "--start", start.format(file=files[0])),
        *("--times", times, "--out", out),
    )
    assert_one_clear_line(done, words)
    assert not out.exists()


# Modes and portraits -----------------------------------------------------------------------


def test_modes_are_those_of_the_system(exact: Path, tmp_path: Path) -> None:
    done = linearizer("dynamics", "modes", exact, "--out", tmp_path / "s.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.png").exists()
    names, values = done.stdout.splitlines()[:2]
    assert names.split() == ["mode", "rate", "half-life", "frequency", "period"]
    assert values.split() == ["1,", "2", "-0.5", "1.386", "0.3183", "3.142"]
    narrow = linearizer("dynamics", "modes", exact, "--out", tmp_path / "n.png", width=60)
    assert narrow.returncode == 0
    assert "half-life" in narrow.stdout


def test_a_mode_that_grows_has_no_half_life() -> None:
    L = lz.flows.FreeGenerator(torch.diag(torch.tensor([1.0, -2.0])))
    rows = modes_table(lz.LinearDynamics(lz.Identity(2), L)).rows
    assert rows[0] == ["1", "1", "-", "-", "-"]
    assert rows[1] == ["2", "-2", "0.3466", "-", "-"]


def test_a_portrait_over_data(run: Path, files: list[Path], exact: Path, tmp_path: Path) -> None:
    done = linearizer("dynamics", "portrait", run, *files, "--out", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").stat().st_size > 10_000
    done = linearizer("dynamics", "portrait", exact, "--out", tmp_path / "b.png")
    assert_one_clear_line(done, "name files")
    assert not (tmp_path / "b.png").exists()


def test_a_portrait_puts_x_across_and_y_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    monkeypatch.setattr(
        "matplotlib.axes.Axes.streamplot",
        lambda self, x, y, u, v, **_: drawn.update(x=x, y=y, u=u, v=v),
    )
    extent = torch.zeros(2), torch.tensor([1.0, 2.0])
    turned = {"velocity": lambda p: p * torch.tensor([1.0, 10.0]), "equilibrium": torch.zeros(2)}
    save_portrait(tmp_path / "p.png", ["x", "y"], extent, **turned)
    assert drawn["u"][7, 5] == pytest.approx(drawn["x"][5], rel=1e-4)
    assert drawn["v"][7, 5] == pytest.approx(10 * drawn["y"][7], rel=1e-4)


# What files say ----------------------------------------------------------------------------


def test_tables_are_read_as_they_are_written(tmp_path: Path) -> None:
    a = written(tmp_path / "a.csv", [(0, 1, ""), (1.5, 2, 3)], "\ufefft, x, y")
    read = read_time_series([a], "t")
    assert read.columns == ["x", "y"]
    assert not read.dates
    assert read.points[0].isnan().tolist() == [[False, True], [False, False]]
    b = written(tmp_path / "b.csv", [(5, 0, 1), (6, 1, 2), (7, 0, 3)], "z\tk\tt", "\t")
    both = read_time_series([b], "t", trajectory="k")
    assert both.columns == ["z"]
    assert [x.flatten().tolist() for x in both.points] == [[5, 7], [6]]
    assert [t.tolist() for t in both.times] == [[1, 3], [2]]
    c = written(tmp_path / "c.csv", [("2024-01-01", 1), ("2024-01-02T00:00+01:00", 2)], "t,x")
    dates = read_time_series([c], "t")
    assert dates.dates
    assert dates.times[0].diff().tolist() == [23 * 3600]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", FileFormatError, "got 0 lines"),
        ("t,x\n", FileFormatError, "got 1 lines"),
        ("t,x,x\n0,1,2\n", FileFormatError, "name of its own"),
        ("t,x\n0,1\n1\n", FileFormatError, "got 1 in line 3"),
        ("t,x\n0,one\n", FileFormatError, "'one' in line 2"),
        ("t,x\nsoon,1\n", FileFormatError, "'soon' in line 2"),
        ("t,x\n0,1\n2024-01-01,1\n", FileFormatError, "got both"),
        ("s,x\n0,1\n", RangeError, "column 't'"),
        ("t\n0\n", RangeError, "beside the times"),
    ],
)
def test_what_is_no_table_is_refused(
    text: str, error: type[Exception], words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(error, match=words):
        read_time_series([tmp_path / "a.csv"], "t")


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([(1, 1, 1), (0, 2, 2)], [], "increasing times"),
        ([(0, 1, 1)], [], "two points or more"),
        ([(0, 1, ""), (1, 2, 2), (2, 3, 3)], [], "leave those rows out by --missing skip"),
        ([(0, 1, 1), (1, 2, 2)], ["--goal", "1"], "goal of 2 numbers"),
        ([(0, 1, 1), (1, 2, 2)], ["--columns", "x"], "add padding or delays"),
        ([(0, 1, 1), (1, 2, 2)], ["--columns", "x,z"], "column 'z'"),
        ([(i, 1, i) for i in range(8)], ["--delays", 3], "--held-out"),
    ],
)
def test_what_cannot_be_fitted_leaves_no_folder(
    rows: list, options: list[str], words: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "a.csv", rows)
    done = linearizer("dynamics", "fit", file, "--out", tmp_path / "run", *options, *TINY)
    assert_one_clear_line(done, words)
    assert not (tmp_path / "run").exists()


def test_the_verdict_is_against_the_better_trivial_forecast() -> None:
    assert verdict(ForecastError(0.01, 3.0)).startswith("It fits: ")
    assert verdict(ForecastError(0.3, 3.0)).startswith("It fits in part: ")
    assert verdict(ForecastError(0.3, 0.4)).startswith("It does not fit: ")
    assert verdict(ForecastError(math.nan, 0.4)).startswith("It does not fit: ")
    assert verdict(None).startswith("It does not fit: ")
