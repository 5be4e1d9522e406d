"""One of everything: each concrete bijection, operator, flow and conditioner, in variants.

`test_registry.py` fails when the library defines a class that is not built here, so that no
class can escape the laws.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.bijections import Bijection
from linearizer.conditioners import MLP, ConvNet, PatchTransformer
from linearizer.flows import TimeDependentOperator
from linearizer.operators import LinearOperator
from linearizer.saving import is_importable
from linearizer.testing import perturb_

Shape = tuple[int, ...]
DTYPES = (torch.float64, torch.float32)

# Bijections --------------------------------------------------------------------------------

_MLP = MLP(width=8, depth=1)
_TOKENS = PatchTransformer(width=8, depth=1, heads=2)


def redraw() -> Bijection:
    """Some points of N(0, I) are near its range, some are far, and some between."""
    return lz.bijections.Redraw(
        torch.linalg.qr(torch.randn(6, 2))[0],
        torch.randn(6, 3),
        torch.randn(2, 2),
        torch.randn(2, 2, 2),
        torch.ones(2),
        near=1.5,
        far=3.0,
    )


def spline() -> Bijection:
    """Steep and flat pieces, and straight tails, near the points of the tests."""
    inputs = torch.tensor([[-1.0, -0.5, 0.2, 1.0], [-2.0, 0.0, 0.1, 0.5], [0.0, 1.0, 2.0, 3.0]])
    outputs = torch.tensor([[-2.0, 0.0, 0.1, 1.0], [-1.0, 0.0, 0.5, 2.0], [0.0, 1.0, 2.0, 3.0]])
    return lz.bijections.MonotoneSpline(inputs, outputs, 0.5 + torch.rand(3, 4))


BIJECTIONS: dict[str, Callable[[], Bijection]] = {
    "identity": lambda: lz.Identity(6),
    "identity of images": lambda: lz.Identity((2, 3, 4)),
    "flatten": lambda: lz.Flatten((2, 3, 2)),
    "permute": lambda: lz.Permute(6),
    "permute as told": lambda: lz.Permute(3, [2, 0, 1]),
    "permute columns": lambda: lz.Permute((3, 4), axis=1),
    "squeeze": lambda: lz.Squeeze((2, 4, 2)),
    "squeeze by three": lambda: lz.Squeeze((1, 3, 6), 3),
    "patches": lambda: lz.bijections.Patches((2, 4, 6), 2),
    "haar": lambda: lz.Haar((2, 4, 6)),
    "haar twice": lambda: lz.Haar((1, 4, 8), levels=2),
    "lapped": lambda: lz.Lapped((2, 4, 8)),
    "lapped of two": lambda: lz.Lapped((1, 2, 6), block=2),
    "on first": lambda: lz.bijections.PartialBijection(lz.AffineCoupling(4, _MLP), 6),
    "on all": lambda: lz.bijections.PartialBijection(lz.LULinear(3), 3),
    "centring": lambda: lz.Centering(torch.randn(5)),
    "centring images": lambda: lz.Centering(torch.randn(2, 3, 3)),
    "anchored": lambda: lz.Anchored(lz.vector_bijection(5, depth=2, width=8), torch.randn(5)),
    "anchored images": lambda: lz.Anchored(lz.Squeeze((2, 4, 2)), torch.randn(2, 4, 2)),
    "actnorm": lambda: lz.ActNorm(5),
    "actnorm of images": lambda: lz.ActNorm((3, 2, 2)),
    "orthogonal": lambda: lz.bijections.Orthogonal(5),
    "lu": lambda: lz.LULinear(5),
    "lu as told": lambda: lz.LULinear(3, log_scale_bound=0.5, permutation=torch.tensor([1, 2, 0])),
    "conv1x1": lambda: lz.Conv1x1((3, 2, 2)),
    "conv1x1 orthogonal": lambda: lz.Conv1x1((3, 2, 2), lz.bijections.Orthogonal(3)),
    "additive": lambda: lz.AdditiveCoupling(6, _MLP),
    "additive flipped": lambda: lz.AdditiveCoupling(5, _MLP, flip=True),
    "affine": lambda: lz.AffineCoupling(5, _MLP),
    "affine flipped": lambda: lz.AffineCoupling(5, _MLP, flip=True, log_scale_bound=0.5),
    "affine of one given five": lambda: lz.AffineCoupling(6, _MLP, first=5),
    "affine with a bounded shift": lambda: lz.AffineCoupling(5, _MLP, shift_bound=2.0),
    "affine on channels": lambda: lz.AffineCoupling((3, 4, 2), ConvNet(width=4)),
    "affine on columns": lambda: lz.AffineCoupling((2, 2, 3), _MLP, axis=2, flip=True),
    "affine on token channels": lambda: lz.AffineCoupling((4, 6), _TOKENS, axis=1),
    "affine on tokens": lambda: lz.AffineCoupling((4, 3), _TOKENS, axis=0, flip=True),
    "redraw": redraw,
    "monotone spline": spline,
    "whitening": lambda: lz.bijections.Whitening(
        torch.randn(4), torch.linalg.qr(torch.randn(4, 4))[0], 0.5 + torch.rand(4)
    ),
    "chain": lambda: lz.Chain(
        lz.Squeeze((1, 4, 4)),
        lz.ActNorm((4, 2, 2)),
        lz.Conv1x1((4, 2, 2)),
        lz.AffineCoupling((4, 2, 2), ConvNet(width=4)),
        lz.Flatten((4, 2, 2)),
        lz.LULinear(16).inv,
    ),
    "inverse": lambda: lz.vector_bijection(5, depth=2, width=8).inv,
    "inverse of flatten": lambda: lz.Flatten((2, 3, 2)).inv,
    "vector bijection": lambda: lz.vector_bijection(6, depth=3, width=8),
    "dense image bijection": lambda: lz.image_bijection(
        (1, 4, 4), layout="dense", depth=2, width=8
    ),
    "wavelet image bijection": lambda: lz.image_bijection(
        (1, 8, 8), layout="wavelet", depth=2, width=8, levels=2
    ),
    "style bijection": lambda: lz.style_bijection((1, 4, 6), factor=2, depth=2, width=4),
    "patch image bijection": lambda: lz.image_bijection(
        (2, 4, 4), layout="patch", depth=4, width=8, patch=2
    ),
}


def bijection(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> Bijection:
    """A bijection of the registry, away from the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        g = BIJECTIONS[name]()
    return perturb_(g.to(dtype), seed=seed)


