"""What all adapters share: any batch axes for maps that take exactly one."""

import abc
import copy

import torch
from torch import Tensor

from linearizer._checks import Shape, check_image, reference
from linearizer.bijections import Bijection
from linearizer.errors import LinearizerError, ShapeError

FAR = 0.1
"""How far from where they were normal points come back if a flow is no bijection of them."""


class ThirdPartyBijection(Bijection, abc.ABC):
    """A bijection of another library.

    It holds what it adapts as a submodule, so that parameters, `state_dict`, dtype and device
    are those of any module. It is not written by `save_pretrained`, which would not know how to
    build the other library's objects again: keep its `state_dict`.

    Each adapter tries out a copy of what it was given, by sending two points there and back.
    """

    @abc.abstractmethod
    def _forward_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and log-determinants (N,) of points (N, *in_shape)."""

    @abc.abstractmethod
    def _inverse_rows(self, z: Tensor) -> Tensor:
        """Points of latents (N, *out_shape)."""

    def _forward(self, x: Tensor) -> Tensor:
        return self._forward_and_log_det(x)[0]

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        batch = x.shape[: x.ndim - len(self.in_shape)]
        if not batch.numel():  # which many libraries do not take
            return x.new_zeros(*batch, *self.out_shape), x.new_zeros(batch)
        rows = x.reshape(batch.numel(), *self.in_shape)
        z, log_det = self._forward_rows(rows)
        self._check_event(z, self.out_shape)
        check_image(log_det, rows, self.in_shape, (), "the log-determinant of the flow")
        return z.reshape(*batch, *self.out_shape), log_det.reshape(batch)

    def _inverse(self, z: Tensor) -> Tensor:
        batch = z.shape[: z.ndim - len(self.out_shape)]
        if not batch.numel():
            return z.new_zeros(*batch, *self.in_shape)
        x = self._inverse_rows(z.reshape(batch.numel(), *self.out_shape))
        self._check_event(x, self.in_shape)
        return x.reshape(*batch, *self.in_shape)

    def _check_event(self, image: object, shape: Shape) -> None:
        """Refuse another shape of as many numbers, which `reshape` would hide."""
        if not isinstance(image, Tensor):
            raise ShapeError(
                f"expected a flow with one tensor of events {shape} as its output, got a "
                f"{type(image).__name__}; leave out the layers that split it"
            )
        if tuple(image.shape[1:]) != shape:
            raise ShapeError(
                f"expected events {shape} from the flow, got {tuple(image.shape[1:])}; pass the "
                "event shape of its output as out_shape, or leave out the layer that reshapes"
            )

    def _is_defined_at(self, x: Tensor) -> bool:
        """Whether points are in the domain, which need not be all of R^n."""
        return True

    def _try_out(self) -> None:
        """Refuse what is no bijection of these events alone, here rather than when it is used.

        A copy is tried, because some flows take their numbers from the first batch they see.

        Raises:
            ShapeError: If the flow needs a condition, returns several tensors, changes the shape,
                or does not come back.
        """
        like = reference(self)
        try:
            twin = None if like is not None and like.is_meta else copy.deepcopy(self).float()
        except RuntimeError:  # it holds results of autograd: its first use will show
            twin = None
        if twin is None:
            return
        draws = torch.Generator().manual_seed(0)
        x = torch.randn(2, *self.in_shape, generator=draws, dtype=torch.float32, device="cpu")
        x = x if like is None else x.to(like.device)
        try:
            with torch.no_grad():
                error = float((twin.inverse(twin(x)) - x).abs().max())
                defined = twin._is_defined_at(x)
        except LinearizerError:
            raise
        except Exception as reason:  # of the other library, so of any class
            said = str(reason).strip().partition("\n")[0]
            raise ShapeError(
                f"expected a flow that maps events {self.in_shape} there and back without a "
                f"condition, got {type(reason).__name__} ({said}); pass the shape that it is "
                "for, or a module of your own that calls it with the condition"
            ) from reason
        if defined and error > FAR:
            raise ShapeError(
                f"expected a flow that maps events {self.in_shape} there and back, got points "
                f"that come back {error:.2g} away; pass the event shape that it was built for"
            )
