"""Generators: the operator L of linear dynamics `dz/dt = L z`, and its exact flow `e^{Lt}`."""

import abc
import math
from typing import Self

import torch
from torch import Tensor, nn

from linearizer._modes import double_dtype, own_precision
from linearizer.errors import RangeError, ShapeError
from linearizer.operators.base import LinearOperator
from linearizer.operators.dense import Dense
from linearizer.operators.entries import apply_matrix, check_real, register


class Generator(LinearOperator, abc.ABC):
    """The operator L of `dz/dt = L z` on vectors (n,), with the flow `z(t) = e^{Lt} z(0)`.

    The flow is a group: `e^{Ls} e^{Lt} = e^{L(s+t)}` for all times, negative ones too. Each class
    is a parametrization, which decides what L can be; whatever trains it stays within that. In a
    `Linearizer` or a `LinearDynamics` a bijection g adds any change of basis.
    """

    @abc.abstractmethod
    def to_dense(self) -> Tensor:
        """The matrix L, (n, n)."""

    @abc.abstractmethod
    def faster(self, factor: float) -> Self:
        """The generator `factor · L` of the same class: the same motion in another unit of time.

        Raises:
            RangeError: If the factor is not positive and finite.
        """

    @classmethod
    @abc.abstractmethod
    def trainable(cls, n: int, *, rate: float = 1.0) -> Self:
        """A random one to begin training with, whose eigenvalues are about as large as `rate`."""

    @classmethod
    @abc.abstractmethod
    def near(cls, matrix: Tensor, *, rate: float = 1.0) -> Self:
        """The nearest one to a matrix (n, n), to begin training with; `rate` as of `trainable`."""

    def flow(self, t: float | Tensor) -> LinearOperator:
        """The operator `e^{Lt}` for one time t, of either sign."""
        time = t if isinstance(t, Tensor) else torch.tensor(t, dtype=double_dtype(self.device))
        return Dense(self.propagators(time.to(self.device)))

    def propagators(self, times: Tensor) -> Tensor:
        """The matrices `e^{Lt}` of many times, each exact and none by steps.

        Args:
            times: Of any shape (*times), and of either sign.

        Returns:
            Matrices (*times, n, n), differentiable in L and in the times.

        The exponential is computed in float64, where the device has it, and then rounded: in
        float32 its error would grow with `|L t|`, forwards as well as back.
        """
        with own_precision(self.device):
            L = self.to_dense()
            wide = double_dtype(L.device)
            exponents = times.to(wide)[..., None, None] * L.to(wide)
            return torch.linalg.matrix_exp(exponents).to(L.dtype)

    def _forward(self, z: Tensor) -> Tensor:
        return apply_matrix(self.to_dense(), z, self.in_shape, self.out_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        return apply_matrix(self.to_dense().mT, y, self.out_shape, self.in_shape)


class FreeGenerator(Generator):
    """Any L: the dynamics may grow, decay or turn.

    Args:
        matrix: L, (n, n); trained if it is an `nn.Parameter`.

    Raises:
        ShapeError: If it is not square.

    Example:
        >>> import torch, linearizer as lz
        >>> L = lz.flows.FreeGenerator(torch.tensor([[0., -1.], [1., 0.]]))
        >>> L.flow(torch.pi / 2)(torch.tensor([1., 0.]))              # a quarter of a turn
        tensor([0., 1.])
    """

    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(_side(matrix, "a matrix"))
        register(self, "matrix", matrix)

    @classmethod
    def trainable(cls, n: int, *, rate: float = 1.0) -> "FreeGenerator":
        """Decay at the rate, and a random small rest."""
        return cls(nn.Parameter(_checked(rate) * (_noise(n) - torch.eye(n))))

    @classmethod
    def near(cls, matrix: Tensor, *, rate: float = 1.0) -> "FreeGenerator":
        """The matrix itself."""
        return cls(nn.Parameter(matrix.detach().clone()))

    def to_dense(self) -> Tensor:
        """L itself."""
        return self.matrix

    def faster(self, factor: float) -> "FreeGenerator":
        """`factor · L`."""
        return FreeGenerator(_scaled(self.matrix, _checked(factor)))


class StableGenerator(Generator):
    """`L = -(P Pᵀ + ε I) + (K - Kᵀ)`: all that moves decays, whatever P and K are trained to.

    The symmetric part of L is at most -ε, so `|e^{Lt} z| ≤ e^{-εt} |z|`, and no eigenvalue has a
    real part above -ε. Conversely every matrix whose eigenvalues have negative real parts is of
    this form after a change of basis (Lyapunov), for which a bijection has linear layers.

    Args:
        damping: P, (n, k); trained if it is an `nn.Parameter`.
        rotation: K, (n, n); trained if it is an `nn.Parameter`.
        margin: ε, the slowest decay, per unit of time.

    Raises:
        ShapeError: If K is not square, or P has other rows.
        RangeError: If ε is not positive.

    Example:
        >>> import torch, linearizer as lz
        >>> L = lz.flows.StableGenerator(torch.randn(4, 4), 5 * torch.randn(4, 4), margin=0.1)
        >>> bool((torch.linalg.eigvals(L.to_dense()).real <= -0.1 + 1e-4).all())
        True
    """

    damping: Tensor
    rotation: Tensor

    def __init__(self, damping: Tensor, rotation: Tensor, margin: float = 1e-3) -> None:
        n = _side(rotation, "a rotation")
        if damping.ndim != 2 or len(damping) != n:
            raise ShapeError(
                f"expected a damping ({n}, k), as many rows as the rotation has, got "
                f"{tuple(damping.shape)}"
            )
        check_real(damping, "a damping")
        if not 0 < margin < math.inf:
            raise RangeError(
                f"expected a positive margin, got {margin:g}; for dynamics that keep their energy "
                "use ConservativeGenerator, and for any other FreeGenerator"
            )
        super().__init__(n)
        register(self, "damping", damping)
        register(self, "rotation", rotation)
        self.margin = float(margin)

    @classmethod
    def trainable(cls, n: int, *, rate: float = 1.0) -> "StableGenerator":
        """Decay at the rate, a slowest decay of a hundredth of it, and a random small rest."""
        damping = _checked(rate) ** 0.5 * (torch.eye(n) + _noise(n))
        return cls(nn.Parameter(damping), nn.Parameter(rate * _noise(n)), margin=0.01 * rate)

    @classmethod
    @torch.no_grad()
    def near(cls, matrix: Tensor, *, rate: float = 1.0) -> "StableGenerator":
        """Its symmetric part with eigenvalues of -0.02 rate at most, and its skew part."""
        margin = 0.01 * _checked(rate)
        values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
        damping = vectors * (-values - margin).clamp_min(margin).sqrt()  # 0 would not be trained
        return cls(nn.Parameter(damping), nn.Parameter((matrix - matrix.mT) / 4), margin)

    def to_dense(self) -> Tensor:
        """`-(P Pᵀ + ε I) + (K - Kᵀ)`."""
        P, K = self.damping, self.rotation
        identity = torch.eye(len(K), dtype=K.dtype, device=K.device)
        with own_precision(K.device):
            return K - K.mT - P @ P.mT - self.margin * identity

    def faster(self, factor: float) -> "StableGenerator":
        """`factor · L`."""
        damping = _scaled(self.damping, _checked(factor) ** 0.5)
        return StableGenerator(damping, _scaled(self.rotation, factor), factor * self.margin)


class ConservativeGenerator(Generator):
    """`L = K - Kᵀ`: the dynamics turn for ever and keep |z|, which is their energy.

    All eigenvalues are imaginary, and `e^{Lt}` is a rotation.

    Args:
        rotation: K, (n, n); trained if it is an `nn.Parameter`.

    Raises:
        ShapeError: If it is not square.

    Example:
        >>> import torch, linearizer as lz
        >>> L, z = lz.flows.ConservativeGenerator(torch.randn(4, 4)), torch.randn(10, 4)
        >>> torch.allclose(L.flow(3.)(z).norm(dim=-1), z.norm(dim=-1), atol=1e-4)
        True
    """

    rotation: Tensor

    def __init__(self, rotation: Tensor) -> None:
        super().__init__(_side(rotation, "a rotation"))
        register(self, "rotation", rotation)

    @classmethod
    def trainable(cls, n: int, *, rate: float = 1.0) -> "ConservativeGenerator":
        """Random turns, about as quick as the rate."""
        return cls(nn.Parameter(5 * _checked(rate) * _noise(n)))

    @classmethod
    @torch.no_grad()
    def near(cls, matrix: Tensor, *, rate: float = 1.0) -> "ConservativeGenerator":
        """Its skew part."""
        return cls(nn.Parameter((matrix - matrix.mT) / 4))

    def to_dense(self) -> Tensor:
        """`K - Kᵀ`."""
        return self.rotation - self.rotation.mT

    def faster(self, factor: float) -> "ConservativeGenerator":
        """`factor · L`."""
        return ConservativeGenerator(_scaled(self.rotation, _checked(factor)))


def _side(matrix: Tensor, what: str) -> int:
    """n of a real matrix (n, n)."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"expected {what} (n, n), got {tuple(matrix.shape)}")
    check_real(matrix, what)
    return len(matrix)


def _noise(n: int) -> Tensor:
    return 0.1 * torch.randn(n, n) / n**0.5


def _checked(factor: float) -> float:
    if not 0 < factor < math.inf:
        raise RangeError(f"expected a positive finite rate, got {factor:g}")
    return factor


def _scaled(tensor: Tensor, factor: float) -> Tensor:
    """The numbers times a factor, trained where they were."""
    scaled = factor * tensor.detach()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(scaled, requires_grad=tensor.requires_grad)
    return scaled
