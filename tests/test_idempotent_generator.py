"""Projections to train, the projector that they make, and the closed form."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.data import CORRUPTIONS, corrupt
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.operators.mask import Estimator
from linearizer.testing import perturb_

N, K = 8, 3
ESTIMATORS: tuple[Estimator, ...] = ("straight-through", "gumbel", "rotation")


def bijection(seed: int = 0) -> lz.Bijection:
    torch.manual_seed(seed)
    return perturb_(lz.vector_bijection(N, depth=3, width=16), seed=seed).double()


def data(count: int = 400) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, N).double() * torch.linspace(2.0, 0.1, N).double()


@pytest.fixture
def model() -> lz.IdempotentGenerator:
    return lz.IdempotentGenerator.fit(bijection(), data().split(100), rank=K)


def projections() -> list[lz.operators.LearnedProjection]:
    torch.manual_seed(2)
    made = [
        cls(lz.operators.BinaryMask(N, rank=K)).double()
        for cls in (
            lz.operators.LearnedDiagonalProjection,
            lz.operators.LearnedOrthogonalProjection,
            lz.operators.LearnedObliqueProjection,
        )
    ]
    torch.nn.init.normal_(made[-1].shear)  # type: ignore[arg-type]
    return made


# Masks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("rank", [None, 4])
def test_a_mask_is_binary_and_has_a_gradient(estimator, rank):
    mask = lz.operators.BinaryMask((3, 3), rank, estimator)
    torch.nn.init.normal_(mask.scores)
    for _ in range(10):
        b = mask()
        assert set(b.flatten().tolist()) <= {0.0, 1.0}
        assert rank is None or int(b.sum()) == rank
    (gradient,) = torch.autograd.grad((b * torch.randn(3, 3)).sum(), mask.scores)
    assert bool((gradient != 0).all())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_mask_finds_the_coordinates_that_matter(estimator):
    """What only a gradient can tell: ones where the data are, zeros under rank pressure."""
    torch.manual_seed(0)
    mask = lz.operators.BinaryMask(N, estimator=estimator)
    scales = torch.tensor([0.0, 3.0, 0.0, 0.0, 2.0, 0.0, 2.5, 0.0])
    optimizer = torch.optim.Adam(mask.parameters(), lr=0.1)
    for _ in range(200):
        z = torch.randn(64, N) * scales
        loss = (mask() * z - z).square().mean() + 0.1 * mask().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert mask.eval()().tolist() == (scales > 0).float().tolist()


def test_the_rotation_carries_probabilities_to_the_mask():
    from linearizer.operators.mask import _rotated

    p, b = torch.rand(20), (torch.rand(20) > 0.5).float()
    torch.testing.assert_close(_rotated(p, b), b)


@pytest.mark.parametrize("rank", [0, -1, N + 1])
def test_a_mask_refuses_an_impossible_rank(rank):
    with pytest.raises(RangeError, match="rank of a mask"):
        lz.operators.BinaryMask(N, rank)


def test_a_mask_refuses_an_unknown_estimator():
    with pytest.raises(RangeError, match="estimator"):
        lz.operators.BinaryMask(N, estimator="magic")  # type: ignore[arg-type]


# Projections ----------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(3))
def test_a_projection_stays_one_in_training_and_when_frozen(which):
    P = projections()[which]
    z = torch.randn(5, N).double()
    optimizer = torch.optim.SGD(P.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        (P(z) - z.roll(1, 1)).square().sum().backward()
        optimizer.step()
        torch.testing.assert_close(P(P(z)), P(z), rtol=1e-10, atol=1e-10)
        assert lz.linalg.rank(P) == K
    frozen = P.frozen()
    assert not any(p.requires_grad for p in frozen.parameters())
    torch.testing.assert_close(frozen(z), P(z).detach(), rtol=1e-10, atol=1e-10)


def test_a_mask_that_keeps_nothing_is_not_frozen():
    P = lz.operators.LearnedDiagonalProjection(lz.operators.BinaryMask(N))
    torch.nn.init.constant_(P.mask.scores, -1.0)
    with pytest.raises(RangeError, match="all zeros"):
        P.frozen()


def test_only_vectors_are_rotated():
    with pytest.raises(ShapeError, match="flatten it"):
        lz.operators.LearnedOrthogonalProjection(lz.operators.BinaryMask((2, 4)))


# The projector --------------------------------------------------------------------------


def test_projecting_twice_is_projecting_once(model):
    for x in (data(50), torch.randn(50, N).double(), 100 * torch.randn(50, N).double()):
        once = model.project(x)
        twice = model.project(once)
        assert float((twice - once).abs().max()) <= 1e-9 * max(1.0, float(x.abs().max()))


def test_a_projector_of_one_dtype_is_exact_in_a_finer_one():
    torch.manual_seed(0)
    model = lz.IdempotentGenerator.fit(bijection().float(), data().float().split(100), rank=K)
    finer = model.double()
    x = torch.randn(50, N).double()
    for rank in (1, K):
        once = finer.project(x, rank)
        assert float((finer.project(once, rank) - once).abs().max()) < 1e-12
    torch.testing.assert_close(finer.project(finer.project(x), 1), finer.project(x, 1))


def test_it_is_the_best_projection_of_its_rank(model):
    """Eckart and Young: no other moves the latents less."""
    z = model.g(data()).detach()
    error = (z - model.projection(z)).square().sum()
    for seed in range(5):
        torch.manual_seed(seed)
        other = lz.OrthogonalProjection.onto(model.basis + 0.1 * torch.randn(N, K).double())
        assert float((z - other(z)).square().sum()) > float(error)
    variances = (z @ model.basis).var(0, correction=0)
    torch.testing.assert_close(variances, model.variances)


def test_ranks_are_nested(model):
    x = torch.randn(20, N).double()
    for j in range(1, K + 1):
        for k in range(1, K + 1):
            product = model.at(j) @ model.at(k)
            torch.testing.assert_close(product(x), model.project(x, min(j, k)))
            assert product.rank() == min(j, k)


def test_it_is_self_adjoint_and_has_a_complement(model):
    f, x, y = model.at(), torch.randn(20, N).double(), torch.randn(20, N).double()
    torch.testing.assert_close(f.T(x), f(x))
    V = f.domain
    torch.testing.assert_close(V.inner(f(x), y), V.inner(x, f(y)))
    inside, outside = model.decompose(x)
    torch.testing.assert_close(V.add(inside, outside), x)
    torch.testing.assert_close(
        V.inner(inside, outside), torch.zeros(20).double(), atol=1e-8, rtol=0
    )
    torch.testing.assert_close(model.residual(x), V.norm(outside))
    assert float(model.residual(inside).max()) < 1e-8


def test_generated_points_lie_on_the_manifold_and_have_its_moments(model):
    made = model.generate(5000, seed=0)
    assert float(model.residual(made).max()) < 1e-8
    coordinates = model.g(made) @ model.basis
    torch.testing.assert_close(coordinates.var(0), model.variances, rtol=0.1, atol=0.0)
    assert torch.equal(made, model.generate(5000, seed=0))
    low = model.generate(10, rank=1, temperature=0.5)
    assert float(model.residual(low, rank=1).max()) < 1e-8


def test_interpolation_stays_on_the_manifold(model):
    x, y = data(2)
    line = model.interpolate(x, y, 5)
    assert float(model.residual(line).max()) < 1e-8
    torch.testing.assert_close(line[0], model.project(x))
    torch.testing.assert_close(line[-1], model.project(y))


@pytest.mark.parametrize("which", range(3))
def test_any_projection_makes_one(which):
    P = projections()[which].frozen()
    model = lz.IdempotentGenerator.fit(bijection(), data().split(100), projection=P)
    assert model.rank == K
    z = model.g(data())
    torch.testing.assert_close(model.projection(z), P(z))
    coordinates = P(z) @ model.basis
    torch.testing.assert_close(coordinates.mean(0), model.mean)
    torch.testing.assert_close(torch.cov(coordinates.mT, correction=0), model.variances.diag())
    x = torch.randn(20, N).double()
    for k in range(1, K + 1):
        once = model.project(x, k)
        torch.testing.assert_close(model.project(once, k), once)
        assert model.at(k).rank() == k
    assert float(model.residual(model.generate(20, seed=0)).max()) < 1e-8


def test_it_is_saved_and_loaded(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = lz.IdempotentGenerator.from_pretrained(tmp_path)
    x = data(10)
    assert torch.equal(again.project(x, 2), model.project(x, 2))
    assert torch.equal(again.generate(4, seed=1), model.generate(4, seed=1))


def test_wrong_input_is_refused(model):
    for rank in (0, K + 1):
        with pytest.raises(RangeError, match="the rank"):
            model.project(data(2), rank)
    for rank in (0, N):
        with pytest.raises(RangeError, match="rank of a projection of 8"):
            lz.IdempotentGenerator.fit(bijection(), [data()], rank=rank)
    with pytest.raises(RangeError, match="both"):
        lz.IdempotentGenerator.fit(bijection(), [data()], rank=2, projection=model.projection)
    with pytest.raises(NonFiniteError):
        model.project(torch.full((1, N), torch.nan).double())
    with pytest.raises(ShapeError):
        model.project(torch.randn(2, N + 1).double())
    for number in (0.0, 1.0):
        all_alike = lz.Diagonal(torch.full((N,), number).double())
        with pytest.raises(RangeError, match="rank of the projection"):
            lz.IdempotentGenerator.fit(bijection(), [data()], projection=all_alike)
    half = lz.Diagonal(torch.full((N,), 0.5).double())
    with pytest.raises(RangeError, match="A² = A"):
        lz.IdempotentGenerator(model.g, half, model.basis, model.variances)
    with pytest.raises(RangeError, match="leave its basis"):
        lz.IdempotentGenerator(
            model.g, model.projection, torch.eye(N).double()[:, :K], model.variances
        )
    with pytest.raises(ShapeError, match="onto vectors"):
        lz.IdempotentGenerator.fit(lz.Squeeze((1, 4, 4)), [torch.randn(9, 1, 4, 4)])


# Corruptions ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (3, 64, 48)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_damages_and_repeats(name, shape):
    images = torch.rand(6, *shape) * 2 - 1
    before = images.clone()
    damaged = corrupt(images, name, seed=3)
    assert damaged.shape == images.shape
    assert torch.equal(images, before)
    assert not torch.equal(damaged, images)
    assert torch.equal(damaged, corrupt(images, name, seed=3))


def test_an_unknown_corruption_is_refused():
    with pytest.raises(RangeError, match="expected a corruption of noise, salt"):
        corrupt(torch.zeros(1, 1, 8, 8), "rust")
