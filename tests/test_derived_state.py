"""What is derived from a tensor follows it, however the tensor changes."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.errors import DtypeError
from registry import FLOWS, OPERATORS, operator

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def flow(
    name: str, seed: int = 0, dtype: torch.dtype = torch.float64
) -> lz.flows.TimeDependentOperator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        family = FLOWS[name]()
    return family.to(dtype)


def actions(A: nn.Module) -> list[Tensor]:
    """All that an operator or a family does, as matrices."""
    if isinstance(A, lz.LinearOperator):
        found = [
            A.to_dense(),
            A.T.to_dense(),
            lz.linalg.fuse(A).to_dense(),
            lz.linalg.singular_values(A),
        ]
        return [*found, lz.linalg.pinv(A).to_dense()]
    made = [A.at(0.3), A.velocity(0.3), lz.flows.collapse(A, 4, "rk4", end=0.8)]
    if not isinstance(A, lz.flows.LowRankHypernetwork):
        made += [A.flow(), A.flow(0.0, 0.0)]
    made += [A.field()(0.3)]
    z = torch.ones(2, *A.shape, dtype=A.dtype)
    steps = [lz.flows.integrate(v, z, 3, end=0.8) for v in (A, A.velocity)]
    return [B.to_dense() for B in made] + steps


MODULES: dict[str, Callable[..., nn.Module]] = {
    **{
        name: lambda seed, dtype, n=name: operator(n, torch.float64, seed).to(dtype)
        for name in OPERATORS
    },
    **{name: lambda seed, dtype, n=name: flow(n, seed, dtype) for name in FLOWS},
}
two = pytest.mark.parametrize("name", MODULES)


def pair(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, nn.Module]:
    return MODULES[name](0, dtype), MODULES[name](1, dtype)


def same(A: nn.Module, B: nn.Module) -> None:
    for ours, theirs in zip(actions(A), actions(B), strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.mark.parametrize("assign", [False, True])
@two
def test_loading_a_state(name: str, assign: bool) -> None:
    A, B = pair(name)
    actions(A)  # whatever is remembered must be forgotten
    A.load_state_dict(copy.deepcopy(B.state_dict()), assign=assign)
    same(A, B)


@two
def test_loading_a_state_of_another_dtype(name: str) -> None:
    """float32 numbers in a float64 module are those of the float32 module, converted."""
    A, B = MODULES[name](0, torch.float64), MODULES[name](1, torch.float32)
    A.load_state_dict(B.state_dict())
    same(A, B.double())


@two
def test_converting(name: str) -> None:
    """Converted, a module is the one built anew of the converted numbers."""
    A = MODULES[name](0, torch.float32)
    actions(A)
    built = MODULES[name](1, torch.float64)
    A = A.double()
    built.load_state_dict(A.state_dict())
    same(A, built)


@two
def test_changing_numbers_in_place(name: str) -> None:
    A, B = pair(name)
    actions(A)
    with torch.no_grad():
        for ours, theirs in zip(tensors(A), tensors(B), strict=True):
            ours.copy_(theirs)
    same(A, B)


@two
def test_a_deep_copy_is_on_its_own(name: str) -> None:
    A, B = pair(name)
    before = [t.detach().clone() for t in actions(A)]
    twin = copy.deepcopy(A)
    twin.load_state_dict(B.state_dict())
    same(twin, B)
    for ours, theirs in zip(actions(A), before, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_no_time_is_no_flow(dtype: torch.dtype) -> None:
    family = flow("covariance flow", dtype=dtype)
    family.load_state_dict(flow("covariance flow", 1, dtype).state_dict())
    identity = torch.eye(5, dtype=dtype)
    error = (family.flow(0.0, 0.0).to_dense() - identity).abs().max()
    assert float(error) < 1e4 * torch.finfo(dtype).eps


def test_a_trained_basis_is_followed() -> None:
    family = flow("covariance flow")
    family = lz.flows.CovarianceFlow(nn.Parameter(family.basis), nn.Parameter(family.variances))
    optimizer = torch.optim.SGD(family.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        family.flow().to_dense().square().sum().backward()
        optimizer.step()
    identity = torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(family.flow(0.0, 0.0).to_dense(), identity, **CLOSE)

    def sampler(basis: Tensor) -> Tensor:
        return lz.flows.CovarianceFlow(basis, family.variances.detach()).flow().to_dense()

    assert torch.autograd.gradcheck(sampler, family.basis.detach().clone().requires_grad_())


def test_converted_parameters_are_refused_where_a_copy_would_go_stale() -> None:
    A = lz.Dense(torch.eye(3))
    scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    with pytest.raises(DtypeError, match="would not be trained"):
        A * scale
    with pytest.raises(DtypeError, match="would not be trained"):
        lz.IdentityPlusLowRank(scale, torch.ones(3, 1), torch.ones(3, 1))
    assert (A * scale.detach()).factor.dtype == torch.float32


def test_the_inverse_is_computed_once_for_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    count, inverse = 0, torch.linalg.inv

    def counted(matrix: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return inverse(matrix)

    family = flow("covariance flow")
    monkeypatch.setattr(torch.linalg, "inv", counted)
    for use in (
        lambda: lz.flows.integrate(family, torch.ones(5).double(), 50),
        lambda: lz.flows.collapse(family, 50, "rk4"),
        lambda: lz.linalg.fuse(family.flow()),
    ):
        count = 0
        family.basis.data.mul_(1.5)  # which no version counter sees
        use()
        use()
        assert count == 1
