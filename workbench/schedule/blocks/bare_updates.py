"""Updates without an init of their own, in a block or in plain loops, as blocks that reduce.

What they add to was there before: another block has initialised it, or the caller. So nothing but
the update must be associative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.ir import (
    Axis,
    AxisKind,
    Block,
    For,
    If,
    IntImm,
    Load,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    Var,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.blocks.accumulators import accumulators
from workbench.schedule.blocks.loops_renamed import loops_renamed
from workbench.schedule.blocks.nest import Nest, nest_of
from workbench.schedule.scope import Scope, replace_statement
from workbench.support import NodeId


def reducing(scope: Scope, loop: For) -> Scope | None:
    """The function where what a loop updates is a block that reduces; None where it is none.

    Its axes are the loops around it: those that lead to different elements are spatial.
    """
    scope = _with_block(scope, loop)
    inside = [b for b in scope.blocks if any(s is loop for s in scope.paths[b.id])]
    inside = inside or [b for b in scope.blocks if _holds(scope, b, loop)]
    if len(inside) != 1 or inside[0].init is not None:
        return None
    nest = nest_of(scope, inside[0])
    if accumulators(nest.block) is None:
        return None
    changed = _by_loops(scope, nest)
    body = replace_statement(scope.function.body, nest.outermost, changed)
    return Scope(scope.name, scope.with_body(body))


def _holds(scope: Scope, block: Block, loop: For) -> bool:
    """Whether a loop, by its variable, is around a block."""
    return any(isinstance(s, For) and s.var.id == loop.var.id for s in scope.paths[block.id])


def _with_block(scope: Scope, loop: For) -> Scope:
    """The function where stores under a loop that are in no block are in one."""
    if any(isinstance(node, Block) for node in (*scope.paths[loop.var.id], *walk(loop))):
        return scope
    leaf = _leaf(loop)
    store = next((node for node in walk(leaf) if isinstance(node, Store)), None)
    if store is None or any(isinstance(node, For) for node in walk(leaf)):
        return scope
    name = scope.free_name(f"{store.buffer.name}_update")
    block = Block(scope.ids.new(), name, (), leaf)
    return Scope(scope.name, scope.replaced(leaf, block))


def _leaf(stmt: Stmt) -> Stmt:
    """What the loops of a perfect nest hold, and the branches that indices alone decide."""
    match stmt:
        case For(body=body) | Seq(body=(body,)):
            return _leaf(body)
        case If(condition=condition, then=then, otherwise=None) if not _reads(condition):
            return _leaf(then)
        case _:
            return stmt


def _reads(condition: PrimExpr) -> bool:
    return any(isinstance(node, Load) for node in walk(condition))


def _by_loops(scope: Scope, nest: Nest) -> Stmt:
    """The nest around a block whose axes are its loops; branches are part of its body."""
    old = nest.block
    values: dict[NodeId, PrimExpr] = {axis.var.id: axis.value for axis in old.axes}
    body = substitute(old.body, values)
    once = {loop.var.id: loop.start for loop in nest.loops if loop.extent == IntImm(1)}
    plain = (substitute(part, values) for part in conjuncts(old.predicate))
    conditions = [substitute(part, once) for part in plain]
    places = {
        ident
        for node in walk(body)
        if isinstance(node, Store)
        for index in node.indices
        for ident in free_vars(index)
    }
    used = {*free_vars(body), *(v for part in conditions for v in free_vars(part))}
    outer = [s for s in nest.around if isinstance(s, For) and s.var.id in used]
    axes, known = _axes(scope, old, (*outer, *nest.loops), places | {s.var.id for s in outer})
    reduced = {loop.var.id for loop in nest.loops} - places
    kept = [part for part in conditions if reduced.isdisjoint(free_vars(part))]
    moving = conjunction(*(part for part in conditions if part not in kept))
    body = loops_renamed(body if moving is None else If(moving, body), known)
    whole = conjunction(*kept)
    predicate = None if whole is None else loops_renamed(whole, known)
    stmt: Stmt = replace(old, axes=axes, body=body, predicate=predicate, reads=None, writes=None)
    for loop in reversed(nest.loops):
        stmt = replace(loop, body=stmt)
    return stmt


def _axes(
    scope: Scope, old: Block, loops: Sequence[For], places: set[NodeId]
) -> tuple[tuple[Axis, ...], dict[NodeId, PrimExpr]]:
    """An axis for each loop, and the loops in terms of the axes."""
    axes: list[Axis] = []
    known: dict[NodeId, PrimExpr] = {}
    names = {a.value.id: a.var.name for a in old.axes if isinstance(a.value, Var)}
    for loop in loops:
        name = names.get(loop.var.id) or scope.free_name(f"v_{loop.var.name}")
        var = Var(scope.ids.new(), name, ScalarType())
        kind = AxisKind.SPATIAL if loop.var.id in places else AxisKind.REDUCE
        axes.append(Axis(var, kind, loop.extent, loop.var - loop.start))
        known[loop.var.id] = var + loop.start
    return tuple(axes), known
