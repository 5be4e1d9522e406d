"""The laws, checked on your own g and A: relative errors by name, or a `LawError`.

Each check returns how far every law is from holding, for printing and for certificates, and
raises at the first law that is further off than the tolerance. The default tolerance is 1e-10
in float64, 1e-4 in float32 and 0.1 in shorter formats: rounding alone, times what a well
conditioned map makes of it. A NaN is never within the tolerance.
"""

from linearizer.testing.bijections import check_bijection
from linearizer.testing.linear_maps import check_linear
from linearizer.testing.operators import check_operator
from linearizer.testing.perturb import perturb_
from linearizer.testing.spaces import check_vector_space

__all__ = ["check_bijection", "check_linear", "check_operator", "check_vector_space", "perturb_"]
