"""Accumulators in registers: what a loop updates in place is kept in a local buffer meanwhile.

Rewrite::

    for k:                              acc[l] = C[i, j + l]
        C[i, j + l] = C[i, j + l] + t   for k:
                                  =>        acc[l] = acc[l] + t
                                        C[i, j + l] = acc[l]

for every lane l and iteration of unrolled loops between the loop and the update. It applies where
the loop does not move the element, and touches the buffer nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from workbench.analysis.arith import Facts
from workbench.ir.expr import Binary, BinaryOp, BufferType, IntImm, Load, PrimExpr, Var
from workbench.ir.tensor import Allocate, For, If, Let, LoopKind, Seq, Stmt, Store, While
from workbench.ir.traverse import free_vars, map_children, transform, walk
from workbench.support.ids import IdSource

_MOST_ELEMENTS = 512


@dataclass(slots=True)
class _Update:
    """The only store of a loop, and the loops between, outermost first."""

    store: Store
    loops: list[For]


def promote(stmt: Stmt, ids: IdSource) -> Stmt:
    """`stmt` with the accumulators of its reduction loops in local buffers."""
    return _promote(stmt, ids, None)


def _promote(stmt: Stmt, ids: IdSource, lane: For | None) -> Stmt:
    if isinstance(stmt, For):
        found = _update(stmt) if stmt.kind is LoopKind.SERIAL else None
        if found is not None and (done := _accumulate(stmt, found, ids, lane)) is not None:
            return done
        inside = stmt if stmt.kind is LoopKind.VECTORIZED else lane
        return replace(stmt, body=_promote(stmt.body, ids, inside))
    if isinstance(stmt, Seq | If | While | Let | Allocate):
        return map_children(stmt, lambda node: _child(node, ids, lane))
    return stmt


def _child(node: Any, ids: IdSource, lane: For | None) -> Any:  # noqa: ANN401
    is_statement = isinstance(node, For | Seq | If | While | Let | Allocate)
    return _promote(node, ids, lane) if is_statement else node


def _update(loop: For) -> _Update | None:
    """The update of a loop that keeps its element in place."""
    between: list[For] = []
    body = loop.body
    while isinstance(body, For):
        between.append(body)
        body = body.body
    if not isinstance(body, Store) or loop.extent == IntImm(1):
        return None
    serial = {loop.var.id} | {f.var.id for f in between if f.kind is LoopKind.SERIAL}
    mentioned = {i for index in body.indices for i in free_vars(index)}
    if serial & mentioned or any(isinstance(n, Load) for i in body.indices for n in walk(i)):
        return None
    target = Load(body.buffer, body.indices)
    own = [n for n in walk(body.value) if isinstance(n, Load) and n.buffer.id == body.buffer.id]
    if not own or any(load != target for load in own):
        return None
    return _Update(body, between)


def _accumulate(loop: For, update: _Update, ids: IdSource, lane: For | None) -> Stmt | None:
    store = update.store
    assert isinstance(store.buffer.type, BufferType)
    used = [f for f in update.loops if any(f.var.id in free_vars(i) for i in store.indices)]
    axes = [*([lane] if lane is not None else []), *used]
    shape = tuple(f.extent.value for f in axes if isinstance(f.extent, IntImm))
    if len(shape) != len(axes) or prod(shape) > _MOST_ELEMENTS or not _distinct(store, used):
        return None
    kind = BufferType(shape, store.buffer.type.dtype, "local")
    local = Var(ids.new(), store.buffer.name + "_local", kind)
    place = tuple(_from_zero(f) for f in axes)
    element, home = Load(local, place), Load(store.buffer, store.indices)

    def redirect(node: object) -> object:
        return element if node == home else node

    value = transform(store.value, redirect)
    body = _nest(update.loops, replace(store, buffer=local, indices=place, value=value))
    fill = _nest(used, Store(local, place, home))
    drain = _nest(used, Store(store.buffer, store.indices, element))
    done = Allocate(local, Seq((fill, replace(loop, body=body), drain)))
    if isinstance(loop.extent, IntImm):
        return done
    return If(Binary(BinaryOp.GT, loop.extent, IntImm(0)), done)


def _from_zero(loop: For) -> PrimExpr:
    return loop.var if loop.start == IntImm(0) else loop.var - loop.start


def _distinct(store: Store, loops: list[For]) -> bool:
    """Whether different iterations update different elements: each loop moves an index of its own.

    An index may carry several loops where the inner ones stay within one step of the outer.
    """
    facts = Facts()
    for index in store.indices:
        poly = facts.poly(index)
        steps = [
            (abs(c.constant), f.extent.value)
            for f in loops
            if (c := poly.coefficient(f.var)).terms and c.is_const and isinstance(f.extent, IntImm)
        ]
        reach = 0
        for step, extent in sorted(steps):
            if step <= reach:
                return False
            reach += step * (extent - 1)
    homes = [sum(f.var.id in free_vars(index) for index in store.indices) for f in loops]
    linear = all(_is_linear(index, f) for index in store.indices for f in loops)
    return linear and all(count == 1 for count in homes)


def _is_linear(index: PrimExpr, loop: For) -> bool:
    """Whether an index moves with a loop by constant steps, or not at all."""
    if loop.var.id not in free_vars(index):
        return True
    poly = Facts().poly(index)
    step = poly.coefficient(loop.var)
    rest = poly.without(loop.var)
    return step.is_const and loop.var.id not in free_vars(rest.to_expr())


def _nest(loops: list[For], body: Stmt) -> Stmt:
    for loop in reversed(loops):
        body = replace(loop, body=body)
    return body
