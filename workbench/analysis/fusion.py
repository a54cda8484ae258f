"""Fusion groups: which calls of a graph function should become one loop nest.

And why others not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.analysis.op_pattern import OpPattern, only_moves_data, op_pattern
from workbench.analysis.uses import argument_vars, result_ids, users
from workbench.ir import (
    Binding,
    BindingBlock,
    CallTIR,
    GraphFunction,
    IRModule,
    Shape,
    TensorType,
    Var,
    free_vars,
)
from workbench.support import NodeId

LARGEST_GROUP = 32
"""Members of a group; a longer chain becomes several groups."""


@dataclass(frozen=True)
class Group:
    """Members in program order; the last is the only one that is read from outside."""

    members: tuple[Binding, ...]


@dataclass
class _Facts:
    """What is known about one dataflow block."""

    function: GraphFunction
    patterns: dict[NodeId, OpPattern]
    moves: set[NodeId]
    users: dict[NodeId, tuple[NodeId, ...]]
    results: frozenset[NodeId]
    taken: set[NodeId] = field(default_factory=set[NodeId])
    reasons: dict[NodeId, str] = field(default_factory=dict[NodeId, str])


def fusion_groups(
    module: IRModule, function: GraphFunction
) -> tuple[list[Group], dict[NodeId, str]]:
    """Groups of two or more calls in program order.

    And a reason for each call that follows one and stays out.

    Contractions and reductions choose first; what is left forms elementwise and injective chains.
    """
    groups: list[Group] = []
    reasons: dict[NodeId, str] = {}
    for block in function.blocks:
        if block.dataflow:
            facts = _facts(module, function, block)
            groups += _block_groups(block, facts)
            reasons |= {k: v for k, v in facts.reasons.items() if k not in facts.taken}
    order = {b.var.id: n for n, b in enumerate(function.bindings)}
    return sorted(groups, key=lambda g: order[g.members[0].var.id]), reasons


def _facts(module: IRModule, function: GraphFunction, block: BindingBlock) -> _Facts:
    patterns: dict[NodeId, OpPattern] = {}
    moves: set[NodeId] = set()
    tensor = module.tensor_functions
    for binding in block.bindings:
        call = binding.value
        if isinstance(call, CallTIR) and call.callee in tensor and len(call.out_types) == 1:
            patterns[binding.var.id] = op_pattern(tensor[call.callee])
            if only_moves_data(tensor[call.callee]):
                moves.add(binding.var.id)
    return _Facts(function, patterns, moves, users(function), result_ids(function))


def _block_groups(block: BindingBlock, facts: _Facts) -> list[Group]:
    anchors = (OpPattern.OUT_FUSABLE, OpPattern.REDUCTION)
    chains = (OpPattern.ELEMENTWISE, OpPattern.BROADCAST, OpPattern.INJECTIVE)
    groups: list[Group] = []
    for wanted in (anchors, chains):
        for position, seed in enumerate(block.bindings):
            pattern = facts.patterns.get(seed.var.id)
            if pattern in wanted and seed.var.id not in facts.taken:
                members = _grow(block.bindings[position:], facts)
                if len(members) > 1:
                    facts.taken |= {m.var.id for m in members}
                    groups.append(Group(tuple(members)))
    return groups


def _grow(following: tuple[Binding, ...], facts: _Facts) -> list[Binding]:
    """The longest closed set that starts with the first binding.

    Only its last member is read outside.
    """
    members = [following[0]]
    inside = {following[0].var.id}
    closed = 1
    for candidate in following[1:]:
        if not any(var.id in inside for var in argument_vars(candidate.value)):
            continue
        if len(members) == LARGEST_GROUP:
            full = f"the group before `{candidate.var.name}` has {LARGEST_GROUP} members already"
            facts.reasons.setdefault(candidate.var.id, full)
            break
        reason = _why_not(following[0], candidate, facts)
        if reason:
            facts.reasons.setdefault(candidate.var.id, reason)
            continue
        members.append(candidate)
        inside.add(candidate.var.id)
        if _is_closed(members, inside, facts) and _binds_symbols(members, inside):
            closed = len(members)
    for left_out in members[closed:]:
        facts.reasons.setdefault(
            left_out.var.id, f"a value before `{left_out.var.name}` is read elsewhere too"
        )
    return members[:closed]


def _why_not(seed: Binding, candidate: Binding, facts: _Facts) -> str:
    """Why `candidate` cannot follow in the group of `seed`; empty where it can."""
    name = candidate.var.name
    pattern = facts.patterns.get(candidate.var.id)
    if candidate.var.id in facts.taken:
        return f"`{name}` belongs to another group"
    if pattern is None:
        return f"`{name}` calls no tensor function"
    anchored = facts.patterns[seed.var.id] >= OpPattern.REDUCTION
    limit = OpPattern.BROADCAST if anchored else OpPattern.INJECTIVE
    if pattern > limit:
        return f"`{name}` is {pattern.name.lower().replace('_', '-')}"
    if anchored and _shape(seed) != _shape(candidate):
        return f"`{name}` has another shape than `{seed.var.name}`"
    repeats = _elements(seed) != _elements(candidate) and seed.var.id not in facts.moves
    if not anchored and repeats:
        return f"`{name}` has more elements than `{seed.var.name}`, which would be computed again"
    return ""


def _is_closed(members: list[Binding], inside: set[NodeId], facts: _Facts) -> bool:
    return all(
        member.var.id not in facts.results
        and all(user in inside for user in facts.users.get(member.var.id, ()))
        for member in members[:-1]
    )


def _binds_symbols(members: list[Binding], inside: set[NodeId]) -> bool:
    """Whether every symbolic dimension in the group occurs in the type of something it reads."""
    outer = [v for m in members for v in argument_vars(m.value) if v.id not in inside]
    bound = {i for var in outer for i in free_vars(var.type)}
    return all(i in bound for m in members for i in free_vars(m.var.type))


def _shape(binding: Binding) -> Shape | None:
    return binding.var.type.shape if isinstance(binding.var.type, TensorType) else None


def _elements(binding: Binding) -> tuple[int, tuple[str, ...]] | None:
    """Number of elements as a constant factor and the sorted symbolic ones."""
    shape = _shape(binding)
    if shape is None:
        return None
    factor = 1
    symbols: list[str] = []
    for extent in shape:
        if isinstance(extent, int):
            factor *= extent
        else:
            symbols.append(extent.name if isinstance(extent, Var) else repr(extent))
    return factor, tuple(sorted(symbols))
