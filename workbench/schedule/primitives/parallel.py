"""Parallel: run the iterations of a loop on several threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import LoopKind
from workbench.schedule.loops.kinds import LoopKindPrimitive, independent
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class Parallel(LoopKindPrimitive):
    """Run the iterations of a loop on several threads.

    Legal where no iteration reads or writes what another one writes. A reduction loop is not: give
    each thread a part of its own with `rfactor`. Called `parallel` in Halide and TVM,
    `parallelize_loop` in Exo.

    Rewrite::

        for i in range(64): B(i)
        =>  Parallel(loop="i")
        for i in T.parallel(64): B(i)
    """

    name: ClassVar[str] = "parallel"
    halide: ClassVar[str] = "parallel"
    tvm: ClassVar[str] = "parallel"
    exo: ClassVar[str] = "parallelize_loop"
    kind: ClassVar[LoopKind] = LoopKind.PARALLEL

    @override
    def check(self, scope: Scope) -> Answer:
        return independent(scope, scope.loop(self.loop))
