"""Schedules in a session: every primitive becomes a step with its verdict."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from workbench.ir import IRModule
from workbench.schedule import Primitive, Schedule
from workbench.schedule.primitive import Rewritten
from workbench.session.step import Step
from workbench.support import CompileError

Apply = Callable[[Primitive, Step], Step]


class SessionSchedule(Schedule):
    """A schedule whose primitives are steps of a session; `step` is the last one.

    ::

        sch = s.schedule("matmul")
        i, j, k = sch.get_loops("C")
        sch.split(j, factors=[None, 16])     # step 1, checked in the background
        sch.step
    """

    def __init__(
        self, module: IRModule, function: str, step: Step, apply: Apply, seed: int = 0
    ) -> None:
        """Start on `function` of the module at `step`; `apply` makes the next step."""
        super().__init__(module, function or None, seed)
        self.step = step
        self._step_after = apply

    @override
    def apply(self, primitive: Primitive) -> Rewritten:
        module, reassociates = self.module, self.reassociates
        done = super().apply(primitive)
        try:
            self.step = self._step_after(primitive, self.step)
        except CompileError:
            self.module, self.reassociates = module, reassociates
            self._instructions.pop()
            raise
        return done
