"""TransformLayout: lay out a buffer in another way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.analysis.index_map import IndexMap
from workbench.ir import Block, BufferType, For, Var
from workbench.rewrite import Relation
from workbench.schedule.buffers.caching import named_twice, not_redirected
from workbench.schedule.buffers.layouts import LAYOUT_HINT, Layout, converted, relaid
from workbench.schedule.buffers.operands import (
    buffer_of,
    buffers_read,
    buffers_written,
    is_parameter,
    place_named,
    plain_buffer,
)
from workbench.schedule.primitive import Derived, Primitive, Rewritten, bad_parameter
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class TransformLayout(Primitive):
    """Put element `i, j` of a buffer where the index map says, in all accesses of the function.

    Each element keeps a place of its own, so it is always legal. Where the new box is larger, the
    rest is padding: `pad_value` is stored there, else it is not written. A parameter keeps its
    layout: the function works on a buffer in the new layout, with copies at its entry and exit.
    `buffer` is a name, or `("read", 0)`, `("write", 0)` of the block. Called `transform_layout` in
    TVM; in Halide by `reorder_storage` and `fold_storage`, in Exo by `rearrange_dim` and
    `divide_dim`.

    Rewrite::

        B = T.alloc_buffer((64, 8), "float32")
        for i, j in T.grid(64, 8): B[i, j] = A[i, j]
        =>  TransformLayout(block="B", buffer="B", index_map="lambda i, j: (i // 16, j, i % 16)")
        B = T.alloc_buffer((4, 8, 16), "float32")
        for i, j in T.grid(64, 8): B[i // 16, j, i % 16] = A[i, j]
    """

    name: ClassVar[str] = "transform-layout"
    halide: ClassVar[str] = "reorder_storage"
    tvm: ClassVar[str] = "transform_layout"
    exo: ClassVar[str] = "rearrange_dim"
    asked: ClassVar[tuple[str, ...]] = ("buffer",)

    block: str = ""
    buffer: int | str | tuple[str, int] = 0
    index_map: str = ""
    pad_value: float | bool | None = None

    @override
    def check(self, scope: Scope) -> Answer:
        buffer = self._buffer(scope)
        if isinstance(buffer, Answer):
            return buffer
        refused = self._refused(scope, buffer)
        if refused is not None:
            return refused
        self._layout(scope, buffer)
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        buffer = self._buffer(scope)
        assert not isinstance(buffer, Answer)
        layout = self._layout(scope, buffer)
        if is_parameter(scope, buffer):
            function, made = converted(scope, layout, f"{buffer.name}_layout")
            remark = (
                f"parameter `{buffer.name}` keeps its layout: copies at entry or exit convert it"
            )
            derived = (Derived((buffer.id,), (made,), Relation.LAYOUT),)
            return Rewritten(function, (), derived, (remark,))
        return Rewritten(relaid(scope, layout))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[TransformLayout]:
        for buffer in (*buffers_written(node), *buffers_read(node)):
            rank = len(plain_buffer(buffer).shape)
            names = [f"i{n}" for n in range(rank)]
            if rank > 1:
                swapped = ", ".join((*names[:-2], names[-1], names[-2]))
                text = f"lambda {', '.join(names)}: ({swapped})"
                yield cls(scope.name, scope.label(node), buffer.name, text)
            if rank:
                split = ", ".join((f"{names[0]} // 16", *names[1:], f"{names[0]} % 16"))
                text = f"lambda {', '.join(names)}: ({split})"
                yield cls(scope.name, scope.label(node), buffer.name, text)

    def _buffer(self, scope: Scope) -> Var | Answer:
        found = buffer_of(scope, place_named(scope, self.block), self.buffer)
        return found if isinstance(found, Answer) else found[0]

    def _refused(self, scope: Scope, buffer: Var) -> Answer | None:
        refused = named_twice(scope, buffer) or not_redirected([scope.function.body], buffer)
        if refused is not None:
            return refused
        if plain_buffer(buffer).strides:
            message = f"`{buffer.name}` has strides of its own"
            return inapplicable(message, buffer.id, hint=LAYOUT_HINT)
        return None

    def _layout(self, scope: Scope, buffer: Var) -> Layout:
        """The map read and undone; faults of it are those of the parameter."""
        type_ = plain_buffer(buffer)
        found = IndexMap.of(self.index_map, len(type_.shape))
        inverse = found.inverse(type_.shape)
        return Layout(buffer, found, inverse, self._padding(scope, type_))

    def _padding(self, scope: Scope, type_: BufferType) -> float | bool | None:
        value = self.pad_value
        whole = isinstance(value, int) or value is None or type_.dtype.startswith(("float", "bf"))
        if not whole:
            message = f"`{value}` is no value of a buffer of dtype `{type_.dtype}`"
            raise bad_parameter(scope, "schedule/bad-pad-value", message)
        return value
