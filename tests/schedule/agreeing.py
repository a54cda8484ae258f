"""When what two runs of a program computed counts as the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Sequence[NDArray[Any]]
ROUNDING = 1e-3
"""Relative to the largest magnitude; values are small and sums short."""


def assert_agree(
    where: str, names: Sequence[str], expected: Arrays, found: Arrays, *, rounding: bool
) -> None:
    """The same arrays, to the bit, or those of floats within rounding.

    Raises:
        AssertionError: naming the first array that differs.
    """
    for name, a, b in zip(names, expected, found, strict=True):
        if _bits(a) == _bits(b):
            continue
        what = f"`{name}` {where}"
        assert rounding, f"{what} differs:\n{a}\n{b}"
        assert a.dtype.kind == "f", f"{what} holds integers and differs:\n{a}\n{b}"
        scale = float(np.abs(a[np.isfinite(a)]).max(initial=0))
        np.testing.assert_allclose(b, a, rtol=ROUNDING, atol=ROUNDING * scale, err_msg=what)


def _bits(array: NDArray[Any]) -> bytes:
    """All bits that mean something: signs of zeros do, those of NaN do not."""
    if array.dtype.kind != "f":
        return array.tobytes()
    return np.where(np.isnan(array), np.array(np.nan, array.dtype), array).tobytes()
