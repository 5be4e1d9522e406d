"""What all adapters share: any batch axes for maps that take exactly one."""

import abc

from torch import Tensor

from linearizer._checks import check_event
from linearizer.bijections import Bijection, HasLogDet


class ForeignBijection(Bijection, HasLogDet, abc.ABC):
    """A bijection of another library.

    It holds what it adapts as a submodule, so that parameters, `state_dict`, dtype and device
    are those of any module. It is not written by `save_pretrained`, which would not know how to
    build the other library's objects again: keep its `state_dict`.
    """

    @abc.abstractmethod
    def _forward_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and log-determinants (N,) of points (N, *in_shape)."""

    @abc.abstractmethod
    def _inverse_rows(self, z: Tensor) -> Tensor:
        """Points of latents (N, *out_shape)."""

    def forward(self, x: Tensor) -> Tensor:
        """The other library's map from data to latents."""
        return self.forward_and_log_det(x)[0]

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map and its log-determinant."""
        check_event(x, self.in_shape, self)
        batch = x.shape[: x.ndim - len(self.in_shape)]
        if not batch.numel():  # which many libraries do not take
            return x.new_zeros(*batch, *self.out_shape), x.new_zeros(batch)
        z, log_det = self._forward_rows(x.reshape(batch.numel(), *self.in_shape))
        return z.reshape(*batch, *self.out_shape), log_det.reshape(batch)

    def inverse(self, z: Tensor) -> Tensor:
        """The other library's map back."""
        check_event(z, self.out_shape, self)
        batch = z.shape[: z.ndim - len(self.out_shape)]
        if not batch.numel():
            return z.new_zeros(*batch, *self.in_shape)
        x = self._inverse_rows(z.reshape(batch.numel(), *self.out_shape))
        return x.reshape(*batch, *self.in_shape)
