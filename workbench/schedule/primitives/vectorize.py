"""Vectorize: run the iterations of a loop in the lanes of vector instructions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.codegen.lower import lower
from workbench.codegen.vectorize import can_vectorize
from workbench.ir import (
    Allocate,
    Block,
    For,
    Let,
    LoopKind,
    PrimExpr,
    Stmt,
    TensorFunction,
    While,
    free_vars,
)
from workbench.schedule.loops.kinds import LoopKindPrimitive, independent
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import IdSource, NodeId


@dataclass(frozen=True)
class Vectorize(LoopKindPrimitive):
    """Run the iterations of a loop in the lanes of vector instructions.

    Legal where no iteration reads or writes what another one writes. Extents need not be constant,
    and loops inside are fine where all lanes run them equally often. Called `vectorize` in Halide
    and TVM; Exo's `replace` with an instruction does the like.

    Rewrite::

        for i in range(8): B(i)
        =>  Vectorize(loop="i")
        for i in T.vectorized(8): B(i)
    """

    name: ClassVar[str] = "vectorize"
    halide: ClassVar[str] = "vectorize"
    tvm: ClassVar[str] = "vectorize"
    exo: ClassVar[str] = "replace"
    kind: ClassVar[LoopKind] = LoopKind.VECTORIZED

    @override
    def check(self, scope: Scope) -> Answer:
        loop = scope.loop(self.loop)
        for around in scope.loops_around(loop.var.id):
            if around.kind is LoopKind.VECTORIZED:
                return _refused(loop, f"`{around.var.name}` around it is vectorized")
        answer = _runs_in_lanes(loop)
        if not answer.applies:
            return answer
        answer = independent(scope, loop, lanes=True)
        if not answer.applies:
            return answer
        lowered = lower(_alone(scope, loop), IdSource(scope.ids.next))
        if not _accepted(lowered, loop.var.id):
            return _refused(loop, "its lanes would write one element")
        return answer


def _runs_in_lanes(loop: For) -> Answer:
    """Whether all lanes go the same way: loops inside run equally often, buffers are shared."""
    varying: set[NodeId] = {loop.var.id}
    for stmt in walk_statements(loop.body):
        if isinstance(stmt, Let) and _varies(varying, stmt.value):
            varying.add(stmt.var.id)
        if isinstance(stmt, Block):
            varying.update(axis.var.id for axis in stmt.axes if _varies(varying, axis.value))
        found = _differs(stmt, varying)
        if found is not None:
            return _refused(loop, *found)
    return applies()


def _differs(stmt: Stmt, varying: set[NodeId]) -> tuple[str, str] | None:
    """Why lanes cannot run a statement together, and what to do."""
    match stmt:
        case For(var=var, start=start, extent=extent, kind=kind):
            if _varies(varying, start) or _varies(varying, extent):
                return f"the extent of `{var.name}` inside depends on it", _SPLIT
            if kind in {LoopKind.SERIAL, LoopKind.UNROLLED}:
                return None
            hint = "vectorize the innermost loop alone"
            return f"`{var.name}` inside is {kind.value} already", hint
        case While():
            hint = "`parallel` runs each iteration by itself"
            return "a `while` loop inside may end at another time in each lane", hint
        case Allocate(buffer=buffer) | Block(allocations=(buffer, *_)):
            hint = "a scalar that is set once can be a `T.let`; else vectorize a loop inside"
            return f"each iteration has a buffer `{buffer.name}` of its own", hint
        case _:
            return None


def _varies(varying: set[NodeId], expr: PrimExpr) -> bool:
    return not varying.isdisjoint(free_vars(expr))


_SPLIT = "split it and reorder the inner part to the inside"


def _refused(loop: For, reason: str, hint: str = _SPLIT) -> Answer:
    return inapplicable(
        f"`{loop.var.name}` cannot run in lanes: {reason}",
        loop.var.id,
        hint=hint,
    )


def _alone(scope: Scope, loop: For) -> TensorFunction:
    return replace(scope.function, body=loop, allocations=())


def _accepted(lowered: Stmt, lane: NodeId) -> bool:
    """Whether native code has lanes for the loop."""
    return all(
        can_vectorize(stmt.body, lane)
        for stmt in walk_statements(lowered)
        if isinstance(stmt, For) and stmt.var.id == lane
    )
