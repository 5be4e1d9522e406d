"""The algebra keeps the structure of every operator that has one, a user's too."""

import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.linalg import fuse
from linearizer.operators import Blocks
from linearizer.operators.base import Transpose
from linearizer.testing import check_operator
from registry import OPERATORS, operator

UPDATE, LOW_RANK = lz.IdentityPlusLowRank, lz.LowRank
KEPT: dict[type, set[type]] = {
    lz.Diagonal: {lz.Diagonal},
    lz.operators.LearnedDiagonalProjection: {lz.Diagonal},
    lz.ScaledIdentity: {lz.ScaledIdentity},
    lz.LowRank: {LOW_RANK, UPDATE},
    lz.OrthogonalProjection: {lz.OrthogonalProjection, LOW_RANK, UPDATE},
    lz.IdentityPlusLowRank: {UPDATE},
    lz.CircularConvolution: {lz.CircularConvolution},
    lz.SymmetricConvolution: {lz.SymmetricConvolution},
}
"""What functions of each structure are; all others are matrices, and so are functions of them."""

ALGEBRA: dict[str, Callable[[lz.LinearOperator], lz.LinearOperator]] = {
    "pinv": lz.linalg.pinv,
    "2A": lambda A: fuse(2 * A),
    "transpose": lambda A: fuse(A.T),
    "A + A": lambda A: fuse(A + A),
    "A - A/2": lambda A: fuse(A - A / 2),
    "A+ + A.T": lambda A: fuse(lz.linalg.pinv(A) + A.T),
}
OF_SQUARE: dict[str, Callable[[lz.LinearOperator], lz.LinearOperator]] = {
    "A @ A": lambda A: fuse(A @ A),
    "A @ A.T": lambda A: fuse(A @ A.T),
    "A+ @ A": lambda A: fuse(lz.linalg.pinv(A) @ A),
    "A + I": lambda A: fuse(A + lz.ScaledIdentity(A.in_shape, torch.ones(()).double())),
    "expm": lz.linalg.expm,
    "power 3": lambda A: lz.linalg.matrix_power(A, 3),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_structure_is_kept(name: str) -> None:
    A = operator(name)
    M = A.to_dense()
    square = A.in_shape == A.out_shape
    F = fuse(A)
    kept = KEPT.get(type(F))
    for what, function in (ALGEBRA | OF_SQUARE if square else ALGEBRA).items():
        B = function(A)
        if kept is None:
            assert type(F) is lz.Dense or not F.is_structured
        elif " @ " in what and isinstance(F, UPDATE) and 4 * F.U.shape[-1] > F.n_in:
            assert type(B) in kept | {lz.Dense}, what  # as many columns are more than a matrix
        else:
            assert type(B) in kept, what
    torch.testing.assert_close(fuse(2 * A).to_dense(), 2 * M)
    torch.testing.assert_close(fuse(A.T).to_dense(), M.mT)
    torch.testing.assert_close(fuse(A + A).to_dense(), 2 * M)
    torch.testing.assert_close(fuse(A - A / 2).to_dense(), M / 2)
    torch.testing.assert_close(fuse(A @ A.T).to_dense(), M @ M.mT)
    if square:
        torch.testing.assert_close(fuse(A @ A).to_dense(), M @ M)
        identity = lz.ScaledIdentity(A.in_shape, torch.tensor(0.7).double())
        shifted = M + 0.7 * torch.eye(len(M))
        for B in (A + identity, identity + A):
            torch.testing.assert_close(fuse(B).to_dense(), shifted)
        for B in (A @ identity, identity @ A):
            torch.testing.assert_close(fuse(B).to_dense(), 0.7 * M)


def test_every_structure_is_in_the_list() -> None:
    structured = {type(A) for A in map(operator, OPERATORS) if A.is_structured}
    assert structured - {lz.Dense, Transpose} == KEPT.keys()


class InBasis(lz.LinearOperator):
    """`Q diag(d) Qᵀ`, as in the documents."""

    def __init__(self, basis: Tensor, values: Tensor) -> None:
        super().__init__(len(basis))
        self.register_buffer("basis", basis)
        self.register_buffer("values", values)

    def _forward(self, z: Tensor) -> Tensor:
        return (z @ self.basis * self.values) @ self.basis.mT

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._forward(y)

    def blocks(self) -> Blocks:
        return Blocks(
            matrices=(self.values.reshape(-1, 1, 1),),
            multiplicities=(1,),
            rebuild=lambda parts: InBasis(self.basis, parts[0].flatten()),
            maps=(self.basis,),
        )


class Between(lz.LinearOperator):
    """`P diag(d) Qᵀ` with two different maps: nothing but blocks is told."""

    def __init__(self, left: Tensor, values: Tensor, right: Tensor) -> None:
        super().__init__(len(right), len(left))
        self.register_buffer("left", left)
        self.register_buffer("values", values)
        self.register_buffer("right", right)

    def _forward(self, z: Tensor) -> Tensor:
        return (z @ self.right * self.values) @ self.left.mT

    def _adjoint(self, y: Tensor) -> Tensor:
        return (y @ self.left * self.values) @ self.right.mT

    def blocks(self) -> Blocks:
        return Blocks(
            (self.values.reshape(-1, 1, 1),),
            (1,),
            lambda parts: Between(self.left, parts[0].flatten(), self.right),
            similar=False,
        )


def basis(n: int, k: int) -> Tensor:
    return torch.linalg.qr(torch.randn(n, k, dtype=torch.float64))[0]


def test_one_method_teaches_a_class_of_a_user_s_all_of_the_algebra() -> None:
    A = InBasis(basis(6, 6), torch.linspace(1.0, 2.0, 6).double())
    check_operator(A)
    for what, function in (ALGEBRA | OF_SQUARE).items():
        assert type(function(A)) is InBasis, what
    assert type(lz.linalg.matrix_power(A, -1)) is InBasis
    assert type(lz.linalg.power(A, 0.5)) is InBasis
    torch.testing.assert_close(fuse(lz.linalg.pinv(A) @ A).values, torch.ones(6).double())


def test_operators_of_two_bases_are_not_mixed_up() -> None:
    values = torch.linspace(1.0, 2.0, 6).double()
    A, B = (InBasis(basis(6, 6), values) for _ in range(2))
    for C, expected in (
        (A + B, A.to_dense() + B.to_dense()),
        (A @ B, A.to_dense() @ B.to_dense()),
    ):
        assert isinstance(fuse(C), lz.Dense)
        torch.testing.assert_close(fuse(C).to_dense(), expected)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_two_different_maps(shape: tuple[int, int]) -> None:
    m, n = shape
    A = Between(basis(m, 3), torch.tensor([3.0, 2.0, 0.5]).double(), basis(n, 3))
    for B in (A, A.T, lz.linalg.pinv(A), fuse(2 * A), fuse(A + A)):
        inner = B.operator if isinstance(B, Transpose) else B
        assert isinstance(inner, Between)
        torch.testing.assert_close(lz.linalg.pinv(B).to_dense(), torch.linalg.pinv(B.to_dense()))
        torch.testing.assert_close(
            lz.linalg.singular_values(B)[:3], torch.linalg.svdvals(B.to_dense())[:3]
        )
    assert lz.linalg.rank(A.T) == 3
    torch.testing.assert_close(fuse(A.T @ A).to_dense(), A.to_dense().mT @ A.to_dense())


INVERSE = partial(lz.linalg.power, exponent=-1)


class Counting(InBasis):
    visits = 0

    def blocks(self) -> Blocks:
        Counting.visits += 1
        return super().blocks()


@pytest.mark.parametrize(
    "function",
    [
        lz.linalg.pinv,
        lz.linalg.rank,
        lz.linalg.cond,
        lz.linalg.logabsdet,
        lambda A: lz.linalg.power(A, 0.5),
        lambda A: lz.linalg.power(A, -1),
    ],
    ids=["pinv", "rank", "cond", "logabsdet", "power", "inverse"],
)
def test_a_function_reduces_its_operator_once(
    function: Callable[[lz.LinearOperator], object],
) -> None:
    A = Counting(basis(6, 6), torch.linspace(1.0, 2.0, 6).double())
    Counting.visits = 0
    function(A)
    assert Counting.visits == 1


@pytest.mark.parametrize(
    "function",
    [lz.linalg.pinv, lz.linalg.rank, lz.linalg.svd, INVERSE],
    ids=["pinv", "rank", "svd", "inverse"],
)
def test_a_node_is_visited_once(
    function: Callable[[lz.LinearOperator], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["linearizer.linalg.fuse"]
    visited: list[int] = []
    node = module._node

    def counted(A: lz.LinearOperator, known: dict[int, lz.LinearOperator]) -> lz.LinearOperator:
        visited.append(id(A))
        return node(A, known)

    monkeypatch.setattr(module, "_node", counted)
    D = lz.Dense(torch.eye(4) + 0.1 * torch.randn(4, 4))
    shared = (D + 2 * D).T
    function(shared @ shared + shared)
    assert len(visited) == len(set(visited)) == 5


def test_what_occurs_many_times_is_evaluated_once() -> None:
    """2⁶⁰ without a memory of what was evaluated."""
    A: lz.LinearOperator = lz.Dense(torch.eye(2, dtype=torch.float64))
    for _ in range(60):
        A = A + A
    torch.testing.assert_close(fuse(A).to_dense(), 2.0**60 * torch.eye(2).double())


def test_a_function_of_a_linearizer_visits_each_node_once(monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[int] = []
    fuse_module = sys.modules["linearizer.linalg.fuse"]
    node = fuse_module._node
    monkeypatch.setattr(
        fuse_module, "_node", lambda A, known: (visited.append(id(A)), node(A, known))[1]
    )
    A: lz.LinearOperator = lz.Dense(torch.eye(3, dtype=torch.float64))
    for _ in range(8):
        A = ((A + A.T) @ A) / 2
    lazy = {id(part) for part in A.modules() if isinstance(part, fuse_module._LAZY)}
    assert len(lazy) == 8 * 4
    lz.Linearizer(lz.Identity(3), A).pinv()
    assert sorted(visited) == sorted(lazy)
