"""Image data for training and measuring."""

from linearizer.data.digits import load_digits
from linearizer.data.images import Images

__all__ = ["Images", "load_digits"]
