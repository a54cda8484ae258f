"""Fusion groups: which calls of a graph function should become one loop nest.

And, for each edge between two values, why it is none inside a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from workbench.analysis.fusion_closing import Closings, closings
from workbench.analysis.fusion_edges import Edge, edges_apart
from workbench.analysis.fusion_facts import OUTSIDE, FusionFacts, fusion_facts, obstacle
from workbench.analysis.op_pattern import OpPattern
from workbench.analysis.same_type import is_static
from workbench.ir import Binding, GraphFunction, IRModule, TensorType, Var, free_vars
from workbench.support import NodeId

LARGEST_GROUP = 32
"""Members of a group; a longer chain becomes several groups."""


@dataclass(frozen=True, slots=True)
class Group:
    """Members in program order; the last is the only one that is read from outside."""

    members: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """Groups of two or more calls in program order, and the edges that are in none, with reasons.

    `apart` has the edges of which at least one end calls a tensor function or a fused group.
    """

    groups: tuple[Group, ...]
    apart: tuple[Edge, ...]


@dataclass
class _Made:
    """The groups made so far."""

    facts: FusionFacts
    closings: Closings
    seeds: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    """The first member of the group of a value."""
    reasons: dict[tuple[NodeId, NodeId], str] = field(
        default_factory=dict[tuple[NodeId, NodeId], str]
    )
    """Why a group, by its first member, could not end with a value."""


def fusion_plan(module: IRModule, function: GraphFunction) -> FusionPlan:
    """What to fuse in a function, and why not the rest.

    Groups that somebody made before, contractions and reductions choose first; what is left forms
    elementwise and injective chains. A group stays inside a dataflow block and on one side of each
    effect and each `match_cast`; what is in an arm of a branch is in blocks of its own. Linear in
    bindings and uses. Reference: `FuseOps` of TVM.
    """
    facts = fusion_facts(module, function)
    made = _Made(facts, closings(facts, LARGEST_GROUP - 1))
    groups: list[Group] = []
    for seed in _seeds(facts):
        if seed.var.id not in made.seeds:
            members = _grow(seed, made)
            if len(members) > 1:
                made.seeds |= {m.var.id: seed for m in members}
                groups.append(Group(tuple(members)))
    groups.sort(key=lambda group: facts.order[group.members[0].var.id])
    full = frozenset(g.members[0].var.id for g in groups if len(g.members) == LARGEST_GROUP)
    return FusionPlan(tuple(groups), edges_apart(facts, made.seeds, made.reasons, full))


def _seeds(facts: FusionFacts) -> list[Binding]:
    """What a group may begin with, in the order in which they choose."""
    ranks: list[list[Binding]] = [[], [], []]
    for value, pattern in facts.patterns.items():
        if facts.places[value] == OUTSIDE or pattern is OpPattern.OPAQUE:
            continue
        rank = 0 if value in facts.groups else 1 if pattern >= OpPattern.REDUCTION else 2
        ranks[rank].append(facts.bindings[value])
    return [seed for rank in ranks for seed in rank]


@dataclass(slots=True)
class _Growing:
    """A group that grows: its members, and what it still needs to be one function."""

    facts: FusionFacts
    members: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    needed: dict[NodeId, Var] = field(default_factory=dict[NodeId, Var])
    bound: set[NodeId] = field(default_factory=set[NodeId])
    """Dimensions that what it reads has as they are: `n`, but not the `n` of `n * 2`."""
    waiting: list[int] = field(default_factory=list[int])
    seen: set[int] = field(default_factory=set[int])

    def add(self, member: Binding) -> None:
        facts, value = self.facts, member.var.id
        for var in facts.reads[value]:
            if var.id not in self.members and not is_static(var.type):
                self.needed |= free_vars(var.type)
                self.bound.update(_bound_by(var))
        if not is_static(member.var.type):
            self.needed |= free_vars(member.var.type)
        self.members[value] = member
        for reader in facts.users.get(value, ()):
            position = facts.order[reader]
            if position not in self.seen:
                self.seen.add(position)
                heappush(self.waiting, position)

    def producers(self, candidate: Binding) -> Iterator[Binding]:
        """The members that a binding reads."""
        read = self.facts.reads[candidate.var.id]
        return (self.members[var.id] for var in read if var.id in self.members)

    def gap(self) -> str:
        """Why the members are no function by themselves; empty where they are."""
        unknown = [v.name for i, v in self.needed.items() if i not in self.bound]
        return f"a function of the group would not know `{unknown[0]}`" if unknown else ""


def _grow(seed: Binding, made: _Made) -> list[Binding]:
    """The longest closed set that starts with `seed`: only its last member is read outside."""
    growing, last, closed = _Growing(made.facts), seed.var.id, 1
    growing.add(seed)
    while (closing := made.closings.first.get(last)) is not None:
        room = LARGEST_GROUP - len(growing.members)
        if made.closings.distance(last) > room or not _reach(closing, seed, growing, made):
            break
        last = closing
        if gap := growing.gap():
            made.reasons[seed.var.id, last] = gap
        else:
            closed = len(growing.members)
    return [*growing.members.values()][:closed]


def _reach(closing: NodeId, seed: Binding, growing: _Growing, made: _Made) -> bool:
    """Add the calls up to one that closes the group; whether they all may be in it.

    Where one may not, what it reads is read outside for good.
    """
    facts = made.facts
    while closing not in growing.members:
        candidate = facts.in_order[heappop(growing.waiting)]
        value = candidate.var.id
        if value in made.seeds or len(growing.members) == LARGEST_GROUP:
            return False
        if facts.places[value] != facts.places[seed.var.id]:
            return False
        if obstacle(seed, growing.producers(candidate), candidate, facts):
            return False
        growing.add(candidate)
    return True


def _bound_by(var: Var) -> set[NodeId]:
    """The dimensions that an argument of this type says."""
    shape = var.type.shape if isinstance(var.type, TensorType) else None
    return {extent.id for extent in shape or () if isinstance(extent, Var)}
