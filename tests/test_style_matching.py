"""What the training of styles lowers: squared errors, patterns of blocks, large inverses."""

import math

import pytest
import torch
from torch import nn

import linearizer as lz
from linearizer.applications import StyleTransfer
from linearizer.training import StyleTraining
from linearizer.training.objectives.style_matching import (
    FREQUENCIES,
    INVERSE_NORM,
    Lessons,
    block_pattern,
    excess_of_inverse,
)


def convolution(scale: float, size: tuple[int, int] = (8, 8)) -> lz.SymmetricConvolution:
    kernel = torch.zeros(4, 4, 3, 3)
    kernel[:, :, 0, 0] = scale * torch.eye(4)
    return lz.SymmetricConvolution(nn.Parameter(kernel), size)


def training(variations: int) -> StyleTraining:
    shape = (3, 16, 16)
    g_x, g_y = (lz.style_bijection(shape, depth=1, width=8) for _ in range(2))
    kernel = torch.zeros(48, 48, 2, 2)
    kernel[:, :, 0, 0] = torch.eye(48)
    styles = {
        name: lz.SymmetricConvolution(nn.Parameter(kernel.clone()), g_x.out_shape[1:])
        for name in ("first", "second")
    }
    contents = torch.randint(256, (8, *shape), dtype=torch.uint8)
    lessons = [Lessons(contents, torch.stack([contents, 255 - contents]))]
    return StyleTraining(StyleTransfer(g_x, g_y, styles), lessons, 10, variations)


def test_an_inverse_of_bounded_size_is_not_punished() -> None:
    for scale in (1.0, -3.0, 1.2 / INVERSE_NORM):
        assert excess_of_inverse(convolution(scale)) == 0


def test_a_large_inverse_is_punished_by_the_logarithm_of_its_size() -> None:
    excess = excess_of_inverse(convolution(0.1 / INVERSE_NORM))
    # The damping holds back a little of what is that small.
    assert 0.8 * math.log(10) ** 2 < excess.item() < math.log(10) ** 2


def test_the_inverse_is_looked_at_at_all_frequencies() -> None:
    kernel = torch.zeros(4, 4, 3, 3)
    kernel[:, :, 0, 0] = torch.eye(4)
    kernel[0, 0, 1, 0] = -0.5  # 1 - cos: singular at the frequency 0 alone
    assert excess_of_inverse(lz.SymmetricConvolution(kernel, (8, 8))) > 0


def test_what_is_singular_has_a_gradient_that_helps() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.zeros(4, 4, *FREQUENCIES))
    kernel.data[:, :, 0, 0] = torch.eye(4) * torch.tensor([1.0, 1.0, 1.0, 1e-6])
    optimizer = torch.optim.Adam([kernel], 1e-3)
    first = last = excess_of_inverse(lz.SymmetricConvolution(kernel, FREQUENCIES))
    for _ in range(100):
        optimizer.zero_grad()
        last = excess_of_inverse(lz.SymmetricConvolution(kernel, FREQUENCIES))
        last.backward()
        assert kernel.grad is not None
        assert kernel.grad.isfinite().all()
        optimizer.step()
    assert last < first / 10


def test_a_pattern_of_blocks_is_seen_and_what_has_none_is_not() -> None:
    torch.manual_seed(0)
    pattern = torch.randn(1, 3, 4, 4)
    repeated = pattern.repeat(2, 1, 8, 8)
    noise = torch.randn(2, 3, 32, 32)
    assert block_pattern(torch.full_like(noise, 0.3), 4) < 1e-12
    assert block_pattern(repeated, 4) > 7 * block_pattern(noise, 4)


@pytest.mark.parametrize("variations", [0, 2])
def test_plain_is_trained_where_styles_in_other_colors_are(variations: int) -> None:
    module = training(variations)
    turns = [module.style_at(turn) for turn in range(24)]
    assert set(turns) == set(range(2 + (variations + 1 if variations else 0)))
    assert turns.count(0) == turns.count(1)
    if not variations:
        assert module.plain is None
        return
    contents = module.lessons[0].contents[:2]
    plain = 2 + variations
    target = module.target(plain, module.lessons[0], torch.tensor([0, 1]))
    assert torch.equal(target, lz.data.images.from_bytes(contents))
    assert module.plain is module.operator(plain)


def test_training_lowers_the_loss_and_keeps_what_was_done_undoable() -> None:
    torch.manual_seed(0)
    module = training(2)
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    batch = torch.zeros(1), torch.arange(8)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = _step(module, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        back = module.model.undo(module.model.stylize(x, "second"), "second")
    assert (back - x).abs().max() < 1e-3


def _step(module: StyleTraining, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """A step outside of a trainer, which counts none of them."""
    module.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    return module.training_step(batch)
