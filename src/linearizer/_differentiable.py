"""Decompositions whose gradients stay finite where values are repeated or zero.

Singular vectors and eigenvectors of a repeated value are any basis of their space, which has no
derivative; but what does not depend on the choice (a projection, say) does. So the terms that
couple such vectors are left out of the gradient: it is right for all that has a derivative, and
zero in those directions for the rest. Source of the formulas: the gradients of PyTorch's own
decompositions, which divide by the differences of the values.
"""

from typing import Any

import torch
from torch import Tensor


def svd(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U (..., m, k), σ (..., k) and Vᴴ (..., k, n) of A, with k = min(m, n)."""
    U, S, Vh = _SVD.apply(A)  # type: ignore[no-untyped-call]
    return U, S, Vh


def eigh(A: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of a symmetric A."""
    values, vectors = _Eigh.apply(A)  # type: ignore[no-untyped-call]
    return values, vectors


def eig(A: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors, complex, of a square A."""
    values, vectors = _Eig.apply(A)  # type: ignore[no-untyped-call]
    return values, vectors


class _Decomposition(torch.autograd.Function):
    """What the three share: their results are all that the gradient needs."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*output)


class _SVD(_Decomposition):
    """`dA = dU Σ Vᴴ + U dΣ Vᴴ + U Σ dVᴴ`, solved for dU and dV, which keep UᴴU = VᴴV = I.

    With X_U = UᴴG_U - (UᴴG_U)ᴴ, and X_V alike, the gradient between the singular vectors is
    `(σ_j X_U + σ_i X_V) / (σ_j² - σ_i²)`, in partial fractions
    `½ (X_U + X_V) / (σ_j - σ_i) + ½ (X_U - X_V) / (σ_j + σ_i)`: only the first is not finite for
    repeated values. Source: `svd_backward` of PyTorch; Townsend, Differentiating the SVD, 2016.
    """

    @staticmethod
    def forward(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        U, S, Vh = torch.linalg.svd(A, full_matrices=False)
        return U, S, Vh

    @staticmethod
    def backward(ctx: Any, gU: Tensor, gS: Tensor, gVh: Tensor) -> Tensor:
        U, S, Vh = ctx.saved_tensors
        V, gV = Vh.mH, gVh.mH
        one_over = torch.where(_near(S) < S, 1 / torch.where(S > 0, S, 1), 0)
        turn_U, turn_V = (X - X.mH for X in (U.mH @ gU, V.mH @ gV))
        # Turning u and v of repeated values together is a choice; against each other, it is not.
        together, against = (turn_U + turn_V) / 2, (turn_U - turn_V) / 2
        sums = S.unsqueeze(-2) + S.unsqueeze(-1)
        small = sums <= _near(S).unsqueeze(-1)
        inside = together * _inverse_differences(S, _near(S))
        inside = inside + against * torch.where(small, 0, 1 / torch.where(small, 1, sums))
        inside = inside - torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1))
        own = gS + turn_U.diagonal(dim1=-2, dim2=-1) * one_over / 2
        inside = inside + torch.diag_embed(own).to(inside.dtype)
        left = gU - U @ (U.mH @ gU)  # zero where U is square
        right = gV - V @ (V.mH @ gV)
        return (
            U @ inside @ Vh
            + (left * one_over.unsqueeze(-2)) @ Vh
            + (U * one_over.unsqueeze(-2)) @ right.mH
        )


class _Eigh(_Decomposition):
    """`dλ_j = v_jᴴ dA v_j` and `dv_j = Σ_{i≠j} v_i (v_iᴴ dA v_j) / (λ_j - λ_i)`.

    So the gradient is `V (diag(g_λ) + F ∘ VᴴG_V) Vᴴ` with `F_ij = 1 / (λ_j - λ_i)`.
    """

    @staticmethod
    def forward(A: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh(A)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, g_values: Tensor, g_vectors: Tensor) -> Tensor:
        values, V = ctx.saved_tensors
        inside = (V.mH @ g_vectors) * _inverse_differences(values, _near(values))
        return V @ (inside + torch.diag_embed(g_values)) @ V.mH


class _Eig(_Decomposition):
    """The same with V⁻¹ in place of Vᴴ, and vectors that stay of length 1.

    Keeping the length takes the part along v_j out of dv_j: the gradient is
    `V⁻ᴴ (diag(g_λ) + F̄ ∘ (VᴴG_V - VᴴV diag(Re v_jᴴg_j))) Vᴴ`.
    Source: Boeddeker et al., arXiv:1701.00392, section 4.18.
    """

    @staticmethod
    def forward(A: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eig(A)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, g_values: Tensor, g_vectors: Tensor) -> Tensor:
        values, V = ctx.saved_tensors
        turned = V.mH @ g_vectors
        of_length = (V.mH @ V) * turned.diagonal(dim1=-2, dim2=-1).real.unsqueeze(-2)
        F = _inverse_differences(values, _near(values)).conj()
        inside = (turned - of_length) * F + torch.diag_embed(g_values)
        # The pseudo-inverse is the inverse, and finite where there is no basis of eigenvectors.
        result: Tensor = torch.linalg.pinv(V).mH @ inside @ V.mH
        return result.real


def _near(values: Tensor) -> Tensor:
    """What lies no farther apart than this counts as repeated: rounding would be all of it."""
    largest = values.abs().amax(-1, keepdim=True) if values.shape[-1] else values.abs()
    return torch.finfo(values.dtype).eps ** (2 / 3) * largest


def _inverse_differences(values: Tensor, near: Tensor) -> Tensor:
    """`1 / (λ_j - λ_i)`, and zero for repeated values and on the diagonal."""
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    repeated = gaps.abs() <= near.unsqueeze(-1)
    return torch.where(repeated, 0, 1 / torch.where(repeated, 1, gaps))
