"""Where temporary values lie in one block of memory.

Reference: greedy by size with best fit, Pisarchyk and Lee, "Efficient Memory Management for Deep
Neural Net Inference", 2020, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.runtime.arrays import ALIGNMENT


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A value of `size` bytes that is needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Offsets in bytes, one a value, multiples of 64; `size` is that of the whole block."""

    offsets: tuple[int, ...]
    size: int


def plan_memory(values: Sequence[Lifetime]) -> MemoryPlan:
    """Place values so that those needed at one step are apart; large ones first, tightest gap."""
    offsets = [0] * len(values)
    placed: list[int] = []
    total = 0
    for index in sorted(range(len(values)), key=lambda i: (-values[i].size, i)):
        size = _rounded(values[index].size)
        neighbours = sorted(
            (offsets[other], offsets[other] + _rounded(values[other].size))
            for other in placed
            if _together(values[index], values[other])
        )
        offsets[index] = _best_gap(neighbours, size)
        placed.append(index)
        total = max(total, offsets[index] + size)
    return MemoryPlan(tuple(offsets), total)


def _rounded(size: int) -> int:
    return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)


def _together(a: Lifetime, b: Lifetime) -> bool:
    return a.first <= b.last and b.first <= a.last


def _best_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the smallest gap between the taken ranges that holds `size` bytes."""
    best, best_room = -1, 0
    end = 0
    for start, stop in taken:
        room = start - end
        if room >= size and (best < 0 or room < best_room):
            best, best_room = end, room
        end = max(end, stop)
    return best if best >= 0 else end
