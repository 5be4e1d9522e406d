"""Transforms of torch.distributions, and zuko's, which are modules that make such transforms."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from torch.distributions.transforms import _InverseTransform

from linearizer.adapters.third_party import ThirdPartyBijection
from linearizer.errors import ShapeError

_Held = Tensor | nn.Module
_Replace = Callable[[str, _Held], _Held]


class ZukoBijection(ThirdPartyBijection):
    """`x ↦ lazy()(x)` for a lazy transform of zuko, or the transform of one of its flows.

    Args:
        lazy: A `zuko.lazy.LazyTransform`, or a `zuko.lazy.Flow`, without context; or any module
            that returns a `torch.distributions.Transform` when it is called.
        shape: Event shape.

    Raises:
        ShapeError: If it takes a context, or is for other event shapes.

    Example, with zuko installed::

        g = ZukoBijection(zuko.flows.NSF(features=5, transforms=3), 5)
        f = linearizer.Linearizer(g, torch.randn(5, 5))
    """

    def __init__(self, lazy: nn.Module, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        self.shape = self.in_shape
        inner = getattr(lazy, "transform", None)  # a flow beside its base distribution
        is_flow = isinstance(inner, nn.Module) and not isinstance(inner, nn.ModuleList)
        self.lazy: nn.Module = lazy.transform if is_flow else lazy  # type: ignore[assignment]
        self._try_out()

    def _forward_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return _call(self._transform(), x, len(self.in_shape))

    def _inverse_rows(self, z: Tensor) -> Tensor:
        point: Tensor = self._transform().inv(z)
        return point

    def _transform(self) -> Transform:
        transform: Transform = self.lazy()
        return transform


class TransformBijection(ThirdPartyBijection):
    """A bijective `torch.distributions.Transform`, whose tensors become buffers or parameters.

    Args:
        transform: Of events of `shape`, or of single numbers; composed ones too.
        shape: Event shape.

    Raises:
        ShapeError: If the transform is not bijective, changes the shape, or is of larger events.

    Example:
        >>> import torch
        >>> from torch.distributions.transforms import AffineTransform
        >>> from linearizer.adapters import TransformBijection
        >>> g = TransformBijection(AffineTransform(torch.zeros(3), torch.tensor([1., 2., 4.])), 3)
        >>> g(torch.ones(2, 3))[0], g.forward_and_log_det(torch.ones(2, 3))[1]
        (tensor([1., 2., 4.]), tensor([2.08, 2.08]))
    """

    def __init__(self, transform: Transform, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        self.shape = self.in_shape
        axes = transform.domain.event_dim
        if (
            not transform.bijective
            or axes > len(self.in_shape)
            or axes != transform.codomain.event_dim
            or transform.forward_shape(torch.Size(self.in_shape)) != self.in_shape
        ):
            raise ShapeError(
                f"expected a bijective transform of events {self.in_shape}, got {transform}"
            )
        # A function is not copied with the module: copies of inverse transforms are empty.
        self._with: Callable[[_Replace], Transform] = lambda value: _with(transform, value)
        self._with(self._register)
        self._try_out()

    def _register(self, name: str, value: _Held) -> _Held:
        if isinstance(value, nn.Module):
            self.add_module(name, value)
        elif isinstance(value, nn.Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)
        return value

    @property
    def transform(self) -> Transform:
        """The transform, of the tensors as they are now: converted, moved, loaded or swapped."""
        return self._with(lambda name, value: getattr(self, name))

    def _is_defined_at(self, x: Tensor) -> bool:
        return bool(self.transform.domain.check(x).all())

    def _forward_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return _call(self.transform, x, len(self.in_shape))

    def _inverse_rows(self, z: Tensor) -> Tensor:
        point: Tensor = self.transform.inv(z)
        return point


def _call(transform: Transform, x: Tensor, event_axes: int) -> tuple[Tensor, Tensor]:
    """The image and the log-determinant, summed over all axes of the event."""
    z: Tensor = transform(x)
    log_det: Tensor = transform.log_abs_det_jacobian(x, z)
    missing = event_axes - transform.domain.event_dim
    return z, log_det.flatten(-missing).sum(-1) if missing else log_det


def _with(
    transform: Transform, value: Callable[[str, _Held], _Held], prefix: str = ""
) -> Transform:
    """A copy of a transform that holds other tensors, asked for by name, and remembers nothing."""
    twin = copy.copy(transform)
    for name, old in list(vars(transform).items()):
        full = f"{prefix}{name}".strip("_")
        if name == "_cached_x_y":
            twin._cached_x_y = (None, None)
        elif name == "_inv" and not isinstance(transform, _InverseTransform):
            pass  # remembered as well
        elif isinstance(old, _Held):
            setattr(twin, name, value(full, old))
        elif isinstance(old, Transform):
            setattr(twin, name, _with(old, value, f"{full}_"))
        elif isinstance(old, list):
            parts = [
                _with(part, value, f"{full}_{i}_") if isinstance(part, Transform) else part
                for i, part in enumerate(old)
            ]
            setattr(twin, name, parts)
    return twin
