"""Caching: copies of a part of a buffer, and accesses that go to the copy instead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, inapplicable
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferType,
    Evaluate,
    For,
    IntImm,
    Let,
    Load,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    as_dim,
    free_vars,
)
from workbench.schedule.footprint import Box, as_index
from workbench.schedule.mentions import accesses_buffer, mentions
from workbench.schedule.scope import Scope, replace_statement, sequence, walk_statements
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
    return any(buffer in mentions(item).stores for item in items)


def loads_from(items: Sequence[Stmt], buffer: NodeId) -> bool:
    """Whether some statement reads the buffer."""
    return any(buffer in mentions(item).loads for item in items)


def not_redirected(
    items: Sequence[Stmt], buffer: Var, places: Sequence[For | Block] = ()
) -> Answer | None:
    """Why accesses of a buffer cannot go to another one, None where they can.

    A block gives a part of it another name or passes it on as a whole, or it lives only inside
    of one of `places`.
    """
    for item in items:
        if buffer.id not in mentions(item).regions:
            continue
        for stmt in walk_statements(item):
            if isinstance(stmt, Block) and _passes_on(stmt, buffer.id):
                message = f"block `{stmt.name}` uses `{buffer.name}` as a whole or by another name"
                return inapplicable(message, stmt.id)
            if isinstance(stmt, Evaluate) and buffer.id in mentions(stmt).loads:
                return inapplicable(f"a call is given `{buffer.name}`", buffer.id)
    for place in places:
        if any(defines(stmt, buffer) for stmt in walk_statements(place)):
            name = place.var.name if isinstance(place, For) else place.name
            message = f"`{buffer.name}` lives only inside of `{name}`"
            return inapplicable(message, buffer.id, hint="name a loop or block further in")
    return None


def _passes_on(block: Block, buffer: NodeId) -> bool:
    if any(match.source.buffer.id == buffer for match in block.match_buffers):
        return True
    regions = (*(block.reads or ()), *(block.writes or ()))
    declared = any(region.buffer.id == buffer for region in regions)
    return declared and (_opaque(block) or not accesses_buffer(block, buffer))


def _opaque(block: Block) -> bool:
    """Whether a block calls what analysis cannot see into: its declared regions are trusted."""
    return any(isinstance(stmt, Evaluate) for stmt in walk_statements(block.body))


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

    New `buffers` live as long as the innermost loop iteration or block around the level, or the
    function; where their extents are known only further in, for the rest of the suite.
    """
    items = [*level.items[: level.first], *before, *run, *after, *level.items[level.last :]]
    home = _home(level)
    if home is None or isinstance(home, Block):
        known = _known_at(scope, level, home)
        if all(set(free_vars(buffer.type)) <= known for buffer in buffers):
            return _with_buffers(scope, level, home, buffers, sequence(items))
    inner = sequence(items[level.first :])
    for buffer in reversed(buffers):
        inner = Allocate(buffer, inner)
    return _with_suite(scope, level, sequence([*items[: level.first], inner]))


def _home(level: Level) -> Stmt | None:
    """The innermost statement around a level that runs its body more than once, or a block."""
    return next((s for s in reversed(level.path) if isinstance(s, For | While | Block)), None)


def _known_at(scope: Scope, level: Level, home: Block | None) -> set[NodeId]:
    """Scalars that are bound in the function, or in the body of a block."""
    found = {v for param in scope.function.params for v in (param.id, *free_vars(param.type))}
    path = level.path if home is not None else ()
    for stmt in path:
        if isinstance(stmt, Let | For):
            found.add(stmt.var.id)
        elif isinstance(stmt, Block):
            found.update(axis.var.id for axis in stmt.axes)
        if stmt is home:
            break
    return found


def _with_buffers(
    scope: Scope, level: Level, home: Block | None, buffers: Sequence[Var], new: Stmt
) -> TensorFunction:
    made = _with_suite(scope, level, new)
    if home is None:
        return replace(made, allocations=(*made.allocations, *buffers))
    block = _block(made.body, home.id)
    changed = replace(block, allocations=(*block.allocations, *buffers))
    return replace(made, body=replace_statement(made.body, block, changed))


def _with_suite(scope: Scope, level: Level, new: Stmt) -> TensorFunction:
    """The function with another suite; blocks around it leave their regions to analysis."""
    body = replace_statement(scope.function.body, level.suite, new)
    for stmt in level.path:
        if isinstance(stmt, Block) and stmt.writes is not None and not _opaque(stmt):
            block = _block(body, stmt.id)
            body = replace_statement(body, block, replace(block, reads=None, writes=None))
    return scope.with_body(body)


def _block(body: Stmt, block: NodeId) -> Block:
    return next(s for s in walk_statements(body) if isinstance(s, Block) and s.id == block)
