"""Where values lie in one block of memory, so that those needed at one time are apart.

Two orders are tried and the smaller result is kept: large values first (not for very many that
live long), and in the order in which they begin. Both take the tightest gap that is free.

References: greedy by size, Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
Inference", 2020, section 5; TVM's unified static memory planner (`tir.usmp.algo.greedy_by_size`);
in order, `relax.transform.StaticPlanBlockMemory`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""
MOST_NEIGHBOURS = 24
"""Pairs of values that live together, per value, up to which large ones may go first."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A value of `size` bytes that is needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Offsets in bytes, one a value, multiples of the alignment; `size` of the whole block.

    `live` is the most that is needed at one step: no placement is smaller.
    """

    offsets: tuple[int, ...]
    size: int
    live: int = 0


def place(values: Sequence[Lifetime], alignment: int = ALIGNMENT) -> Placement:
    """Place values so that those needed at one step are apart."""
    sizes = [rounded(value.size, alignment) for value in values]
    order = sorted(range(len(values)), key=lambda i: (values[i].first, i))
    live = _most_live(values, sizes, order)
    found = _in_order(values, sizes, order)
    size = _end(found, sizes)
    if size > live and (together := _neighbours(values, order)) is not None:
        largest = sorted(range(len(values)), key=lambda i: (-values[i].size, i))
        other = _largest_first(sizes, largest, together)
        if _end(other, sizes) < size:
            found, size = other, _end(other, sizes)
    return Placement(tuple(found), size, live)


def rounded(size: int, alignment: int = ALIGNMENT) -> int:
    """A size as a multiple of the alignment, at least that."""
    return max(alignment, -(-size // alignment) * alignment)


def _end(offsets: Sequence[int], sizes: Sequence[int]) -> int:
    return max((o + s for o, s in zip(offsets, sizes, strict=True)), default=0)


def _most_live(values: Sequence[Lifetime], sizes: Sequence[int], order: Iterable[int]) -> int:
    """The most bytes that are needed at one step."""
    ends: list[tuple[int, int]] = []
    now = most = 0
    for index in order:
        while ends and ends[0][0] < values[index].first:
            now -= heapq.heappop(ends)[1]
        heapq.heappush(ends, (values[index].last, sizes[index]))
        now += sizes[index]
        most = max(most, now)
    return most


def _in_order(values: Sequence[Lifetime], sizes: Sequence[int], order: Iterable[int]) -> list[int]:
    """Offsets of values in the order in which they begin; what ended gives its room back."""
    offsets = [0] * len(values)
    room = _Room()
    ends: list[tuple[int, int]] = []
    for index in order:
        while ends and ends[0][0] < values[index].first:
            done = heapq.heappop(ends)[1]
            room.give_back(offsets[done], sizes[done])
        offsets[index] = room.take(sizes[index])
        heapq.heappush(ends, (values[index].last, index))
    return offsets


class _Room:
    """Free ranges of a block that grows: by size for the tightest, by both ends for merging."""

    def __init__(self) -> None:
        self.end = 0
        self._stops: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._by_size: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        """The start of the tightest free range; else the block grows, by its free end if any."""
        skipped: list[tuple[int, int]] = []
        found = None
        while self._by_size and found is None:
            room, start = heapq.heappop(self._by_size)
            if self._stops.get(start) != start + room:
                continue
            if room < size:
                skipped.append((room, start))
            else:
                found = start, start + room
        for item in skipped:
            heapq.heappush(self._by_size, item)
        if found is None:
            start = self._starts.get(self.end, self.end)
            found = start, self.end
            self.end = start + size
        start, stop = found
        self._forget(start, stop)
        if start + size < stop:
            self._add(start + size, stop)
        return start

    def give_back(self, start: int, size: int) -> None:
        """A range is free; merged with its neighbours."""
        stop = start + size
        if (after := self._stops.get(stop)) is not None:
            self._forget(stop, after)
            stop = after
        if (before := self._starts.get(start)) is not None:
            self._forget(before, start)
            start = before
        self._add(start, stop)

    def _add(self, start: int, stop: int) -> None:
        self._stops[start] = stop
        self._starts[stop] = start
        heapq.heappush(self._by_size, (stop - start, start))

    def _forget(self, start: int, stop: int) -> None:
        if self._stops.get(start) == stop:
            del self._stops[start], self._starts[stop]


def _neighbours(values: Sequence[Lifetime], order: Iterable[int]) -> list[list[int]] | None:
    """For each value those that live together with it; None where they are too many."""
    found: list[list[int]] = [[] for _ in values]
    budget = MOST_NEIGHBOURS * len(values)
    alive: list[tuple[int, int]] = []
    for index in order:
        while alive and alive[0][0] < values[index].first:
            heapq.heappop(alive)
        budget -= len(alive)
        if budget < 0:
            return None
        for _, other in alive:
            found[index].append(other)
            found[other].append(index)
        heapq.heappush(alive, (values[index].last, index))
    return found


def _largest_first(
    sizes: Sequence[int], order: Iterable[int], together: Sequence[Sequence[int]]
) -> list[int]:
    offsets = [-1] * len(sizes)
    for index in order:
        near = (o for o in together[index] if offsets[o] >= 0)
        taken = sorted((offsets[o], offsets[o] + sizes[o]) for o in near)
        offsets[index] = _tightest_gap(taken, sizes[index])
    return offsets


def _tightest_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the smallest gap between the taken ranges that holds `size` bytes."""
    best, best_room = -1, 0
    end = 0
    for start, stop in taken:
        room = start - end
        if room >= size and (best < 0 or room < best_room):
            best, best_room = end, room
        end = max(end, stop)
    return best if best >= 0 else end
