"""Reindex: access a buffer through a copy indexed by the axes of a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import Block, For, Stmt
from workbench.rewrite import Relation
from workbench.schedule.buffers.caching import nest
from workbench.schedule.buffers.levels import with_run
from workbench.schedule.buffers.operands import buffers_read, buffers_written
from workbench.schedule.buffers.racing import without_races
from workbench.schedule.buffers.redirect import redirected, with_readers
from workbench.schedule.buffers.reindexing import Reindexing, reindexing
from workbench.schedule.facts import facts_of
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.scope import Scope
from workbench.support import NodeId


@dataclass(frozen=True)
class Reindex(Primitive):
    """Let a block access a buffer at its own axes, by way of a copy in that order.

    All accesses of the buffer in the block are at one place, which its axes determine. A read
    buffer is copied before, where it already has the values that are read; a written one after,
    where different instances write different elements. `buffer` is a name, or `("read", 0)`,
    `("write", 0)`. Called `reindex` in TVM; in Halide by a wrapper (`in`) with its own storage
    order, in Exo by `stage_mem` and `rearrange_dim`.

    Rewrite::

        for i, j, k in T.grid(8, 8, 8): C(i, j, k) reads B[j, k]
        =>  Reindex(block="C", buffer="B")
        for ax0, ax1 in T.grid(8, 8): B_reindex(ax0, ax1) = B[ax0, ax1]
        for i, j, k in T.grid(8, 8, 8): C(i, j, k) reads B_reindex[j, k]
    """

    name: ClassVar[str] = "reindex"
    tvm: ClassVar[str] = "reindex"
    asked: ClassVar[tuple[str, ...]] = ("buffer",)

    block: str = ""
    buffer: int | str | tuple[str, int] = 0

    @override
    def check(self, scope: Scope) -> Answer:
        found = self._plan(scope)
        if isinstance(found, Answer):
            return found
        return without_races(scope, found.level, self, applies(notes=found.notes))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        found = self._plan(scope)
        assert not isinstance(found, Answer)
        made = scope.fresh(found.cache.name, found.cache.type)
        plan = replace(found, cache=made)
        cache, level = plan.cache, plan.level
        facts = facts_of(scope.function)

        def copy(name: str, *, back: bool) -> tuple[Stmt, NodeId]:
            return nest(
                scope,
                name,
                plan.extents,
                lambda at: plan.copy(at, back=back),
                lambda at: plan.inside(at, facts),
            )

        run = with_readers(
            level.run,
            [plan.block],
            lambda stmt: redirected(
                stmt, plan.buffer.id, cache, plan.remap, facts, writes=plan.writes
            ),
        )
        main, block = copy(cache.name, back=plan.writes)
        before = [main] if not plan.writes else []
        if plan.copy_in:
            before = [copy(f"{cache.name}_in", back=False)[0]]
        after = [main] if plan.writes else []
        function = with_run(scope, level, [cache], before, run, after)
        derived = (Derived((plan.buffer.id,), (cache.id,), Relation.LAYOUT),)
        return Rewritten(function, (block,), derived)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Reindex]:
        if isinstance(node, Block):
            named = {b.id: b for b in (*buffers_read(node), *buffers_written(node))}
            for buffer in named.values():
                yield cls(scope.name, scope.label(node), buffer.name)

    def _plan(self, scope: Scope) -> Reindexing | Answer:
        return reindexing(scope, scope.block(self.block), self.buffer)
