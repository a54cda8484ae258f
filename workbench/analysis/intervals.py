"""Interval arithmetic on integers; None is an open end."""

from __future__ import annotations

from typing import TypeAlias

from workbench.ir.expr import DType

Bound: TypeAlias = int | None
Ends: TypeAlias = tuple[Bound, Bound]

_BITS = {"int8": 8, "int16": 16, "int32": 32, "uint8": 8, "uint16": 16, "uint32": 32}


def dtype_bounds(dtype: DType) -> Ends:
    """The values of a narrow integer dtype; 64-bit integers and floats count as unbounded."""
    if dtype == "bool":
        return 0, 1
    bits = _BITS.get(dtype)
    if bits is None:
        return (0, None) if dtype == "uint64" else (None, None)
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def product(a: Ends, b: Ends) -> Ends:
    """All values `x * y`."""
    (low, high), (bottom, top) = a, b
    if low is not None and high is not None and bottom is not None and top is not None:
        corners = (low * bottom, low * top, high * bottom, high * top)
        return min(corners), max(corners)
    if low is not None and bottom is not None and min(low, bottom) >= 0:
        return low * bottom, None
    return None, None


def union(a: Ends, b: Ends) -> Ends:
    """The smallest interval that holds both."""
    return least(a[0], b[0], strict=True), most(a[1], b[1], strict=True)


def inside(a: Ends, b: Ends) -> bool:
    """Whether the first interval is bounded and lies in the second."""
    if a[0] is None or a[1] is None:
        return False
    return (b[0] is None or b[0] <= a[0]) and (b[1] is None or a[1] <= b[1])


def least(a: Bound, b: Bound, *, strict: bool) -> Bound:
    """The smaller end; an open end is kept where `strict`, else ignored."""
    if a is None or b is None:
        return None if strict else (b if a is None else a)
    return min(a, b)


def most(a: Bound, b: Bound, *, strict: bool) -> Bound:
    """The larger end; an open end is kept where `strict`, else ignored."""
    if a is None or b is None:
        return None if strict else (b if a is None else a)
    return max(a, b)


def quotient(a: Ends, b: Ends) -> Ends:
    """All values `x // y` for positive `y`."""
    divisors = [d for d in b if d is not None]
    open_ended = b[1] is None
    low: Bound = None
    high: Bound = None
    if a[0] is not None:
        low = min([a[0] // d for d in divisors] + ([0 if a[0] >= 0 else -1] if open_ended else []))
    if a[1] is not None:
        high = max([a[1] // d for d in divisors] + ([0 if a[1] >= 0 else -1] if open_ended else []))
    return low, high
