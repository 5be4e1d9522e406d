"""The density of Gaussians that share a covariance, but for a few directions each."""

import math

import torch
from torch.distributions import MultivariateNormal

import linearizer as lz

N, K = 6, 3


def latents() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(1200) % K
    maps = torch.randn(K, N, N, generator=random, dtype=torch.float64)
    draw = torch.randn(len(labels), N, generator=random, dtype=torch.float64)
    return torch.einsum("bij,bj->bi", maps[labels], draw) + 2.0 * labels[:, None], labels


def test_with_all_directions_it_is_the_mixture_of_the_covariances() -> None:
    z, labels = latents()
    moments = lz.estimation.MixtureMoments(N, shrinkage=0.0).update(z, labels)
    parts = [
        MultivariateNormal(moments.mean(c), moments.covariance(c)).log_prob(z) for c in range(K)
    ]
    expected = torch.stack(parts, -1) - math.log(K)
    mixture = moments.mixture(N)
    torch.testing.assert_close(mixture.log_joints(z), expected, rtol=1e-6, atol=1e-6)
    folded = mixture.log_joints(z.unflatten(0, (2, -1)))
    torch.testing.assert_close(folded.flatten(0, 1), mixture.log_joints(z))


def test_shrunk_without_end_the_classes_share_one_covariance() -> None:
    z, labels = latents()
    moments = lz.estimation.MixtureMoments(N, shrinkage=1e15).update(z, labels)
    within = sum(moments.covariance(c) for c in range(K)) / K
    parts = [MultivariateNormal(moments.mean(c), within).log_prob(z) for c in range(K)]
    expected = torch.stack(parts, -1) - math.log(K)
    torch.testing.assert_close(moments.mixture(2).log_joints(z), expected, rtol=1e-6, atol=1e-6)


def test_fewer_directions_still_have_the_volume_of_a_density() -> None:
    """The mean of `p / q` under samples of q is the integral of p."""
    z, labels = latents()
    mixture = lz.estimation.MixtureMoments(N, shrinkage=10.0).update(z, labels).mixture(2)
    random = torch.Generator().manual_seed(1)
    q = MultivariateNormal(z.mean(0), 4 * torch.cov(z.mT))
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(1000, (), generator=random)))
        x = q.sample((400_000,))
    total = (mixture.log_joints(x).logsumexp(-1) - q.log_prob(x)).exp().mean()
    assert abs(float(total) - 1) < 0.05


def test_a_sketch_of_short_vectors_is_exact() -> None:
    z, labels = latents()
    whole = lz.estimation.MixtureMoments(N).update(z, labels)
    directions, variances = lz.estimation.MixtureMoments(N, 2).update(z, labels).components(1)
    values, vectors = torch.linalg.eigh(whole.covariance(1))
    torch.testing.assert_close(variances[:2], values[-2:].flip(0))
    torch.testing.assert_close(variances[2], values[:-2].mean())
    torch.testing.assert_close(
        (directions.mT @ vectors[:, -2:].flip(1)).abs(), torch.eye(2).double()
    )
