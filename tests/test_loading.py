"""What `lz.load` is known to return, by names, and what a mistyped name is told."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_overloads, get_type_hints

import pytest
import torch

import linearizer as lz
from linearizer.loading import load


def test_every_shipped_model_is_typed_as_what_it_is() -> None:
    typed = {}
    for overload in get_overloads(load):
        hints = get_type_hints(overload)
        for name in get_args(hints["folder"]):
            if isinstance(name, str):
                typed[name] = hints["return"]
    assert typed == {name: type(lz.load(name)) for name in lz.list_pretrained()}


def test_a_class_has_a_typed_way_to_load_it(tmp_path: Path) -> None:
    lz.vector_bijection(4).save_pretrained(tmp_path)
    assert isinstance(lz.Chain.from_pretrained(tmp_path), lz.Chain)
    with pytest.raises(lz.LinearizerError, match=r"expected a Linearizer"):
        lz.Linearizer.from_pretrained(tmp_path)


def test_names_come_when_they_are_used() -> None:
    assert set(lz.__all__) <= set(dir(lz))
    assert all(getattr(lz, name) is not None for name in lz.__all__)
    assert lz.saving.load is not lz.load
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lz.nothing  # noqa: B018
    with pytest.raises(ImportError):
        exec("from linearizer import nothing")
    names: dict[str, object] = {}
    exec("from linearizer import *", names)
    assert set(lz.__all__) <= names.keys()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: lz.load("mnsit"), "mnist"),
        (lambda: lz.load("projectr"), "projector"),
        (lambda: lz.load("style").operator("cnady"), "candy"),
        (lambda: lz.data.open_data("digit"), "digits"),
        (lambda: lz.data.corrupt(torch.zeros(1, 1, 4, 4), "nosie"), "noise"),
    ],
)
def test_a_mistyped_name_is_guessed(call: Callable[[], object], word: str) -> None:
    with pytest.raises(lz.LinearizerError, match=f"did you mean '{word}'"):
        call()


def test_a_name_like_no_other_is_not_guessed() -> None:
    with pytest.raises(lz.LinearizerError) as raised:
        lz.load("/a/folder")
    assert "did you mean" not in str(raised.value)


@pytest.mark.parametrize("name", lz.list_pretrained())
def test_a_model_is_printed_in_a_few_lines_with_each_part_once(name: str) -> None:
    lines = repr(lz.load(name)).splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 100


def test_a_linearizer_prints_its_g_once() -> None:
    g = lz.vector_bijection(8)
    text = repr(lz.Linearizer(g, torch.eye(8)))
    assert text.count("Chain of 8, (8,) → (8,)") == 1
    assert "g_x = g_y" in text
    assert repr(lz.Linearizer(g, torch.eye(8), lz.vector_bijection(8))).count("Chain") == 2


def test_the_inverse_undoes_and_is_refused_where_there_is_none() -> None:
    g_x, g_y = (lz.vector_bijection(4, start="random").double() for _ in range(2))
    f = lz.Linearizer(g_x, torch.randn(4, 4, dtype=torch.float64), g_y)
    x = torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(f.inv(f(x)), x)
    assert f.inv.inv.domain == f.domain
    with pytest.raises(lz.LinearizerError, match="use pinv"):
        _ = lz.Linearizer(lz.vector_bijection(4), torch.zeros(4, 4)).inv
    with pytest.raises(lz.errors.ShapeError):
        _ = lz.Linearizer(lz.vector_bijection(4), torch.ones(3, 4), lz.vector_bijection(3)).inv
