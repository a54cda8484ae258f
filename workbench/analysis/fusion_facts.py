"""What fusion knows of the values of a graph function: which take part, and what keeps two apart.

Everything is read off the tensor functions; no operator is known by its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from workbench.analysis.effects import must_run
from workbench.analysis.homes import Home, bindings_at_home
from workbench.analysis.op_pattern import OpPattern, only_moves_data, op_pattern
from workbench.analysis.uses import own_vars, result_ids
from workbench.ir import (
    Alias,
    Binding,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    Shape,
    TensorFunction,
    TensorType,
    TupleItem,
    Var,
)
from workbench.support import NodeId

Place = tuple[int, int]
"""Number of a dataflow block, and of the effects and checks before a binding; -1 outside."""

OUTSIDE: Place = (-1, 0)

WORDS: dict[OpPattern, str] = {
    OpPattern.INJECTIVE: "reads other elements than those it computes",
    OpPattern.REDUCTION: "is a reduction",
    OpPattern.OUT_FUSABLE: "is a contraction",
    OpPattern.OPAQUE: "is opaque: its loops are no plain nests with one result",
}


@dataclass
class FusionFacts:
    """What is known about the bindings of one function.

    `patterns` has those that may take part; `unfit` says of the others what they are.
    """

    patterns: dict[NodeId, OpPattern] = field(default_factory=dict[NodeId, OpPattern])
    unfit: dict[NodeId, str] = field(default_factory=dict[NodeId, str])
    moves: set[NodeId] = field(default_factory=set[NodeId])
    places: dict[NodeId, Place] = field(default_factory=dict[NodeId, Place])
    homes: dict[NodeId, Home] = field(default_factory=dict[NodeId, Home])
    barriers: dict[Place, Binding] = field(default_factory=dict[Place, Binding])
    """The effect or check with which a place begins."""
    bindings: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    in_order: list[Binding] = field(default_factory=list[Binding])
    order: dict[NodeId, int] = field(default_factory=dict[NodeId, int])
    reads: dict[NodeId, tuple[Var, ...]] = field(default_factory=dict[NodeId, tuple[Var, ...]])
    """What a binding reads, once each, in the order of its arguments."""
    users: dict[NodeId, list[NodeId]] = field(default_factory=dict[NodeId, list[NodeId]])
    """The bindings that read a value, once each, in program order."""
    results: frozenset[NodeId] = frozenset()
    groups: set[NodeId] = field(default_factory=set[NodeId])
    """What groups give that somebody made before."""


def fusion_facts(module: IRModule, function: GraphFunction) -> FusionFacts:
    """The facts of one function, its branches included; linear in its bindings and callees."""
    facts = FusionFacts(results=result_ids(function))
    known: dict[str, tuple[OpPattern | str, bool]] = {}
    passed: dict[int, int] = {}
    for home, binding in bindings_at_home(function):
        value, number = binding.var.id, home.number
        facts.order[value] = len(facts.in_order)
        facts.in_order.append(binding)
        facts.bindings[value] = binding
        read = own_vars(binding.value)
        facts.reads[value] = read = tuple(dict.fromkeys(read)) if len(read) > 1 else read
        for var in read:
            facts.users.setdefault(var.id, []).append(value)
        if must_run(binding.value, module):
            passed[number] = passed.get(number, 0) + 1
            facts.barriers[number, passed[number]] = binding
        facts.places[value] = (number, passed.get(number, 0)) if home.dataflow else OUTSIDE
        facts.homes[value] = home
        pattern, moves = _kind(module, binding.value, known)
        if isinstance(pattern, str):
            facts.unfit[value] = pattern
            continue
        facts.patterns[value] = pattern
        if moves:
            facts.moves.add(value)
        if isinstance(binding.value, CallFunction):
            facts.groups.add(value)
    return facts


def _kind(
    module: IRModule, value: GraphExpr, known: dict[str, tuple[OpPattern | str, bool]]
) -> tuple[OpPattern | str, bool]:
    """The pattern of a right side, or what it is else; whether it only moves data."""
    if not isinstance(value, CallTIR | CallFunction):
        return _other(value), False
    if isinstance(value, CallTIR) and (len(value.out_types) != 1 or value.scalars):
        return "has several results or scalar arguments", False
    if value.callee not in known:
        callee = module[value.callee]
        if isinstance(callee, TensorFunction):
            known[value.callee] = op_pattern(callee), only_moves_data(callee)
        else:
            known[value.callee] = _group_pattern(module, value.callee, callee), False
    return known[value.callee]


def _other(value: GraphExpr) -> str:
    match value:
        case CallOp(op=op):
            return f"is a call of the operator `{op}`, which has no loops yet: legalize it"
        case CallPacked(symbol=symbol):
            return f"is a call of the library function `{symbol}`, which has no loops"
        case CallTIRInplace(callee=callee):
            return f"writes what `{callee}` computes over an argument"
        case IfThenElse():
            return "is a branch"
        case MatchCast():
            return "is checked at run time"
        case Alias() | TupleItem():
            return "computes nothing"
        case _:
            return "calls no tensor function"


def _group_pattern(module: IRModule, name: str, function: GraphFunction) -> OpPattern | str:
    """The pattern of a fused group: what may follow its result in the same loops."""
    attrs = dict(function.attrs)
    if not attrs.pop("Primitive", None):
        return f"calls the function `{name}`, which is no fused group"
    if attrs:
        return f"calls `{name}`, which is meant for something else: it has `{min(attrs)}`"
    if not isinstance(function.result, Var) or len(function.blocks) != 1:
        return f"calls the group `{name}`, which gives several values"
    patterns: list[OpPattern] = []
    for binding in function.bindings:
        found, _ = _kind(module, binding.value, {}) if _is_call(binding) else ("", False)
        if isinstance(found, str):
            return f"calls the group `{name}`, in which `{binding.var.name}` is no such call"
        patterns.append(found)
    heavy = [p for p in patterns if p >= OpPattern.REDUCTION]
    if not patterns or function.result != function.bindings[-1].var:
        return f"calls the group `{name}`, which does not end with its result"
    if OpPattern.OPAQUE in heavy:
        return OpPattern.OPAQUE
    return OpPattern.OUT_FUSABLE if len(heavy) > 1 else max(patterns)


def _is_call(binding: Binding) -> bool:
    return isinstance(binding.value, CallTIR)


def obstacle(
    seed: Binding, producers: Iterable[Binding], consumer: Binding, facts: FusionFacts
) -> str:
    """Why `consumer` cannot follow `producers` in the group that begins with `seed`; else empty."""
    name = consumer.var.name
    pattern = facts.patterns[consumer.var.id]
    if consumer.var.id in facts.groups:
        return f"`{name}` is a group that was made before: others follow it, it follows none"
    anchored = facts.patterns[seed.var.id] >= OpPattern.REDUCTION
    limit = OpPattern.BROADCAST if anchored else OpPattern.INJECTIVE
    if pattern is OpPattern.REDUCTION or pattern is OpPattern.OUT_FUSABLE:
        return f"`{name}` {WORDS[pattern]}: it would compute what it reads again for each use"
    if pattern > limit:
        return f"`{name}` {WORDS[pattern]}"
    if anchored and shape_of(seed) != shape_of(consumer):
        return f"`{name}` has another shape than `{seed.var.name}`"
    for producer in () if anchored else producers:
        moves = producer.var.id in facts.moves
        if not moves and not _as_many(producer, consumer):
            return (
                f"`{name}` has another number of elements than `{producer.var.name}`, "
                "which would be computed again for each"
            )
    return ""


def shape_of(binding: Binding) -> Shape | None:
    """The shape of a tensor; None for other values."""
    return binding.var.type.shape if isinstance(binding.var.type, TensorType) else None


def _as_many(a: Binding, b: Binding) -> bool:
    """Whether two values have the same number of elements, whatever their shapes."""
    return shape_of(a) == shape_of(b) or _elements(a) == _elements(b)


def _elements(binding: Binding) -> tuple[int, tuple[str, ...]] | None:
    """Number of elements as a constant factor and the sorted symbolic ones."""
    shape = shape_of(binding)
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
