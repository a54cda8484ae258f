"""Caching: copies of a part of a buffer, and accesses that go to the copy instead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from workbench.analysis.arith import Facts
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferType,
    For,
    IntImm,
    Load,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_dim,
    walk,
)
from workbench.schedule.footprint import Box
from workbench.schedule.scope import Scope, replace_statement, sequence
from workbench.support import NodeId

Indices = tuple[PrimExpr, ...]

SCOPES_NOTE = "on a CPU all scopes are plain memory: the scope only names the place"


@dataclass(frozen=True, slots=True)
class Level:
    """A run of statements `items[first:last]` of a suite, `path` around it outermost first."""

    path: tuple[Stmt, ...]
    suite: Stmt
    first: int
    last: int

    @property
    def items(self) -> tuple[Stmt, ...]:
        """All statements of the suite."""
        return self.suite.body if isinstance(self.suite, Seq) else (self.suite,)

    @property
    def run(self) -> tuple[Stmt, ...]:
        """The statements of the run."""
        return self.items[self.first : self.last]


def levels(scope: Scope, consumers: Sequence[For | Block], buffer: Var) -> list[Level]:
    """Where a copy for `consumers` may stand, outermost first.

    Inside the innermost block around all of them, and where `buffer` is known.
    """
    paths = [(*scope.paths[place_id(c)], c) for c in consumers]
    common = _common(paths)
    start = max(
        (n + 1 for n, s in enumerate(common) if isinstance(s, Block) or defines(s, buffer)),
        default=0,
    )
    found: list[Level] = []
    for depth in range(start, len(common) + 1):
        path = common[:depth]
        if path and isinstance(path[-1], Seq):
            continue
        suite = scope.function.body if not path else paths[0][depth]
        items = suite.body if isinstance(suite, Seq) else (suite,)
        inside = [n for n, item in enumerate(items) if any(_on(item, p) for p in paths)]
        found.append(Level(path, suite, inside[0], inside[-1] + 1))
    return found


def place_id(place: For | Block) -> NodeId:
    """The id under which a scope knows a loop or block."""
    return place.var.id if isinstance(place, For) else place.id


def _common(paths: Sequence[tuple[Stmt, ...]]) -> tuple[Stmt, ...]:
    """What encloses all of the places, these themselves left out."""
    shared: list[Stmt] = []
    for column in zip(*(path[:-1] for path in paths), strict=False):
        if any(stmt is not column[0] for stmt in column):
            break
        shared.append(column[0])
    return tuple(shared)


def defines(stmt: Stmt, buffer: Var) -> bool:
    """Whether a buffer lives during a statement."""
    if isinstance(stmt, Block):
        matched = any(m.buffer.id == buffer.id for m in stmt.match_buffers)
        return matched or any(b.id == buffer.id for b in stmt.allocations)
    return isinstance(stmt, Allocate) and stmt.buffer.id == buffer.id


def _on(item: Stmt, path: tuple[Stmt, ...]) -> bool:
    return any(stmt is item for stmt in path)


# --- uses that cannot be redirected -----------------------------------------------------------


def stores_to(items: Sequence[Stmt], buffer: NodeId) -> bool:
    """Whether some statement writes the buffer."""
    return any(
        isinstance(node, Store) and node.buffer.id == buffer
        for item in items
        for node in walk(item)
    )


def loads_from(items: Sequence[Stmt], buffer: NodeId) -> bool:
    """Whether some statement reads the buffer."""
    return any(
        isinstance(node, Load) and node.buffer.id == buffer for item in items for node in walk(item)
    )


def aliased(items: Sequence[Stmt], buffer: NodeId) -> Block | None:
    """A block that gives a part of the buffer another name, or passes it on as a whole."""
    for item in items:
        for node in walk(item):
            if isinstance(node, Block) and _passes_on(node, buffer):
                return node
    return None


def _passes_on(block: Block, buffer: NodeId) -> bool:
    if any(match.source.buffer.id == buffer for match in block.match_buffers):
        return True
    regions = (*(block.reads or ()), *(block.writes or ()))
    declared = any(region.buffer.id == buffer for region in regions)
    accessed = any(
        isinstance(node, Load | Store) and node.buffer.id == buffer for node in walk(block)
    )
    return declared and not accessed


# --- building ---------------------------------------------------------------------------------


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
        return conjoined(needed)

    return nest(scope, name, [r.extent for r in box.ranges], body, where)


def conjoined(conditions: Sequence[PrimExpr | None]) -> PrimExpr | None:
    """All conditions at once; None holds always."""
    known = [condition for condition in conditions if condition is not None]
    if not known:
        return None
    return reduce(lambda a, b: Binary(BinaryOp.AND, a, b), known)


def with_run(
    scope: Scope,
    level: Level,
    buffers: Sequence[Var],
    before: Sequence[Stmt],
    run: Sequence[Stmt],
    after: Sequence[Stmt] = (),
) -> TensorFunction:
    """The function with a run of a level replaced by `before`, `run` and `after`.

    New `buffers` are those of the whole function or block where the level is its suite, else they
    live around the run.
    """
    items = [*before, *run, *after]
    owner = level.path[-1] if level.path else None
    if owner is None or isinstance(owner, Block):
        new = sequence([*level.items[: level.first], *items, *level.items[level.last :]])
        if owner is None:
            made = scope.with_body(new)
            return replace(made, allocations=(*made.allocations, *buffers))
        block = replace(owner, body=new, allocations=(*owner.allocations, *buffers))
        return scope.replaced(owner, block)
    inner = sequence(items)
    for buffer in reversed(buffers):
        inner = Allocate(buffer, inner)
    new = sequence([*level.items[: level.first], inner, *level.items[level.last :]])
    return scope.with_body(replace_statement(scope.function.body, level.suite, new))
