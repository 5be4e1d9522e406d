"""Bijections and operators of other libraries, adapted: real ones, in variants."""

from collections.abc import Callable

import FrEIA.framework as ff
import FrEIA.modules as fm
import normflows as nf
import torch
import zuko
from linear_operator import operators as lo
from torch import nn
from torch.distributions import transforms

from linearizer.adapters import (
    FrEIABijection,
    GPyTorchOperator,
    NormflowsBijection,
    ThirdPartyBijection,
    TransformBijection,
    ZukoBijection,
)

N = 6
MASK = torch.arange(N) % 2.0


def _perceptron(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 16), nn.SiLU(), nn.Linear(16, n_out))


def _sequence(*blocks: type[nn.Module]) -> ff.SequenceINN:
    network = ff.SequenceINN(N)
    for block in blocks:
        options = {} if block is fm.PermuteRandom else {"subnet_constructor": _perceptron}
        network.append(block, **options)
    return network


def _affine_flows() -> list[nn.Module]:
    masks = (MASK.clone(), 1 - MASK)  # which become buffers, and are changed in place
    return [nf.flows.MaskedAffineFlow(mask, _perceptron(N, N), _perceptron(N, N)) for mask in masks]


THIRD_PARTY: dict[str, Callable[[], ThirdPartyBijection]] = {
    "zuko spline": lambda: ZukoBijection(zuko.flows.NSF(N, transforms=2, hidden_features=(16,)), N),
    "zuko autoregressive": lambda: ZukoBijection(
        zuko.flows.MAF(N, transforms=2, hidden_features=(16,)), N
    ),
    "zuko nice": lambda: ZukoBijection(zuko.flows.NICE(N, transforms=2, hidden_features=(16,)), N),
    "zuko lu": lambda: ZukoBijection(
        zuko.lazy.UnconditionalTransform(
            zuko.transforms.LULinearTransform, torch.eye(N) + 0.1 * torch.randn(N, N)
        ),
        N,
    ),
    "freia all in one": lambda: FrEIABijection(_sequence(fm.AllInOneBlock, fm.AllInOneBlock), N),
    "freia glow": lambda: FrEIABijection(_sequence(fm.GLOWCouplingBlock, fm.PermuteRandom), N),
    "freia nice": lambda: FrEIABijection(_sequence(fm.NICECouplingBlock), N),
    "freia module alone": lambda: FrEIABijection(
        fm.RNVPCouplingBlock([(N,)], subnet_constructor=_perceptron), N
    ),
    "normflows real nvp": lambda: NormflowsBijection(
        nf.NormalizingFlow(nf.distributions.DiagGaussian(N), _affine_flows()), N
    ),
    "normflows spline": lambda: NormflowsBijection(
        nf.flows.CoupledRationalQuadraticSpline(N, 1, 16), N
    ),
    "normflows lu": lambda: NormflowsBijection(nf.flows.LULinearPermute(N), N),
    "torch affine": lambda: TransformBijection(
        transforms.AffineTransform(nn.Parameter(torch.randn(N)), torch.linspace(1.0, 2.0, N)), N
    ),
    "torch composed": lambda: TransformBijection(
        transforms.ComposeTransform(
            [
                transforms.AffineTransform(torch.zeros(N), torch.linspace(1.0, 2.0, N)),
                transforms.AffineTransform(torch.ones(N), -2.0),
            ]
        ),
        N,
    ),
}


def third_party(name: str, dtype: torch.dtype = torch.float64) -> ThirdPartyBijection:
    """An adapted bijection of the registry."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return THIRD_PARTY[name]().to(dtype)


THIRD_PARTY_OPERATORS: dict[str, Callable[[], GPyTorchOperator]] = {
    "toeplitz": lambda: GPyTorchOperator(
        lo.ToeplitzLinearOperator(torch.tensor([4.0, 1.0, 0.5, 0.25, 0.0, 0.0]))
    ),
    "kronecker, trained": lambda: GPyTorchOperator(
        lo.KroneckerProductLinearOperator(
            lo.DenseLinearOperator(nn.Parameter(torch.eye(2) + 0.2 * torch.randn(2, 2))),
            lo.DenseLinearOperator(torch.eye(3) + 0.2 * torch.randn(3, 3)),
        ),
        (2, 3),
        (2, 3),
    ),
    "low rank plus diagonal": lambda: GPyTorchOperator(
        lo.RootLinearOperator(torch.randn(N, 2)).add_diagonal(torch.rand(N) + 1.0)
    ),
    "rectangular": lambda: GPyTorchOperator(
        lo.MatmulLinearOperator(torch.randn(4, 2), torch.randn(2, N))
    ),
}
