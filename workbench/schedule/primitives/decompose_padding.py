"""DecomposePadding: fill a padded buffer first, then copy its interior."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, Time, applies
from workbench.ir import Block, For, Load, Select, Stmt, Store, walk
from workbench.schedule.buffers.padding import Padding, interior, padding_of
from workbench.schedule.copies import copied
from workbench.schedule.loops.times import time_within
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.scope import Scope, enclosed, replace_statement, sequence


@dataclass(frozen=True)
class DecomposePadding(Primitive):
    """Part a block that stores a value or, outside of some bounds, a constant.

    A block of its own fills all of it with the constant, before `loop`; the block is left with
    the interior, without a choice, and its loops shrink to it where they run over its axes.
    Legal where nothing under the loop needs what is in the buffer before the block stores to it.
    Called `decompose_padding` in TVM; in Halide by `specialize` or `partition`,
    in Exo by `cut_loop`.

    Rewrite::

        for i in range(18): B(i): B[i] = A[i - 1] if 1 <= i and i < 17 else 0.0
        =>  DecomposePadding(block="B", loop="i")
        for i in range(18): B_pad_const(i): B[i] = 0.0
        for i in range(16): B(i + 1): B[i + 1] = A[i]
    """

    name: ClassVar[str] = "decompose-padding"
    halide: ClassVar[str] = "partition"
    tvm: ClassVar[str] = "decompose_padding"

    block: str = ""
    loop: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        found = self._padding(scope)
        return found if isinstance(found, Answer) else _fill_is_early(scope, found)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        padding = self._padding(scope)
        assert not isinstance(padding, Answer)
        copy = copied(scope, padding.fill)
        body, kept = interior(scope, padding)
        new = replace_statement(padding.loop, kept[0], body)
        filled = copy.ids[padding.block.id]
        function = scope.replaced(padding.loop, sequence([copy.stmt, new]))
        loops = tuple((loop.var.id, copy.ids[loop.var.id]) for loop in padding.inside)
        derived = tuple(Derived((old,), (old, made)) for old, made in loops)
        block = padding.block.id
        return Rewritten(function, (filled,), (*derived, Derived((block,), (block, filled))))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[DecomposePadding]:
        for stmt, _ in enclosed(node):
            if isinstance(stmt, Block) and _is_choice(stmt):
                around = scope.loops_around(stmt.id)
                for loop in [node] if isinstance(node, For) else around:
                    yield cls(scope.name, scope.label(stmt), scope.label(loop))

    def _padding(self, scope: Scope) -> Padding | Answer:
        return padding_of(scope, scope.block(self.block), scope.loop(self.loop))


def _is_choice(block: Block) -> bool:
    body = block.body
    return isinstance(body, Store) and isinstance(body.value, Select)


def _fill_is_early(scope: Scope, padding: Padding) -> Answer:
    """Whether what else is under the loop is content with the constants being there already."""
    others = [
        stmt
        for stmt, path in enclosed(padding.loop)
        if _touches(stmt, padding) and not any(s is padding.block for s in path)
    ]
    if not others:
        return applies()
    outer = tuple(loop.var for loop in scope.loops_around(padding.loop.var.id))
    times: dict[int, Time] = {}
    known = scope.dependences_around(padding.loop)
    for statement in known.statements:
        path = (*statement.path, statement.node)
        if not any(stmt is padding.loop for stmt in path):
            continue
        inner = tuple(loop.var for loop in statement.loops[len(outer) :])
        if any(stmt is padding.block for stmt in path):
            times[statement.index] = (*outer, 0, *inner)
        else:
            times[statement.index] = (*outer, 1, *_order(padding.loop, path))
    return known.order_kept(times)


def _touches(stmt: Stmt, padding: Padding) -> bool:
    if not isinstance(stmt, Store):
        return False
    return any(
        isinstance(node, Load | Store) and node.buffer.id == padding.store.buffer.id
        for node in walk(stmt)
    )


def _order(loop: For, path: tuple[Stmt, ...]) -> Time:
    start = next(n for n, stmt in enumerate(path) if stmt is loop)
    return time_within(path[start:])
