"""What the training of styles lowers: squared errors, patterns of blocks, large inverses."""

import pytest
import torch
from torch import nn

import linearizer as lz
from linearizer.applications import StyleTransfer
from linearizer.applications.style_transfer.likeness import block_pattern
from linearizer.data.images import from_bytes
from linearizer.training import StyleTraining
from linearizer.training.objectives.style_matching import (
    AMPLIFIED,
    Lessons,
)


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


def penalty(scale: float) -> float:
    """For a style that makes one kind of latents so small."""
    torch.manual_seed(0)
    module = training(0)
    kernel = module.operator(1).kernel
    kernel.data[0, 0, 0, 0] = scale
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    made = module.model.stylize(x, "second")
    value = torch.as_tensor(module.penalty([1, 1], x, made))
    (gradient,) = torch.autograd.grad(value, kernel)
    assert gradient.isfinite().all()
    # Where there is a penalty, a larger entry lowers it.
    assert (gradient[0, 0, 0, 0] < 0) == (value.item() > 0)
    return value.item()


def test_what_can_be_undone_has_no_penalty() -> None:
    assert penalty(1.0) == 0
    assert penalty(20 / AMPLIFIED) == 0


def test_noise_that_undoing_amplifies_has_one_and_more_of_it_a_larger() -> None:
    assert 0 < penalty(1 / AMPLIFIED / 20) < penalty(1 / AMPLIFIED / 200)


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
    assert torch.equal(target, from_bytes(contents))
    assert module.plain is module.operator(plain)


def test_training_lowers_the_loss_and_keeps_what_was_done_undoable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    module = training(2)
    monkeypatch.setattr(module, "log", lambda *_, **__: None)  # there is no trainer
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    batch = torch.zeros(1), torch.arange(8)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = module.training_step(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        back = module.model.undo(module.model.stylize(x, "second"), "second")
    assert (back - x).abs().max() < 1e-3
