"""Simplification of statements: indices, conditions, loops of extent 0 and 1, dead branches.

Predicates of blocks and branches that are proved go, what is proved never to run goes too.
Reference: `tvm::s_tir::Simplify`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.recombine import recombined
from workbench.ir.expr import (
    INDEX,
    Binary,
    BinaryOp,
    IntImm,
    PrimExpr,
    ScalarType,
    Var,
    dtype_of,
)
from workbench.ir.tensor import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    Let,
    LoopKind,
    Seq,
    Stmt,
    Store,
    While,
)
from workbench.ir.traverse import substitute, walk

NOTHING = Seq(())


def simplify_statement(stmt: Stmt, facts: Facts) -> Stmt:
    """An equal statement, given what is known of the variables around it."""
    match stmt:
        case Store(indices=indices, value=value):
            simple = tuple(_simple(facts, index) for index in indices)
            return replace(stmt, indices=simple, value=_simple(facts, value))
        case For():
            return _for(stmt, facts)
        case Seq(body=body):
            return _seq(simplify_statement(item, facts) for item in body)
        case If():
            return _if(stmt, facts)
        case While(condition=condition, body=body):
            return replace(
                stmt, condition=_simple(facts, condition), body=simplify_statement(body, facts)
            )
        case Let():
            return _let(stmt, facts)
        case Allocate(body=body):
            inner = simplify_statement(body, facts)
            return NOTHING if inner == NOTHING else replace(stmt, body=inner)
        case Evaluate(value=value):
            simple = _simple(facts, value)
            return NOTHING if isinstance(simple, IntImm) else replace(stmt, value=simple)
        case Block():
            return _block(stmt, facts)
        case _:
            assert_never(stmt)


def _seq(items: Iterable[Stmt]) -> Stmt:
    """Statements one after the other, those of a sequence in it beside the others."""
    flat: list[Stmt] = []
    for item in items:
        flat += item.body if isinstance(item, Seq) else (item,)
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def _for(stmt: For, facts: Facts) -> Stmt:
    start, extent = _simple(facts, stmt.start), _simple(facts, stmt.extent)
    if isinstance(extent, IntImm):
        if extent.value <= 0:
            return NOTHING
        if extent.value == 1 and stmt.kind is not LoopKind.VECTORIZED:
            return simplify_statement(substitute(stmt.body, {stmt.var.id: start}), facts)
    inner = facts.with_range(stmt.var, loop_interval(start, extent))
    body = simplify_statement(stmt.body, inner)
    if body == NOTHING:
        return NOTHING
    return replace(stmt, start=start, extent=extent, body=body)


def _if(stmt: If, facts: Facts) -> Stmt:
    condition = _simple(facts, stmt.condition)
    if isinstance(condition, IntImm):
        chosen = stmt.then if condition.value else stmt.otherwise
        return NOTHING if chosen is None else simplify_statement(chosen, facts)
    then = simplify_statement(stmt.then, facts.assume(condition))
    other: Stmt | None = None
    if stmt.otherwise is not None:
        other = simplify_statement(stmt.otherwise, facts.assume(condition, holds=False))
        other = None if other == NOTHING else other
    if then == NOTHING and other is None:
        return NOTHING
    return replace(stmt, condition=condition, then=then, otherwise=other)


def _block(stmt: Block, facts: Facts) -> Stmt:
    predicate = None if stmt.predicate is None else _simple(facts, stmt.predicate)
    if isinstance(predicate, IntImm):
        if not predicate.value:
            return NOTHING
        predicate = None
    inner = facts if predicate is None else facts.assume(predicate)
    axes = tuple(
        replace(axis, value=_simple(facts, axis.value), extent=_simple(facts, axis.extent))
        for axis in stmt.axes
    )
    for axis in axes:
        inner = inner.with_value(axis.var, axis.value)
        inner = inner.assume(axis.var >= IntImm(0)).assume(axis.var < axis.extent)
    init = None if stmt.init is None else simplify_statement(stmt.init, inner)
    return replace(
        stmt,
        axes=axes,
        predicate=predicate,
        body=simplify_statement(stmt.body, inner),
        init=None if init == NOTHING else init,
    )


def _let(stmt: Let, facts: Facts) -> Stmt:
    value: PrimExpr = _simple(facts, stmt.value)
    if isinstance(value, IntImm) or (dtype_of(stmt.var) == INDEX and _is_arithmetic(value)):
        return simplify_statement(substitute(stmt.body, {stmt.var.id: value}), facts)
    inner = facts
    if dtype_of(stmt.var) == INDEX:
        inner = facts.with_value(stmt.var, value)
    return replace(stmt, value=value, body=simplify_statement(stmt.body, inner))


def _simple(facts: Facts, expr: PrimExpr) -> PrimExpr:
    return recombined(facts.simplify(expr), facts)


def _is_arithmetic(value: PrimExpr) -> bool:
    """Whether an index can be computed again at each use: no memory, no division."""
    return all(
        isinstance(node, Var | IntImm | ScalarType)
        or (isinstance(node, Binary) and node.op in {BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL})
        for node in walk(value)
    )
