"""Layouts by digits: indices taken apart by `//` and `%` and put together in another order.

Each index is a number in mixed radix. A map that takes digits of its indices and makes numbers of
them can be undone digit by digit. Reference: `tvm::arith::IterMapExpr`, of which a digit is the
`IterSplitExpr`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import TypeAlias

from workbench.ir import Binary, BinaryOp, Dim, IntImm, PrimExpr, Shape, Var, as_dim
from workbench.support import NodeId


class NoDigitsError(ValueError):
    """The expressions are no rearrangement of digits; the text says which one and why."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """Old indices, extents of the new box, and what must hold for padding left inside it."""

    values: tuple[PrimExpr, ...]
    extents: Shape
    conditions: tuple[PrimExpr, ...] = ()


Undo: TypeAlias = Callable[[Sequence[Var]], Inverse]
"""What makes the inverse in terms of the indices of the new layout."""


@dataclass(frozen=True, slots=True)
class Digit:
    """`(index // lower) % extent`, of which the last one of an index (`top`) has no modulus."""

    index: int
    lower: int
    extent: Dim
    top: bool = True
    scale: int = 1


def layout_digits(initial: Sequence[Var], final: Sequence[PrimExpr], shape: Shape) -> Undo:
    """How to undo the map on a box of extents `shape`.

    Raises:
        NoDigitsError: the map is of another form, or two elements would share a place.
    """
    whole = {var.id: Digit(n, 1, shape[n]) for n, var in enumerate(initial)}
    numbers = [_number(_read(expr, whole)) for expr in final]
    for n, var in enumerate(initial):
        _check_cover(var.name, shape[n], [d for number in numbers for d in number if d.index == n])
    return lambda variables: _undo(numbers, variables, len(initial))


def _undo(numbers: list[list[Digit]], variables: Sequence[Var], count: int) -> Inverse:
    values: list[PrimExpr] = [IntImm(0) for _ in range(count)]
    conditions: list[PrimExpr] = []
    for number, variable in zip(numbers, variables, strict=True):
        for n, digit in enumerate(number):
            value: PrimExpr = variable // digit.scale
            if n + 1 < len(number):
                radix = number[n + 1].scale // digit.scale
                value = value % radix
                if radix != digit.extent and not digit.top:
                    conditions.append(value < digit.extent)
            values[digit.index] = values[digit.index] + value * digit.lower
    extents = tuple(
        as_dim(IntImm(1) * number[-1].scale * number[-1].extent) if number else 1
        for number in numbers
    )
    return Inverse(tuple(values), extents, tuple(conditions))


def _read(expr: PrimExpr, whole: Mapping[NodeId, Digit]) -> list[Digit]:
    match expr:
        case Var(id=found) if found in whole:
            return [whole[found]]
        case IntImm(value=0):
            return []
        case Binary(op=BinaryOp.ADD, a=a, b=b):
            return [*_read(a, whole), *_read(b, whole)]
        case Binary(op=BinaryOp.MUL, a=a, b=IntImm(value=factor)) if factor > 0:
            return [replace(digit, scale=digit.scale * factor) for digit in _read(a, whole)]
        case Binary(op=BinaryOp.MUL, a=IntImm(value=factor), b=b) if factor > 0:
            return [replace(digit, scale=digit.scale * factor) for digit in _read(b, whole)]
        case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=c)) if c > 0:
            _, high = _parts(_read(a, whole), c)
            return [replace(digit, scale=digit.scale // c) for digit in high]
        case Binary(op=BinaryOp.FLOORMOD, a=a, b=IntImm(value=c)) if c > 0:
            return _parts(_read(a, whole), c)[0]
        case _:
            raise NoDigitsError("it does more than take indices apart and put them together")


def _parts(digits: list[Digit], c: int) -> tuple[list[Digit], list[Digit]]:
    """The digits below and from place value `c` on."""
    low: list[Digit] = []
    high: list[Digit] = []
    for digit in digits:
        below, above = _split(digit, c)
        low += below
        high += above
    most = [_most(digit) for digit in low]
    if None in most or sum(m for m in most if m is not None) >= c:
        raise NoDigitsError(f"what is divided by `{c}` is not made of whole digits")
    return low, high


def _split(digit: Digit, c: int) -> tuple[list[Digit], list[Digit]]:
    if digit.scale % c == 0:
        return [], [digit]
    most = _most(digit)
    if most is not None and most < c:
        return [digit], []
    if c % digit.scale:
        raise NoDigitsError(f"`{c}` is no multiple of the factor `{digit.scale}`")
    t = c // digit.scale
    if not digit.top and isinstance(digit.extent, int) and digit.extent % t:
        raise NoDigitsError(f"a digit of extent `{digit.extent}` does not split by `{t}`")
    upper = (digit.extent + (t - 1)) // t
    low = replace(digit, extent=t, top=False)
    return [low], [replace(digit, lower=digit.lower * t, extent=as_dim(upper), scale=c)]


def _most(digit: Digit) -> int | None:
    return digit.scale * (digit.extent - 1) if isinstance(digit.extent, int) else None


def _number(digits: list[Digit]) -> list[Digit]:
    """The digits of one new index by place value, checked to be told apart."""
    kept = sorted((d for d in digits if d.extent != 1), key=lambda d: d.scale)
    if kept and kept[0].scale != 1:
        raise NoDigitsError(f"the factor `{kept[0].scale}` leaves gaps")
    for lower, upper in pairwise(kept):
        most = _most(lower)
        if most is None or most >= upper.scale or upper.scale % lower.scale:
            raise NoDigitsError(
                f"what is below the factor `{upper.scale}` is not known to stay below it"
            )
    return kept


def _check_cover(name: str, extent: Dim, digits: list[Digit]) -> None:
    """Each digit of an index once, and all of them."""
    ordered = sorted(digits, key=lambda d: d.lower)
    covered: Dim = 1
    for digit in ordered:
        if digit.lower != covered:
            raise NoDigitsError(f"digits of `{name}` overlap or are missing")
        covered = as_dim(reduce(lambda a, b: a * b, (IntImm(digit.lower), digit.extent)))
    complete = isinstance(covered, int) and isinstance(extent, int) and covered >= extent
    if not complete and not (ordered and ordered[-1].top):
        raise NoDigitsError(f"`{name}` cannot be told from the new index")
