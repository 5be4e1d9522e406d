"""Operators of torch, of functions and of other libraries come in; ours go out to SciPy."""

import copy

import numpy as np
import pytest
import torch
from linear_operator import operators as lo
from scipy.sparse import linalg
from torch import nn

import linearizer as lz
from linearizer.adapters import GPyTorchOperator
from linearizer.errors import DtypeError, NotSaveableError, RangeError, ShapeError
from linearizer.testing import check_linear, check_operator
from registry import OPERATORS, operator
from third_party import THIRD_PARTY_OPERATORS, N


def test_a_linear_layer_is_its_weight():
    layer = nn.Linear(5, 3, bias=False)
    A = lz.as_operator(layer)
    assert A.matrix is layer.weight
    check_operator(A)
    f = lz.Linearizer(lz.vector_bijection(5), layer, lz.vector_bijection(3))
    check_linear(f)
    f(torch.randn(2, 5)).sum().backward()
    assert layer.weight.grad is not None


def test_a_layer_with_a_bias_is_affine():
    with pytest.raises(RangeError, match="bias=False"):
        lz.Linearizer(lz.vector_bijection(5), nn.Linear(5, 5))


def test_what_is_no_operator_is_refused():
    with pytest.raises(DtypeError, match="FunctionOperator"):
        lz.as_operator(nn.ReLU())


def test_a_pair_of_functions():
    M = torch.randn(3, 5, dtype=torch.float64)
    A = lz.FunctionOperator(lambda z: z @ M.mT, 5, 3, lambda y: y @ M, like=M)
    check_operator(A)
    torch.testing.assert_close(lz.linalg.pinv(A).to_dense(), torch.linalg.pinv(M))


def test_a_function_alone_is_transposed_by_differentiation():
    A = lz.FunctionOperator(lambda z: z.roll(1, -1) - z, (2, 6), like=torch.empty(()).double())
    check_operator(A)
    check_linear(lz.Linearizer(lz.Identity((2, 6)), A))


def test_a_function_that_is_not_linear_is_found_out():
    A = lz.FunctionOperator(torch.relu, 4)
    with pytest.raises(lz.errors.LawError):
        check_operator(A)


def test_a_lambda_is_not_saved(tmp_path):
    with pytest.raises(NotSaveableError):
        lz.FunctionOperator(lambda z: z, 3).save_pretrained(tmp_path / "A")


def build(name, dtype=torch.float64):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return THIRD_PARTY_OPERATORS[name]().to(dtype)


@pytest.mark.parametrize("name", THIRD_PARTY_OPERATORS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_linear_operators_of_gpytorch_obey_the_laws(name, dtype):
    A = build(name, dtype)
    errors = check_operator(A)
    assert max(errors.values()) <= (1e-10 if dtype == torch.float64 else 1e-3)
    torch.testing.assert_close(A.to_dense(), A.operator.to_dense())


@pytest.mark.parametrize("name", [n for n in THIRD_PARTY_OPERATORS if n != "rectangular"])
def test_a_linearizer_on_one_has_the_whole_algebra(name):
    A = build(name)
    f = lz.Linearizer(lz.Identity(A.in_shape), A)
    check_linear(f)
    x = torch.randn(3, *A.in_shape).double()
    torch.testing.assert_close(f.pinv()(f(x)), x, rtol=0, atol=1e-8)
    torch.testing.assert_close((f @ f)(x), (f**2)(x), rtol=0, atol=1e-8)


def test_their_state_is_that_of_a_module():
    A = build("kronecker, trained")
    assert [p.shape for p in A.parameters()] == [(2, 2)]
    twin = copy.deepcopy(A)
    with torch.no_grad():
        next(twin.parameters()).zero_()
    assert not twin.to_dense().any()
    twin.load_state_dict(A.state_dict())
    torch.testing.assert_close(twin.to_dense(), A.to_dense())
    A(torch.randn(4, 2, 3).double()).sum().backward()
    assert bool(next(A.parameters()).grad.any())


def test_what_does_not_fit_is_refused(tmp_path):
    batch = lo.DenseLinearOperator(torch.randn(2, 3, 3))
    with pytest.raises(ShapeError, match="index its batch"):
        GPyTorchOperator(batch)
    with pytest.raises(ShapeError, match="expected an operator"):
        GPyTorchOperator(lo.DenseLinearOperator(torch.randn(3, 3)), (2, 2))
    with pytest.raises(DtypeError, match="ScaledIdentity"):
        GPyTorchOperator(lo.IdentityLinearOperator(3))
    with pytest.raises(ShapeError):
        build("toeplitz")(torch.randn(2, N + 1).double())
    with pytest.raises(NotSaveableError):
        build("toeplitz").save_pretrained(tmp_path / "A")


@pytest.mark.parametrize("name", OPERATORS)
def test_scipy_sees_the_same_matrix(name):
    A = operator(name)
    S, M = A.as_scipy(), A.to_dense().detach().numpy()
    assert S.shape == M.shape
    assert S.dtype == M.dtype
    np.testing.assert_allclose(S @ np.eye(A.n_in), M, atol=1e-12)
    np.testing.assert_allclose(S.rmatmat(np.eye(A.n_out)), M.T, atol=1e-12)
    np.testing.assert_allclose(S.matvec(np.ones(A.n_in)), M.sum(1), atol=1e-12)
    np.testing.assert_allclose(S.T @ np.ones(A.n_out), M.sum(0), atol=1e-12)


def test_scipy_solves_with_it():
    A = operator("convolution (2, 4, 4) -> (2, 4, 4)")
    z = torch.randn(A.n_in).double()
    y = A(z.unflatten(0, A.in_shape)).flatten().detach().numpy()
    solution = linalg.lsqr(A.as_scipy(), y, atol=1e-12, btol=1e-12)[0]
    np.testing.assert_allclose(solution, z, atol=1e-8)
    largest = linalg.svds(A.as_scipy(), k=1, return_singular_vectors=False)
    np.testing.assert_allclose(largest, float(lz.linalg.norm(A).detach()), rtol=1e-8)


def test_the_transpose_that_a_class_of_a_user_s_gives_is_kept():
    class Cumulative(lz.LinearOperator):
        def __init__(self, n, upward=True):
            super().__init__(n)
            self.n, self.upward = n, upward
            self.register_buffer("one", torch.ones(()))

        def _forward(self, z):
            return z.cumsum(-1) if self.upward else z.flip(-1).cumsum(-1).flip(-1)

        def _adjoint(self, y):
            return self.transpose()(y)

        def transpose(self):
            return Cumulative(self.n, not self.upward)

    A = Cumulative(4)
    check_operator(A)
    transposed = lz.linalg.fuse(lz.operators.Transpose(A))
    assert isinstance(transposed, Cumulative)
    assert not transposed.upward
