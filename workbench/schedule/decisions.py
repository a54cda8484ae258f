"""Decisions of sampling steps: which numbers a step may give, and drawing them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from workbench.support.plain_values import is_whole


def decision_fault(
    method: str, arguments: Mapping[str, object], old: Sequence[int], new: Sequence[int]
) -> str:
    """Why the numbers `new` are none that a sampling step may give in place of `old`, or empty."""
    match method:
        case "sample_perfect_tile":
            limit = arguments.get("max_innermost_factor")
            return tile_fault(math.prod(old), len(old), limit if isinstance(limit, int) else 0, new)
        case "sample_categorical":
            candidates = arguments.get("candidates")
            known = isinstance(candidates, tuple) and new[0] in candidates
            return "" if known else f"`{new[0]}` is none of the candidates `{candidates}`"
        case "sample_compute_location":
            return "" if new[0] >= -2 else f"`{new[0]}` is no loop, `-1` (root) or `-2` (inline)"
        case _:
            return ""


def tile_fault(extent: int, n: int, limit: int, factors: Sequence[int]) -> str:
    """Why factors are no perfect tile of `extent` in `n` parts, or empty.

    The innermost one is at most `limit`.
    """
    shown = f"`[{', '.join(str(f) for f in factors)}]`"
    if not all(is_whole(f) for f in factors):
        return f"factors {shown} are no whole numbers"
    if len(factors) != n:
        return f"expected `{n}` factors, got {shown}"
    if any(f < 1 for f in factors) or math.prod(factors) != extent:
        return f"factors {shown} do not multiply to the extent `{extent}`"
    if factors[-1] > limit:
        return f"the innermost of {shown} is more than `{limit}`"
    return ""


def perfect_tile(extent: int, n: int, limit: int, random: np.random.Generator) -> tuple[int, ...]:
    """`n` factors of `extent`, all ways with an innermost of at most `limit` equally likely."""
    if n == 1:
        return (extent,)
    innermost = [d for d in range(1, min(extent, limit) + 1) if extent % d == 0]
    ways = np.array([_ways(extent // d, n - 1) for d in innermost], dtype=np.float64)
    last = innermost[int(random.choice(len(innermost), p=ways / ways.sum()))]
    rest = [1] * (n - 1)
    for prime, power in _primes(extent // last):
        for part, share in enumerate(_shares(power, n - 1, random)):
            rest[part] *= prime**share
    return (*rest, last)


def _ways(value: int, parts: int) -> int:
    """In how many ways `value` is a product of so many ordered factors."""
    return math.prod(math.comb(power + parts - 1, parts - 1) for _, power in _primes(value))


def _shares(total: int, parts: int, random: np.random.Generator) -> list[int]:
    """`total` cut into ordered parts that may be 0, all ways equally likely."""
    slots = total + parts - 1
    bars = sorted(int(b) for b in random.choice(slots, parts - 1, replace=False)) if slots else []
    edges = [-1, *bars, slots]
    return [b - a - 1 for a, b in pairwise(edges)]


def _primes(value: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    divisor = 2
    while divisor * divisor <= value:
        power = 0
        while value % divisor == 0:
            value //= divisor
            power += 1
        if power:
            found.append((divisor, power))
        divisor += 1
    return [*found, (value, 1)] if value > 1 else found
