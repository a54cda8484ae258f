"""Redirecting: let accesses of one buffer go to another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from workbench.analysis.arith import Facts
from workbench.ir import (
    Block,
    IntImm,
    Load,
    PrimExpr,
    Stmt,
    Store,
    Var,
    map_children,
)
from workbench.schedule.buffers.accesses import as_index
from workbench.schedule.buffers.footprint import Box
from workbench.schedule.buffers.mentions import accesses_buffer
from workbench.schedule.facts import facts_inside
from workbench.schedule.scope import replace_statement, statements_below
from workbench.support import NodeId

Indices = tuple[PrimExpr, ...]
Remap = Callable[[Indices, Facts], Indices]
"""Indices of the old buffer as indices of the new one, where facts hold."""
N = TypeVar("N")


def redirected(
    stmt: Stmt,
    buffer: NodeId,
    new: Var,
    remap: Remap,
    facts: Facts,
    *,
    writes: bool = True,
) -> Stmt:
    """`stmt` with loads (and stores) of `buffer` going to `new`; `facts` hold at `stmt`.

    Declared regions of blocks that change are left to analysis again.
    """
    if not accesses_buffer(stmt, buffer):
        return stmt
    result = stmt
    for child in statements_below(stmt):
        inner = facts_inside(facts, stmt, child)
        made = redirected(child, buffer, new, remap, inner, writes=writes)
        result = _with_child(result, child, made)
    below = {id(child) for child in statements_below(result)}
    found = _expressions(result, below, lambda e: _loads(e, buffer, new, remap, facts))
    if isinstance(found, Store) and writes and found.buffer.id == buffer:
        found = replace(found, buffer=new, indices=remap(found.indices, facts))
    return _without_regions(found, buffer) if isinstance(found, Block) else found


def _with_child(stmt: Stmt, child: Stmt, made: Stmt) -> Stmt:
    return stmt if made is child else map_children(stmt, lambda n: made if n is child else n)


def _expressions(stmt: Stmt, below: set[int], change: Callable[[PrimExpr], PrimExpr]) -> Stmt:
    """The statement with its own expressions changed, statements inside left as they are."""

    def visit(node: object) -> object:
        if id(node) in below:
            return node
        return change(node) if isinstance(node, PrimExpr) else map_children(node, visit)

    return map_children(stmt, visit)


def _loads(expr: N, buffer: NodeId, new: Var, remap: Remap, facts: Facts) -> N:
    def visit(node: object) -> object:
        if isinstance(node, Var):  # what memory is sized by was read where it is allocated
            return node
        mapped = map_children(node, visit)
        if isinstance(mapped, Load) and mapped.buffer.id == buffer:
            return Load(new, remap(mapped.indices, facts))
        return mapped

    return visit(expr)  # pyright: ignore[reportReturnType]


def _without_regions(block: Block, buffer: NodeId) -> Block:
    regions = (*(block.reads or ()), *(block.writes or ()))
    if any(region.buffer.id == buffer for region in regions):
        return replace(block, reads=None, writes=None)
    return block


def shifted_by(box: Box) -> Remap:
    """Indices of a buffer as indices of a copy of the box."""

    def remap(indices: Indices, _: Facts) -> Indices:
        pairs = zip(indices, box.ranges, strict=True)
        return tuple(
            i if r.start == IntImm(0) else Facts().simplify(as_index(i) - r.start) for i, r in pairs
        )

    return remap


def with_readers(
    run: Sequence[Stmt],
    readers: Sequence[Stmt],
    change: Callable[[Stmt], Stmt],
) -> list[Stmt]:
    """The statements with some of those inside them changed."""
    result = list(run)
    for reader in readers:
        new = change(reader)
        result = [replace_statement(item, reader, new) for item in result]
    return result
