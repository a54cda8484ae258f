"""Integer arithmetic that the TypeScript twin repeats digit by digit."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def quotient(a: int, b: int) -> int:
    """`a / b` rounded towards zero."""
    result = abs(a) // abs(b)
    return result if (a >= 0) == (b >= 0) else -result


def clamp(value: int, low: int, high: int) -> int:
    """The value between the two limits nearest to `value`; `low` where they cross."""
    return max(low, min(high, value))


def spread(wanted: Sequence[int], distances: Sequence[int]) -> list[int]:
    """Positions nearest to `wanted` that keep the order and the least distances.

    Reference: pool adjacent violators (isotonic regression), Barlow et al. 1972.
    """
    offsets = [0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    blocks: list[tuple[int, int]] = []
    for wish, offset in zip(wanted, offsets, strict=False):
        total, count = wish - offset, 1
        while blocks and blocks[-1][0] * count > total * blocks[-1][1]:
            above, more = blocks.pop()
            total, count = total + above, count + more
        blocks.append((total, count))
    result: list[int] = []
    for total, count in blocks:
        base = quotient(total, count)
        result.extend(base + offset for offset in offsets[len(result) : len(result) + count])
    return result


def topological(below: Sequence[Sequence[int]]) -> list[int]:
    """Order by least index in which everything precedes what is below it.

    Where constraints form a ring the least index that is left goes first.
    """
    waiting = [0] * len(below)
    for targets in below:
        for target in targets:
            waiting[target] += 1
    ready = [index for index, needs in enumerate(waiting) if needs == 0]
    done = [False] * len(below)
    result: list[int] = []
    scan = 0
    while len(result) < len(below):
        if ready:
            index = heapq.heappop(ready)
        else:
            while done[scan]:
                scan += 1
            index = scan
        if done[index]:
            continue
        done[index] = True
        result.append(index)
        for target in below[index]:
            waiting[target] -= 1
            if waiting[target] == 0 and not done[target]:
                heapq.heappush(ready, target)
    return result
