"""Bijections g: the invertible networks between points and latent vectors."""

from linearizer.bijections.anchored import Anchored
from linearizer.bijections.base import Bijection, Inverse
from linearizer.bijections.chain import Chain
from linearizer.bijections.coupling import AdditiveCoupling, AffineCoupling, Conditioner, Coupling
from linearizer.bijections.invertible_linear import Conv1x1, LULinear, Orthogonal
from linearizer.bijections.lapped import Lapped
from linearizer.bijections.log_det import HasLogDet, VolumePreserving
from linearizer.bijections.monotone_spline import MonotoneSpline
from linearizer.bijections.multiscale import Haar, PartialBijection
from linearizer.bijections.normalization import ActNorm, Centering
from linearizer.bijections.rearrange import Flatten, Identity, Patches, Permute, Squeeze
from linearizer.bijections.redraw import Redraw
from linearizer.bijections.whitening import Whitening

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Anchored",
    "Bijection",
    "Centering",
    "Chain",
    "Conditioner",
    "Conv1x1",
    "Coupling",
    "Flatten",
    "Haar",
    "HasLogDet",
    "Identity",
    "Inverse",
    "LULinear",
    "Lapped",
    "MonotoneSpline",
    "Orthogonal",
    "PartialBijection",
    "Patches",
    "Permute",
    "Redraw",
    "Squeeze",
    "VolumePreserving",
    "Whitening",
]
