"""No class of the library escapes the laws: each is in the registry."""

import linearizer as lz
from linearizer.saving import Saveable
from registry import BIJECTIONS, CONDITIONERS, FLOWS, OPERATORS, bijection, missing, operator
from third_party import THIRD_PARTY, THIRD_PARTY_OPERATORS, third_party


def test_every_bijection_is_registered() -> None:
    ours = {type(bijection(name)) for name in BIJECTIONS}
    assert not missing(lz.Bijection, ours | {type(third_party(name)) for name in THIRD_PARTY})


def test_every_operator_is_registered() -> None:
    ours = {type(operator(name)) for name in OPERATORS}
    assert not missing(
        lz.LinearOperator, ours | {type(A()) for A in THIRD_PARTY_OPERATORS.values()}
    )


def test_every_flow_is_registered() -> None:
    assert not missing(lz.flows.TimeDependentOperator, {type(build()) for build in FLOWS.values()})


def test_every_conditioner_is_registered() -> None:
    covered = {type(factory) for factory, _, _ in CONDITIONERS.values()}
    conditioners = {
        cls
        for cls in missing(Saveable, covered)
        if cls.__module__.startswith("linearizer.conditioners")
    }
    assert not conditioners


def test_a_class_that_is_not_registered_is_reported() -> None:
    class Forgotten(lz.Identity):
        pass

    covered = {type(bijection(name)) for name in BIJECTIONS}
    assert Forgotten in missing(lz.Bijection, covered, package=__name__)
    assert Forgotten not in missing(lz.Bijection, {*covered, Forgotten}, package=__name__)


def test_a_class_that_leaves_the_registry_is_reported() -> None:
    covered = {type(bijection(name)) for name in BIJECTIONS if name != "orthogonal"}
    covered |= {type(third_party(name)) for name in THIRD_PARTY}
    assert missing(lz.Bijection, covered) == {lz.bijections.Orthogonal}