def points(
    g: Bijection, seed: int = 0, count: int = 6, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Random points of a bijection, in a dtype that it may not tell by itself."""
    random = torch.Generator().manual_seed(seed + 1)
    return torch.randn(count, *g.in_shape, generator=random, dtype=dtype)


# Operators ---------------------------------------------------------------------------------


def size(shape: Shape) -> int:
    return torch.Size(shape).numel()


def near_identity(in_shape: Shape, out_shape: Shape) -> Tensor:
    """A well-conditioned matrix without symmetry."""
    m, n = size(out_shape), size(in_shape)
    return torch.eye(m, n) + 0.3 * torch.randn(m, n) / n**0.5


def orthonormal(shape: Shape, k: int) -> Tensor:
    """k orthonormal columns (*shape, k)."""
    return torch.linalg.qr(torch.randn(size(shape), k))[0].unflatten(0, shape)


def _dense(i: Shape, o: Shape) -> LinearOperator:
    return lz.Dense(near_identity(i, o), i, o)


def _trained(i: Shape, o: Shape) -> LinearOperator:
    return lz.Dense(nn.Parameter(near_identity(i, o)), i, o)


def _deficient(i: Shape, o: Shape) -> LinearOperator:
    k = min(size(i), size(o)) - 1
    U, V = (orthonormal(shape, k).flatten(0, -2) for shape in (o, i))
    return lz.Dense(U * torch.linspace(1.0, 2.0, k) @ V.mT, i, o)


def _rotation(i: Shape, o: Shape) -> LinearOperator:
    X = torch.randn(size(i), size(i)) / size(i) ** 0.5
    return lz.Dense(torch.linalg.matrix_exp(0.8 * (X - X.mT)), i, o)


def _shear(i: Shape, o: Shape) -> LinearOperator:
    n = size(i)
    return lz.Dense(torch.eye(n) + torch.diag(torch.ones(n - 1), 1), i, o)


def _diagonal(i: Shape, o: Shape) -> LinearOperator:
    return lz.Diagonal(torch.linspace(0.5, 2.0, size(i)).reshape(i))


def _mask(i: Shape, o: Shape) -> LinearOperator:
    return lz.Diagonal((torch.arange(size(i)) % 3 - 1.0).reshape(i))


def _scaled_identity(i: Shape, o: Shape) -> LinearOperator:
    return lz.ScaledIdentity(i, torch.tensor(1.5))


def _low_rank(i: Shape, o: Shape) -> LinearOperator:
    return lz.LowRank(orthonormal(o, 2), nn.Parameter(torch.randn(*i, 2)))


def _low_rank_full(i: Shape, o: Shape) -> LinearOperator:
    k = max(size(i), size(o)) + 1
    return lz.LowRank(torch.randn(*o, k), torch.randn(*i, k))


def _update(i: Shape, o: Shape) -> LinearOperator:
    return lz.IdentityPlusLowRank(0.7, *0.3 * torch.randn(2, *i, 2))


def _update_singular(i: Shape, o: Shape) -> LinearOperator:
    """I - Q Qᵀ, and Q without randomness, so that no draw of it leaves the rank to rounding."""
    n = size(i)
    Q = torch.eye(n, 2) if n < 4 else torch.zeros(n, 2)
    if n >= 4:
        Q[:4] = 0.5 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    Q = Q.unflatten(0, i)
    return lz.IdentityPlusLowRank(1.0, Q, -Q)


def _update_full(i: Shape, o: Shape) -> LinearOperator:
    """A negative multiple of the identity, and positive all the same: 2 I = -I + 3 I Iᵀ."""
    identity = torch.eye(size(i)).unflatten(0, i)
    return lz.IdentityPlusLowRank(-1.0, 3 * identity + 0.1 * torch.randn(*i, size(i)), identity)


def _projection(i: Shape, o: Shape) -> LinearOperator:
    return lz.OrthogonalProjection(orthonormal(i, 2))


def _projection_full(i: Shape, o: Shape) -> LinearOperator:
    return lz.OrthogonalProjection(orthonormal(i, size(i)))


def _binary_diagonal(i: Shape, o: Shape) -> LinearOperator:
    mask = lz.operators.BinaryMask(i)
    torch.nn.init.normal_(mask.scores)
    mask.scores.data.flatten()[:2] = torch.tensor([1.0, -1.0])  # keeps some, not all
    return lz.operators.LearnedDiagonalProjection(mask)


def _orthogonal_projection(i: Shape, o: Shape) -> LinearOperator:
    return lz.operators.LearnedOrthogonalProjection(
        lz.operators.BinaryMask(i, rank=2, estimator="rotation")
    )


def _oblique_projection(i: Shape, o: Shape) -> LinearOperator:
    P = lz.operators.LearnedObliqueProjection(lz.operators.BinaryMask(i, rank=2))
    torch.nn.init.normal_(P.shear)
    return P


def _convolution(i: Shape, o: Shape) -> LinearOperator:
    kernel = 0.1 * torch.randn(o[0], i[0], min(3, i[1]), min(2, i[2]))
    kernel[:, :, kernel.shape[2] // 2, kernel.shape[3] // 2] += torch.eye(o[0], i[0])
    return lz.CircularConvolution(nn.Parameter(kernel), i[1:])


def _laplacian(i: Shape, o: Shape) -> LinearOperator:
    kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
    return lz.CircularConvolution(torch.eye(i[0])[..., None, None] * kernel, i[1:])


def _symmetric(i: Shape, o: Shape) -> LinearOperator:
    """All entries but those of the axes occur four times, so they are small."""
    kernel = 0.04 * torch.randn(o[0], i[0], min(3, i[1]), min(2, i[2]))
    kernel[:, :, 0, 0] += torch.eye(o[0], i[0])
    return lz.SymmetricConvolution(nn.Parameter(kernel), i[1:])


def _symmetric_full(i: Shape, o: Shape) -> LinearOperator:
    """Computed through the transform where the images are 6 × 6 or larger."""
    kernel = 0.1 * torch.randn(o[0], i[0], *i[1:]) / size(i)
    kernel[:, :, 0, 0] += torch.eye(o[0], i[0])
    return lz.SymmetricConvolution(kernel, i[1:])


def _mirrored_laplacian(i: Shape, o: Shape) -> LinearOperator:
    kernel = torch.tensor([[4.0, -1.0], [-1.0, 0.0]])
    return lz.SymmetricConvolution(torch.eye(i[0])[..., None, None] * kernel, i[1:])


def _sum(i: Shape, o: Shape) -> LinearOperator:
    return _dense(i, o) + _low_rank(i, o)


def _scaled(i: Shape, o: Shape) -> LinearOperator:
    return -0.5 * _dense(i, o)


def _scaled_trained(i: Shape, o: Shape) -> LinearOperator:
    return _dense(i, o) * nn.Parameter(torch.tensor(2.0))


def _product(i: Shape, o: Shape) -> LinearOperator:
    return _dense((4,), o) @ _dense(i, (4,))


def _transpose(i: Shape, o: Shape) -> LinearOperator:
    return _dense(o, i).T


def _lazy(i: Shape, o: Shape) -> LinearOperator:
    return ((_dense(o, i) - 0.3 * _low_rank(o, i)).T @ _diagonal(i, i)) / 2.0


def _structured(i: Shape, o: Shape) -> LinearOperator:
    return (_update(i, i) @ _update(i, i) - _projection(i, i)).T + _scaled_identity(i, i)


def _function(i: Shape, o: Shape) -> LinearOperator:
    A = _dense(i, o)
    return lz.FunctionOperator(A, i, o, A.T, like=torch.empty(()))


def _differentiated(i: Shape, o: Shape) -> LinearOperator:
    return lz.FunctionOperator(_dense(i, o), i, o, like=torch.empty(()))


def _generator(i: Shape, o: Shape) -> LinearOperator:
    return lz.flows.FreeGenerator(near_identity(i, o))


def _stable_generator(i: Shape, o: Shape) -> LinearOperator:
    n = size(i)
    damping, rotation = near_identity(i, (2,)), torch.randn(n, n) / n
    return lz.flows.StableGenerator(nn.Parameter(damping.mT), nn.Parameter(rotation), margin=0.5)


def _conservative_generator(i: Shape, o: Shape) -> LinearOperator:
    """Singular where the length is odd."""
    return lz.flows.ConservativeGenerator(torch.randn(size(i), size(i)))


def _any(i: Shape, o: Shape) -> bool:
    return True


def _square(i: Shape, o: Shape) -> bool:
    return i == o


def _square_of_vectors(i: Shape, o: Shape) -> bool:
    return i == o and len(i) == 1


def _square_vectors(i: Shape, o: Shape) -> bool:
    return i == o and len(i) == 1 and size(i) > 2


def _small_square(i: Shape, o: Shape) -> bool:
    return i == o and size(i) <= 6


def _images(i: Shape, o: Shape) -> bool:
    return len(i) == len(o) == 3 and i[1:] == o[1:]


def _large_square_images(i: Shape, o: Shape) -> bool:
    return len(i) == 3 and i == o and min(i[1:]) >= 3


class Family(NamedTuple):
    """How to build an operator between two event shapes, where it can be."""

    build: Callable[[Shape, Shape], LinearOperator]
    fits: Callable[[Shape, Shape], bool]
    shapes: tuple[tuple[Shape, Shape], ...]


_VECTORS: tuple[tuple[Shape, Shape], ...] = (((5,), (5,)),)
_MAPS: tuple[tuple[Shape, Shape], ...] = (*_VECTORS, ((5,), (3,)), ((4,), (6,)), ((6,), (2, 3)))
_EVENTS: tuple[tuple[Shape, Shape], ...] = (*_VECTORS, ((2, 3), (2, 3)))

FAMILIES: dict[str, Family] = {
    "dense": Family(_dense, _any, _MAPS),
    "trained": Family(_trained, _any, _VECTORS),
    "deficient": Family(_deficient, _any, _MAPS),
    "rotation": Family(_rotation, _square, _VECTORS),
    "shear": Family(_shear, _small_square, _VECTORS),
    "diagonal": Family(_diagonal, _square, _EVENTS),
    "mask": Family(_mask, _square, _EVENTS),
    "scaled identity": Family(_scaled_identity, _square, _EVENTS),
    "low rank": Family(_low_rank, _any, _MAPS),
    "low rank, full": Family(_low_rank_full, _any, _MAPS),
    "update": Family(_update, _square, _EVENTS),
    "update, singular": Family(_update_singular, _square, _EVENTS),
    "update, full": Family(_update_full, _square, _EVENTS),
    "projection": Family(_projection, _square, _EVENTS),
    "projection, full": Family(_projection_full, _square, _EVENTS),
    "binary diagonal": Family(_binary_diagonal, _square, _EVENTS),
    "orthogonal projection": Family(_orthogonal_projection, _square_vectors, _VECTORS),
    "oblique projection": Family(_oblique_projection, _square_vectors, _VECTORS),
    "convolution": Family(
        _convolution,
        _images,
        (
            ((2, 4, 4), (2, 4, 4)),
            ((2, 5, 3), (2, 5, 3)),
            ((1, 4, 5), (3, 4, 5)),
            ((3, 2, 1), (2, 2, 1)),
        ),
    ),
    "laplacian": Family(
        _laplacian, _large_square_images, (((2, 4, 4), (2, 4, 4)), ((1, 3, 5), (1, 3, 5)))
    ),
    "symmetric convolution": Family(
        _symmetric,
        _images,
        (
            ((2, 4, 4), (2, 4, 4)),
            ((2, 5, 3), (2, 5, 3)),
            ((1, 4, 5), (3, 4, 5)),
            ((3, 2, 1), (2, 2, 1)),
        ),
    ),
    "symmetric convolution, full": Family(
        _symmetric_full, _images, (((2, 4, 3), (1, 4, 3)), ((1, 6, 6), (1, 6, 6)))
    ),
    "mirrored laplacian": Family(
        _mirrored_laplacian,
        _large_square_images,
        (((2, 4, 4), (2, 4, 4)), ((1, 3, 5), (1, 3, 5))),
    ),
    "generator": Family(_generator, _square_of_vectors, _VECTORS),
    "stable generator": Family(_stable_generator, _square_of_vectors, _VECTORS),
    "conservative generator": Family(
        _conservative_generator, _square_of_vectors, (*_VECTORS, ((4,), (4,)))
    ),
    "function": Family(_function, _any, _MAPS),
    "function, differentiated": Family(_differentiated, _any, _MAPS),
    "sum": Family(_sum, _any, _MAPS),
    "scaled": Family(_scaled, _any, _MAPS),
    "scaled, trained": Family(_scaled_trained, _any, _VECTORS),
    "product": Family(_product, _any, _MAPS),
    "transpose": Family(_transpose, _any, _MAPS),
    "lazy": Family(_lazy, _any, _MAPS),
    "structured": Family(_structured, _square, _EVENTS),
}

OPERATORS: dict[str, tuple[str, Shape, Shape]] = {
    f"{name} {i} -> {o}": (name, i, o)
    for name, family in FAMILIES.items()
    for i, o in family.shapes
}


def operator(
    name: str,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    shapes: tuple[Shape, Shape] | None = None,
) -> LinearOperator:
    """An operator of `OPERATORS` by its name, or of a family between two event shapes."""
    family, i, o = OPERATORS[name] if shapes is None else (name, *shapes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        default = torch.get_default_dtype()
        torch.set_default_dtype(dtype)  # so that orthonormal factors are so in this dtype
        try:
            return FAMILIES[family].build(i, o)
        finally:
            torch.set_default_dtype(default)


def fitting(in_shape: Shape, out_shape: Shape) -> list[str]:
    """The families that have an operator between two event shapes."""
    return [name for name, family in FAMILIES.items() if family.fits(in_shape, out_shape)]


# Flows and conditioners --------------------------------------------------------------------


def _covariance_flow() -> TimeDependentOperator:
    X, Y = torch.randn(2, 5, 8)
    return lz.flows.CovarianceFlow.from_covariances(X @ X.mT, Y @ Y.mT)


def _principal_covariance_flow() -> TimeDependentOperator:
    return lz.flows.PrincipalCovarianceFlow(orthonormal((5,), 2), torch.tensor([3.0, 2.0, 0.5]))


def _hyper_low_rank() -> TimeDependentOperator:
    return perturb_(lz.flows.LowRankHypernetwork(5, rank=2, width=8, frequencies=2))


FLOWS: dict[str, Callable[[], TimeDependentOperator]] = {
    "covariance flow": _covariance_flow,
    "principal covariance flow": _principal_covariance_flow,
    "hyper low rank": _hyper_low_rank,
}

CONDITIONERS: dict[str, tuple[Callable[[Shape, Shape], nn.Module], Shape, Shape]] = {
    "mlp": (MLP(width=8), (3,), (2, 4)),
    "mlp that saturates": (MLP(width=8, saturation=2.0), (3,), (2, 4)),
    "mlp of images": (MLP(width=8, depth=1), (2, 3, 3), (2, 1, 3, 3)),
    "convnet": (ConvNet(width=4), (2, 4, 4), (2, 3, 4, 4)),
    "deep convnet": (ConvNet(width=4, depth=3), (1, 3, 4), (3, 3, 4)),
    "convnet that reflects": (ConvNet(width=4, padding="replicate"), (2, 4, 4), (2, 3, 4, 4)),
    "normalized convnet": (ConvNet(width=4, mixing=3, normalized=True), (2, 4, 4), (2, 3, 4, 4)),
    "patch transformer": (_TOKENS, (4, 3), (2, 4, 2)),
}


# Completeness ------------------------------------------------------------------------------


def subclasses(base: type) -> Iterator[type]:
    for cls in base.__subclasses__():
        yield cls
        yield from subclasses(cls)


def missing(base: type, covered: Iterable[type], package: str = "linearizer") -> set[type]:
    """Concrete subclasses of `base` that a package defines and `covered` lacks."""
    return {
        cls
        for cls in subclasses(base)
        if cls.__module__.split(".")[0] == package
        and not inspect.isabstract(cls)
        and (is_importable(cls) or package != "linearizer")  # no proxy that torch.export made
    } - set(covered)
