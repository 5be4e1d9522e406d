"""The 1,797 handwritten digits of 8×8 pixels that scikit-learn ships."""

import torch

from linearizer._extras import needs_extra
from linearizer.data.images import Images


def load_digits() -> Images:
    """All 1,797 digits (1, 8, 8) in 17 gray levels, from scikit-learn; nothing is downloaded.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.

    Raises:
        MissingExtraError: If scikit-learn is not installed.

    Example:
        >>> from linearizer.data import load_digits
        >>> digits = load_digits()
        >>> len(digits), digits.shape
        (1797, (1, 8, 8))
    """
    with needs_extra("scikit-learn"):
        from sklearn import datasets  # noqa: PLC0415  (slow to import, and an extra)

    bunch = datasets.load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1)
    return Images(images / 8 - 1, torch.tensor(bunch.target), quantization_levels=17)
