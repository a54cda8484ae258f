"""Methods of `Schedule` on buffers and layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.analysis.dependence import Answer
from workbench.analysis.index_map import IndexMap
from workbench.ir import Var
from workbench.schedule.arguments import takes_arguments
from workbench.schedule.base import ScheduleBase
from workbench.schedule.buffers.operands import buffer_of, place_named, plain_buffer
from workbench.schedule.primitives.cache_read import CacheRead
from workbench.schedule.primitives.cache_write import CacheWrite
from workbench.schedule.primitives.decompose_padding import DecomposePadding
from workbench.schedule.primitives.pad_einsum import PadEinsum
from workbench.schedule.primitives.reindex import Reindex
from workbench.schedule.primitives.set_scope import SetScope
from workbench.schedule.primitives.store_at import StoreAt
from workbench.schedule.primitives.transform_block_layout import TransformBlockLayout
from workbench.schedule.primitives.transform_layout import TransformLayout
from workbench.schedule.references import BlockLike, BlockRef, LoopLike, LoopRef
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found

BufferIndex = int | str | Var
"""Which buffer of a block: its position, its name or the buffer."""
MapLike = IndexMap | str | Callable[..., object]


@takes_arguments
class MemoryMethods(ScheduleBase):
    """Copies of buffers, their layout and where they live."""

    def cache_read(
        self,
        block: BlockLike | LoopRef,
        read_buffer_index: BufferIndex = 0,
        storage_scope: str = "global",
        consumer_blocks: BlockLike | Sequence[BlockLike] | None = None,
    ) -> BlockRef:
        """Read a buffer by way of a copy; see `CacheRead`. Gives the block that copies.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/no-such-buffer`, `schedule/bad-storage-scope`.
        """
        which = self._memory_buffer(read_buffer_index)
        others = self.block_names(consumer_blocks)
        step = CacheRead(self.function, self._memory_place(block), which, storage_scope, others)
        return self.block_ref(self.apply(step).results[0])

    def cache_write(
        self,
        block: BlockLike | LoopRef,
        write_buffer_index: BufferIndex = 0,
        storage_scope: str = "global",
        consumer_blocks: BlockLike | Sequence[BlockLike] | None = None,
    ) -> BlockRef:
        """Write a buffer by way of a copy; see `CacheWrite`. Gives the block that copies it out.

        Raises:
            CompileError: `schedule/unproved`, `schedule/inapplicable`, `schedule/no-such-block`,
                `schedule/no-such-buffer`, `schedule/bad-storage-scope`.
        """
        which = self._memory_buffer(write_buffer_index)
        others = self.block_names(consumer_blocks)
        step = CacheWrite(self.function, self._memory_place(block), which, storage_scope, others)
        return self.block_ref(self.apply(step).results[0])

    def set_scope(
        self,
        block: BlockLike | LoopRef,
        buffer_index: BufferIndex = 0,
        storage_scope: str = "global",
    ) -> None:
        """Put a buffer into another kind of memory; see `SetScope`.

        Raises:
            CompileError: `schedule/inapplicable`, `schedule/no-such-block`,
                `schedule/no-such-buffer`, `schedule/bad-storage-scope`.
        """
        which = self._memory_buffer(buffer_index)
        self.apply(SetScope(self.function, self._memory_place(block), which, storage_scope))

    def store_at(self, buffer: str | Var, loop: LoopLike) -> None:
        """Give each iteration of a loop a buffer of its own; see `StoreAt`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-buffer`, `schedule/no-such-loop`.
        """
        name = self.buffer_name(buffer)
        self.apply(StoreAt(self.function, name, self.loop_name(loop)))

    def reindex(
        self, block: BlockLike, buffer: BufferIndex | tuple[str, int] | Sequence[str | int]
    ) -> BlockRef:
        """Access a buffer by the axes of a block; see `Reindex`. Gives the block that copies.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/no-such-buffer`.
        """
        step = Reindex(self.function, self.block_name(block), self._memory_operand(buffer))
        return self.block_ref(self.apply(step).results[0])

    def transform_layout(
        self,
        block: BlockLike | LoopRef,
        buffer: BufferIndex | tuple[str, int] | Sequence[str | int],
        index_map: MapLike,
        pad_value: float | None = None,
        *,
        assume_injective_transform: bool = False,  # noqa: ARG002
    ) -> None:
        """Lay out a buffer in another way; see `TransformLayout`.

        `index_map` is a function, `lambda i, j: (i // 16, j, i % 16)`, or the text of one. That it
        keeps elements apart is proved whatever `assume_injective_transform` says.

        Raises:
            CompileError: `schedule/inapplicable`, `schedule/no-such-block`,
                `schedule/no-such-buffer`, `index-map/not-a-map`, `index-map/not-invertible`.
        """
        place, which = self._memory_place(block), self._memory_operand(buffer)
        text = (
            index_map if isinstance(index_map, str) else self._layout_text(place, which, index_map)
        )
        self.apply(TransformLayout(self.function, place, which, text, pad_value))

    def transform_block_layout(self, block: BlockLike, index_map: MapLike) -> None:
        """Run a block in the order of other axes; see `TransformBlockLayout`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `index-map/not-a-map`, `index-map/not-invertible`.
        """
        name = self.block_name(block)
        rank = len(self.scope.block(name).axes)
        text = index_map if isinstance(index_map, str) else IndexMap.of(index_map, rank).text
        self.apply(TransformBlockLayout(self.function, name, text))

    def pad_einsum(self, block: BlockLike, padding: Sequence[int]) -> None:
        """Round up the extents of a sum of products; see `PadEinsum`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/bad-factor`.
        """
        self.apply(PadEinsum(self.function, self.block_name(block), tuple(padding)))

    def decompose_padding(self, block: BlockLike, loop: LoopLike) -> BlockRef:
        """Fill before the loop, then copy the interior; see `DecomposePadding`.

        Gives the block that fills.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/no-such-loop`.
        """
        step = DecomposePadding(self.function, self.block_name(block), self.loop_name(loop))
        return self.block_ref(self.apply(step).results[0])

    def _layout_text(
        self, place: str, which: int | str | tuple[str, int], index_map: MapLike
    ) -> str:
        operand = buffer_of(self.scope, place_named(self.scope, place), which)
        rank = None if isinstance(operand, Answer) else len(plain_buffer(operand[0]).shape)
        return IndexMap.of(index_map, rank).text

    def _memory_operand(
        self, buffer: BufferIndex | Sequence[str | int]
    ) -> int | str | tuple[str, int]:
        if isinstance(buffer, int | str | Var):
            return self._memory_buffer(buffer)
        match buffer:
            case (str() as kind, int() as number):
                return kind, number
            case _:
                raise CompileError(
                    Diagnostic(
                        "schedule/no-such-buffer",
                        f"expected a buffer, got {found(buffer)}",
                        function=self.function,
                        hint='name it, or say which of a block: `("read", 0)`, `("write", 0)`',
                    )
                )

    def _memory_place(self, place: BlockLike | LoopRef) -> str:
        if isinstance(place, LoopRef):
            return self.loop_name(place)
        if isinstance(place, str):
            return self.scope.label(place_named(self.scope, place))
        return self.block_name(place)

    def _memory_buffer(self, buffer: BufferIndex) -> int | str:
        return self.buffer_name(buffer) if isinstance(buffer, Var) else buffer
