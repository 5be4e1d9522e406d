"""No class of the library escapes the laws: each is in the registry."""

import linearizer as lz
from foreign import FOREIGN, FOREIGN_OPERATORS, foreign
from linearizer.saving import Saveable
from registry import BIJECTIONS, CONDITIONERS, FLOWS, OPERATORS, bijection, missing, operator


def test_every_bijection_is_registered() -> None:
    ours = {type(bijection(name)) for name in BIJECTIONS}
    assert not missing(lz.Bijection, ours | {type(foreign(name)) for name in FOREIGN})


def test_every_operator_is_registered() -> None:
    ours = {type(operator(name)) for name in OPERATORS}
    assert not missing(lz.LinearOperator, ours | {type(A()) for A in FOREIGN_OPERATORS.values()})


def test_every_flow_is_registered() -> None:
    assert not missing(lz.TimeDependentOperator, {type(build()) for build in FLOWS.values()})


def test_every_conditioner_is_registered() -> None:
    covered = {type(recipe) for recipe, _, _ in CONDITIONERS.values()}
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
    covered |= {type(foreign(name)) for name in FOREIGN}
    assert missing(lz.Bijection, covered) == {lz.Orthogonal}
