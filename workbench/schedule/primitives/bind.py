"""Bind: give a loop to the threads of a graphics processor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, inapplicable
from workbench.ir import Block, For, LoopKind
from workbench.schedule.loops.kinds import independent
from workbench.schedule.primitive import Primitive, Rewritten, all_apply, bad_parameter
from workbench.schedule.scope import Scope, walk_statements

THREADS = (
    *("blockIdx.x", "blockIdx.y", "blockIdx.z"),
    *("threadIdx.x", "threadIdx.y", "threadIdx.z"),
    *("vthread.x", "vthread.y", "vthread.z"),
)
"""What a loop can be bound to."""


@dataclass(frozen=True)
class Bind(Primitive):
    """Bind a loop to an axis of the threads or thread blocks of a graphics processor.

    Legal where no iteration reads or writes what another one writes. Native code of this project is
    for processors, where such a loop runs serially. Called `gpu_blocks` and `gpu_threads` in
    Halide, `bind` in TVM; Exo has none.

    Rewrite::

        for i in range(64): B(i)
        =>  Bind(loop="i", thread_axis="blockIdx.x")
        for i in T.thread_binding(64, thread="blockIdx.x"): B(i)
    """

    name: ClassVar[str] = "bind"
    halide: ClassVar[str] = "gpu_threads"
    tvm: ClassVar[str] = "bind"

    loop: str = ""
    thread_axis: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        loop = scope.loop(self.loop)
        if self.thread_axis not in THREADS:
            message = f"`{self.thread_axis}` is no axis of threads"
            raise bad_parameter(
                scope, "schedule/bad-thread", message, f"expected one of {', '.join(THREADS)}"
            )
        for other in (*scope.loops_around(loop.var.id), *walk_statements(loop.body)):
            if isinstance(other, For) and other.thread == self.thread_axis:
                return inapplicable(
                    f"`{other.var.name}` is bound to `{self.thread_axis}` already, and is in one "
                    f"nest with `{loop.var.name}`",
                    loop.var.id,
                    hint="take another axis, or fuse both loops",
                )
        answer = independent(scope, loop)
        note = replace(answer, notes=(*answer.notes, "on a processor the loop runs serially"))
        return all_apply(note)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        loop = scope.loop(self.loop)
        new = replace(loop, kind=LoopKind.THREAD, thread=self.thread_axis)
        return Rewritten(scope.replaced(loop, new), (loop.var.id,))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Bind]:
        if isinstance(node, For) and node.kind is not LoopKind.THREAD:
            for axis in THREADS[:6]:
                yield cls(scope.name, scope.label(node), axis)
