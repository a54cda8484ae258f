"""SetScope: say in which kind of memory a buffer lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.ir import Block, For, PrimExpr, Var, substitute
from workbench.schedule.buffers.caching import SCOPES_NOTE
from workbench.schedule.buffers.operands import (
    STORAGE,
    buffer_of,
    buffers_written,
    check_storage,
    is_parameter,
    place_named,
    plain_buffer,
)
from workbench.schedule.primitive import Primitive, Rewritten
from workbench.schedule.scope import Scope
from workbench.support import NodeId


@dataclass(frozen=True)
class SetScope(Primitive):
    """Give a buffer of the function another storage scope: `global`, `local`, `shared`, ...

    The contents do not change, so it is always legal; parameters live where the caller put them.
    `buffer_index` is the position among the buffers that the block writes, or a name. Called
    `set_scope` in TVM, `store_in` in Halide, `set_memory` in Exo.

    Rewrite::

        B = T.alloc_buffer((16, 16), "float32")
        =>  SetScope(block="B", buffer_index="B", storage_scope="shared")
        B = T.alloc_buffer((16, 16), "float32", scope="shared")
    """

    name: ClassVar[str] = "set-scope"
    halide: ClassVar[str] = "store_in"
    tvm: ClassVar[str] = "set_scope"
    exo: ClassVar[str] = "set_memory"

    block: str = ""
    buffer_index: int | str = 0
    storage_scope: str = "global"

    @override
    def check(self, scope: Scope) -> Answer:
        check_storage(scope, self.storage_scope)
        buffer = self._buffer(scope)
        if isinstance(buffer, Answer):
            return buffer
        if is_parameter(scope, buffer):
            message = f"`{buffer.name}` is a parameter: it lives where the caller put it"
            hint = "read or write it by way of a copy: `cache_read`, `cache_write`"
            return inapplicable(message, buffer.id, hint=hint)
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        buffer = self._buffer(scope)
        assert not isinstance(buffer, Answer)
        new = replace(buffer, type=replace(plain_buffer(buffer), scope=self.storage_scope))
        function = scope.function
        known: dict[NodeId, PrimExpr] = {buffer.id: new}
        changed = replace(
            function,
            body=substitute(function.body, known),
            allocations=tuple(new if b.id == new.id else b for b in function.allocations),
        )
        remarks = (SCOPES_NOTE,) if self.storage_scope != "global" else ()
        return Rewritten(changed, (), (), remarks)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[SetScope]:
        for buffer in buffers_written(node):
            for storage in STORAGE:
                if plain_buffer(buffer).scope != storage:
                    yield cls(scope.name, scope.label(node), buffer.name, storage)

    def _buffer(self, scope: Scope) -> Var | Answer:
        place = place_named(scope, self.block)
        found = buffer_of(scope, place, self.buffer_index)
        return found if isinstance(found, Answer) else found[0]
