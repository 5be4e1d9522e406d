"""Tables as people have them, checked and made of them rows of numbers."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from linearizer.errors import DtypeError, NonFiniteError, ShapeError

Array = NDArray[np.float64]
BATCH = 10_000
"""Rows that go through g at a time."""


def read_table(estimator: BaseEstimator, X: Any, *, fit: bool = False) -> Tensor:
    """The rows (N, n) of a table, in float64; columns are those of the fit.

    Raises:
        DtypeError: If a column is no number.
        NonFiniteError: If a value is missing or infinite.
        ValueError: What scikit-learn says of other tables: of other columns than those of the fit,
            for one.
    """
    if not fit:
        check_is_fitted(estimator)
    refuse_categories(X)
    options = {"ensure_min_samples": 2} if fit else {}
    values = validate_data(
        estimator, X, reset=fit, dtype=np.float64, ensure_all_finite=False, **options
    )
    bad = ~np.isfinite(values)
    if bad.any():
        columns = np.flatnonzero(bad.any(0))
        names = getattr(estimator, "feature_names_in_", None)
        shown = [str(j if names is None else names[j]) for j in columns[:5]]
        raise NonFiniteError(
            f"expected finite numbers, got {bad.sum()} NaN or inf (missing or infinite values) in "
            f"column {', '.join(shown)}{', ...' if len(columns) > 5 else ''} of X; fill them by "
            "sklearn.impute.SimpleImputer, or drop the rows"
        )
    return torch.tensor(values)


def read_rows(estimator: BaseEstimator, X: Any, columns: int) -> Tensor:
    """Rows (N, columns) that an estimator made, whatever the names of their columns.

    Raises:
        ShapeError: If they have other columns.
    """
    check_is_fitted(estimator)
    values = check_array(X, dtype=np.float64)
    if values.shape[1] != columns:
        raise ShapeError(
            f"expected rows of {columns} numbers, got {values.shape[1]}; pass what transform "
            "returns"
        )
    return torch.tensor(values)


def refuse_categories(X: Any) -> None:
    """Say which columns of a data frame are no numbers."""
    dtypes = getattr(X, "dtypes", None)
    if dtypes is None or not hasattr(X, "columns"):
        return
    kinds = zip(X.columns, dtypes, strict=True)
    text = [str(name) for name, dtype in kinds if getattr(dtype, "kind", "O") not in "biuf"]
    if text:
        raise DtypeError(
            f"expected columns of numbers, got text, dates or categories in "
            f"{', '.join(text[:5])}{', ...' if len(text) > 5 else ''}; encode them, by "
            "sklearn.preprocessing.OneHotEncoder or OrdinalEncoder, or leave them out"
        )


def seed_of(random_state: Any) -> int:
    """A seed from what scikit-learn takes as `random_state`."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def numbers(rows: Tensor) -> Array:
    """A tensor as an array."""
    return rows.detach().cpu().numpy()
