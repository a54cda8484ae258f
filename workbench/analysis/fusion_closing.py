"""Where a fusion group can end: the calls that everything computed from a value goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.fusion_facts import FusionFacts
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Closing:
    """The first call through which all that is computed from a value goes, and how far it is.

    `distance` is the length of the longest way there: at least so many calls are between the
    value and what follows the call, which counts itself.
    """

    value: NodeId
    distance: int


def closings(facts: FusionFacts, farthest: int) -> dict[NodeId, Closing]:
    """The closing of each value that has one, no farther away than `farthest` calls.

    A set of calls that begins with one value is read outside only by its last member if that is
    the value's closing, the closing of that, or so on. What may take part in no group closes
    nothing. Linear in the uses, times `farthest` at worst. Reference: the immediate
    post-dominators of Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", 2001;
    `IndexedForwardGraph` and `DominatorTree` of TVM.
    """
    found: dict[NodeId, Closing] = {}
    heights: dict[NodeId, int] = {}
    for binding in reversed(facts.in_order):
        value = binding.var.id
        readers = facts.users.get(value, [])
        inside = readers and value not in facts.results and facts.patterns.keys() >= {*readers}
        heights[value] = height = 1 + max(heights[r] for r in readers) if inside else 0
        if not inside:
            continue
        meeting: NodeId | None = readers[0]
        lowest = height - farthest
        for reader in readers[1:]:
            meeting = _meeting(meeting, reader, found, heights, lowest)
        if meeting is not None and heights[meeting] >= lowest:
            found[value] = Closing(meeting, height - heights[meeting])
    return found


def _meeting(
    a: NodeId | None,
    b: NodeId | None,
    found: Mapping[NodeId, Closing],
    heights: Mapping[NodeId, int],
    lowest: int,
) -> NodeId | None:
    """Where the ways from two values meet for good, if that is no lower than `lowest`."""
    while a is not None and b is not None and a != b:
        if heights[a] < heights[b]:
            a, b = b, a
        closing = found.get(a)
        a = closing.value if closing is not None and heights[closing.value] >= lowest else None
    return a if a == b else None
