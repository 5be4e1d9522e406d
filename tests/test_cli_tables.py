"""What commands print is whole at any width: nothing cut, no word or path broken, no row lost."""

import re
from io import StringIO

import pytest
from rich.console import Console

from command_line import linearizer

pytest.importorskip("lightning")
from PIL import Image

from linearizer.data import load_digits
from linearizer.display.console import complain, say
from linearizer.display.tables import Table, page_markdown, show_page
from linearizer.evaluation.style_table import KEPT, LIKENESS, PICTURE, UNDONE, style_page

LAWS = Table(
    ["law", "measured", "threshold", ""],
    [
        ["condition number of the operator on its range", "1.5", "≤ 8.39e+06", "holds"],
        ["one step = 20 midpoint steps", "3e-7", "≤ 0.001", "does not hold"],
    ],
)
LONG = "/a folder/" + "very_long/" * 12 + "picture [/b] :fire:.png"


def printed(show, width, *, terminal=True):
    out = StringIO()
    show(Console(file=out, width=width, force_terminal=terminal, color_system=None))
    return out.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_a_table_fits_and_breaks_no_word(width):
    text = printed(LAWS.show, width)
    assert max(map(len, text.splitlines())) <= width
    for word in " ".join(cell for row in LAWS.rows for cell in row).split():
        assert word in text.split()
    assert "…" not in text


def test_tables_of_styles_fit_sixty_columns():
    """As tables, not as lines of names and numbers, also with long numbers."""
    keys = {key: 123.456 for part in (LIKENESS, KEPT, UNDONE) for _, key, _ in part}
    measured = {
        "styles": {
            "rain_princess": {**keys, "condition": 1.234e-12},
            "made": {key: 1.0 for _, key, _ in (*PICTURE, *UNDONE)},
        },
        "contents": 1000,
        "in_rounds": 4,
        "size": [1024, 1024],
        "baseline_pairs": 1000,
    }
    page = style_page({"sizes": {"1024": measured, "64": measured}, "lpips": "LPIPS"})
    text = printed(lambda console: show_page(page, console), 60)
    assert max(map(len, text.splitlines())) <= 60
    heads = [line for line in text.splitlines() if line.startswith("style ")]
    assert len(heads) == sum(isinstance(part, Table) for part in page) == 8
    assert "style: " not in text
    written = page_markdown(page)
    assert written.count("| rain_princess | 123.46 | 123.456 | 123.456 | 123.46 | 123.46 |") == 2


def test_a_folded_table_keeps_its_columns():
    lines = [line.rstrip() for line in printed(LAWS.show, 60).splitlines()]
    assert lines == [
        "law                       measured  threshold",
        "condition number of the        1.5  ≤          holds",
        "operator on its range               8.39e+06",
        "one step = 20 midpoint        3e-7  ≤ 0.001    does not hold",
        "steps",
    ]


@pytest.mark.parametrize("width", [20, 60, 80])
def test_rows_become_lines_where_a_word_is_too_long_for_a_column(width):
    text = printed(Table(["image", "bits"], [[LONG, "1.5"], ["b.png", "2.5"]]).show, width)
    assert text == f"image: {LONG}\nbits: 1.5\n\nimage: b.png\nbits: 2.5\n"


@pytest.mark.parametrize("width", [20, 80, 200])
def test_in_a_pipe_every_row_is_one_line_at_any_width(width):
    table = Table(["image", "bits"], [[LONG, "1.5"], ["b.png", "22.5"]])
    lines = printed(table.show, width, terminal=False).splitlines()
    assert [line.rstrip() for line in lines] == [
        f"{'image':{len(LONG)}}  bits",
        f"{LONG}   1.5",
        f"{'b.png':{len(LONG)}}  22.5",
    ]


def test_names_are_no_markup():
    for width in (20, 200):
        assert printed(lambda console: say(LONG, console), width) == f"{LONG}\n"
        told = printed(lambda console: complain("", f"got {LONG}", "red", console), width)
        assert "".join(f"linearizer: got {LONG}".split()) == "".join(told.split())


def test_a_complaint_is_folded_between_words_on_a_terminal_alone():
    message = "expected a file,\ngot " + "x" * 70 + "; choose another one with --out"
    one = "linearizer: warning: " + message.replace("\n", " ")
    assert (
        printed(lambda c: complain("warning:", message, "red", c), 60, terminal=False) == f"{one}\n"
    )
    folded = printed(lambda c: complain("warning:", message, "red", c), 60).splitlines()
    assert " ".join(folded) == one
    assert folded[1] == "x" * 70 + ";"


def test_a_page_is_shown_and_written_alike():
    page = [LAWS, "- A note that is longer than the terminal is wide, which is folded."]
    assert page_markdown(page).startswith(
        "| law | measured | threshold | |\n|---|---|---|---|\n| cond"
    )
    text = printed(lambda console: show_page(page, console), 60)
    assert text.endswith(
        "\n\n- A note that is longer than the terminal is wide, which is\n  folded.\n"
    )


def test_an_empty_table_has_its_columns():
    assert printed(Table(["a", "b"], []).show, 60).split() == ["a", "b"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / ("long_" * 20)
    folder.mkdir()
    paths = [folder / f"digit{i}.png" for i in range(2)]
    for path, digit in zip(paths, load_digits().images[:, 0], strict=False):
        Image.fromarray(((digit + 1) * 127.5).byte().numpy()).save(path)
    return paths


@pytest.mark.parametrize("width", [60, 80, None])
def test_likelihood_names_every_picture_at_any_width(pictures, width):
    done = linearizer("likelihood", "digits", *pictures, width=width)
    assert done.returncode == 0, done.stderr
    for path in pictures:
        assert str(path) in done.stdout
    assert done.stdout.count("\n") == (3 if width is None else 11)


COMMANDS = [[], ["train"], ["style"], ["sample"], ["train", "projector"], ["style", "add"]]


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_whole_at_any_width(command, width):
    done = linearizer(*command, "--help", width=width)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= width
    assert "..." not in done.stdout.replace("[ARGS]...", "")
    assert "…" not in done.stdout


def test_nothing_is_coloured_in_a_pipe():
    done = linearizer("verify", "digits")
    assert not re.search("\x1b", done.stdout + done.stderr)
    assert not done.stderr
