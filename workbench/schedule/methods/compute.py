"""Methods of `Schedule` that move blocks."""

from __future__ import annotations

from workbench.schedule.arguments import takes_arguments
from workbench.schedule.base import ScheduleBase
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.compute_inline import ComputeInline
from workbench.schedule.primitives.compute_location import ComputeLocation
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.reverse_compute_at import ReverseComputeAt
from workbench.schedule.primitives.reverse_compute_inline import ReverseComputeInline
from workbench.schedule.primitives.rfactor import Rfactor
from workbench.schedule.references import BlockLike, BlockRef, LoopLike


@takes_arguments
class ComputeMethods(ScheduleBase):
    """Move blocks, inline them, take reductions apart."""

    def compute_at(
        self,
        block: BlockLike,
        loop: LoopLike | int,
        preserve_unit_loops: bool = False,
        index: int = -1,
    ) -> None:
        """Compute a producer under a loop of its consumers; see `ComputeAt`.

        A number in place of the loop is that of `sample_compute_location`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/no-such-loop`.
        """
        if isinstance(loop, int):
            self.compute_location(block, loop)
            return
        self.apply(
            ComputeAt(
                self.function,
                self.block_name(block),
                self.loop_name(loop),
                preserve_unit_loops,
                index,
            )
        )

    def compute_location(self, block: BlockLike, location: int = -1) -> None:
        """Compute a producer where a number says: see `ComputeLocation`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/bad-location`, `schedule/no-such-block`.
        """
        self.apply(ComputeLocation(self.function, self.block_name(block), location))

    def reverse_compute_at(
        self,
        block: BlockLike,
        loop: LoopLike,
        preserve_unit_loops: bool = False,
        index: int = -1,
    ) -> None:
        """Compute a consumer under a loop of its producers; see `ReverseComputeAt`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/no-such-loop`.
        """
        self.apply(
            ReverseComputeAt(
                self.function,
                self.block_name(block),
                self.loop_name(loop),
                preserve_unit_loops,
                index,
            )
        )

    def compute_inline(self, block: BlockLike) -> None:
        """Compute a block where its elements are read; see `ComputeInline`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`.
        """
        self.apply(ComputeInline(self.function, self.block_name(block)))

    def reverse_compute_inline(self, block: BlockLike) -> None:
        """Compute a block in the one that computes its input; see `ReverseComputeInline`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`.
        """
        self.apply(ReverseComputeInline(self.function, self.block_name(block)))

    def decompose_reduction(self, block: BlockLike, loop: LoopLike) -> BlockRef:
        """Initialise a reduction in a block of its own before a loop; see `DecomposeReduction`.

        Gives the block that initialises.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-block`, `schedule/no-such-loop`.
        """
        name, around = self.block_name(block), self.loop_name(loop)
        done = self.apply(DecomposeReduction(self.function, name, around))
        return self.block_ref(done.results[0])

    def rfactor(self, loop: LoopLike, factor_axis: int = 0) -> BlockRef:
        """Factor a reduction by one of its loops; see `Rfactor`.

        Gives the block that computes the partial results.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-loop`, `schedule/bad-axis`.
        """
        done = self.apply(Rfactor(self.function, self.loop_name(loop), factor_axis))
        return self.block_ref(done.results[0])
