"""Training a bijection so that the first few latents hold as much of a point as they can."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.bijections import Bijection
from linearizer.training.objectives.optimization import CosineTraining


class ReconstructionTraining(CosineTraining):
    """Trains g so that `g⁻¹(P_k g(x)) = x` as nearly as possible, P_k keeping the first k latents.

    The loss is the mean of `|g⁻¹(P_k g(x)) - x|²` over the batch, for one rank k a step, in turn.
    At the start of a g that is the identity on principal components it is that of PCA. Ranks that
    are trained together are nested: the projection of rank j after that of rank k is that of rank
    min(j, k).

    Args:
        g: Bijection of vectors (n,); trained in place.
        ranks: The k, each from 1 to n - 1.
        steps: Steps of the whole run, for the decay of the learning rate.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.

    Raises:
        RangeError: If a rank is out of range.
    """

    def __init__(
        self,
        g: Bijection,
        ranks: Sequence[int],
        steps: int,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.5,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        for rank in ranks:
            check_between(rank, 1, g.out_shape[0] - 1, "a rank")
        self.g, self.ranks = g, tuple(ranks)

    def errors(self, x: Tensor, ranks: Sequence[int] | None = None) -> Tensor:
        """`|g⁻¹(P_k g(x)) - x|²` of points (N, n) by rank, (N, ranks); all ranks if none given."""
        z = self.g(x)
        places = torch.arange(z.shape[1], device=z.device)
        kept = [torch.where(places < rank, z, 0.0) for rank in ranks or self.ranks]
        return torch.stack([(self.g.inverse(part) - x).square().sum(1) for part in kept], 1)

    def training_step(self, batch: tuple[Tensor, ...]) -> Tensor:
        """The loss of a batch of points."""
        rank = self.ranks[self.global_step % len(self.ranks)]
        loss = self.errors(batch[0], [rank]).mean()
        self.log("loss", loss, sync_dist=True)
        return loss
