"""How long a statement runs, roughly: to decide on unrolling, threads and interrupt polls."""

from __future__ import annotations

import functools
import operator

from workbench.ir.expr import IntImm, Intrinsic, Load, PrimExpr
from workbench.ir.tensor import Allocate, Evaluate, For, If, Let, LoopKind, Seq, Stmt, Store, While
from workbench.ir.traverse import free_vars, walk

_POLL_COST = 100_000
PARALLEL_COST = 20_000
"""Operations that are worth waking another thread."""
STRIP = 1 << 20
"""Iterations of a cheap loop between two looks at the interrupt flag."""


def cost(stmt: Stmt) -> int | None:
    """Operations of one run, vectors counted once; None where an extent is symbolic."""
    match stmt:
        case For(extent=IntImm(value=extent), body=body, kind=kind):
            inner = cost(body)
            times = 1 if kind is LoopKind.VECTORIZED else extent
            return None if inner is None else inner * times
        case Seq(body=body):
            return _sum([cost(item) for item in body])
        case If(then=then, otherwise=None):
            return cost(then)
        case If(then=then, otherwise=otherwise) if otherwise is not None:
            return _sum([cost(then), cost(otherwise)])
        case Let(body=body) | Allocate(body=body):
            return cost(body)
        case Store(value=value) | Evaluate(value=value):
            return sum(10 if isinstance(node, Intrinsic) else 1 for node in walk(value)) // 4 + 1
        case _:
            return None


def run_time_cost(loop: For) -> PrimExpr | None:
    """Operations of a loop in terms of what is known before it.

    None where an extent depends on the loop itself or on loops inside, or where nobody knows.
    """
    found = _counted(loop)
    inner = {node.var.id for node in walk(loop) if isinstance(node, For | Let)}
    if found is None or inner & set(free_vars(found)):
        return None
    return None if any(isinstance(node, Load) for node in walk(found)) else found


def _counted(stmt: Stmt) -> PrimExpr | None:
    known = cost(stmt)
    if known is not None:
        return IntImm(known)
    match stmt:
        case For(extent=extent, body=body):
            inner = _counted(body)
            return None if inner is None else extent * inner
        case Seq(body=body):
            parts = [_counted(item) for item in body]
            found = [part for part in parts if part is not None]
            return functools.reduce(operator.add, found) if len(found) == len(parts) else None
        case If(then=then, otherwise=otherwise):
            return _counted(then if otherwise is None else Seq((then, otherwise)))
        case Let(body=body) | Allocate(body=body):
            return _counted(body)
        case _:
            return None


def _sum(parts: list[int | None]) -> int | None:
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def polls(loop: For) -> bool:
    """Whether each iteration of a loop looks at the interrupt flag.

    So it does where an iteration may be long and no loop inside looks already.
    """
    inner = cost(loop.body)
    if inner is not None and inner < _POLL_COST:
        return False
    return not any(_looks(node) for node in walk(loop.body))


def runs_long(loop: For) -> bool:
    """Whether a loop of cheap iterations has many, or nobody knows how many."""
    if polls(loop) or any(isinstance(node, While) for node in walk(loop.body)):
        return False
    inner = cost(loop.body)
    if inner is None:
        return False
    return not isinstance(loop.extent, IntImm) or loop.extent.value > STRIP


def _looks(node: object) -> bool:
    return isinstance(node, While) or (isinstance(node, For) and polls(node))
