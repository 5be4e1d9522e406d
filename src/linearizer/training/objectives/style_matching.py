"""Training bijections and styles together, to do what teachers do."""

import abc
import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer.likeness import weighed_error
from linearizer.applications.style_transfer.sizes import operator_for, resized
from linearizer.data.images import from_bytes
from linearizer.operators import SymmetricConvolution
from linearizer.operators.cosine import idct2
from linearizer.training.objectives.optimization import CosineTraining

NOISE = 1e-4
"""Added to stylized images before they are undone."""
AMPLIFIED = 50.0
"""So many times larger the noise may come out of undoing; rounding to float32 is 1e-7."""
UNDONE = 4
"""Contents of a batch that are undone, each of another style; of larger contents fewer."""
UNDO_WEIGHT = 0.03
"""Of what is amplified more, beside 1 for the squared error."""
OTHERS = 4
"""One of so many contents meets a style that is not kept."""


class Lessons(NamedTuple):
    """Contents of one size, and what each teacher makes of them, as bytes.

    Attributes:
        contents: (N, C, H, W).
        targets: (teachers, N, C, H, W).
    """

    contents: Tensor
    targets: Tensor


class StyleMatching(CosineTraining, abc.ABC):
    """Lowers `|g_y⁻¹(A_s g_x(x)) - y_s|²` over contents x, styles s and the teachers' y_s.

    Each content of a batch meets one style; batches carry the contents' numbers as labels, by
    which their lessons are found. The steps take the sizes in turn, and of larger contents fewer.
    An error that repeats with the blocks of g is seen before any other, so it weighs more.

    Args:
        model: With all styles; trained in place.
        lessons: The same contents at one size or more, the smallest first; the teachers in the
            order of `model.names`.
        steps: Steps of the whole run, for the decay of the learning rate.
        learning_rate: Peak learning rate.
    """

    def __init__(
        self,
        model: StyleTransfer,
        lessons: Sequence[Lessons],
        steps: int,
        learning_rate: float = 2e-3,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay=0.0)
        self.model, self.lessons = model, lessons

    @abc.abstractmethod
    def operate(self, style: int, z: Tensor) -> Tensor:
        """The operator of style number `style` on latents (B, c, h, w)."""

    def penalty(self, styles: Sequence[int], contents: Tensor, made: Tensor) -> Tensor | float:
        """What the loss adds for contents and what the styles made of them; nothing here."""
        return 0.0

    def style_at(self, turn: int) -> int:
        """The number of the style that the content number `turn` of all meets."""
        return turn % len(self.model.names)

    def target(self, style: int, lessons: Lessons, numbers: Tensor) -> Tensor:
        """What a style makes of the contents of these numbers, in [-1, 1]."""
        return from_bytes(lessons.targets[style, numbers])

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The squared error of a batch, every style on its share of it."""
        round_, size = divmod(self.global_step, len(self.lessons))
        lessons = self.lessons[size]
        times = lessons.contents[0].numel() // self.lessons[0].contents[0].numel()
        numbers = batch[1][: max(1, len(batch[1]) // times)].cpu()
        styles = [self.style_at(round_ * len(numbers) + i) for i in range(len(numbers))]
        shares = {s: numbers[torch.tensor(styles) == s] for s in sorted(set(styles))}
        g_x, g_y = (
            resized(g, lessons.contents.shape[-2:]) for g in (self.model.g_x, self.model.g_y)
        )
        contents = from_bytes(lessons.contents[torch.cat([*shares.values()])]).to(batch[0])
        parts = g_x(contents).split([len(share) for share in shares.values()])
        latents = [self.operate(s, part) for s, part in zip(shares, parts, strict=True)]
        made = g_y.inverse(torch.cat(latents))
        truth = torch.cat([self.target(s, lessons, share) for s, share in shares.items()])
        error = made - truth.to(made)
        self.log("loss", error.square().mean(), sync_dist=True)
        some = torch.randperm(len(shares))[: max(1, UNDONE // times)]
        firsts = torch.tensor([0, *(len(share) for share in shares.values())]).cumsum(0)[some]
        return weighed_error(error, self.model.factor) + self.penalty(
            [[*shares][i] for i in some], contents[firsts], made[firsts]
        )


class StyleTraining(StyleMatching):
    """Trains the bijections together with the operators that the model has, and with others.

    A g that has seen few styles fits few. So some contents meet styles that are not kept: those
    of the teachers in other colors, and the one that leaves contents as they are. A style forgets
    some of its content, and what it forgets wholly can't be undone: so some stylized contents
    are undone with noise, which must not grow large.

    Args:
        model: With all styles; trained in place.
        lessons: As `StyleMatching` takes them.
        steps: Steps of the whole run, for the decay of the learning rate.
        variations: How many styles in other colors; none, and all contents meet the teachers.
        learning_rate: Peak learning rate.
    """

    colors: Tensor

    def __init__(
        self,
        model: StyleTransfer,
        lessons: Sequence[Lessons],
        steps: int,
        variations: int = 0,
        learning_rate: float = 2e-3,
    ) -> None:
        super().__init__(model, lessons, steps, learning_rate)
        first, channels = model.operator(model.names[0]), model.g_x.in_shape[0]
        count = variations + 1 if variations else 0
        self.others = nn.ModuleList(copy.deepcopy(first) for _ in range(count))
        matrices = torch.empty(variations, channels, channels)
        for matrix in matrices:  # mixes channels, of which some are negatives, and keeps grays gray
            nn.init.orthogonal_(matrix)
        self.register_buffer("colors", matrices)

    def style_at(self, turn: int) -> int:
        """The teachers in turn; in place of every fourth one of the others, if there are any."""
        count = len(self.model.names)
        if not len(self.others):
            return turn % count
        lesson, is_other = turn // OTHERS, turn % OTHERS == OTHERS - 1
        if is_other:
            return count + lesson % len(self.others)
        return (turn - lesson) % count

    def target(self, style: int, lessons: Lessons, numbers: Tensor) -> Tensor:
        """What a style makes of the contents of these numbers, in [-1, 1]."""
        other = style - len(self.model.names)
        if other < 0:
            return super().target(style, lessons, numbers)
        if other == len(self.colors):
            return from_bytes(lessons.contents[numbers])
        made = super().target(other % len(self.model.names), lessons, numbers)
        return torch.einsum("oc,nchw->nohw", self.colors[other].cpu(), made).clamp(-1, 1)

    def operator(self, style: int) -> SymmetricConvolution:
        """The operator of style number `style`; the others come last, and plain at their end."""
        other = style - len(self.model.names)
        operator = self.others[other] if other >= 0 else self.model.styles[self.model.names[style]]
        assert isinstance(operator, SymmetricConvolution)
        return operator

    def operate(self, style: int, z: Tensor) -> Tensor:
        """The operator of style number `style` on latents (B, c, h, w)."""
        out: Tensor = operator_for(z.shape[-3:], self.operator(style))(z)
        return out

    def penalty(self, styles: Sequence[int], contents: Tensor, made: Tensor) -> Tensor | float:
        """For noise that undoing the styles amplifies: `log(|undo(y + n) - x| / c |n|)²`, if > 0.

        Args:
            styles: The number of the style of each content.
            contents: x, (N, C, H, W).
            made: y, of the same shape.
        """
        g_x, g_y = (resized(g, contents.shape[-2:]) for g in (self.model.g_x, self.model.g_y))
        z = g_y(made + NOISE * torch.randn_like(made))
        latents = [
            _solved(self.operator(s).resized(w.shape[1:]), w)
            for s, w in zip(styles, z, strict=True)
        ]
        rest = (g_x.inverse(torch.stack(latents)) - contents) / (AMPLIFIED * NOISE)
        return UNDO_WEIGHT * (rest.square().mean((1, 2, 3)).log() / 2).relu().square().mean()

    @property
    def plain(self) -> SymmetricConvolution | None:
        """The operator that leaves contents as they are, if one was trained."""
        return self.operator(len(self.model.names) + len(self.colors)) if len(self.others) else None


def _solved(A: SymmetricConvolution, y: Tensor) -> Tensor:
    """A⁻¹ y of latents (C, H, W), with a derivative."""
    spectrum = A.transform(y).movedim(0, -1)
    return idct2(torch.linalg.solve(A.response(), spectrum).movedim(-1, 0))
