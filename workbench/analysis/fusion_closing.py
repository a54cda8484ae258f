"""Where a fusion group can end: the calls that everything computed from a value goes through."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.analysis.fusion_facts import FusionFacts
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Closings:
    """The closing of each value that has one: the first call through which all of its ways go.

    A way goes from a value to one that reads it, and on. A set of calls that begins with one value
    is read outside only by its last member if that is the value's closing, the closing of that, or
    so on.
    """

    first: dict[NodeId, NodeId] = field(default_factory=dict[NodeId, NodeId])
    heights: dict[NodeId, int] = field(default_factory=dict[NodeId, int])
    """Length of the longest way from a value to one with which its ways end."""

    def distance(self, value: NodeId) -> int:
        """How far the closing of a value is: no less calls follow up to it, which counts."""
        return self.heights[value] - self.heights[self.first[value]]


def closings(facts: FusionFacts, farthest: int) -> Closings:
    """The closings that are no farther away than `farthest` calls.

    What may take part in no group closes nothing. Linear in the uses, times `farthest` at worst.
    Reference: the immediate post-dominators of Cooper, Harvey and Kennedy, "A Simple, Fast
    Dominance Algorithm", 2001; `DominatorTree` of TVM.
    """
    found = Closings()
    heights = found.heights
    for binding in reversed(facts.in_order):
        value = binding.var.id
        readers = facts.users.get(value, [])
        ends = not readers or value in facts.results or not facts.patterns.keys() >= {*readers}
        if ends:
            heights[value] = 0
            continue
        height = 1 + max([heights[reader] for reader in readers])
        heights[value] = height
        meeting: NodeId | None = readers[0]
        for reader in readers[1:]:
            meeting = _meeting(meeting, reader, found, height - farthest)
        if meeting is not None and height - heights[meeting] <= farthest:
            found.first[value] = meeting
    return found


def _meeting(a: NodeId | None, b: NodeId | None, found: Closings, lowest: int) -> NodeId | None:
    """Where the ways from two values meet for good, if that is no lower than `lowest`."""
    heights = found.heights
    while a is not None and b is not None and a != b:
        if heights[a] < heights[b]:
            a, b = b, a
        closing = found.first.get(a)
        a = closing if closing is not None and heights[closing] >= lowest else None
    return a if a == b else None
