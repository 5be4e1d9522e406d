"""Bad input is refused by our own classes, which say what was expected and what came."""

from collections.abc import Callable

import pytest
import torch

import linearizer as lz
from linearizer import errors
from linearizer.conditioners import MLP, ConvNet, PatchTransformer
from linearizer.estimation import LeastSquares
from linearizer.operators import as_operator

G, H = lz.vector_bijection(4), lz.vector_bijection(4)
F = lz.Linearizer(G, torch.eye(4))
V = lz.InducedSpace(G)
NEGATIVE = lz.Dense(torch.tensor([[-1.0, 0.0], [0.0, 2.0]]))
NILPOTENT = lz.Dense(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
SINGULAR = lz.Dense(torch.diag(torch.tensor([1.0, 0.0])))
WIDE = lz.Dense(torch.ones(2, 3))
NAN = torch.full((5, 4), torch.nan)
META = torch.randn(2, 4, device="meta")


def fit(x: torch.Tensor, y: torch.Tensor, **options: float) -> object:
    return lz.Linearizer.fit(G, G, x, y, **options)


def X(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


CASES: dict[str, tuple[type[errors.LinearizerError], Callable[[], object]]] = {
    # maps of different spaces
    "compose over two g": (errors.SpaceMismatchError, lambda: F @ lz.Linearizer(H, torch.eye(4))),
    "add over two g": (errors.SpaceMismatchError, lambda: F + lz.Linearizer(H, torch.eye(4))),
    "subtract over two g": (errors.SpaceMismatchError, lambda: F - lz.Linearizer(H, torch.eye(4))),
    "add vectors of two g": (
        errors.SpaceMismatchError,
        lambda: V(X(4)) + lz.InducedSpace(H)(X(4)),
    ),
    "add a tensor to a vector": (errors.SpaceMismatchError, lambda: V(X(4)) + X(4)),
    "power between two g": (
        errors.SpaceMismatchError,
        lambda: lz.Linearizer(G, torch.eye(4), H) ** 2,
    ),
    "eigenpoints between two g": (
        errors.SpaceMismatchError,
        lambda: lz.Linearizer(G, torch.eye(4), H).eig(),
    ),
    # shapes
    "wrong event shape": (errors.ShapeError, lambda: F(X(2, 5))),
    "no event axis": (errors.ShapeError, lambda: F(torch.tensor(1.0))),
    "wrong latent shape": (errors.ShapeError, lambda: G.inverse(X(2, 5))),
    "wrong shape to a space": (errors.ShapeError, lambda: V.add(X(2, 3), X(2, 3))),
    "wrong shape to an operator": (errors.ShapeError, lambda: WIDE(X(2))),
    "wrong shape to an adjoint": (errors.ShapeError, lambda: WIDE.adjoint(X(3))),
    "operator of another size": (errors.ShapeError, lambda: lz.Linearizer(G, torch.eye(5))),
    "chain that does not fit": (
        errors.ShapeError,
        lambda: lz.Chain(lz.Identity(3), lz.Identity(4)),
    ),
    "empty chain": (errors.ShapeError, lz.Chain),
    "empty event": (errors.ShapeError, lambda: lz.Identity(())),
    "coupling of one entry": (errors.ShapeError, lambda: lz.AffineCoupling(1, MLP())),
    "coupling on no axis": (errors.RangeError, lambda: lz.AffineCoupling(4, MLP(), axis=1)),
    "bound too large": (
        errors.RangeError,
        lambda: lz.AffineCoupling(4, MLP(), log_scale_bound=6.0),
    ),
    "bound NaN": (errors.RangeError, lambda: lz.LULinear(4, log_scale_bound=float("nan"))),
    "convnet on vectors": (errors.ShapeError, lambda: lz.AffineCoupling(4, ConvNet())),
    "transformer on images": (
        errors.ShapeError,
        lambda: lz.AffineCoupling((2, 4, 4), PatchTransformer()),
    ),
    "coupling of nothing": (errors.RangeError, lambda: lz.AffineCoupling(4, MLP(), first=4)),
    "wavelets of odd sides": (errors.ShapeError, lambda: lz.Haar((1, 6, 6), levels=2)),
    "wavelets of no level": (errors.RangeError, lambda: lz.Haar((1, 4, 4), levels=0)),
    "wavelets of vectors": (errors.ShapeError, lambda: lz.Haar((4, 4))),
    "first entries of too few": (
        errors.ShapeError,
        lambda: lz.bijections.PartialBijection(lz.Permute(4), 3),
    ),
    "first entries of images": (
        errors.ShapeError,
        lambda: lz.bijections.PartialBijection(lz.Identity((1, 2)), 3),
    ),
    "resizing vectors": (errors.ShapeError, lambda: lz.Permute(4).resized((4, 4))),
    "squeeze by a non-divisor": (errors.ShapeError, lambda: lz.Squeeze((1, 5, 4))),
    "patches of a non-divisor": (errors.ShapeError, lambda: lz.bijections.Patches((1, 4, 4), 3)),
    "mixing other channels": (errors.ShapeError, lambda: lz.Conv1x1((3, 2, 2), lz.LULinear(2))),
    "no permutation": (errors.RangeError, lambda: lz.Permute(3, [0, 1, 1])),
    "too short a permutation": (errors.RangeError, lambda: lz.Permute(3, [0, 1])),
    "no permutation in LU": (
        errors.RangeError,
        lambda: lz.LULinear(3, permutation=torch.tensor([0, 0, 1])),
    ),
    "permute no axis": (errors.RangeError, lambda: lz.Permute(3, axis=1)),
    "vector of one": (errors.ShapeError, lambda: lz.vector_bijection(1)),
    "image of two axes": (errors.ShapeError, lambda: lz.image_bijection((4, 4))),
    "unknown layout": (errors.RangeError, lambda: lz.image_bijection((1, 4, 4), layout="tree")),
    "NaN mean": (errors.NonFiniteError, lambda: lz.Centering(NAN[0])),
    "NaN to actnorm": (errors.NonFiniteError, lambda: lz.ActNorm(4).initialize(NAN)),
    "one event to actnorm": (errors.ShapeError, lambda: lz.ActNorm(4).initialize(X(1, 4))),
    # dtype and device
    "wrong dtype": (errors.DtypeError, lambda: F(X(2, 4).double())),
    "no tensor": (errors.DtypeError, lambda: F([1.0, 2.0])),
    "wrong dtype to a space": (errors.DtypeError, lambda: V.norm(X(2, 4).double())),
    "wrong device": (errors.DeviceError, lambda: F(META)),
    "wrong device to an operator": (errors.DeviceError, lambda: lz.Dense(torch.eye(4))(META)),
    "operator of another dtype": (
        errors.DtypeError,
        lambda: lz.Linearizer(G, torch.eye(4).double()),
    ),
    "operator of another device": (
        errors.DeviceError,
        lambda: lz.Linearizer(G, torch.eye(4, device="meta")),
    ),
    "sum of dtypes": (errors.DtypeError, lambda: WIDE + WIDE.__class__(X(2, 3).double())),
    "sum of devices": (errors.DeviceError, lambda: WIDE + lz.Dense(X(2, 3).to("meta"))),
    "integer matrix": (errors.DtypeError, lambda: lz.Dense(torch.ones(2, 2, dtype=torch.int64))),
    "complex matrix": (errors.DtypeError, lambda: lz.Dense(X(2, 2).to(torch.complex64))),
    "list as an operator": (errors.DtypeError, lambda: as_operator([[1.0]])),
    # operators
    "matrix of three axes": (errors.ShapeError, lambda: lz.Dense(X(2, 2, 2))),
    "matrix for other events": (errors.ShapeError, lambda: lz.Dense(X(4, 4), (2, 3))),
    "sum of shapes": (errors.ShapeError, lambda: WIDE + NEGATIVE),
    "product of shapes": (errors.ShapeError, lambda: WIDE @ NEGATIVE),
    "factors of two ranks": (errors.ShapeError, lambda: lz.LowRank(X(4, 2), X(4, 3))),
    "update that is not square": (
        errors.ShapeError,
        lambda: lz.IdentityPlusLowRank(1.0, X(4, 2), X(3, 2)),
    ),
    "basis not orthonormal": (errors.RangeError, lambda: lz.OrthogonalProjection(X(4, 2))),
    "basis of NaN": (errors.RangeError, lambda: lz.OrthogonalProjection(X(4, 1) * torch.nan)),
    "basis too large": (errors.ShapeError, lambda: lz.OrthogonalProjection(X(2, 3))),
    "kernel larger than images": (
        errors.ShapeError,
        lambda: lz.CircularConvolution(X(1, 1, 5, 5), (4, 4)),
    ),
    "kernel of two axes": (errors.ShapeError, lambda: lz.CircularConvolution(X(3, 3), (4, 4))),
    "scale of two numbers": (errors.ShapeError, lambda: lz.ScaledIdentity(3, X(2))),
    "root of a negative": (errors.NoRealRootError, lambda: lz.linalg.power(NEGATIVE, 0.5)),
    "root of a nilpotent": (errors.NoRealRootError, lambda: lz.linalg.power(NILPOTENT, 0.5)),
    "root of a negative update": (
        errors.NoRealRootError,
        lambda: lz.linalg.power(lz.IdentityPlusLowRank(-1.0, X(5, 1), X(5, 1)), 0.5),
    ),
    "inverse of a singular": (
        errors.SingularOperatorError,
        lambda: lz.linalg.matrix_power(SINGULAR, -1),
    ),
    "root of an inverse": (errors.SingularOperatorError, lambda: lz.linalg.power(SINGULAR, -0.5)),
    "power NaN": (errors.RangeError, lambda: lz.linalg.power(SINGULAR, float("nan"))),
    "power infinite": (errors.RangeError, lambda: lz.linalg.power(SINGULAR, float("inf"))),
    "power of a wide one": (errors.ShapeError, lambda: lz.linalg.matrix_power(WIDE, 2)),
    "zeroth power of a wide one": (errors.ShapeError, lambda: lz.linalg.matrix_power(WIDE, 0)),
    "inverse of a wide one": (errors.ShapeError, lambda: lz.linalg.matrix_power(WIDE, -1)),
    "root of a wide one": (errors.ShapeError, lambda: lz.linalg.power(WIDE, 0.5)),
    "exponential of a wide one": (errors.ShapeError, lambda: lz.linalg.expm(WIDE)),
    "determinant of a wide one": (errors.ShapeError, lambda: lz.linalg.logabsdet(WIDE)),
    "eigenvalues of a wide one": (errors.ShapeError, lambda: lz.linalg.eig(WIDE)),
    "svd of none": (errors.RangeError, lambda: F.svd(0)),
    "svd of too many": (errors.RangeError, lambda: F.svd(5)),
    # fitting
    "fit NaN": (errors.NonFiniteError, lambda: fit(NAN, NAN)),
    "fit to NaN": (errors.NonFiniteError, lambda: fit(X(5, 4), NAN)),
    "fit to infinity": (errors.NonFiniteError, lambda: fit(X(5, 4), X(5, 4) / 0)),
    "fit nothing": (errors.RangeError, lambda: fit(X(0, 4), X(0, 4))),
    "fit no batches": (errors.RangeError, lambda: lz.Linearizer.fit(G, G, [])),
    "fit without targets": (errors.RangeError, lambda: lz.Linearizer.fit(G, G, X(5, 4))),
    "fit unpaired": (errors.ShapeError, lambda: fit(X(5, 4), X(6, 4))),
    "fit an unpaired batch": (
        errors.ShapeError,
        lambda: LeastSquares((4,), (4,)).update(X(5, 4), X(6, 4)),
    ),
    "fit other shapes": (errors.ShapeError, lambda: fit(X(5, 3), X(5, 4))),
    "negative ridge": (errors.RangeError, lambda: fit(X(5, 4), X(5, 4), ridge=-1e-3)),
    "NaN ridge": (errors.RangeError, lambda: fit(X(5, 4), X(5, 4), ridge=float("nan"))),
    "infinite ridge": (errors.RangeError, lambda: fit(X(5, 4), X(5, 4), ridge=float("inf"))),
    "rank zero": (errors.RangeError, lambda: fit(X(5, 4), X(5, 4), rank=0)),
    "rank too large": (errors.RangeError, lambda: fit(X(5, 4), X(5, 4), rank=5)),
    "flow of other bases": (
        errors.ShapeError,
        lambda: lz.flows.CovarianceFlow(torch.eye(3), X(2)),
    ),
    "flow of other directions": (
        errors.ShapeError,
        lambda: lz.flows.PrincipalCovarianceFlow(torch.eye(4, 2), X(2)),
    ),
    "flow of all directions": (
        errors.RangeError,
        lambda: lz.flows.PrincipalCovarianceFlow(torch.eye(3), X(4)),
    ),
    "all principal components": (
        errors.RangeError,
        lambda: lz.estimation.PrincipalMoments(4, 4),
    ),
    "components of nothing": (
        errors.RangeError,
        lambda: lz.estimation.PrincipalMoments(4, 2).components(),
    ),
    # spaces
    "too few weights": (errors.ShapeError, lambda: V.combine([1.0], X(2, 4))),
    "one number as weights": (errors.ShapeError, lambda: V.combine(torch.tensor(1.0), X(2, 4))),
    "points of two batch axes": (errors.ShapeError, lambda: V.combine([1.0, 2.0], X(2, 3, 4))),
    "mean over the event": (errors.RangeError, lambda: V.mean(X(3, 4), dim=1)),
    "project onto too many": (errors.ShapeError, lambda: V.project(X(4), torch.randn(5, 4))),
    "project onto another dtype": (
        errors.DtypeError,
        lambda: lz.InducedSpace(lz.Identity(4)).project(X(4), X(1, 4).double()),
    ),
    "orthonormalize dependent points": (errors.RangeError, lambda: V.orthonormalize(X(2, 4))),
    "complex points": (errors.DtypeError, lambda: V.norm(X(2, 4).to(torch.complex64))),
    "complex points of an identity": (
        errors.DtypeError,
        lambda: lz.Identity(4)(X(2, 4).to(torch.complex64)),
    ),
    "whole numbers": (errors.DtypeError, lambda: lz.Identity(4)(X(2, 4).long())),
    "orthonormalize one point": (errors.ShapeError, lambda: V.orthonormalize(X(4))),
    "project onto no subspace": (errors.RangeError, lambda: F.project(X(4), "column space")),
}


@pytest.mark.parametrize("name", CASES)
def test_refusal(name: str) -> None:
    error, action = CASES[name]
    with pytest.raises(error) as caught:
        action()
    assert isinstance(caught.value, errors.LinearizerError)
    assert "expected" in str(caught.value)
    assert "got" in str(caught.value)


def test_vectors_have_no_product() -> None:
    with pytest.raises(TypeError):
        V(X(4)) * V(X(4))
    with pytest.raises(TypeError):
        V(X(4)) / V(X(4))


@pytest.mark.parametrize("other", [1, "f", None, torch.eye(4)])
def test_maps_combine_with_maps_only(other: object) -> None:
    for action in (lambda: F + other, lambda: F @ other, lambda: F - other):
        with pytest.raises(TypeError):
            action()


def test_not_converged_says_how_far_it_came() -> None:
    error = errors.NotConvergedError("the iteration", 0.5, 7)
    assert (error.residual, error.steps) == (0.5, 7)
    assert "0.5 after 7 steps" in str(error)
