"""Loops without guards where the guards always hold.

Rewrite::

    for i in range(86):                      for i in range(85): body(i)
        if i * 6 + j < 512: body(i)    =>    if 85 * 6 + j < 512: body(85)

A parallel loop keeps its iterations: each asks once whether its guards all hold, and then runs a
body without them. Reference: `tvm::tir::transform::LoopPartition`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.polynomial import Poly
from workbench.analysis.simplification import NOTHING, simplify_statement
from workbench.ir.expr import Binary, BinaryOp, IntImm, Load, PrimExpr, Select, Var, binary
from workbench.ir.tensor import Allocate, For, If, Let, LoopKind, Seq, Stmt, Store, While
from workbench.ir.traverse import children, free_vars, map_children, substitute
from workbench.support.ids import IdSource, NodeId

_MAIN_WEIGHT = 60_000
_EDGE_WEIGHT = 6_000


def partition(stmt: Stmt, facts: Facts, ids: IdSource) -> Stmt:
    """`stmt` with guarded loops split where that removes guards from the main part."""
    match stmt:
        case For(kind=LoopKind.SERIAL | LoopKind.PARALLEL):
            return _loop(stmt, facts, ids)
        case For(var=var, start=start, extent=extent, body=body):
            inner = facts.with_range(var, loop_interval(start, extent))
            return replace(stmt, body=partition(body, inner, ids))
        case If(condition=condition, then=then, otherwise=None):
            return replace(stmt, then=partition(then, facts.assume(condition), ids))
        case Seq() | If() | While() | Let() | Allocate():
            return map_children(stmt, lambda node: _child(node, facts, ids))
        case _:
            return stmt


def _child(node: Any, facts: Facts, ids: IdSource) -> Any:  # noqa: ANN401
    is_statement = isinstance(node, For | Seq | If | While | Let | Allocate)
    return partition(node, facts, ids) if is_statement else node


def _loop(loop: For, facts: Facts, ids: IdSource) -> Stmt:
    inner = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    found = list(_thresholds(loop, inner)) if weight(loop.body) <= _MAIN_WEIGHT else []
    low, high = _main_range(loop, found)
    if not found or (low is None and high is None):
        return replace(loop, body=partition(loop.body, inner, ids))
    if loop.kind is LoopKind.PARALLEL:
        return _unswitched(loop, low, high, facts, ids)
    return _split(loop, low, high, facts, ids)


def _main_range(loop: For, found: list[tuple[bool, Poly]]) -> tuple[Poly | None, Poly | None]:
    """The first and the past-the-end iteration of the part where all guards hold.

    A guard that would leave less than half of a constant loop is not counted.
    """
    low: Poly | None = None
    high: Poly | None = None
    facts = Facts()
    start = facts.poly(loop.start)
    end = start + facts.poly(loop.extent)
    for is_lower, bound in found:
        room = (end - bound) if is_lower else (bound - start)
        total = (end - start).constant
        if room.is_const and (end - start).is_const and room.constant * 2 < total:
            continue
        if is_lower:
            low = _tighter(BinaryOp.MAX, low, bound)
        else:
            high = _tighter(BinaryOp.MIN, high, bound)
    return low, high


def _tighter(op: BinaryOp, old: Poly | None, new: Poly) -> Poly:
    if old is None:
        return new
    return Facts().poly(Binary(op, old.to_expr(), new.to_expr()))


def _split(loop: For, low: Poly | None, high: Poly | None, facts: Facts, ids: IdSource) -> Stmt:
    """The iterations before, inside and after the range without guards, as loops."""
    start = facts.poly(loop.start)
    end = start + facts.poly(loop.extent)
    first, last = start, end
    if low is not None:
        first = _clamp(facts, low, start, end)
    if high is not None:
        last = _clamp(facts, high, first, end)
    pieces: list[Stmt] = []
    for begin, stop, main in ((start, first, False), (first, last, True), (last, end, False)):
        extent = stop - begin
        if not extent.terms:
            continue
        var = loop.var if main else Var(ids.new(), loop.var.name, loop.var.type)
        body = loop.body if main else substitute(loop.body, {loop.var.id: var})
        start_expr, extent_expr = begin.to_expr(), extent.to_expr()
        piece = simplify_statement(
            replace(loop, var=var, start=start_expr, extent=extent_expr, body=body), facts
        )
        if piece != NOTHING:
            pieces.append(_again(piece, facts, ids, main=main))
    return pieces[0] if len(pieces) == 1 else Seq(tuple(pieces))


def _again(piece: Stmt, facts: Facts, ids: IdSource, *, main: bool) -> Stmt:
    """Split the loops inside a piece too; edges only while they stay small."""
    if isinstance(piece, For):
        inner = facts.with_range(piece.var, loop_interval(piece.start, piece.extent))
        if main or weight(piece.body) <= _EDGE_WEIGHT:
            return replace(piece, body=partition(piece.body, inner, ids))
        return piece
    return partition(piece, facts, ids) if weight(piece) <= _EDGE_WEIGHT else piece


def _clamp(facts: Facts, value: Poly, low: Poly, high: Poly) -> Poly:
    at_least = Binary(BinaryOp.MAX, value.to_expr(), low.to_expr())
    return facts.poly(Binary(BinaryOp.MIN, facts.poly(at_least).to_expr(), high.to_expr()))


def _unswitched(
    loop: For, low: Poly | None, high: Poly | None, facts: Facts, ids: IdSource
) -> Stmt:
    conditions: list[PrimExpr] = []
    if low is not None:
        conditions.append(binary(BinaryOp.GE, loop.var, low.to_expr()))
    if high is not None:
        conditions.append(binary(BinaryOp.LT, loop.var, high.to_expr()))
    condition = conditions[0]
    for other in conditions[1:]:
        condition = Binary(BinaryOp.AND, condition, other)
    inner = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    condition = inner.simplify(condition)
    if isinstance(condition, IntImm):
        return replace(loop, body=partition(loop.body, inner, ids))
    start = facts.poly(loop.start) if low is None else low
    end = facts.poly(binary(BinaryOp.ADD, loop.start, loop.extent)) if high is None else high
    range_ = loop_interval(start.to_expr(), (end - start).to_expr())
    holds = inner.with_range(loop.var, range_).assume(condition)
    main = partition(simplify_statement(loop.body, holds), holds, ids)
    return replace(loop, body=If(condition, main, loop.body))


# --- guards -----------------------------------------------------------------------------------


def _thresholds(loop: For, facts: Facts) -> Iterator[tuple[bool, Poly]]:
    """`(True, L)` for guards that hold from `var >= L`, `(False, U)` for `var < U`."""
    for inner, condition in _guards(loop.body, facts):
        for fact in inner.inequalities_of(condition):
            linear = fact.coefficient(loop.var)
            if not linear.is_const or not linear.terms:
                continue
            worst = _worst(fact.without(loop.var), facts, inner)
            if worst is None or loop.var.id in free_vars(worst.to_expr()):
                continue
            a = linear.constant
            if a > 0:
                yield True, facts.poly(_floordiv(worst.scale(-1).shift(a - 1), a))
            else:
                yield False, facts.poly(_floordiv(worst, -a)).shift(1)


def _floordiv(poly: Poly, divisor: int) -> PrimExpr:
    return Binary(BinaryOp.FLOORDIV, poly.to_expr(), IntImm(divisor))


def _worst(poly: Poly, outer: Facts, inner: Facts) -> Poly | None:
    """The least value over variables of loops inside, None where that is not a constant shift."""
    bound = {ident for ident in inner.ranges if ident not in outer.ranges}
    total = Poly({})
    for key, value in poly.terms.items():
        local = [atom for atom in key if _mentions(atom, bound)]
        if not local:
            total = total.plus(Poly({key: 1}), value)
            continue
        low, high = inner.poly_bounds(Poly({key: value}))
        del high
        if low is None:
            return None
        total = total.shift(low)
    return total


def _mentions(atom: PrimExpr, bound: set[NodeId]) -> bool:
    if isinstance(atom, Var):
        return atom.id in bound
    if isinstance(atom, Load):
        return True
    return any(_mentions(child, bound) for child in children(atom) if not _is_type(child))


def _is_type(node: object) -> bool:
    return type(node).__name__.endswith("Type")


def _guards(node: Any, facts: Facts) -> Iterator[tuple[Facts, PrimExpr]]:  # noqa: ANN401
    """Conditions of branches and lazy choices below `node`, with what is known at each."""
    match node:
        case For(var=var, start=start, extent=extent, body=body):
            yield from _guards(body, facts.with_range(var, loop_interval(start, extent)))
        case If(condition=condition, then=then, otherwise=otherwise):
            yield facts, condition
            yield from _guards(then, facts)
            if otherwise is not None:
                yield from _guards(otherwise, facts)
        case Select(condition=condition, true_value=yes, false_value=no):
            yield facts, condition
            yield from _guards(yes, facts)
            yield from _guards(no, facts)
        case Var():
            return
        case _:
            for child in children(node):
                yield from _guards(child, facts)


def weight(stmt: Stmt) -> int:
    """How much code a statement becomes: nodes, times the iterations of unrolled loops."""
    match stmt:
        case For(extent=IntImm(value=extent), body=body, kind=LoopKind.UNROLLED):
            return extent * weight(body)
        case For(extent=IntImm(value=extent), body=body, kind=LoopKind.VECTORIZED):
            return min(8, -(-extent // 8)) * weight(body)
        case For(body=body) | Allocate(body=body) | Let(body=body) | While(body=body):
            return weight(body) + 2
        case Seq(body=body):
            return sum(weight(item) for item in body)
        case If(then=then, otherwise=otherwise):
            return weight(then) + (0 if otherwise is None else weight(otherwise)) + 2
        case Store():
            return _nodes(stmt)
        case _:
            return 4


def _nodes(node: Any) -> int:  # noqa: ANN401
    return 1 + sum(_nodes(child) for child in children(node) if not isinstance(child, Var))
