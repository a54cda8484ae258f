"""Vectors for loops that nobody scheduled.

Rewrite::

    for j: for k: C[i, j] = C[i, j] + A[i, k] * B[k, j]
    =>
    for j0: for k: for j1 in T.vectorized(32): C[i, j0 * 32 + j1] = ...

A serial loop qualifies if each iteration works on elements of its own, so that nothing is
reassociated and every element sees the same operations in the same order. Statements inside are
distributed, and the lanes become the innermost loop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from workbench.analysis.arith import Facts
from workbench.codegen.lower import sequence
from workbench.codegen.vectorize import lanes_for
from workbench.ir.expr import BinaryOp, IntImm, Load, PrimExpr, Var, binary
from workbench.ir.tensor import Allocate, For, If, Let, LoopKind, Seq, Stmt, Store, While
from workbench.ir.traverse import children, free_vars, map_children, substitute, walk
from workbench.support.ids import IdSource, NodeId

_VECTORS = 4


def vectorize_serial(stmt: Stmt, vector_bits: int, ids: IdSource) -> Stmt:
    """`stmt` with lanes in nests that have none and admit them."""
    match stmt:
        case For(kind=LoopKind.SERIAL) if _is_plain_nest(stmt) and not _has_stages(stmt):
            done = _vectorized(stmt, vector_bits, ids)
            return stmt if done is None else done
        case For() | Seq() | If() | While() | Let() | Allocate():
            return map_children(stmt, lambda node: _child(node, vector_bits, ids))
        case _:
            return stmt


def _child(node: Any, vector_bits: int, ids: IdSource) -> Any:  # noqa: ANN401
    is_statement = isinstance(node, For | Seq | If | While | Let | Allocate)
    return vectorize_serial(node, vector_bits, ids) if is_statement else node


def _is_plain_nest(loop: For) -> bool:
    """Whether below are only serial loops, branches and stores."""
    return all(
        isinstance(n, Seq | If | Store) or (isinstance(n, For) and n.kind is LoopKind.SERIAL)
        for n in _statements(loop)
    )


def _has_stages(loop: For) -> bool:
    """Whether several loops follow each other inside: each is vectorized for itself."""
    return any(
        isinstance(n, Seq) and sum(isinstance(item, For) for item in n.body) > 1
        for n in _statements(loop)
    )


def _statements(stmt: Stmt) -> list[Stmt]:
    kinds = (For, Seq, If, While, Let, Allocate, Store)
    found = [stmt]
    for item in found:
        found += [c for c in children(item) if isinstance(c, kinds)]
    return found


def _vectorized(nest: For, vector_bits: int, ids: IdSource) -> Stmt | None:
    """The nest with the best loop of it in lanes; None where no loop qualifies."""
    candidates = [s for s in _statements(nest) if isinstance(s, For)]
    scored = [(_score(loop), -k, loop) for k, loop in enumerate(candidates)]
    for score, _, loop in sorted(scored, key=lambda item: item[:2], reverse=True):
        if score <= 0:
            return None
        if (lanes := _lanes(loop, vector_bits, ids)) is not None:
            return _replaced(nest, loop, lanes)
    return None


def _replaced(stmt: Any, old: For, new: Stmt) -> Any:  # noqa: ANN401
    if stmt is old:
        return new
    if isinstance(stmt, For | Seq | If):
        return map_children(stmt, lambda node: _replaced(node, old, new))
    return stmt


def _score(loop: For) -> int:
    """How well the accesses suit lanes: contiguous ones count for, strided ones against."""
    score = 0
    for node in walk(loop.body):
        if isinstance(node, Load | Store) and loop.var.id in _mentioned(node.indices):
            strides = [_step(index, loop.var) for index in node.indices]
            if strides[-1] == 1 and not any(strides[:-1]):
                score += 3 if isinstance(node, Store) else 2
            else:
                score -= 3
    return score


def _mentioned(indices: tuple[PrimExpr, ...]) -> set[NodeId]:
    return {ident for index in indices for ident in free_vars(index)}


def _step(index: PrimExpr, var: Var) -> int | None:
    """The constant coefficient of `var`, 0 if it does not occur, None if not affine."""
    if var.id not in free_vars(index):
        return 0
    poly = Facts().poly(index)
    linear = poly.coefficient(var)
    rest = poly.without(var)
    affine = linear.is_const and var.id not in free_vars(rest.to_expr())
    return linear.constant if affine else None


# --- legality ---------------------------------------------------------------------------------


def _lanes(loop: For, vector_bits: int, ids: IdSource) -> Stmt | None:
    """The loop as blocks of lanes, the lanes innermost; None where that is not proved legal."""
    if not isinstance(loop.extent, IntImm) or not _independent(loop):
        return None
    width = lanes_for(loop.body, vector_bits)
    if loop.extent.value < width:
        return None
    inner_loops = [s for s in _statements(loop.body) if isinstance(s, For)]
    block = min(loop.extent.value, width * (_VECTORS if inner_loops else 1))
    whole = loop.extent.value // block
    parts: list[Stmt] = []
    for start, count, size in (
        (loop.start, whole, block),
        (binary(BinaryOp.ADD, loop.start, whole * block), 1, loop.extent.value - whole * block),
    ):
        if size == 0:
            continue
        outer = Var(ids.new(), f"{loop.var.name}_0", loop.var.type)
        inner = _Sink(loop.var, start + outer * size, size, ids).statement(loop.body)
        if inner is None:
            return None
        parts.append(For(outer, IntImm(0), IntImm(count), inner))
    return sequence(*parts)


def _independent(loop: For) -> bool:
    """Whether no iteration touches what another one writes.

    Every access of a written buffer has one and the same index that moves with the loop alone by a
    constant, in the same dimension.
    """
    nodes = list(walk(loop.body))
    stores = [n for n in nodes if isinstance(n, Store)]
    written = {store.buffer.id for store in stores}
    places: dict[NodeId, tuple[int, PrimExpr]] = {}
    for node in nodes:
        if isinstance(node, Load | Store) and node.buffer.id in written:
            place = _own_place(node.indices, loop.var)
            if place is None or places.setdefault(node.buffer.id, place) != place:
                return False
    inner = {s.var.id for s in _statements(loop.body) if isinstance(s, For)}
    return all(inner.isdisjoint(free_vars(index)) for _, index in places.values())


def _own_place(indices: tuple[PrimExpr, ...], var: Var) -> tuple[int, PrimExpr] | None:
    moving = [k for k, index in enumerate(indices) if var.id in free_vars(index)]
    if len(moving) != 1 or not _step(indices[moving[0]], var):
        return None
    return moving[0], indices[moving[0]]


@dataclass(slots=True)
class _Sink:
    """Distributes a loop over `var = base + lane` into the statements of its body."""

    var: Var
    base: PrimExpr
    size: int
    ids: IdSource

    def statement(self, stmt: Stmt) -> Stmt | None:
        """`stmt` for all lanes, None where a loop inside depends on the lane."""
        match stmt:
            case For(start=start, extent=extent, body=body):
                if self._varies(start) or self._varies(extent):
                    return None
                inner = self.statement(body)
                return None if inner is None else replace(stmt, body=inner)
            case Seq(body=items):
                parts = [self.statement(item) for item in items]
                known = [part for part in parts if part is not None]
                return sequence(*known) if len(known) == len(parts) else None
            case If(condition=condition, then=then, otherwise=None):
                if self._varies(condition):
                    return self._lanes(stmt) if isinstance(then, Store) else None
                inner = self.statement(then)
                return None if inner is None else replace(stmt, then=inner)
            case Store():
                return self._lanes(stmt)
            case _:
                return None

    def _varies(self, expr: PrimExpr) -> bool:
        return self.var.id in free_vars(expr)

    def _lanes(self, stmt: Stmt) -> Stmt:
        lane = Var(self.ids.new(), f"{self.var.name}_1", self.var.type)
        body = substitute(stmt, {self.var.id: binary(BinaryOp.ADD, self.base, lane)})
        return For(lane, IntImm(0), IntImm(self.size), body, LoopKind.VECTORIZED)
