"""CacheRead: read a part of a buffer from a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.analysis.dependence.flows import unchanged_before_reads
from workbench.ir import Block, For, Var
from workbench.rewrite import Relation
from workbench.schedule.buffers.accesses import accesses
from workbench.schedule.buffers.caching import (
    SCOPES_NOTE,
    cache_buffer,
    copy_nest,
    named_twice,
    not_redirected,
    repeats_writes,
    stores_to,
)
from workbench.schedule.buffers.footprint import facts_around, hull
from workbench.schedule.buffers.levels import Level, levels, with_run
from workbench.schedule.buffers.operands import (
    buffers_read,
    check_storage,
    consumers_of,
    read_buffer,
)
from workbench.schedule.buffers.racing import without_races
from workbench.schedule.buffers.redirect import redirected, shifted_by, with_readers
from workbench.schedule.facts import facts_of
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class CacheRead(Primitive):
    """Copy what a block (or loop) reads of a buffer, and let it read the copy.

    The copy is made by a block of its own, as far out as nothing writes the buffer between the
    copy and the reads; move it inward with `compute_at`. It has the box that is read; inside
    loops, the box that one iteration reads. Legal where every element has the same value when it
    is copied and when it is read. `consumer_blocks` read the copy too. Called `cache_read` in TVM,
    `in` in Halide, `stage_mem` in Exo.

    Rewrite::

        for i, j in T.grid(16, 16): C(i, j) reads A[i, j]
        =>  CacheRead(block="C", read_buffer_index="A", storage_scope="local")
        for ax0, ax1 in T.grid(16, 16): A_local(ax0, ax1) = A[ax0, ax1]
        for i, j in T.grid(16, 16): C(i, j) reads A_local[i, j]
    """

    name: ClassVar[str] = "cache-read"
    halide: ClassVar[str] = "in"
    tvm: ClassVar[str] = "cache_read"
    exo: ClassVar[str] = "stage_mem"

    block: str = ""
    read_buffer_index: int | str = 0
    storage_scope: str = "global"
    consumer_blocks: tuple[str, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        check_storage(scope, self.storage_scope)
        found = self._plan(scope)
        if isinstance(found, Answer):
            return found
        return without_races(scope, found[1], self, applies(notes=found[2]))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        found = self._plan(scope)
        assert not isinstance(found, Answer)
        buffer, level, _ = found
        consumers = self._consumers(scope)
        facts = facts_around(scope.function, level.path, level.suite)
        reads = accesses(level.run, buffer.id, within=consumers)
        around = any(isinstance(stmt, For) for stmt in level.path)
        box = hull(buffer, [a for a in reads if not a.writes], facts, local=around)
        cache = cache_buffer(scope, buffer, box, self.storage_scope)
        copy, made = copy_nest(scope, cache.name, buffer, cache, box, facts)
        run = with_readers(
            level.run,
            consumers,
            lambda stmt: redirected(
                stmt, buffer.id, cache, shifted_by(box), facts_of(scope.function), writes=False
            ),
        )
        function = with_run(scope, level, [cache], [copy], run)
        derived = (Derived((buffer.id,), (cache.id,), Relation.SAME),)
        return Rewritten(function, (made,), derived, (SCOPES_NOTE,) if self._scoped else ())

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[CacheRead]:
        for buffer in buffers_read(node):
            yield cls(scope.name, scope.label(node), buffer.name, "global")

    @property
    def _scoped(self) -> bool:
        return self.storage_scope != "global"

    def _consumers(self, scope: Scope) -> list[For | Block]:
        return consumers_of(scope, self.block, self.consumer_blocks)

    def _plan(self, scope: Scope) -> Answer | tuple[Var, Level, tuple[str, ...]]:
        consumers = self._consumers(scope)
        buffer = read_buffer(scope, consumers[0], self.read_buffer_index)
        if isinstance(buffer, Answer):
            return buffer
        found = levels(scope, consumers, buffer)
        refused = named_twice(scope, buffer, found[-1].path) or not_redirected(
            found[0].run, buffer, consumers, stays=True
        )
        if refused is not None:
            return refused
        first: Answer | None = None
        for n, level in enumerate(found):
            answer = _unchanged(scope, level, consumers, buffer)
            if answer.applies:
                return buffer, level, (*answer.notes, *(_why(level, buffer) if n else ()))
            first = first or answer
        assert first is not None
        return first


def _unchanged(scope: Scope, level: Level, consumers: list[For | Block], buffer: Var) -> Answer:
    """Whether the buffer has the same contents where the copy is made and where it is read."""
    if not stores_to(level.run, buffer.id):
        return applies()
    return repeats_writes(level, buffer) or unchanged_before_reads(
        scope.dependences_holding(level.inside), buffer.id, level.run, consumers
    )


def _why(level: Level, buffer: Var) -> tuple[str, ...]:
    around = [stmt.var.name for stmt in level.path if isinstance(stmt, For)]
    where = f"inside loop `{around[-1]}`" if around else "inside the branch"
    return (f"the copy stands {where}: `{buffer.name}` is written further out",)
