"""How far pictures are from each other in style: the Gram matrices of a network's features."""

import torch
from torch import Tensor

from linearizer.errors import ShapeError
from linearizer.metrics.squeezenet import SqueezeNet


@torch.no_grad()
def gram_distance(images: Tensor, style_pictures: Tensor, backbone: SqueezeNet) -> Tensor:
    """How far images are in style from other pictures: their colors and textures, not their places.

    With `F_l` the features (c, h·w) of layer l and `G_l = F_l F_lᵀ / (c·h·w)` their Gram matrix,
    `d(x, s) = Σ_l mean (G_l(x) - G_l(s))²`, over the seven layers of the backbone. Zero for one
    picture, symmetric. Of the published network, two photographs or two pictures of one style are
    about 1 apart, pictures of two styles about 2 to 6. Compare only numbers of one network, of
    images of one size.

    Args:
        images: (N, 3, H, W) or (N, 1, H, W) in [-1, 1].
        style_pictures: One for each image, or one for all; their size may be another.
        backbone: The network; also `LPIPS.backbone`.

    Returns:
        Distances (N,).

    Raises:
        ShapeError: If there are several pictures, and not as many as images.

    Source: Gatys, Ecker, Bethge, arXiv:1508.06576, with the weight of a layer that Johnson,
    Alahi, Fei-Fei give it, arXiv:1603.08155.

    Example:
        >>> import torch
        >>> from linearizer.metrics import SqueezeNet, gram_distance
        >>> untrained, x = SqueezeNet(), torch.rand(2, 3, 64, 64) * 2 - 1
        >>> gram_distance(x, x, untrained)
        tensor([0., 0.])
    """
    if len(style_pictures) not in (1, len(images)):
        raise ShapeError(
            f"expected one style picture or {len(images)}, one for each image, got "
            f"{len(style_pictures)}; pass one of them at a time"
        )
    total = images.new_zeros(len(images))
    for a, b in zip(backbone(images), backbone(style_pictures), strict=True):
        total = total + (_gram(a) - _gram(b)).square().mean((1, 2))
    return total


def _gram(features: Tensor) -> Tensor:
    rows = features.flatten(2)
    return rows @ rows.mT / rows[0].numel()
