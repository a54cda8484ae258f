"""Perfect nests of loops: which loops lie directly inside each other, and what stands between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import assert_never

from workbench.analysis.dependence import Answer, inapplicable
from workbench.ir import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    Let,
    Seq,
    Stmt,
    Store,
    While,
)
from workbench.schedule.loops.guards import guarded, harmless
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import NodeId


def distinct_loops(scope: Scope, names: Sequence[str], what: str) -> tuple[For, ...]:
    """The loops of those names, of which there is at least one and none twice.

    Raises:
        CompileError: `schedule/bad-loops`, `schedule/no-such-loop`, `schedule/ambiguous-name`.
    """
    found = tuple(scope.loop(name) for name in names)
    if not found:
        raise bad_parameter(scope, "schedule/bad-loops", f"`{what}` needs loops, got none")
    seen: set[NodeId] = set()
    for loop in found:
        if loop.var.id in seen:
            message = f"loop `{loop.var.name}` is named twice for `{what}`"
            raise bad_parameter(scope, "schedule/bad-loops", message)
        seen.add(loop.var.id)
    return found


def nest_of(scope: Scope, loops: Sequence[For], what: str) -> tuple[For, ...] | Answer:
    """The perfect nest from the outermost to the innermost of the loops, or what is in the way."""
    innermost = max(loops, key=lambda loop: len(scope.paths[loop.var.id]))
    path = (*scope.paths[innermost.var.id], innermost)
    for loop in loops:
        if not any(loop is stmt for stmt in path):
            return inapplicable(
                f"loops `{scope.label(loop)}` and `{scope.label(innermost)}` are not inside each "
                "other",
                loop.var.id,
                hint=f"`{what}` needs loops of one nest",
            )
    first = min(n for n, stmt in enumerate(path) if any(stmt is loop for loop in loops))
    nest = path[first:]
    for around, below in pairwise(nest):
        if not isinstance(around, For) or around.body is not below:
            return _between(nest, around, below, what)
    return tuple(stmt for stmt in nest if isinstance(stmt, For))


def branches_sunk(scope: Scope, names: Sequence[str]) -> Scope:
    """The function with branches between loops inside of these, where that makes a perfect nest.

    A condition that reads no memory holds in all iterations of a loop in its branch or in none.

    Raises:
        CompileError: `schedule/no-such-loop`, `schedule/ambiguous-name`.
    """
    wanted = [scope.loop(name) for name in names]
    if len(wanted) < 2:
        return scope
    innermost = max(wanted, key=lambda loop: len(scope.paths[loop.var.id]))
    path = (*scope.paths[innermost.var.id], innermost)
    first = min((n for n, s in enumerate(path) if any(s is loop for loop in wanted)), default=0)
    nest = path[first:]
    if all(isinstance(stmt, For) for stmt in nest) or not all(map(_passable, nest[1:])):
        return scope
    body = innermost.body
    for stmt in reversed(nest):
        if isinstance(stmt, If):
            body = guarded(body, stmt.condition)
    for stmt in reversed(nest):
        if isinstance(stmt, For):
            body = replace(stmt, body=body)
    return Scope(scope.name, scope.replaced(nest[0], body))


def _passable(stmt: Stmt) -> bool:
    match stmt:
        case For(start=start, extent=extent):
            return harmless(start, extent)
        case If(condition=condition, otherwise=None):
            return harmless(condition)
        case _:
            return False


def loop_below(loop: For) -> For | None:
    """The first loop inside a loop, wherever it stands."""
    inside = walk_statements(loop.body)
    return next((stmt for stmt in inside if isinstance(stmt, For)), None)


def _between(nest: Sequence[Stmt], around: Stmt, below: Stmt, what: str) -> Answer:
    position = next(n for n, stmt in enumerate(nest) if stmt is around)
    outer = next(stmt for stmt in reversed(nest[: position + 1]) if isinstance(stmt, For))
    inner = next(stmt for stmt in nest[position + 1 :] if isinstance(stmt, For))
    if isinstance(below, Seq):
        around, below = below, nest[position + 2]
    if isinstance(around, Seq):
        other = next(stmt for stmt in around.body if stmt is not below)
        message = f"{described(other)} stands next to loop `{inner.var.name}` under"
    else:
        other = below if isinstance(around, For) else around
        message = f"{described(other)} stands between loop `{inner.var.name}` and"
    hint = "move it out of the way with `decompose_reduction`, `compute_at` or `reorder`"
    if isinstance(other, If):
        hint = "a branch goes inside where it has no `else` and its condition reads no memory"
    return inapplicable(
        f"{message} `{outer.var.name}`: `{what}` needs loops directly inside each other",
        inner.var.id,
        hint=hint,
    )


def described(stmt: Stmt) -> str:
    """A statement in a few words."""
    match stmt:
        case For(var=var):
            return f"loop `{var.name}`"
        case Block(name=name):
            return f"block `{name}`"
        case Store(buffer=buffer):
            return f"a store to `{buffer.name}`"
        case Let(var=var):
            return f"the scalar `{var.name}`"
        case Allocate(buffer=buffer):
            return f"the buffer `{buffer.name}`"
        case If():
            return "a branch"
        case While():
            return "a `while` loop"
        case Evaluate():
            return "a call"
        case Seq(body=items):
            return described(items[0]) if items else "an empty statement"
        case _:
            assert_never(stmt)
