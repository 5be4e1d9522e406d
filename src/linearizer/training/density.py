"""Training g on plain rows of numbers, for their density: `train_density`."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer.bijections import Bijection, Chain
from linearizer.estimation import fit_marginals, fit_whitening
from linearizer.estimation.latents import latents_of
from linearizer.presets import vector_bijection
from linearizer.training.objectives.likelihood import LikelihoodTraining
from linearizer.training.rows import FEWEST, check_rows, split_rows, train_on_rows


@dataclass(frozen=True)
class DensityConfig:
    """The bijection of a table, and how it is trained.

    Attributes:
        strength: Of the marginal curves: 0 for standard scores, 1 for normal ones.
        knots: Largest number of knots of a curve.
        floor: What is added to the variance along each principal axis, as a share of their mean.
        depth: Couplings after marginals and whitening; none for the plain Gaussian.
        width: Hidden units of the perceptron in each; 32 to 128 by the number of columns if not
            given.
        log_scale_bound: Largest absolute log-scale of one coupling.
        saturation: Bound on the inputs of the perceptrons, in standard deviations.
        noise: Standard deviation of the noise on whitened rows in training: without it equal rows
            would have an infinite density.
        steps: Optimizer steps at most.
        batch_size: Rows per step.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
        every: Steps between two looks at held-out rows.
        patience: Looks without a better one before the training stops.
    """

    strength: float = 0.5
    knots: int = 16
    floor: float = 1e-2
    depth: int = 4
    width: int | None = None
    log_scale_bound: float = 0.5
    saturation: float | None = 4.0
    noise: float = 0.1
    steps: int = 1000
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    every: int = 50
    patience: int = 4


class TrainedDensity(NamedTuple):
    """A bijection whose latents are as near to N(0, I) as its training brought them.

    Attributes:
        g: The bijection, of the rows to vectors, in their dtype: a chain of two, the curves of
            the columns and all that follows.
        base: Curves and whitening alone, in closed form.
        gain: By how much held-out rows are more likely by g than by `base`, in nats a row; 0 if
            g is `base`.
        steps: Optimizer steps that were taken.
    """

    g: Chain
    base: Chain
    gain: float
    steps: int


def train_density(
    x: Tensor,
    config: DensityConfig | None = None,
    *,
    held_out: float = 0.2,
    max_minutes: float | None = None,
    seed: int = 0,
    verbose: bool = False,
) -> TrainedDensity:
    """A bijection of rows (N, n) whose latents are N(0, I), as far as held-out rows confirm it.

    First come the curves of each column and a whitening, in closed form, so that training starts
    at a plain Gaussian. Couplings are trained by exact likelihood, those weights are kept that
    do best on rows held out, and the couplings are left out again unless they beat the Gaussian
    there by more than twice the standard error: on few rows there is nothing to learn.

    Args:
        x: Rows, such as a table.
        config: What is trained, and how.
        held_out: Share of the rows that decides.
        max_minutes: Stop after this time even if steps are left.
        seed: Of weights, batches and what is held out.
        verbose: Show a bar of progress.

    Raises:
        ShapeError: If there are no rows of numbers.
        NonFiniteError: If there is NaN or infinity.
        RangeError: If an option is out of range.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.training import DensityConfig, train_density
        >>> a = torch.randn(600, 1)
        >>> x = torch.cat([a, a**2 + 0.1 * torch.randn(600, 1)], 1)
        >>> trained = train_density(x, DensityConfig(depth=2, width=16, steps=200))
        >>> trained.gain > 0.1, trained.g.round_trip(x) < 1e-4
        (True, True)
    """
    config = DensityConfig() if config is None else config
    check_rows(x, held_out)
    marginals = fit_marginals(x, strength=config.strength, knots=config.knots)
    whitening = fit_whitening(latents_of(marginals, x), floor=config.floor)
    base = Chain(marginals, whitening)
    if len(x) < FEWEST or x.shape[1] < 2 or not config.depth or not config.steps:
        return TrainedDensity(base, base, 0.0, 0)
    train, held = split_rows(latents_of(base, x).float(), held_out, seed)
    generator = torch.Generator().manual_seed(seed)
    held = held + config.noise * torch.randn(held.shape, generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        couplings = vector_bijection(
            x.shape[1],
            depth=config.depth,
            width=config.width or min(128, 32 + 2 * x.shape[1]),
            log_scale_bound=config.log_scale_bound,
            saturation=config.saturation,
        )
    module = LikelihoodTraining(couplings, config.steps, config.learning_rate, config.weight_decay)

    def measure() -> float:
        return -float(log_likelihood(module.g, held.to(module.device)).mean())

    took = train_on_rows(
        module,
        train,
        config,
        measure,
        max_minutes=max_minutes,
        seed=seed,
        verbose=verbose,
    )
    couplings = module.g.cpu().eval()
    gains = log_likelihood(couplings, held) - log_likelihood(None, held)
    gain, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(held))
    if not gain > 2 * error:  # NaN too
        return TrainedDensity(base, base, 0.0, took.steps)
    g = Chain(marginals, Chain(whitening, couplings.to(x.dtype)))
    return TrainedDensity(g, base, gain, took.steps)


@torch.no_grad()
def log_likelihood(g: Bijection | None, x: Tensor) -> Tensor:
    """`log N(g(x)) + log|det J_g(x)|` of rows (N, n), (N,); g is the identity if not given."""
    z, log_det = (x, x.new_zeros(len(x))) if g is None else g.forward_and_log_det(x)
    return log_det - 0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)
