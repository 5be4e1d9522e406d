"""The laws, measured: how far each is from holding on a g, an A, a space or a Linearizer.

`bijection_laws`, `operator_laws`, `space_laws` and `linear_laws` measure one law after another, as
they are asked for the next: a relative error beside its threshold. They raise nothing where a law
does not hold: `linearizer.testing` raises, `linearizer.verification` certifies.
"""

from linearizer.laws.bijections import bijection_laws
from linearizer.laws.linear_maps import linear_laws, superposition
from linearizer.laws.operators import operator_laws
from linearizer.laws.projections import idempotence_error
from linearizer.laws.relative import Laws, relative_error
from linearizer.laws.spaces import space_laws

__all__ = [
    "Laws",
    "bijection_laws",
    "idempotence_error",
    "linear_laws",
    "operator_laws",
    "relative_error",
    "space_laws",
    "superposition",
]
