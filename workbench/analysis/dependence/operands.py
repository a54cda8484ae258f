"""Fast ways through scalar expressions and statements: most questions start with a walk."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.ir.expr import Binary, Cast, Intrinsic, Load, Not, PrimExpr, Select
from workbench.ir.tensor import Block, If, Seq, Stmt


def operands(expr: PrimExpr) -> tuple[PrimExpr, ...]:
    """The expressions directly below one."""
    match expr:
        case Binary(a=a, b=b):
            return a, b
        case Load(indices=indices):
            return indices
        case Cast(value=value) | Not(value=value):
            return (value,)
        case Intrinsic(args=args):
            return args
        case Select(condition=condition, true_value=a, false_value=b):
            return condition, a, b
        case _:
            return ()


def loads(expr: PrimExpr) -> Iterator[Load]:
    """All loads in an expression."""
    pending = [expr]
    while pending:
        node = pending.pop()
        if isinstance(node, Load):
            yield node
        pending += operands(node)


def has_load(expr: PrimExpr) -> bool:
    """Whether an expression reads memory."""
    return next(loads(expr), None) is not None


def statements_in(body: Stmt) -> Iterator[Stmt]:
    """A statement and all below it, parents first, in program order."""
    pending = [body]
    while pending:
        stmt = pending.pop()
        yield stmt
        pending += reversed(_below(stmt))


def _below(stmt: Stmt) -> tuple[Stmt, ...]:
    if isinstance(stmt, Seq):
        return stmt.body
    if isinstance(stmt, If):
        return (stmt.then,) if stmt.otherwise is None else (stmt.then, stmt.otherwise)
    if isinstance(stmt, Block):
        return (stmt.body,) if stmt.init is None else (stmt.init, stmt.body)
    body: Stmt | None = getattr(stmt, "body", None)
    return () if body is None else (body,)
