"""Gradients of functions of operators are right, and finite, at repeated and zero values too."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

import linearizer as lz
from registry import OPERATORS, operator

FAST = {"fast_mode": True, "atol": 1e-5}
Function = Callable[[lz.LinearOperator], Tensor]

FUNCTIONS: dict[str, Function] = {
    "root": lambda A: lz.linalg.power(A, 0.5).to_dense(),
    "pinv": lambda A: lz.linalg.pinv(A).to_dense(),
    "sum of singular values": lambda A: lz.linalg.singular_values(A).sum(),
    "log det": lz.linalg.logabsdet,
    "expm": lambda A: lz.linalg.expm(A, 0.5).to_dense(),
    "norm": lz.linalg.norm,
    "cond": lz.linalg.cond,
    "svd": lambda A: sum(part.sum() for part in lz.linalg.svd(A)),
    "range": lambda A: lz.linalg.range_basis(A).sum(),
    "null space": lambda A: lz.linalg.null_basis(A).sum(),
    "eig": lambda A: sum(part.abs().sum() for part in lz.linalg.eig(A)),
}
OF_SQUARE = ("root", "log det", "expm", "eig")


def holding(A: lz.LinearOperator, values: dict[str, Tensor]) -> lz.LinearOperator:
    A = copy.deepcopy(A)
    for path, value in values.items():
        owner, _, name = path.rpartition(".")
        module = A.get_submodule(owner)
        module._parameters.pop(name, None)
        module._buffers[name] = value
    return A


def entries(A: lz.LinearOperator) -> dict[str, Tensor]:
    tensors = dict(A.named_parameters()) | dict(A.named_buffers())
    tensors = {name: t for name, t in tensors.items() if not name.endswith(("scores", "like"))}
    return {name: t.detach().clone().requires_grad_() for name, t in tensors.items()}


@pytest.mark.parametrize("what", FUNCTIONS)
@pytest.mark.parametrize("name", OPERATORS)
def test_gradients_are_finite(name: str, what: str) -> None:
    A = operator(name)
    values = entries(A)
    if not values or (what in OF_SQUARE and A.in_shape != A.out_shape):
        return
    try:
        result = FUNCTIONS[what](holding(A, values))
    except lz.errors.NoRealRootError:
        return
    if not result.requires_grad:  # the functions of a projection do not depend on its basis
        assert what == "null space" or "projection" in name or "identity" in name
        return
    for gradient in torch.autograd.grad(result.sum(), list(values.values()), allow_unused=True):
        assert gradient is None or bool(torch.isfinite(gradient).all())


def of_matrix(function: Function) -> Callable[[Tensor], Tensor]:
    return lambda M: function(lz.Dense(M))


def rotated(*values: float) -> Tensor:
    Q = torch.linalg.qr(torch.randn(len(values), len(values), dtype=torch.float64))[0]
    return Q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ Q.mT


def similar(*values: float) -> Tensor:
    """With these eigenvalues, and eigenvectors that are not orthogonal."""
    n = len(values)
    S = torch.eye(n).double() + 0.3 * torch.randn(n, n).double()
    return S @ torch.diag(torch.tensor(values).double()) @ torch.linalg.inv(S)


REPEATED: dict[str, Callable[[], Tensor]] = {
    "2 I": lambda: 2 * torch.eye(4).double(),
    "symmetric": lambda: rotated(3.0, 3.0, 1.0, 1.0),
    "not symmetric": lambda: similar(3.0, 3.0, 1.0, 0.5),
    "nearly repeated": lambda: similar(3.0, 3.0 + 1e-9, 1.0, 0.5),
    "complex": lambda: torch.block_diag(
        *[torch.tensor([[1.0, -2.0], [2.0, 1.0]], dtype=torch.float64)] * 2
    ),
    "shear": lambda: torch.tensor([[2.0, 1.0], [0.0, 2.0]], dtype=torch.float64),
}


@pytest.mark.parametrize("what", ["root", "pinv", "sum of singular values", "log det", "expm"])
@pytest.mark.parametrize("name", REPEATED)
def test_repeated_values(name: str, what: str) -> None:
    M = REPEATED[name]().requires_grad_()
    assert gradcheck(of_matrix(FUNCTIONS[what]), M, **FAST)


@pytest.mark.parametrize("s", [0.5, 0.3, 1.5, 2.7, -0.5])
@pytest.mark.parametrize("name", REPEATED)
def test_powers(name: str, s: float) -> None:
    M = REPEATED[name]().requires_grad_()
    assert gradcheck(of_matrix(lambda A: lz.linalg.power(A, s).to_dense()), M, **FAST)


def test_root_of_two_identities() -> None:
    """`d M^½ = dM / (2 √2)` at 2 I."""
    M = (2 * torch.eye(3).double()).requires_grad_()
    (gradient,) = torch.autograd.grad(lz.linalg.power(lz.Dense(M), 0.5).to_dense().sum(), M)
    torch.testing.assert_close(gradient, torch.full((3, 3), 8**-0.5).double())


def test_a_root_beside_zero() -> None:
    """Along matrices of the same rank there is a derivative, and the gradient is its."""
    Q = torch.randn(4, 2, dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda Q: lz.linalg.power(lz.Dense(Q @ Q.mT), 0.5).to_dense(), Q, **FAST)
    M = torch.diag(torch.tensor([4.0, 0.0, 0.0]).double()).requires_grad_()
    (gradient,) = torch.autograd.grad(lz.linalg.power(lz.Dense(M), 0.5).to_dense().sum(), M)
    assert bool(torch.isfinite(gradient).all())
    assert float(gradient[1:, 1:].abs().max()) == 0


def test_what_does_not_depend_on_the_choice_of_vectors() -> None:
    """Projections onto singular and invariant spaces of repeated values have derivatives."""
    weights = torch.randn(4, 4, dtype=torch.float64)

    def of_svd(M: Tensor) -> Tensor:
        U, _, V = lz.linalg.svd(lz.Dense(M), k=2)
        return (weights * (U.mT @ V)).sum()

    def of_eig(M: Tensor) -> Tensor:
        vectors = lz.linalg.eig(lz.Dense((M + M.mT) / 2)).vectors[:2]
        return (weights * (vectors.mT @ vectors)).sum()

    for function in (of_svd, of_eig):
        assert gradcheck(function, rotated(3.0, 3.0, 1.0, 1.0).requires_grad_(), **FAST)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_svd_and_eig_of_distinct_values(shape: tuple[int, int]) -> None:
    M = torch.randn(shape, dtype=torch.float64).requires_grad_()
    weights = torch.randn(2, *shape, dtype=torch.float64)

    def of_svd(M: Tensor) -> Tensor:
        U, S, V = lz.linalg.svd(lz.Dense(M))
        return (
            (U.abs() @ weights[0, :, 0]).sum() + S.square().sum() + (V.abs() @ weights[1, 0]).sum()
        )

    def of_eig(M: Tensor) -> Tensor:
        e = lz.linalg.eig(
            lz.Dense(M @ M.mT + 2 * torch.diag(torch.arange(4.0).double()) @ M @ M.mT)
        )
        return (e.vectors.abs() @ weights[0, :, 0]).sum() + e.values.sum()

    assert gradcheck(of_svd, M, **FAST)
    if shape == (4, 4):
        assert gradcheck(of_eig, M, **FAST)


def test_a_null_space_moves() -> None:
    U, V = torch.randn(2, 5, 3, dtype=torch.float64)
    weights = torch.randn(5, 5, dtype=torch.float64)

    def projection(U: Tensor, V: Tensor) -> Tensor:
        N = lz.linalg.null_basis(lz.Dense(U @ V.mT))
        return weights * (N.mT @ N)

    assert gradcheck(projection, (U.requires_grad_(), V.requires_grad_()), **FAST)


@pytest.mark.parametrize(
    "what", ["pinv", "sum of singular values", "log det", "expm", "norm", "svd"]
)
def test_dependent_factors(what: str) -> None:
    """`I + u uᵀ`: the columns [u, u] are dependent, and the operator is as smooth as any."""
    u = torch.randn(5, 1, dtype=torch.float64)
    function = FUNCTIONS["sum of singular values" if what == "svd" else what]

    def of_factors(U: Tensor, V: Tensor) -> Tensor:
        if what == "svd":
            left, values, right = lz.linalg.svd(lz.IdentityPlusLowRank(1.0, U, V), 1)
            return values * left.mT @ right
        return function(lz.IdentityPlusLowRank(1.0, U, V))

    factors = (u.clone().requires_grad_(), u.clone().requires_grad_())
    assert gradcheck(of_factors, factors, **FAST)


def test_nothing_is_divided_by_a_determinant_of_zero() -> None:
    M = torch.diag(torch.tensor([1.0, 0.0]).double()).requires_grad_()
    for function in (lz.linalg.logabsdet, lz.linalg.cond):
        value = function(lz.Dense(M))
        assert bool(value.isinf())
        (gradient,) = torch.autograd.grad(value, M)
        assert not gradient.any()
