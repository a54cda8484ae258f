"""Guards: leave out iterations that a transformed nest runs beyond its old extent."""

from __future__ import annotations

from dataclasses import replace

from workbench.analysis.conjunctions import conjunction
from workbench.codegen.division import DIVISIONS
from workbench.ir import (
    Allocate,
    AxisKind,
    Binary,
    Block,
    BufferType,
    For,
    If,
    IntImm,
    Let,
    Load,
    PrimExpr,
    Seq,
    Stmt,
    dtype_of,
    free_vars,
    is_float,
    walk,
)
from workbench.schedule.scope import walk_statements


def guarded(body: Stmt, condition: PrimExpr) -> Stmt:
    """The predicate on every outermost block, or a branch around what holds no block.

    What is computed on the way to a block, such as bounds of loops, is computed where the
    condition does not hold; where that may fault, the branch is around it. A branch around a block
    whose reduction may be empty stands outside of the reduction, so that its init still runs.
    """
    if not any(isinstance(node, Block) for node in walk_statements(body)) or _loses_init(body):
        return If(condition, body)
    match body:
        case Block(predicate=predicate, axes=axes):
            if not all(harmless(axis.value) for axis in axes):
                return If(condition, body)
            return replace(body, predicate=conjunction(condition, predicate))
        case For(start=start, extent=extent, body=inner) if harmless(start, extent):
            return replace(body, body=guarded(inner, condition))
        case Let(value=value, body=inner) if harmless(value):
            return replace(body, body=guarded(inner, condition))
        case Allocate(buffer=buffer, body=inner) if _constant(buffer.type):
            return replace(body, body=guarded(inner, condition))
        case If(condition=held, then=then, otherwise=None) if harmless(held):
            return replace(body, then=guarded(then, condition))
        case Seq(body=items):
            return Seq(tuple(guarded(item, condition) for item in items))
        case _:
            return If(condition, body)


def _loses_init(body: Stmt) -> bool:
    """Whether a branch directly around a block would stand inside of a reduction that may be empty.

    Only simple nests initialise where there is nothing to reduce (`analysis.empty_reductions`).
    """
    blocks = [node for node in walk_statements(body) if isinstance(node, Block)]
    symbolic = {
        node.var.id
        for node in walk_statements(body)
        if isinstance(node, For) and not isinstance(node.extent, IntImm)
    }
    return any(
        block.init is not None
        and not all(harmless(axis.value) for axis in block.axes)
        and any(
            axis.kind is AxisKind.REDUCE and not symbolic.isdisjoint(free_vars(axis.value))
            for axis in block.axes
        )
        for block in blocks
    )


def harmless(*values: PrimExpr) -> bool:
    """Whether values can be computed anywhere: they read nothing and divide by constants only."""
    return not any(_faults(node) for value in values for node in walk(value))


def _faults(node: object) -> bool:
    match node:
        case Load():
            return True
        case Binary(op=op, b=b) if op in DIVISIONS and not is_float(dtype_of(b)):
            return not isinstance(b, IntImm) or b.value == 0
        case _:
            return False


def _constant(type_: object) -> bool:
    return isinstance(type_, BufferType) and all(isinstance(dim, int) for dim in type_.shape)
