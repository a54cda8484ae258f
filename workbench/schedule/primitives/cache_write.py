"""CacheWrite: write a buffer by way of a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import Block, For
from workbench.rewrite import Relation
from workbench.schedule.buffers.caching import SCOPES_NOTE, cache_buffer, copy_nest
from workbench.schedule.buffers.levels import with_run
from workbench.schedule.buffers.operands import buffers_written, check_storage
from workbench.schedule.buffers.racing import without_races
from workbench.schedule.buffers.redirect import redirected, shifted_by, with_readers
from workbench.schedule.buffers.staging import Stage, staged
from workbench.schedule.facts import facts_of
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class CacheWrite(Primitive):
    """Let a block (or loop) write a copy of a buffer, and copy that to the buffer afterwards.

    The nest around the block works on the copy: all its reads and writes of the buffer. A block
    of its own copies it out; move it with `reverse_compute_at`. Where the nest reads what it has
    not written, or may leave elements of the box unwritten, they are copied in first. Later
    readers read the buffer, `consumer_blocks` the copy. Called `cache_write` in TVM, `stage_mem` in
    Exo; in Halide by an `in` of the consumer.

    Rewrite::

        for i, j, k in T.grid(16, 16, 16): C(i, j, k) updates C[i, j]
        =>  CacheWrite(block="C", write_buffer_index="C", storage_scope="local")
        for i, j, k in T.grid(16, 16, 16): C(i, j, k) updates C_local[i, j]
        for ax0, ax1 in T.grid(16, 16): C_local(ax0, ax1): C[ax0, ax1] = C_local[ax0, ax1]
    """

    name: ClassVar[str] = "cache-write"
    tvm: ClassVar[str] = "cache_write"
    exo: ClassVar[str] = "stage_mem"

    block: str = ""
    write_buffer_index: int | str = 0
    storage_scope: str = "global"
    consumer_blocks: tuple[str, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        check_storage(scope, self.storage_scope)
        found = self._stage(scope)
        if isinstance(found, Answer):
            return found
        return without_races(scope, found.level, self, applies(notes=found.notes))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        stage = self._stage(scope)
        assert not isinstance(stage, Answer)
        buffer, box = stage.buffer, stage.box
        cache = cache_buffer(scope, buffer, box, self.storage_scope)
        out, made = copy_nest(scope, cache.name, buffer, cache, box, stage.facts, back=True)
        before = []
        if stage.copy_in:
            name = f"{cache.name}_in"
            before = [copy_nest(scope, name, buffer, cache, box, stage.facts)[0]]
        remap = shifted_by(box)
        facts = facts_of(scope.function)
        run = [redirected(item, buffer.id, cache, remap, facts) for item in stage.level.run]
        later = with_readers(
            stage.consumers,
            stage.readers,
            lambda item: redirected(item, buffer.id, cache, remap, facts, writes=False),
        )
        function = with_run(scope, stage.extended, [cache], before, run, [out, *later])
        remarks = (SCOPES_NOTE,) if self.storage_scope != "global" else ()
        derived = (Derived((buffer.id,), (cache.id,), Relation.SAME),)
        return Rewritten(function, (made,), derived, remarks)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[CacheWrite]:
        for buffer in buffers_written(node):
            yield cls(scope.name, scope.label(node), buffer.name, "global")

    def _stage(self, scope: Scope) -> Stage | Answer:
        return staged(scope, self.block, self.write_buffer_index, self.consumer_blocks)
