"""Vectorized loops of any extent to loops over whole vectors.

Rewrite::

    for v in T.vectorized(n): body(v)
    =>
    for c in range(n // 8):
        for lane in T.vectorized(8): body(c * 8 + lane)
    ... and the rest in narrower vectors, or one by one where n is symbolic

Loops whose body cannot run in lanes become serial.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.codegen.values import byte_size
from workbench.ir.expr import (
    Binary,
    BinaryOp,
    BufferType,
    IntImm,
    Load,
    PrimExpr,
    Var,
    binary,
)
from workbench.ir.tensor import Allocate, For, If, Let, LoopKind, Seq, Stmt, Store, While
from workbench.ir.traverse import free_vars, map_children, substitute, walk
from workbench.support.ids import IdSource, NodeId

_UNROLLED_CHUNKS = 8


def split_vectors(stmt: Stmt, vector_bits: int, ids: IdSource) -> Stmt:
    """`stmt` with each vectorized loop as loops of at most one vector."""
    if not isinstance(stmt, For):
        return map_children(stmt, lambda child: _descend(child, vector_bits, ids))
    if stmt.kind is not LoopKind.VECTORIZED:
        return replace(stmt, body=split_vectors(stmt.body, vector_bits, ids))
    if not can_vectorize(stmt.body, stmt.var.id):
        return replace(stmt, kind=LoopKind.SERIAL, body=split_vectors(stmt.body, vector_bits, ids))
    body = _serial(stmt.body)
    return _split(replace(stmt, body=body), lanes_for(body, vector_bits), ids)


def _descend(child: object, vector_bits: int, ids: IdSource) -> object:
    if isinstance(child, For | Seq | If | While | Let | Allocate):
        return split_vectors(child, vector_bits, ids)
    return child


def _serial(stmt: Stmt) -> Stmt:
    """A body without vectorized or parallel loops of its own."""

    def visit(node: object) -> object:
        if isinstance(node, For):
            kind = node.kind if node.kind is LoopKind.UNROLLED else LoopKind.SERIAL
            return replace(node, kind=kind, body=_serial(node.body))
        if isinstance(node, Seq | If | While | Let | Allocate):
            return map_children(node, visit)
        return node

    return visit(stmt)  # pyright: ignore[reportReturnType]


def lanes_for(body: Stmt, vector_bits: int) -> int:
    """Lanes of one vector: as many as the widest element that the body touches allows."""
    sizes = [
        byte_size(node.buffer.type.dtype)
        for node in walk(body)
        if isinstance(node, Load | Store) and isinstance(node.buffer.type, BufferType)
    ]
    return max(2, vector_bits // 8 // max([*sizes, 2]))


def can_vectorize(body: Stmt, lane: NodeId) -> bool:
    """Whether the iterations can run in lanes: no loop or allocation differs between them."""
    for node in walk(body):
        match node:
            case For(start=start, extent=extent):
                if lane in free_vars(start) or lane in free_vars(extent):
                    return False
            case While() | Allocate():
                return False
            case Store():
                if not _store_fits(node, lane):
                    return False
            case _:
                pass
    return True


def _store_fits(store: Store, lane: NodeId) -> bool:
    """Lanes write different elements, or one element by a reduction that is recognised."""
    if any(lane in free_vars(index) for index in store.indices):
        return True
    return lane not in free_vars(store.value) or reduction(store) is not None


def reduction(store: Store) -> tuple[BinaryOp, PrimExpr] | None:
    """`(op, term)` of `C[i] = C[i] op term` where the term does not read C."""
    value = store.value
    if not isinstance(value, Binary) or value.op not in _REDUCTIONS:
        return None
    target = Load(store.buffer, store.indices)
    term = value.b if value.a == target else value.a if value.b == target else None
    if term is None or any(
        isinstance(n, Load) and n.buffer.id == store.buffer.id for n in walk(term)
    ):
        return None
    return value.op, term


_REDUCTIONS = {BinaryOp.ADD, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX}


def _split(loop: For, width: int, ids: IdSource) -> Stmt:
    extent = loop.extent
    if not isinstance(extent, IntImm):
        # A negative extent runs nothing either, but floors to a vector and a rest before the start.
        chunks = binary(BinaryOp.FLOORDIV, binary(BinaryOp.MAX, extent, 0), width)
        whole = _chunks(loop, loop.start, chunks, width, LoopKind.SERIAL, ids)
        done = binary(BinaryOp.MUL, chunks, width)
        rest = Var(ids.new(), loop.var.name, loop.var.type)
        start = binary(BinaryOp.ADD, loop.start, done)
        left = binary(BinaryOp.SUB, extent, done)
        body = substitute(loop.body, {loop.var.id: rest})
        return Seq((whole, For(rest, start, left, body)))
    parts: list[Stmt] = []
    start, left = loop.start, extent.value
    while left > 0 and width > 1:
        count = left // width
        if count:
            kind = LoopKind.UNROLLED if count <= _UNROLLED_CHUNKS else LoopKind.SERIAL
            parts.append(_chunks(loop, start, IntImm(count), width, kind, ids))
            start = binary(BinaryOp.ADD, start, count * width)
            left -= count * width
        width //= 2
    if left > 0:
        parts.append(substitute(loop.body, {loop.var.id: start}))
    return parts[0] if len(parts) == 1 else Seq(tuple(parts))


def _chunks(
    loop: For, start: PrimExpr, count: PrimExpr, width: int, kind: LoopKind, ids: IdSource
) -> Stmt:
    chunk = Var(ids.new(), loop.var.name + "_vector", loop.var.type)
    lane = Var(ids.new(), loop.var.name, loop.var.type)
    position = binary(
        BinaryOp.ADD, start, binary(BinaryOp.ADD, binary(BinaryOp.MUL, chunk, width), lane)
    )
    body = substitute(loop.body, {loop.var.id: position})
    vector = For(lane, IntImm(0), IntImm(width), body, LoopKind.VECTORIZED)
    return For(chunk, IntImm(0), count, vector, kind)
