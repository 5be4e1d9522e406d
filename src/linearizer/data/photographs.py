"""Pieces of photographs, for what is to hold on images that are none of the data."""

import torch

from linearizer._extras import needs_extra


def pieces_of_photographs(count: int, size: int = 28, seed: int = 0) -> torch.Tensor:
    """Gray squares (count, 1, size, size) cut at random from the two photographs of scikit-learn.

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
        gray = torch.tensor(photograph).float().mean(-1) / 127.5 - 1
        for _ in range(-(-count // 2)):
            top, left = (
                int(torch.randint(side - size + 1, (), generator=random)) for side in gray.shape
            )
            pieces.append(gray[top : top + size, left : left + size])
    return torch.stack(pieces)[:count, None]
