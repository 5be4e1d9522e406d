"""Image data for training and measuring."""

from linearizer.data.digits import load_digits
from linearizer.data.images import Images
from linearizer.data.mnist import load_mnist

__all__ = ["Images", "load_digits", "load_mnist"]
