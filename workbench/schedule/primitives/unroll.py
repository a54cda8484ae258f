"""Unroll: write the iterations of a loop out one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.ir import IntImm, LoopKind
from workbench.schedule.loops.kinds import LoopKindPrimitive
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class Unroll(LoopKindPrimitive):
    """Write the iterations of a loop of constant extent out one after the other.

    The order does not change, so it is always legal. Native code is unrolled up to some 16 000
    elementary steps; beyond that the loop stays one. Called `unroll` in Halide and TVM,
    `unroll_loop` in Exo.

    Rewrite::

        for i in range(4): B(i)
        =>  Unroll(loop="i")
        for i in T.unroll(4): B(i)
    """

    name: ClassVar[str] = "unroll"
    halide: ClassVar[str] = "unroll"
    tvm: ClassVar[str] = "unroll"
    exo: ClassVar[str] = "unroll_loop"
    kind: ClassVar[LoopKind] = LoopKind.UNROLLED

    @override
    def check(self, scope: Scope) -> Answer:
        loop = scope.loop(self.loop)
        if isinstance(loop.extent, IntImm):
            return applies()
        return inapplicable(
            f"the extent of `{loop.var.name}` is not constant",
            loop.var.id,
            hint=f'split it by a constant first: `split("{self.loop}", [None, 4])`',
        )
