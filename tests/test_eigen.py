"""Eigenvectors and invariant planes, of operators and as points of a Linearizer."""

import pytest
import torch

import linearizer as lz
from registry import OPERATORS, bijection, operator

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
SQUARE = [name for name, (_, i, o) in OPERATORS.items() if i == o]


@pytest.mark.parametrize("name", SQUARE)
def test_eigenvectors_and_planes(name: str) -> None:
    A = operator(name)
    e = lz.linalg.eig(A)
    assert len(e.values) + 2 * len(e.pair_values) == A.n_in
    torch.testing.assert_close(A(e.vectors).flatten(1), e.values[:, None] * e.vectors.flatten(1))
    a, b = e.pair_values.real[:, None], e.pair_values.imag[:, None]
    p, q = e.planes.flatten(2).unbind(1)
    Ap, Aq = A(e.planes).flatten(2).unbind(1)
    torch.testing.assert_close(Ap, a * p - b * q, **CLOSE)
    torch.testing.assert_close(Aq, b * p + a * q, **CLOSE)
    assert bool((b > 0).all())


def test_a_rotation_has_one_plane() -> None:
    e = lz.linalg.eig(operator("rotation (5,) -> (5,)"))
    assert (len(e.values), len(e.pair_values)) == (1, 2)
    torch.testing.assert_close(e.pair_values.abs(), torch.ones(2, dtype=torch.float64), **CLOSE)


def test_largest_first() -> None:
    e = lz.linalg.eig(lz.Dense(torch.tensor([[1.0, 1.0, 0.0], [0.0, -3.0, 1.0], [0.0, 0.0, 2.0]])))
    torch.testing.assert_close(e.values, torch.tensor([-3.0, 2.0, 1.0]))


@pytest.mark.parametrize("family", ["dense", "rotation", "diagonal", "update"])
def test_points(family: str) -> None:
    """`f(point) = λ ⊙ point`, and f turns the points of a plane among themselves."""
    f = lz.Linearizer(bijection("vector bijection"), operator(family, shapes=((6,), (6,))))
    V, e = f.domain, f.eig()
    torch.testing.assert_close(f(e.points), V.scale(e.values, e.points), **CLOSE)
    torch.testing.assert_close(V.norm(e.points), torch.ones_like(e.values), **CLOSE)
    a, b = e.pair_values.real, e.pair_values.imag
    p, q = e.planes.unbind(1)
    torch.testing.assert_close(f(p), V.sub(V.scale(a, p), V.scale(b, q)), **CLOSE)
    torch.testing.assert_close(f(q), V.add(V.scale(b, p), V.scale(a, q)), **CLOSE)
