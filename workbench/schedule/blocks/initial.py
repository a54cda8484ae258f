"""Initial values: the init of a reduction as a block of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.dependence import Answer, applies, illegal, inapplicable, unproved
from workbench.analysis.dependence.clashes import Witness
from workbench.analysis.dependence.comparison import Comparison, Group
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.versions import Version
from workbench.analysis.empty_reductions import EmptyReduction, reduction_of
from workbench.ir import (
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferType,
    For,
    If,
    IntImm,
    Let,
    MatchBuffer,
    PrimExpr,
    Seq,
    Stmt,
    TensorFunction,
    Type,
    Var,
    While,
    as_dim,
    as_expr,
    free_vars,
    substitute,
)
from workbench.schedule.blocks.loops_renamed import loops_renamed
from workbench.schedule.blocks.moved import clash_answer, part_deciding, too_large
from workbench.schedule.blocks.nest import known_at
from workbench.schedule.empties import ALWAYS
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, replace_statement, sequence, uses
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Decomposed:
    """A reduction taken apart: the block as it was, the id of the block of init, the function."""

    block: Block
    init: NodeId
    function: TensorFunction


def decomposed(scope: Scope, block: Block, loop: For) -> Decomposed:
    """The function with the init of a block before a loop around it.

    Raises:
        RefusedError: it has no init, or is not under the loop.
    """
    if block.init is None:
        message = f"`{block.name}` has no init to take apart"
        raise RefusedError(inapplicable(message, block.id))
    path = scope.paths[block.id]
    if not any(stmt is loop for stmt in path):
        message = f"`{block.name}` is not under the loop `{loop.var.name}`"
        raise RefusedError(inapplicable(message, block.id))
    if any(isinstance(stmt, While) for stmt in path):
        raise RefusedError(unproved(f"`{block.name}` lies under a `while`", block.id))
    for buffer in block.allocations:
        if uses(block.init, buffer.id) and uses(block.body, buffer.id):
            message = (
                f"`{block.name}` begins with what its init leaves in its own `{buffer.name}`, "
                "expected an init that fills buffers from outside of the block"
            )
            raise RefusedError(inapplicable(message, block.id))
    inside = path[next(n for n, stmt in enumerate(path) if stmt is loop) :]
    made = _init_nest(scope, block, inside, path[: -len(inside)])
    kept = tuple(b for b in block.allocations if not uses(block.init, b.id))
    update = replace(block, init=None, reads=None, allocations=kept)
    changed = replace_statement(loop, block, update)
    body = replace_statement(scope.function.body, loop, sequence([made.stmt, changed]))
    return Decomposed(block, made.block, scope.with_body(body))


def _is_zero(facts: Facts, value: PrimExpr) -> PrimExpr:
    """`value == 0`, a constant factor divided out."""
    poly = facts.poly(value)
    atom = poly.single_atom()
    return Binary(BinaryOp.EQ, value if atom is None else atom, IntImm(0))


@dataclass(frozen=True, slots=True)
class _Nest:
    stmt: Stmt
    block: NodeId


def _init_nest(scope: Scope, block: Block, inside: Sequence[Stmt], around: Sequence[Stmt]) -> _Nest:
    """The loops of the spatial axes with the block that initialises."""
    assert block.init is not None
    spatial = [a for a in block.axes if a.kind is not AxisKind.REDUCE]
    simple = _early(block, inside, around)
    reduced = {loop.var.id for loop in simple.reduced} if simple is not None else set[NodeId]()
    used = {var for axis in spatial for var in free_vars(axis.value)}
    facts = known_at(scope.function, around)
    values: dict[NodeId, PrimExpr] = {}
    conditions: list[PrimExpr] = []
    loops: list[For] = []
    for stmt in inside:
        facts = _entered(scope, block, stmt, used, reduced, facts, values, conditions, loops)
    conditions += [
        _is_zero(facts, substitute(axis.value, values))
        for axis in block.axes
        if axis.kind is AxisKind.REDUCE
    ]
    own = {a.var.id: a.value for a in block.axes}
    parts = (substitute(part, own) for part in conjuncts(block.predicate))
    conditions += [
        substitute(part, values) for part in parts if reduced.isdisjoint(free_vars(part))
    ]
    made = _init_block(scope, block, spatial, values, _undecided(facts, conditions))
    stmt: Stmt = made
    for loop in reversed(loops):
        stmt = replace(loop, body=stmt)
    return _Nest(stmt, made.id)


def _early(block: Block, inside: Sequence[Stmt], around: Sequence[Stmt]) -> EmptyReduction | None:
    """How init runs where there is nothing to reduce, if all reduction loops are inside."""
    simple = reduction_of(block, (*around, *inside)).simple
    if simple is None or not any(stmt is simple.outermost for stmt in inside):
        return None
    return simple


def _entered(
    scope: Scope,
    block: Block,
    stmt: Stmt,
    used: set[NodeId],
    reduced: set[NodeId],
    facts: Facts,
    values: dict[NodeId, PrimExpr],
    conditions: list[PrimExpr],
    loops: list[For],
) -> Facts:
    """Go one statement further in: a loop of init, a fixed loop, or a condition."""
    match stmt:
        case For(var=var, start=start, extent=extent):
            first, count = substitute(start, values), substitute(extent, values)
            if var.id not in used:
                values[var.id] = first
                if var.id not in reduced:
                    conditions.append(Binary(BinaryOp.GT, count, IntImm(0)))
                return facts
            fresh = scope.fresh(f"{var.name}_init", var.type)
            values[var.id] = fresh
            loops.append(replace(stmt, var=fresh, start=first, extent=count, annotations=()))
            return facts.with_range(fresh, loop_interval(first, count))
        case If(condition=condition, otherwise=None):
            conditions.append(substitute(condition, values))
        case Let(var=var, value=value):
            values[var.id] = substitute(value, values)
        case Seq():
            pass
        case _:
            what = type(stmt).__name__.lower()
            message = f"there is a `{what}` between the loop and `{block.name}`"
            raise RefusedError(inapplicable(message, block.id))
    return facts


def _undecided(facts: Facts, conditions: Sequence[PrimExpr]) -> list[PrimExpr]:
    kept: list[PrimExpr] = []
    for condition in conditions:
        plain = facts.simplify(condition)
        if plain != ALWAYS:
            kept.append(plain)
            facts = facts.assume(plain)
    return kept


def _init_block(
    scope: Scope,
    block: Block,
    spatial: Sequence[Axis],
    values: dict[NodeId, PrimExpr],
    conditions: Sequence[PrimExpr],
) -> Block:
    assert block.init is not None
    axes: list[Axis] = []
    inner = dict(values)
    for axis in spatial:
        var = Var(scope.ids.new(), axis.var.name, axis.var.type)
        inner[axis.var.id] = var
        axes.append(replace(axis, var=var, value=substitute(axis.value, values)))
    for axis in block.axes:
        if axis.kind is AxisKind.REDUCE:
            inner[axis.var.id] = IntImm(0)
    made: list[Var] = []
    for buffer in block.allocations:
        if uses(block.init, buffer.id):
            made.append(Var(scope.ids.new(), buffer.name, _sized(buffer.type, inner)))
            inner[buffer.id] = made[-1]
    views: list[MatchBuffer] = []
    for view in block.match_buffers:
        if uses(block.init, view.buffer.id):
            buffer = scope.fresh(view.buffer.name, substitute(view.buffer.type, inner))
            views.append(MatchBuffer(buffer, substitute(view.source, inner)))
            inner[view.buffer.id] = buffer
    return Block(
        scope.ids.new(),
        scope.free_name(f"{block.name}_init"),
        tuple(axes),
        loops_renamed(block.init, inner),
        predicate=conjunction(*conditions),
        allocations=tuple(made),
        match_buffers=tuple(views),
    )


def init_keeps(before: TensorFunction, plan: Decomposed) -> Answer:
    """Whether every update still finds its initial value, and nothing else changes."""
    block = plan.block
    old, new = (Version(part_deciding(f, block)) for f in (before, plan.function))
    found = Comparison(Group.of(old, block.id, init=True), Group.of(new, plan.init))
    try:
        extra, lost = found.extra_instance(), found.lost_instance()
        for witness, verb in ((extra, "would be"), (lost, "would not be")):
            if witness is not None:
                return _differs(block, witness, verb)
        clash = found.reordered()
        if clash is not None:
            return clash_answer(block, clash)
    except TooLargeError:
        return too_large(block)
    return applies()


def _differs(block: Block, witness: Witness, verb: str) -> Answer:
    note = f"{verb} initialised at {witness.text}" if witness.values else ""
    notes = (note, *witness.inexact[:2]) if note else witness.inexact[:2]
    if witness.inexact:
        message = f"it is not proved that the same elements of `{block.name}` are initialised"
        return unproved(message, block.id, notes)
    return illegal(f"not the same elements of `{block.name}` would be initialised", block.id, notes)


def _sized(kind: Type, values: dict[NodeId, PrimExpr]) -> Type:
    """The type of a buffer in the expressions of the init."""
    made = substitute(kind, values)
    if made is kind or not isinstance(made, BufferType):
        return made
    dims = (as_dim(Facts().simplify(as_expr(dim))) for dim in made.shape)
    return replace(made, shape=tuple(dims))
