"""Edges that fusion leaves apart: from a value to one that reads it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.analysis.fusion_facts import OUTSIDE, WORDS, FusionFacts, obstacle
from workbench.analysis.homes import border_between
from workbench.analysis.op_pattern import OpPattern
from workbench.ir import Alias, Binding, Constant, Var
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Edge:
    """A value, the binding that reads it, and why they are in no group together.

    `arm` is that of the reading `if` which gives the value; empty for any other edge.
    """

    producer: Var
    consumer: Binding
    reason: str
    arm: Literal["", "then", "else"] = ""


@dataclass(frozen=True, slots=True)
class _Result:
    """The groups as they are."""

    facts: FusionFacts
    seeds: Mapping[NodeId, Binding]
    reasons: Mapping[tuple[NodeId, NodeId], str]
    full: frozenset[NodeId]


def edges_apart(
    facts: FusionFacts,
    seeds: Mapping[NodeId, Binding],
    reasons: Mapping[tuple[NodeId, NodeId], str],
    full: frozenset[NodeId],
) -> tuple[Edge, ...]:
    """The edges that are inside no group, in program order, with the first reason that holds.

    `seeds` has the first member of each value's group, `reasons` why one could not end with a
    value, `full` the first members of groups that cannot grow. Linear in the uses.
    """
    return tuple(_edges(_Result(facts, seeds, reasons, full)))


def _edges(made: _Result) -> Iterator[Edge]:
    facts = made.facts
    for consumer in facts.in_order:
        for var in facts.reads[consumer.var.id]:
            producer = facts.bindings.get(var.id)
            if producer is None or _is_constant(producer) or _together(producer, consumer, made):
                continue
            if producer.var.id in facts.patterns or consumer.var.id in facts.patterns:
                home = facts.homes[producer.var.id]
                arm = home.arm if home.branch is consumer else ""
                yield Edge(var, consumer, _why(producer, consumer, made), arm)


def _is_constant(binding: Binding) -> bool:
    return isinstance(binding.value, Alias) and isinstance(binding.value.value, Constant)


def _together(producer: Binding, consumer: Binding, made: _Result) -> bool:
    seed = made.seeds.get(producer.var.id)
    return seed is not None and made.seeds.get(consumer.var.id) is seed


def _why(producer: Binding, consumer: Binding, made: _Result) -> str:
    """The first reason, those that hold for the two alone before those of the groups."""
    facts = made.facts
    seed = made.seeds.get(producer.var.id, producer)
    return (
        _given_by_arm(producer, consumer, facts)
        or _unfit(producer, facts)
        or _unfit(consumer, facts)
        or _between(producer, consumer, facts)
        or obstacle(seed, [producer], consumer, facts)
        or _read_elsewhere(producer, consumer, made)
        or made.reasons.get((seed.var.id, consumer.var.id))
        or _in_other_group(producer, consumer, made)
        or f"the rest of what `{consumer.var.name}` reads is not in the group"
    )


def _given_by_arm(producer: Binding, consumer: Binding, facts: FusionFacts) -> str:
    """Whether the consumer is the branch in which the producer is, and reads what an arm gives."""
    home = facts.homes[producer.var.id]
    return "it is what the arm gives" if home.branch is consumer else ""


def _unfit(binding: Binding, facts: FusionFacts) -> str:
    value, name = binding.var.id, binding.var.name
    if value in facts.unfit:
        return f"`{name}` {facts.unfit[value]}"
    opaque = facts.patterns[value] is OpPattern.OPAQUE
    return f"`{name}` {WORDS[OpPattern.OPAQUE]}" if opaque else ""


def _between(producer: Binding, consumer: Binding, facts: FusionFacts) -> str:
    """What stands between the two: a branch, the end of a block, an effect or a check."""
    border = border_between(*(facts.homes[b.var.id] for b in (producer, consumer)))
    if border:
        return (
            f"`{consumer.var.name}` is in {border} and `{producer.var.name}` is not: "
            "no group crosses the border"
        )
    places = [facts.places[b.var.id] for b in (producer, consumer)]
    for binding, place in zip((producer, consumer), places, strict=True):
        if place == OUTSIDE:
            return f"`{binding.var.name}` is in no dataflow block: there the order may matter"
    if places[0][0] != places[1][0]:
        return f"`{producer.var.name}` and `{consumer.var.name}` are in different dataflow blocks"
    if places[0] != places[1]:
        barrier = facts.barriers[places[1]].var.name
        return f"the check `{barrier}` stands between, and nothing moves across it"
    return ""


def _read_elsewhere(producer: Binding, consumer: Binding, made: _Result) -> str:
    """Who else reads the producer, so that it has to be there as a value."""
    value, name = producer.var.id, producer.var.name
    if value in made.facts.results:
        return f"`{name}` is a result of the function"
    group = made.seeds.get(value)
    others = [
        made.facts.bindings[user].var.name
        for user in made.facts.users.get(value, ())
        if user != consumer.var.id and (group is None or made.seeds.get(user) is not group)
    ]
    return f"`{name}` is read by `{others[0]}` too" if others else ""


def _in_other_group(producer: Binding, consumer: Binding, made: _Result) -> str:
    group = made.seeds.get(producer.var.id)
    if group is not None and group.var.id in made.full:
        return f"the group of `{group.var.name}` has as many members as a group may have"
    other = made.seeds.get(consumer.var.id)
    if other is consumer:
        return f"`{consumer.var.name}` begins a group of its own"
    if other is not None:
        return f"`{consumer.var.name}` belongs to the group of `{other.var.name}`"
    return ""
