"""The space that any bijection induces obeys all axioms, for any points and numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import linearizer as lz
from linearizer.testing import check_vector_space
from registry import BIJECTIONS, bijection, points

SEEDS = st.integers(0, 2**16)


@pytest.mark.parametrize("name", BIJECTIONS)
@given(seed=SEEDS)
def test_axioms(name: str, seed: int) -> None:
    g = bijection(name, seed=seed)
    check_vector_space(lz.InducedSpace(g), x=points(g, seed))


@pytest.mark.parametrize("name", BIJECTIONS)
def test_axioms_in_float32(name: str) -> None:
    check_vector_space(lz.InducedSpace(bijection(name, torch.float32)))


@given(
    name=st.sampled_from(sorted(BIJECTIONS)),
    seed=SEEDS,
    size=st.floats(1e-2, 1e1),
    count=st.integers(3, 9),
)
@settings(max_examples=10 * settings.default.max_examples)
def test_axioms_at_points_of_any_size(name: str, seed: int, size: float, count: int) -> None:
    g = bijection(name, seed=seed)
    check_vector_space(lz.InducedSpace(g), x=size * points(g, seed, count=count))
