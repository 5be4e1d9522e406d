"""Pieces of photographs, for what is to hold on images that are none of the data."""

import torch

from linearizer._extras import needs_extra


def pieces_of_photographs(
    count: int, size: int = 28, seed: int = 0, *, gray: bool = True
) -> torch.Tensor:
    """Squares (count, C, size, size) cut at random from the two photographs of scikit-learn.

    Args:
        count: How many.
        size: Side of each.
        seed: Of their places.
        gray: Whether they have one channel, or red, green and blue.

    Raises:
        MissingExtraError: If scikit-learn is not installed.

    Example:
        >>> from linearizer.data import pieces_of_photographs
        >>> pieces_of_photographs(4).shape
        torch.Size([4, 1, 28, 28])
    """
    with needs_extra("scikit-learn"):
        from sklearn.datasets import load_sample_images  # noqa: PLC0415
    random = torch.Generator().manual_seed(seed)
    pieces = []
    for photograph in load_sample_images().images:
        image = torch.tensor(photograph).float().movedim(-1, 0) / 127.5 - 1
        if gray:
            image = image.mean(0, keepdim=True)
        for _ in range(-(-count // 2)):
            top, left = (
                int(torch.randint(side - size + 1, (), generator=random))
                for side in image.shape[1:]
            )
            pieces.append(image[:, top : top + size, left : left + size])
    return torch.stack(pieces)[:count]
