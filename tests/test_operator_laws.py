"""Every operator obeys linear algebra, in float64 to 1e-10 and in float32 to 1e-4."""

import pytest
import torch

from linearizer.testing import check_operator
from registry import DTYPES, OPERATORS, operator


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_laws(name: str, dtype: torch.dtype) -> None:
    check_operator(operator(name, dtype))


@pytest.mark.parametrize("name", OPERATORS)
def test_transpose_is_an_operator_too(name: str) -> None:
    check_operator(operator(name).T)
