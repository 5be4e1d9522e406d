"""NaN, infinity and dependent columns are told, and never pass for numbers."""

import copy
from collections.abc import Callable

import pytest
import torch

import linearizer as lz
from linearizer.errors import LinearizerError, NonFiniteError, RangeError
from registry import OPERATORS, operator

FUNCTIONS: dict[str, Callable[[lz.LinearOperator], object]] = {
    "singular values": lz.linalg.singular_values,
    "tolerance": lz.linalg.tolerance,
    "rank": lz.linalg.rank,
    "norm": lz.linalg.norm,
    "cond": lz.linalg.cond,
    "pinv": lz.linalg.pinv,
    "solve": lambda A: lz.linalg.solve(A, torch.ones(A.out_shape, dtype=A.dtype)),
    "svd": lz.linalg.svd,
    "range": lz.linalg.range_basis,
    "null space": lz.linalg.null_basis,
}
OF_SQUARE: dict[str, Callable[[lz.LinearOperator], object]] = {
    "log det": lz.linalg.logabsdet,
    "square": lambda A: lz.linalg.matrix_power(A, 2),
    "inverse": lambda A: lz.linalg.matrix_power(A, -1),
    "root": lambda A: lz.linalg.power(A, 0.5),
    "expm": lz.linalg.expm,
    "eig": lz.linalg.eig,
}


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_function_refuses_what_is_not_finite(name: str, value: float) -> None:
    A = copy.deepcopy(operator(name))
    tensors = dict(A.named_parameters()) | dict(A.named_buffers())
    tensors = {n: t for n, t in tensors.items() if not n.endswith(("like", "scores"))}
    tensors = {n: t for n, t in tensors.items() if "rotation" not in n}
    if not tensors:
        return
    with torch.no_grad():
        next(iter(tensors.values())).flatten()[0] = value
    functions = FUNCTIONS | OF_SQUARE if A.in_shape == A.out_shape else FUNCTIONS
    for function in functions.values():
        with pytest.raises(NonFiniteError, match="remove or repair"):
            function(A)
    A(torch.ones(A.in_shape, dtype=A.dtype))  # applying it is no function of it


def test_an_infinite_entry_of_a_diagonal() -> None:
    A = lz.Diagonal(torch.tensor([1.0, torch.inf, 2.0]))
    for function in (FUNCTIONS | OF_SQUARE).values():
        with pytest.raises(NonFiniteError, match=r"entries of Diagonal \(3,\)"):
            function(A)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16], ids=str)
def test_dependent_columns_span_what_they_span(dtype: torch.dtype) -> None:
    columns = torch.randn(6, 2, dtype=torch.float64)
    independent = lz.OrthogonalProjection.onto(columns)
    more = torch.cat([columns, columns @ torch.randn(2, 2).double(), torch.zeros(6, 1)], 1)
    P = lz.OrthogonalProjection.onto(more[:, torch.tensor([4, 2, 0, 3, 1])].to(dtype))
    assert P.basis.shape == (6, 2)
    assert P.dtype == dtype
    error = float((P.to_dense().double() - independent.to_dense()).abs().max())
    assert error < 30 * torch.finfo(dtype).eps
    assert lz.linalg.rank(P) == 2


def test_more_columns_than_dimensions() -> None:
    P = lz.OrthogonalProjection.onto(torch.randn(2, 3, 9, dtype=torch.float64))
    assert P.basis.shape == (2, 3, 6)
    P = lz.OrthogonalProjection.onto(torch.randn(6, 1).double() @ torch.randn(1, 9).double())
    assert P.basis.shape == (6, 1)


def test_the_span_of_dependent_columns_has_a_gradient() -> None:
    a, b = torch.randn(5, 2).double(), torch.randn(2, 3).double()

    def spanned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return lz.OrthogonalProjection.onto(a @ b).to_dense()

    assert torch.autograd.gradcheck(spanned, (a.requires_grad_(), b.requires_grad_()), atol=1e-6)


def test_nothing_is_spanned_by_zeros() -> None:
    with pytest.raises(RangeError, match="expected columns that span something"):
        lz.OrthogonalProjection.onto(torch.zeros(5, 2))
    with pytest.raises(NonFiniteError):
        lz.OrthogonalProjection.onto(torch.full((5, 2), torch.nan))


def test_a_basis_that_training_changed_is_no_projection() -> None:
    P = lz.OrthogonalProjection(torch.nn.Parameter(torch.eye(4, 2)))
    with torch.no_grad():
        P.basis.mul_(1.5)
    for function in (lz.linalg.pinv, lz.linalg.rank, lz.linalg.norm, lz.linalg.expm):
        with pytest.raises(RangeError, match="expected orthonormal columns"):
            function(P)


def test_one_error_to_catch() -> None:
    assert issubclass(NonFiniteError, LinearizerError)
