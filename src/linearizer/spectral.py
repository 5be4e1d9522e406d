"""Spectral results of a Linearizer: singular and eigen *points* rather than vectors."""

from typing import NamedTuple

from torch import Tensor


class SingularPoints(NamedTuple):
    """`f(right_i) = σ_i ⊙ left_i`, largest σ first.

    Attributes:
        left: Points of the codomain (k, *out_shape), orthonormal in its inner product.
        singular_values: σ (k,).
        right: Points of the domain (k, *in_shape), orthonormal in its inner product.
    """

    left: Tensor
    singular_values: Tensor
    right: Tensor


class EigenPoints(NamedTuple):
    """`f(point_i) = λ_i ⊙ point_i`, and the planes on which f rotates.

    On the plane of a conjugate pair a ± bi, spanned by p and q,
    `f(p) = a ⊙ p ⊖ b ⊙ q` and `f(q) = b ⊙ p ⊕ a ⊙ q`: complex vectors do not pass through a
    real g⁻¹, their planes do.

    Attributes:
        values: Real eigenvalues (r,), largest modulus first.
        points: Their points, of norm 1 in the space, (r, *shape).
        pair_values: Complex eigenvalues with positive imaginary part (c,).
        planes: p and q of each, (c, 2, *shape).
    """

    values: Tensor
    points: Tensor
    pair_values: Tensor
    planes: Tensor
