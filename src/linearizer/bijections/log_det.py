"""The log-determinant, and which bijections have a cheap one."""

import abc

from torch import Tensor

from linearizer.bijections.base import Bijection


class HasLogDet(abc.ABC):
    """Whether a bijection knows `log|det J_g(x)|` without its Jacobian: ask with `isinstance`.

    Every one does that defines `_forward_and_log_det`; nothing need derive from this class.

    Example:
        >>> import linearizer as lz
        >>> isinstance(lz.ActNorm(3), lz.bijections.HasLogDet)
        True
    """

    @abc.abstractmethod
    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image and the log-determinants of points that fit."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        own = getattr(other, "_forward_and_log_det", None)
        return own not in (None, Bijection._forward_and_log_det)


class VolumePreserving(Bijection, abc.ABC):
    """A bijection with `|det J_g| = 1` everywhere."""

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._forward(x), x.new_zeros(x.shape[: x.ndim - len(self.in_shape)])
