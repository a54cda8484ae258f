"""Levels: the places around a loop or block where a copy may stand, and code put there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.ir import (
    Allocate,
    Block,
    For,
    Let,
    Seq,
    Stmt,
    TensorFunction,
    Var,
    While,
    free_vars,
)
from workbench.schedule.buffers.declared import left_to_analysis
from workbench.schedule.scope import (
    Scope,
    place_id,
    replace_statement,
    sequence,
    walk_statements,
)
from workbench.support import NodeId


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

    @property
    def inside(self) -> tuple[Stmt, ...]:
        """What encloses the run, and its statements."""
        return (*self.path, *self.run)


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
    return scope.with_body(left_to_analysis(body, level.path))


def _block(body: Stmt, block: NodeId) -> Block:
    return next(s for s in walk_statements(body) if isinstance(s, Block) and s.id == block)
