"""Caching: copies of a part of a buffer, and what stands in the way of using them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction
from workbench.analysis.dependence import Answer, inapplicable, unproved
from workbench.ir import (
    Axis,
    AxisKind,
    Block,
    BufferType,
    Evaluate,
    For,
    IntImm,
    Load,
    PrimExpr,
    ScalarType,
    Stmt,
    Store,
    Var,
    While,
    as_dim,
)
from workbench.schedule.buffers.accesses import as_index
from workbench.schedule.buffers.footprint import Box
from workbench.schedule.buffers.levels import Level, defines
from workbench.schedule.buffers.mentions import (
    accesses_buffer,
    allocated,
    extents_read,
    is_opaque,
    mentions,
)
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import NodeId

Indices = tuple[PrimExpr, ...]

SCOPES_NOTE = "on a CPU all scopes are plain memory: the scope only names the place"


def stores_to(items: Sequence[Stmt], buffer: NodeId) -> bool:
    """Whether some statement writes the buffer."""
    return any(buffer in mentions(item).stores for item in items)


def loads_from(items: Sequence[Stmt], buffer: NodeId) -> bool:
    """Whether some statement reads the buffer."""
    return any(buffer in mentions(item).loads for item in items)


def not_redirected(
    items: Sequence[Stmt],
    buffer: Var,
    places: Sequence[For | Block] = (),
    *,
    stays: bool = False,
) -> Answer | None:
    """Why accesses of a buffer cannot go to another one, None where they can.

    A block gives a part of it another name or passes it on as a whole, or it lives only inside
    of one of `places`. Or the extents of memory are read from it, unless it `stays` as it is.
    """
    for item in items:
        if buffer.id not in mentions(item).regions:
            continue
        for stmt in walk_statements(item):
            if isinstance(stmt, Block) and passes_on(stmt, buffer.id):
                message = f"block `{stmt.name}` uses `{buffer.name}` as a whole or by another name"
                return inapplicable(message, stmt.id)
            if isinstance(stmt, Evaluate) and buffer.id in mentions(stmt).loads:
                return inapplicable(f"a call is given `{buffer.name}`", buffer.id)
            sized = None if stays else _sized_by(stmt, buffer.id)
            if sized is not None:
                message = f"an extent of `{sized.name}` is read from `{buffer.name}`"
                return inapplicable(message, sized.id)
    for place in places:
        if any(defines(stmt, buffer) for stmt in walk_statements(place)):
            name = place.var.name if isinstance(place, For) else place.name
            message = f"`{buffer.name}` lives only inside of `{name}`"
            return inapplicable(message, buffer.id, hint="name a loop or block further in")
    return None


def _sized_by(stmt: Stmt, buffer: NodeId) -> Var | None:
    """Memory that begins to live at a statement with an extent that a buffer holds."""
    for made in allocated(stmt):
        if any(load.buffer.id == buffer for load in extents_read(made)):
            return made
    return None


def named_twice(scope: Scope, buffer: Var, path: Sequence[Stmt] = ()) -> Answer | None:
    """Why accesses under `path` may touch a buffer by another name, None where they do not.

    The buffer is a view (`match_buffer`) of another one, or a block of `path` has a view of it.
    """
    for block in scope.blocks:
        for match in block.match_buffers:
            if match.buffer.id == buffer.id:
                source = match.source.buffer.name
                message = f"`{buffer.name}` is another name for a part of `{source}`"
                return inapplicable(message, block.id)
    for stmt in path:
        if isinstance(stmt, Block) and _has_view(stmt, buffer.id):
            message = f"block `{stmt.name}` has another name for a part of `{buffer.name}`"
            return inapplicable(message, stmt.id)
    return None


def repeats_writes(level: Level, buffer: Var) -> Answer | None:
    """Why a copy before a run may be stale: a `while` loop writes the buffer again and again."""
    around = any(isinstance(stmt, While) for stmt in level.path)
    inside = (s for item in level.run for s in walk_statements(item) if isinstance(s, While))
    if stores_to(level.run if around else tuple(inside), buffer.id):
        message = (
            f"it is not proved that `{buffer.name}` is as it was when it was copied: "
            "a `while` loop writes it"
        )
        return unproved(message, buffer.id)
    return None


def passes_on(block: Block, buffer: NodeId) -> bool:
    """Whether a block uses a buffer by another name, or as a whole."""
    if _has_view(block, buffer):
        return True
    regions = (*(block.reads or ()), *(block.writes or ()))
    declared = any(region.buffer.id == buffer for region in regions)
    return declared and (is_opaque(block) or not accesses_buffer(block, buffer))


def _has_view(block: Block, buffer: NodeId) -> bool:
    return any(match.source.buffer.id == buffer for match in block.match_buffers)


def cache_buffer(scope: Scope, buffer: Var, box: Box, storage: str, name: str = "") -> Var:
    """A buffer for a copy of the box; named as in TVM: `A_local`."""
    assert isinstance(buffer.type, BufferType)
    shape = tuple(as_dim(r.extent) for r in box.ranges)
    type_ = BufferType(shape, buffer.type.dtype, storage)
    return scope.fresh(name or f"{buffer.name}_{storage.replace('.', '_')}", type_)


def nest(
    scope: Scope,
    name: str,
    extents: Sequence[PrimExpr],
    body: Callable[[Indices], Stmt],
    predicate: Callable[[Indices], PrimExpr | None] | None = None,
) -> tuple[Stmt, NodeId]:
    """Loops `ax0`, ... around a block with spatial axes `v0`, ..., and the id of the block."""
    extents = [as_index(extent) for extent in extents]
    loops = [scope.fresh(f"ax{n}", ScalarType()) for n in range(len(extents))]
    names = [Var(scope.ids.new(), f"v{n}", ScalarType()) for n in range(len(extents))]
    axes = tuple(
        Axis(var, AxisKind.SPATIAL, extent, loop)
        for var, extent, loop in zip(names, extents, loops, strict=True)
    )
    where = predicate(tuple(names)) if predicate is not None else None
    name = free_block_name(scope, name)
    block = Block(scope.ids.new(), name, axes, body(tuple(names)), predicate=where)
    result: Stmt = block
    for loop, extent in zip(reversed(loops), reversed(extents), strict=True):
        result = For(loop, IntImm(0), extent, result)
    return result, block.id


def free_block_name(scope: Scope, name: str) -> str:
    """`name`, or the first of `name_1`, ... that no block has; a buffer may have it, as in TVM."""
    taken = {block.name for block in scope.blocks}
    tries = (f"{name}_{n}" if n else name for n in itertools.count())
    return next(found for found in tries if found not in taken)


def copy_nest(
    scope: Scope, name: str, buffer: Var, cache: Var, box: Box, facts: Facts, *, back: bool = False
) -> tuple[Stmt, NodeId]:
    """The block that copies the box into the cache, or `back`."""
    assert isinstance(buffer.type, BufferType)
    dims = buffer.type.shape

    def outer(indices: Indices) -> Indices:
        moved = zip(indices, box.ranges, strict=True)
        return tuple(facts.simplify(r.start + i) for i, r in moved)

    def body(indices: Indices) -> Stmt:
        there = outer(indices)
        if back:
            return Store(buffer, there, Load(cache, indices))
        return Store(cache, indices, Load(buffer, there))

    def where(indices: Indices) -> PrimExpr | None:
        there = outer(indices)
        inside = [c for n in box.guarded for c in (there[n] >= 0, there[n] < dims[n])]
        needed = [c for c in inside if facts.proves(c) is not True]
        return conjunction(*needed)

    return nest(scope, name, [r.extent for r in box.ranges], body, where)
