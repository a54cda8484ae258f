"""Schedule: transform the loops of a tensor function primitive by primitive."""

from __future__ import annotations

from workbench.ir import IRModule
from workbench.schedule.arguments import takes_arguments
from workbench.schedule.base import ScheduleBase
from workbench.schedule.buffers.operands import place_named
from workbench.schedule.documented import documented
from workbench.schedule.methods.blocks import BlockMethods
from workbench.schedule.methods.compute import ComputeMethods
from workbench.schedule.methods.loops import LoopMethods
from workbench.schedule.methods.memory import MemoryMethods
from workbench.schedule.methods.sampling import SamplingMethods
from workbench.schedule.neighbours import neighbours, output_blocks
from workbench.schedule.place_facts import PlaceFacts
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.references import BlockLike, BlockRef, LoopRef, Place
from workbench.schedule.scope import walk_statements


@documented
@takes_arguments
class Schedule(
    LoopMethods, ComputeMethods, MemoryMethods, BlockMethods, SamplingMethods, ScheduleBase
):
    """A tensor function of a module, changed primitive by primitive in TVM's familiar form.

    ::

        sch = wb.Schedule(module, "matmul")
        i, j, k = sch.get_loops("C")
        i_0, i_1 = sch.split(i, factors=[None, 8])
        sch.reorder(i_0, k, i_1, j)
        sch.vectorize(j)
        module = sch.module

    Every primitive is checked by dependence analysis and refused with the reason where it is not
    proved legal; the module is then as it was. Reference: `tvm.tir.Schedule`.

    Raises:
        CompileError: `schedule/which-function`.
    """

    @property
    def mod(self) -> IRModule:
        """The module so far, as TVM calls it: `module`."""
        return self.module

    def get_block(self, name: str, func_name: str | None = None) -> BlockRef:
        """The block of that name; a schedule works on one function, `func_name` may say which.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/ambiguous-name`,
                `schedule/which-function` for another function.
        """
        if func_name not in {None, self.function}:
            message = f"this schedule works on `{self.function}`, not on `{func_name}`"
            hint = f'make one for it: `wb.Schedule(sch.module, "{func_name}")`'
            raise bad_parameter(self.scope, "schedule/which-function", message, hint)
        return self.block_ref(self.scope.block(name).id)

    def get_blocks(self) -> tuple[BlockRef, ...]:
        """All blocks in program order."""
        return tuple(self.block_ref(block.id) for block in self.scope.blocks)

    def get_loops(self, block: BlockLike) -> tuple[LoopRef, ...]:
        """The loops around a block, outermost first.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/foreign-reference`.
        """
        found = self.scope.block(self.block_name(block))
        return tuple(self.loop_ref(loop.var.id) for loop in self.scope.loops_around(found.id))

    def get_loop(self, name: str) -> LoopRef:
        """The loop of that name (`i`, `C.i` around block `C`, `i#2` the second of the name).

        Raises:
            CompileError: `schedule/no-such-loop`, `schedule/ambiguous-name`.
        """
        return self.loop_ref(self.scope.loop(name).var.id)

    def get_producers(self, block: BlockLike) -> tuple[BlockRef, ...]:
        """The blocks that write what a block reads, before it or in a loop around both.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/foreign-reference`.
        """
        return self._neighbours(block, producers=True)

    def get_consumers(self, block: BlockLike) -> tuple[BlockRef, ...]:
        """The blocks that read what a block writes, after it or in a loop around both.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/foreign-reference`.
        """
        return self._neighbours(block, producers=False)

    def get_output_blocks(self) -> tuple[BlockRef, ...]:
        """The blocks that write parameters of the function, in program order."""
        return tuple(self.block_ref(block.id) for block in output_blocks(self.scope))

    def facts(self, place: Place) -> PlaceFacts:
        """What the analyses say of a loop or block; a name is that of a block where there is one.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/no-such-loop`,
                `schedule/ambiguous-name`, `schedule/foreign-reference`.
        """
        if isinstance(place, str):
            return PlaceFacts(self.scope, place_named(self.scope, place))
        _ = self.loop_name(place) if isinstance(place, LoopRef) else self.block_name(place)
        return PlaceFacts(self.scope, self.scope.node(place.id))

    def _neighbours(self, block: BlockLike, *, producers: bool) -> tuple[BlockRef, ...]:
        found = neighbours(self.scope, self.scope.block(self.block_name(block)), producers)
        return tuple(self.block_ref(other.id) for other in found)

    def get_child_blocks(self, place: Place) -> tuple[BlockRef, ...]:
        """The blocks inside a block or loop, in program order."""
        if isinstance(place, LoopRef):
            outer = self.scope.loop(self.loop_name(place))
        else:
            outer = self.scope.block(self.block_name(place))
        inside = [stmt for stmt in walk_statements(outer) if stmt is not outer]
        return tuple(
            self.block_ref(block.id)
            for block in self.scope.blocks
            if any(block is stmt for stmt in inside)
        )
