"""How far images are from those that a style shall make."""

from torch import Tensor
from torch.nn.functional import avg_pool2d, pixel_unshuffle

GRID_WEIGHT = 0.5
"""Of errors that repeat with the period of the blocks, beside 1 for the squared error."""


def weighed_error(error: Tensor, block: int) -> Tensor:
    """The mean square of errors (N, C, H, W), and what of it repeats from block to block again.

    A grid is seen before any other error.
    """
    return error.square().mean() + GRID_WEIGHT * block_pattern(error, block)


def block_pattern(error: Tensor, block: int) -> Tensor:
    """The mean square of what errors (N, C, H, W) repeat from block to block.

    That is their average over a window of blocks, by place in a block and without the mean of all
    places: over 4 × 4 blocks, over each row of blocks and over each column. Each is multiplied by
    the number of blocks in the window, so that errors without a pattern count alike in all.
    """
    places = pixel_unshuffle(error, block)
    rows, columns = places.shape[-2:]
    total = error.new_zeros(())
    for window in ((min(4, rows), min(4, columns)), (1, columns), (rows, 1)):
        repeated = avg_pool2d(places, window).unflatten(1, (error.shape[1], block**2))
        pattern = repeated - repeated.mean(2, keepdim=True)
        total = total + window[0] * window[1] * pattern.square().mean()
    return total
