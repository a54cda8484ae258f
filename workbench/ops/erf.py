"""The error function for numpy, which has none.

Reference: Cody, "Rational Chebyshev Approximations for the Error Function", Mathematics of
Computation 23, 1969.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALL = 0.46875
_LARGE = 4.0
_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
"""Numerator and denominator of `erf(x) / x` in `x * x`, for `|x| <= 0.46875`."""
_FAR = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
     6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
     1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
     3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
"""Numerator and denominator of `exp(x * x) * erfc(x)`, for `0.46875 <= x <= 4`."""

_EXACT = np.frompyfunc(math.erf, 1, 1)


def erf(x: NDArray[Any]) -> NDArray[Any]:
    """`2/sqrt(pi) * integral of exp(-t^2) from 0 to x`, rounded to the dtype of `x`.

    Within 2e-8 of the true value for narrow dtypes, and to the last digits for float64.
    """
    wide = np.asarray(x, dtype=np.float64)
    if x.dtype == np.float64:
        return np.asarray(_EXACT(wide), dtype=np.float64)
    size = np.minimum(np.abs(wide), _LARGE)
    square = size * size
    near = wide * _ratio(_NEAR, np.minimum(square, _SMALL * _SMALL))
    far = np.copysign(1.0 - np.exp(-square) * _ratio(_FAR, size), wide)
    return np.where(size <= _SMALL, near, far).astype(x.dtype)


def _ratio(
    polynomials: tuple[tuple[float, ...], tuple[float, ...]], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    above, below = (np.full_like(x, coefficients[0]) for coefficients in polynomials)
    for total, coefficients in ((above, polynomials[0]), (below, polynomials[1])):
        for coefficient in coefficients[1:]:
            total *= x
            total += coefficient
    above /= below
    return above
