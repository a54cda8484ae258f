"""Guards: leave out iterations that a transformed nest runs beyond its old extent."""

from __future__ import annotations

from dataclasses import replace

from workbench.ir import (
    Allocate,
    Binary,
    BinaryOp,
    Block,
    For,
    If,
    Let,
    PrimExpr,
    Seq,
    Stmt,
)
from workbench.schedule.scope import walk_statements


def guarded(body: Stmt, condition: PrimExpr) -> Stmt:
    """The predicate on every outermost block, or a branch around what holds no block."""
    if not any(isinstance(node, Block) for node in walk_statements(body)):
        return If(condition, body)
    match body:
        case Block(predicate=predicate):
            whole = condition if predicate is None else Binary(BinaryOp.AND, predicate, condition)
            return replace(body, predicate=whole)
        case For(body=inner) | Let(body=inner) | Allocate(body=inner):
            return replace(body, body=guarded(inner, condition))
        case Seq(body=items):
            return Seq(tuple(guarded(item, condition) for item in items))
        case _:
            return If(condition, body)
