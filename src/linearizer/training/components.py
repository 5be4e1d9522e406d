"""Training g on plain rows of numbers, for components that reconstruct them: `train_components`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.bijections import AffineCoupling, Bijection, Chain
from linearizer.conditioners import MLP
from linearizer.estimation import fit_marginals, fit_whitening
from linearizer.estimation.latents import latents_of
from linearizer.training.objectives.reconstruction import ReconstructionTraining
from linearizer.training.rows import FEWEST, check_rows, split_rows, train_on_rows


@dataclass(frozen=True)
class ComponentsConfig:
    """The bijection whose first latents are the components, and how it is trained.

    Attributes:
        depth: Couplings for each rank; none for PCA.
        width: Hidden units of the perceptron in each.
        log_scale_bound: Largest absolute log-scale of one coupling.
        saturation: Bound on the inputs of the perceptrons, in standard deviations of a column.
        noise: Standard deviation of noise on the rows in training, against overfitting.
        steps: Optimizer steps at most.
        batch_size: Rows per step.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
        every: Steps between two looks at held-out rows.
        patience: Looks without a better one before the training stops.
    """

    depth: int = 4
    width: int = 64
    log_scale_bound: float = 0.3
    saturation: float | None = 8.0
    noise: float = 0.2
    steps: int = 600
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.5
    every: int = 100
    patience: int = 4


class TrainedComponents(NamedTuple):
    """A bijection whose first latents are components.

    Attributes:
        g: The bijection, of the rows to vectors, in their dtype.
        base: Standard scores and their principal axes alone, in closed form.
        gain: The share of PCA's error on held-out rows that g saves; 0 if g is `base`.
        steps: Optimizer steps that were taken.
    """

    g: Bijection
    base: Bijection
    gain: float
    steps: int


def train_components(
    x: Tensor,
    ranks: Sequence[int],
    config: ComponentsConfig | None = None,
    *,
    held_out: float = 0.2,
    max_minutes: float | None = None,
    seed: int = 0,
    verbose: bool = False,
) -> TrainedComponents:
    """A bijection of rows (N, n) whose first k latents reconstruct them best, for each k of ranks.

    The columns are brought to standard scores and turned to their principal axes, so that training
    starts at PCA. Couplings between the first k latents and the others bend both until
    `g⁻¹(P_k g(x))` is nearest to x. Those weights are kept that do best on rows held out, and none
    unless they beat PCA there.

    Args:
        x: Rows, such as a table.
        ranks: Numbers of components, each below n.
        config: What is trained, and how.
        held_out: Share of the rows that decides.
        max_minutes: Stop after this time even if steps are left.
        seed: Of weights, batches and what is held out.
        verbose: Show a bar of progress.

    Raises:
        ShapeError: If there are no rows of numbers.
        NonFiniteError: If there is NaN or infinity.
        RangeError: If an option or a rank is out of range.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.training import ComponentsConfig, train_components
        >>> t = 2 * torch.randn(600, 1)
        >>> x = torch.cat([t, t.sin(), t.cos()], 1)
        >>> trained = train_components(x, [1], ComponentsConfig(steps=300, width=32))
        >>> trained.gain > 0.3, trained.g.round_trip(x) < 1e-4
        (True, True)
    """
    config = ComponentsConfig() if config is None else config
    check_rows(x, held_out)
    for rank in ranks:
        check_between(rank, 1, x.shape[1] - 1, "a rank")
    scores = fit_marginals(x, strength=0.0, knots=2)
    base = Chain(scores, fit_whitening(latents_of(scores, x), scaled=False))
    if len(x) < FEWEST or not ranks or not config.depth or not config.steps:
        return TrainedComponents(base, base, 0.0, 0)
    train, held = split_rows(latents_of(base, x).float(), held_out, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        couplings = _couplings(x.shape[1], ranks, config)
    module = ReconstructionTraining(
        couplings, ranks, config.steps, config.learning_rate, config.weight_decay
    )

    @torch.no_grad()
    def errors(module: ReconstructionTraining) -> Tensor:
        return module.errors(held.to(module.device)).mean(1)

    before = errors(module)
    took = train_on_rows(
        module,
        train,
        config,
        lambda: float(errors(module).mean()),
        max_minutes=max_minutes,
        seed=seed,
        verbose=verbose,
    )
    module = module.cpu().eval()
    saved = before.cpu() - errors(module)
    gain = float(saved.mean() / before.mean())
    if not gain > 0:  # NaN too
        return TrainedComponents(base, base, 0.0, took.steps)
    return TrainedComponents(Chain(base, module.g.to(x.dtype)), base, gain, took.steps)


def _couplings(n: int, ranks: Sequence[int], config: ComponentsConfig) -> Bijection:
    """For each rank couplings that move the others as the first say, and the other way round."""
    conditioner = MLP(config.width, saturation=config.saturation)
    return Chain(
        *(
            AffineCoupling(
                n,
                conditioner,
                first=rank,
                flip=bool(i % 2),
                log_scale_bound=config.log_scale_bound,
            )
            for i in range(config.depth)
            for rank in ranks
        )
    )
