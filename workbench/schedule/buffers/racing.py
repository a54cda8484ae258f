"""Racing: copies inside of loops whose iterations run at once must not touch what others write."""

from __future__ import annotations

from dataclasses import replace

from workbench.analysis.dependence import Answer
from workbench.ir import For, IntImm, LoopKind
from workbench.schedule.buffers.levels import Level
from workbench.schedule.primitive import Primitive
from workbench.schedule.scope import Scope

_ONE_AFTER_THE_OTHER = {LoopKind.SERIAL, LoopKind.UNROLLED}


def without_races(scope: Scope, level: Level, step: Primitive, answer: Answer) -> Answer:
    """`answer`, or why the copies that a step makes at a level would race."""
    loops = [stmt for stmt in level.path if isinstance(stmt, For)]
    at_once = [loop for loop in loops if _at_once(loop)]
    if not at_once:
        return answer
    made = Scope(scope.name, step.rewrite(Scope(scope.name, scope.function)).function)
    for loop in at_once:
        after = made.node(loop.var.id)
        assert isinstance(after, For)
        found = made.dependences_around(after).independent(loop.var.id)
        if not found.applies:
            name = loop.var.name
            return replace(found, message=f"the copy would race under `{name}`: {found.message}")
    return answer


def _at_once(loop: For) -> bool:
    return loop.kind not in _ONE_AFTER_THE_OTHER and loop.extent != IntImm(1)
