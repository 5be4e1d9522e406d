"""A bijection with a given zero vector."""

from torch import Tensor

from linearizer._checks import check_finite, check_like, reference
from linearizer.bijections import inner
from linearizer.bijections.base import Bijection
from linearizer.errors import ShapeError


class Anchored(Bijection):
    """`x ↦ g(x) - g(anchor)`: the anchor is the zero vector of the induced space.

    Whatever g is trained or loaded to, the anchor stays there, so a linear map keeps it: it is
    the equilibrium of the dynamics `dz/dt = L z`.

    Args:
        bijection: g.
        anchor: A point of g, of its event shape.

    Raises:
        ShapeError: If the anchor is no point of g.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.Anchored(lz.vector_bijection(3), torch.tensor([1., 2., 3.]))
        >>> g(torch.tensor([1., 2., 3.])).tolist()
        [0.0, 0.0, 0.0]
    """

    anchor: Tensor

    def __init__(self, bijection: Bijection, anchor: Tensor) -> None:
        if anchor.shape != bijection.in_shape:
            raise ShapeError(
                f"expected an anchor {bijection.in_shape}, one point of g, got "
                f"{tuple(anchor.shape)}"
            )
        check_like(anchor, reference(bijection), "an anchored bijection")
        check_finite(anchor, "the anchor")
        super().__init__(bijection.in_shape, bijection.out_shape)
        self.bijection = bijection
        self.register_buffer("anchor", anchor)

    def _forward(self, x: Tensor) -> Tensor:
        return inner.forward(self.bijection, x) - self._origin()

    def _inverse(self, z: Tensor) -> Tensor:
        return inner.inverse(self.bijection, z + self._origin())

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = inner.forward_and_log_det(self.bijection, x)
        return z - self._origin(), log_det

    def _origin(self) -> Tensor:
        """g(anchor), as a batch of one: some layers take no event alone."""
        return inner.forward(self.bijection, self.anchor[None])[0]
