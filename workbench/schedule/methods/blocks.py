"""Methods of `Schedule` on blocks and intrinsics."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.schedule.arguments import takes_arguments
from workbench.schedule.base import ScheduleBase
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.primitives.blockize import Blockize
from workbench.schedule.primitives.tensorize import Tensorize
from workbench.schedule.references import BlockLike, BlockRef, LoopLike, LoopRef, Place


@takes_arguments
class BlockMethods(ScheduleBase):
    """Make blocks of code, and put intrinsics in their place."""

    def blockize(
        self,
        target: Place | Sequence[BlockLike] = "",
        preserve_unit_iters: bool = True,
        *,
        loop: LoopLike = "",
        blocks: BlockLike | Sequence[BlockLike] = (),
    ) -> BlockRef:
        """Make the code under a loop, or blocks beside each other, one block; see `Blockize`.

        `target` is a loop or a list of blocks; `loop` and `blocks` say which. Gives the new block,
        which keeps axes of one value.

        Raises:
            CompileError: `schedule/inapplicable`, `schedule/not-a-place`,
                `schedule/no-such-loop`, `schedule/no-such-block`.
        """
        self._keeps_unit_axes(preserve_unit_iters)
        if isinstance(target, LoopRef | str):
            loop = target or loop
        else:
            blocks = target or blocks
        names = self.block_names(blocks)
        label = self.loop_name(loop) if loop else ""
        done = self.apply(Blockize(self.function, label, names))
        return self.block_ref(done.results[0])

    def tensorize(
        self,
        block_or_loop: Place = "",
        tensor_intrin: str = "",
        preserve_unit_iters: bool = True,
        *,
        intrinsic: str = "",
        block: BlockLike = "",
        loop: LoopLike = "",
    ) -> BlockRef:
        """Replace the code in a block or under a loop by an intrinsic; see `Tensorize`.

        A name given as `block_or_loop` is that of a block where there is one. The name of the
        intrinsic is `tensor_intrin` or `intrinsic`. Gives the block.

        Raises:
            CompileError: `schedule/inapplicable`, `schedule/illegal`, `schedule/unproved`,
                `schedule/no-such-intrinsic`, `schedule/no-such-loop`, `schedule/no-such-block`.
        """
        self._keeps_unit_axes(preserve_unit_iters)
        known = {b.name for b in self.scope.blocks}
        if isinstance(block_or_loop, LoopRef):
            loop = block_or_loop
        elif isinstance(block_or_loop, BlockRef) or block_or_loop.partition("#")[0] in known:
            block = block_or_loop
        elif block_or_loop:
            loop = block_or_loop
        names = self.block_name(block) if block else "", self.loop_name(loop) if loop else ""
        named = tensor_intrin or intrinsic
        done = self.apply(Tensorize(self.function, names[0], named, names[1]))
        return self.block_ref(done.results[0])

    def _keeps_unit_axes(self, keeps: bool) -> None:
        if not keeps:
            message = "the outer block keeps axes of one value: `preserve_unit_iters=False`"
            message = f"{message} asks for a block without them"
            hint = "leave it out: an axis of one value costs nothing"
            raise bad_parameter(self.scope, "schedule/inapplicable", message, hint)
