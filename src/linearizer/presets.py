"""Ready-made bijections: a good g in one call."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from linearizer._checks import as_shape
from linearizer.bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    Conv1x1,
    Flatten,
    Haar,
    Lapped,
    PartialBijection,
    Patches,
    Permute,
)
from linearizer.conditioners import MLP, ConvNet, PatchTransformer
from linearizer.errors import RangeError, ShapeError

LARGEST_DENSE_IMAGE = 32 * 32

Bounds = Mapping[str, Any]


def vector_bijection(
    dim: int,
    *,
    depth: int = 4,
    width: int = 128,
    log_scale_bound: float = 1.0,
    start: Literal["identity", "random"] = "identity",
    saturation: float | None = None,
) -> Bijection:
    """A bijection of R^dim: affine couplings with perceptrons, and permutations between.

    Training starts best where each coupling is the identity, and g a permutation: then a
    Linearizer on it is an ordinary matrix. A random start is visibly nonlinear, to try things out
    before anything is trained.

    Args:
        dim: Length of the vectors, at least 2.
        depth: Couplings.
        width: Hidden units of each perceptron.
        log_scale_bound: Largest absolute log-scale of one coupling.
        start: What g is before training: `identity`, up to the order of the entries, or `random`.
        saturation: Of the inputs of perceptrons; none if not given.

    Returns:
        A chain with `in_shape == out_shape == (dim,)`.

    Raises:
        ShapeError: If the dimension is below 2.
        RangeError: If there is no such start.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.vector_bijection(8)(torch.randn(5, 8)).shape
        torch.Size([5, 8])
    """
    if dim < 2:
        raise ShapeError(f"expected a dimension of at least 2, got {dim}; couplings split vectors")
    if start not in ("identity", "random"):
        raise RangeError(f"expected start 'identity' or 'random', got '{start}'")
    layers = _dense_layers(
        dim, depth, MLP(width, saturation=saturation), {"log_scale_bound": log_scale_bound}
    )
    if start == "random":
        for layer in layers:
            _start_at_random(layer)
    return Chain(*layers)


def image_bijection(
    shape: Sequence[int],
    *,
    layout: Literal["auto", "dense", "wavelet", "patch"] = "auto",
    depth: int = 12,
    width: int | None = None,
    levels: int = 2,
    patch: int = 4,
    log_scale_bound: float = 1.0,
    shift_bound: float | None = None,
    saturation: float | None = None,
) -> Bijection:
    """A bijection of images (C, H, W) to vectors (C·H·W,).

    All layouts end in large matrix products: small convolutions are slow on processors.
    `dense` flattens and couples with perceptrons, the better one for small images and short
    training. `wavelet` does so with the coarse part of the image alone, and moves the finer
    details as the coarser ones determine (Wavelet Flow, arXiv:2010.13821): large images on a
    processor. `patch` couples patch tokens with transformers (Jet, arXiv:2412.15129), for
    large images and accelerators.

    Args:
        shape: (C, H, W).
        layout: `auto` takes `dense` for images of up to 1,024 numbers, and `wavelet` above.
        depth: Couplings; of the coarse part, for wavelets.
        width: Hidden width of each network; 64 (patch) or 768 if not given.
        levels: How often wavelets halve the sides.
        patch: Side of a patch, a divisor of H and W.
        log_scale_bound: Largest absolute log-scale of one coupling.
        shift_bound: Largest absolute shift of one coupling; any if not given.
        saturation: Of the inputs of perceptrons; none if not given. With both and a bound of 0.5
            or less, g has a stable inverse on any input, however far from the data.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.image_bijection((1, 8, 8), depth=2, width=32)(torch.randn(5, 1, 8, 8)).shape
        torch.Size([5, 64])
        >>> lz.image_bijection((3, 64, 64), depth=2, width=32).out_shape
        (12288,)
    """
    shape = as_shape(shape)
    if len(shape) != 3:
        raise ShapeError(
            f"expected an image shape (C, H, W), got {shape}; for vectors use vector_bijection"
        )
    n = torch.Size(shape).numel()
    if layout == "auto":
        layout = "dense" if n <= LARGEST_DENSE_IMAGE else "wavelet"
    bounds = {"log_scale_bound": log_scale_bound, "shift_bound": shift_bound}
    perceptron = MLP(width or 768, saturation=saturation)
    if layout == "dense":
        return Chain(Flatten(shape), *_dense_layers(n, depth, perceptron, bounds))
    if layout == "wavelet":
        return _wavelet_layers(shape, levels, depth, perceptron, bounds)
    if layout == "patch":
        cut = Patches(shape, patch)
        tokens = _token_layers(cut.out_shape, depth, width or 64, bounds)
        return Chain(cut, *tokens, Flatten(cut.out_shape))
    raise RangeError(f"expected layout 'auto', 'dense', 'wavelet' or 'patch', got '{layout}'")


def style_bijection(
    shape: Sequence[int],
    *,
    factor: int = 4,
    depth: int = 6,
    width: int = 96,
    log_scale_bound: float = 0.5,
) -> Bijection:
    """A bijection of images to images of more channels, by convolutions alone: it resizes.

    A lapped transform, which leaves no grid in a picture as a squeeze does, and steps of Glow
    (arXiv:1807.03039): ActNorm, 1×1 convolution, coupling. The couplings' networks reflect at the
    border of the image and normalize over all of it, as those that stylize do.

    Args:
        shape: (C, H, W), with sides that `factor` divides.
        factor: Block of the lapped transform: latents are (C·factor², H/factor, W/factor).
        depth: Steps.
        width: Channels inside the couplings' networks.
        log_scale_bound: Largest absolute log-scale of one coupling.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.style_bijection((3, 16, 16), depth=1, width=8)
        >>> g.out_shape, g.resized((32, 64)).out_shape
        ((48, 4, 4), (48, 8, 16))
    """
    lapped = Lapped(shape, factor)
    latent = lapped.out_shape
    conditioner = ConvNet(width=width, padding="replicate", mixing=3, normalized=True)
    layers: list[Bijection] = [lapped]
    for _ in range(depth):
        coupling = AffineCoupling(latent, conditioner, log_scale_bound=log_scale_bound)
        layers += [ActNorm(latent), Conv1x1(latent), coupling]
    return Chain(*layers)


def _dense_layers(n: int, depth: int, conditioner: MLP, bounds: Bounds) -> list[Bijection]:
    layers: list[Bijection] = []
    for _ in range(depth):
        layers += [Permute(n), AffineCoupling(n, conditioner, **bounds)]
    return layers


@torch.no_grad()
def _start_at_random(layer: Bijection) -> None:
    """Draw the last layer of a coupling's network anew: twice as large as PyTorch would draw it.

    Then shifts and log-scales are of the size of the entries, whatever the width is.
    """
    linear = [part for part in layer.modules() if isinstance(part, nn.Linear)]
    if linear:
        weight: Tensor = linear[-1].weight
        weight.normal_(std=2 / weight.shape[1] ** 0.5)


def _wavelet_layers(
    shape: Sequence[int], levels: int, depth: int, conditioner: MLP, bounds: Bounds
) -> Bijection:
    """From fine to coarse: details moved as the averages determine, and last the averages alone."""
    haar = Haar(shape, levels)
    n = haar.out_shape[0]
    layers: list[Bijection] = [haar]
    for level in range(levels):
        size, kept = n >> 2 * level, n >> 2 * (level + 1)
        details = AffineCoupling(size, conditioner, first=kept, **bounds)
        layers.append(PartialBijection(details, n))
    layers.append(PartialBijection(Chain(*_dense_layers(kept, depth, conditioner, bounds)), n))
    return Chain(*layers)


def _token_layers(shape: Sequence[int], depth: int, width: int, bounds: Bounds) -> list[Bijection]:
    """Three couplings across shuffled channels, then one across the tokens, and so on."""
    layers: list[Bijection] = []
    for i in range(depth):
        axis = 0 if i % 4 == 3 and shape[0] % 2 == 0 else 1
        factory = PatchTransformer(width=width)
        layers += [Permute(shape, axis=axis), AffineCoupling(shape, factory, axis=axis, **bounds)]
    return layers
