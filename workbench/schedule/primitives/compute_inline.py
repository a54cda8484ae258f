"""Compute inline: compute a block where its elements are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Block, For
from workbench.rewrite import Relation
from workbench.schedule.blocks.inlining import inline_everywhere, inlined_producer, inlining_keeps
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope
from workbench.schedule.touches import touches_of


@dataclass(frozen=True)
class ComputeInline(Primitive):
    """Compute a block where its elements are read, and drop its buffer.

    Legal for a block that stores one value for each element, where every read finds what the block
    has written, or nothing of that, and nothing writes what the block reads in between. Others may
    write the buffer, and the block may read the element that it updates: the buffer stays then.
    The indices that it stores to have to determine its axes. Called
    `compute_inline` in TVM, `compute_inline` in Halide (its default), `inline_assign` in Exo.

    Rewrite::

        for i in range(64): B[i] = A[i] * 2
        for i in range(64): C[i] = B[i] + 1
        =>  ComputeInline(block="B")
        for i in range(64): C[i] = A[i] * 2 + 1
    """

    name: ClassVar[str] = "compute-inline"
    halide: ClassVar[str] = "compute_inline"
    tvm: ClassVar[str] = "compute_inline"
    exo: ClassVar[str] = "inline_assign"

    block: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            element = inlined_producer(scope, scope.block(self.block))
        except RefusedError as refused:
            return refused.answer
        return inlining_keeps(scope, element).answer

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        block = scope.block(self.block)
        element = inlined_producer(scope, block)
        apart = inlining_keeps(scope, element)
        buffer = element.buffer.id
        readers = tuple(
            b.id for b in scope.blocks if b is not block and buffer in touches_of(b).reads
        )
        derived = Derived((block.id,), readers, Relation.MOVED)
        return Rewritten(inline_everywhere(scope, element, apart), (), (derived,))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[ComputeInline]:
        if isinstance(node, Block):
            yield cls(scope.name, scope.label(node))
