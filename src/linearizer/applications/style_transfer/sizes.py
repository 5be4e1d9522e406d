"""Images of any size, for bijections that are built for one."""

from collections.abc import Sequence
from types import EllipsisType

from torch import Tensor, nn

from linearizer._checks import Shape, check_event
from linearizer.bijections import Bijection
from linearizer.errors import ShapeError
from linearizer.operators import Convolution, LinearOperator

Crop = tuple[EllipsisType, slice, slice]


def check_pair(g_x: Bijection, g_y: Bijection) -> None:
    """Raise unless both map images of one shape to latents of one shape."""
    if g_x.in_shape != g_y.in_shape or g_x.out_shape != g_y.out_shape:
        raise ShapeError(
            f"expected two bijections of one kind of images, got {g_x.in_shape} to "
            f"{g_x.out_shape} and {g_y.in_shape} to {g_y.out_shape}"
        )
    if len(g_x.in_shape) != 3 or len(g_x.out_shape) != 3:
        raise ShapeError(
            f"expected bijections of images (C, H, W) to images, got {g_x.in_shape} to "
            f"{g_x.out_shape}; style_bijection makes them"
        )


def check_operator(operator: LinearOperator, given: Shape, made: Shape) -> None:
    """Raise unless an operator maps latents of these shapes."""
    if (operator.in_shape, operator.out_shape) != (given, made):
        raise ShapeError(
            f"expected an operator {given} -> {made}, got {operator.in_shape} -> "
            f"{operator.out_shape}; it was made for another g"
        )


def resized(g: Bijection, size: Sequence[int]) -> Bijection:
    """g for images (C, *size), and g itself where they have that size already."""
    return g if tuple(size) == g.in_shape[1:] else g.resized(size)


def factor(g: Bijection) -> int:
    """What the sides of an image must be multiples of: the side of the blocks of g."""
    return g.in_shape[1] // g.out_shape[1]


def operator_for(shape: Shape, operator: LinearOperator) -> LinearOperator:
    """An operator for latents of a shape: a convolution fits any size, others their own."""
    if operator.in_shape == shape:
        return operator
    if not isinstance(operator, Convolution):
        raise ShapeError(
            f"expected a convolution to use on latents {shape}, got a "
            f"{type(operator).__name__} for {operator.in_shape}"
        )
    return operator.resized(shape[1:])


def padded(images: Tensor, channels: int, factor: int, smallest: int) -> tuple[Tensor, Crop]:
    """Images reflected at two sides until the factor divides them, and where in them they were.

    Args:
        images: (*batch, channels, H, W).
        channels: Of the images.
        factor: Of the padded sides.
        smallest: Shortest side that images may have.

    Raises:
        ShapeError: If the images are too small or have other channels.
    """
    height, width = images.shape[-2:]
    check_event(images, (channels, height, width), "style transfer")
    if min(height, width) < smallest:
        raise ShapeError(
            f"expected images of at least {smallest}×{smallest} pixels, got {height}×{width}; "
            "enlarge them"
        )
    pad = (0, -width % factor, 0, -height % factor)
    flat = images.reshape(-1, channels, height, width)
    flat = nn.functional.pad(flat, pad, mode="reflect") if any(pad) else flat
    whole = flat.reshape(*images.shape[:-2], *flat.shape[-2:])
    return whole, (..., slice(height), slice(width))
