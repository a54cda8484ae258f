"""Fast ways through scalar expressions and statements: most questions start with a walk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench.ir.expr import Binary, Cast, Intrinsic, Load, Not, PrimExpr, Select, Var
from workbench.ir.tensor import Block, If, Seq, Stmt
from workbench.support.ids import NodeId

_MOST_NODES = 10_000


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
    """All loads in an expression, shared ones once."""
    return (node for node in leaves(expr) if isinstance(node, Load))


def leaves(expr: PrimExpr) -> Iterator[Var | Load]:
    """Variables and loads in an expression; parts that are shared are seen once."""
    pending, seen = [expr], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Var | Load):
            yield node
        pending += operands(node)


def reads_of(buffer: NodeId, parts: Iterable[PrimExpr]) -> int | None:
    """How often expressions read a buffer, shared parts each time; None for huge expressions."""
    pending, found = list(parts), 0
    for _ in range(_MOST_NODES):
        if not pending:
            return found
        node = pending.pop()
        found += isinstance(node, Load) and node.buffer.id == buffer
        pending += operands(node)
    return None


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
