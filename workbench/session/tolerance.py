"""The one place that says how far two results may lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

WITHIN = 16.0
"""Rounding errors, in units of the last place, of a few elementwise operations in another order."""
PER_ROOT = 8.0
"""More for sums: rounding errors of a sum of n terms grow like the square root of n."""
AMBER = 64.0
"""How many times the tolerance is still shown as doubtful rather than wrong."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Relative to the largest magnitude of the expected tensor: up to `within` is rounding."""

    within: float
    amber: float


def tolerance(dtype: str, length: int = 1) -> Tolerance:
    """Tolerance for results of `dtype` that sum `length` terms; zero for integers and booleans."""
    epsilon = unit(dtype)
    within = epsilon * (WITHIN + PER_ROOT * math.sqrt(max(1, length)))
    return Tolerance(within, within * AMBER)


def unit(dtype: str) -> float:
    """The distance from 1 to the next number of that dtype; 0 for integers and booleans."""
    if dtype == "bfloat16":
        return float(ml_dtypes.finfo(ml_dtypes.bfloat16).eps)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if dtype.startswith("float"):
        return float(np.finfo(np.dtype(dtype)).eps)
    return 0.0
