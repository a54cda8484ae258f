from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.ops.erf import erf


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 6e-8), ("float64", 1e-15)])
def test_erf_is_as_exact_as_its_dtype(dtype: str, tolerance: float) -> None:
    x = np.concatenate([np.linspace(-7, 7, 40001), [0.46875, 4.0, -4.0, 1e-30]]).astype(dtype)
    exact = np.array([math.erf(value) for value in x])
    assert np.abs(erf(x).astype("float64") - exact).max() <= tolerance


def test_erf_of_special_values() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype="float32")
    found = erf(x)
    np.testing.assert_array_equal(found, np.array([np.nan, 1, -1, 0, 0], dtype="float32"))
    assert math.copysign(1, found[4]) == -1
