"""What all methods of `Schedule` share: the module so far, references to places, the trace."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Self

import numpy as np
from typing_extensions import override

from workbench.ir import Block, For, IRModule, TensorFunction, Var
from workbench.schedule.arguments import OTHERS, takes_arguments
from workbench.schedule.primitive import Primitive, Rewritten
from workbench.schedule.references import BlockLike, BlockRef, LoopLike, LoopRef
from workbench.schedule.scope import Scope
from workbench.schedule.trace import Decision, Instruction, Sampled, Trace
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.found import found
from workbench.support.kinds import wrong_fields

_SEEDS = 2**64 - 1


@takes_arguments
class ScheduleBase:
    """A tensor function of a module, changed step by step; `module` is the result so far.

    Every primitive is checked and refused with the reason where it is not proved legal; the
    module is then as it was. `trace` says what was done. Places are given by references or by
    name. Reference: `tvm.tir.Schedule`.

    Raises:
        CompileError: `schedule/which-function`.
    """

    def __init__(
        self, module: IRModule | TensorFunction, function: str | None = None, seed: int = 0
    ) -> None:
        """Start on `function` of the module; `seed` is that of the sampling methods."""
        if isinstance(module, TensorFunction):
            module, function = IRModule((("main", module),)), "main"
        if not isinstance(module, IRModule):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CompileError(
                Diagnostic(
                    "schedule/which-function",
                    f"expected a module or a tensor function, got `{type(module).__name__}`",
                    hint="`wb.parse` reads a script, `session.module` is the module of the head",
                )
            )
        self.module = module
        self.function = Scope.of(module, function or "").name
        self.reassociates = False
        """Whether some step reordered the updates of a reduction in floating point."""
        self._owner = object()
        self._instructions: list[Instruction] = []
        self._random = np.random.default_rng(seed & _SEEDS)
        self._scope: Scope | None = None

    @override
    def __repr__(self) -> str:
        return f"Schedule of `{self.function}`\n{self.trace.python()}".rstrip()

    @property
    def trace(self) -> Trace:
        """What was done so far."""
        return Trace(self.function, tuple(self._instructions))

    @property
    def tensor_function(self) -> TensorFunction:
        """The function as it is now."""
        return self.module.tensor_functions[self.function]

    @property
    def scope(self) -> Scope:
        """The function as primitives see it."""
        if self._scope is None or self._scope.function is not self.tensor_function:
            self._scope = Scope(self.function, self.tensor_function)
        return self._scope

    def copy(self) -> Self:
        """Another schedule that goes on from here; references of either work in both."""
        made = copy.copy(self)
        made._instructions = list(self._instructions)
        made._random = copy.deepcopy(self._random)
        return made

    # --- for the methods -----------------------------------------------------------------------

    def apply(self, primitive: Primitive) -> Rewritten:
        """Perform a primitive and note it in the trace.

        Raises:
            CompileError: why it does not apply; nothing has changed.
        """
        if faults := wrong_fields(primitive, OTHERS):
            raise CompileError(replace(fault, function=self.function) for fault in faults)
        scope = Scope(self.function, self.tensor_function)
        answer = primitive.checked(scope)
        done = primitive.rewrite(scope)
        self.module = self.module.with_function(self.function, done.function)
        self.reassociates = self.reassociates or answer.reassociates
        self._instructions.append(primitive)
        return done

    def decide(
        self,
        method: str,
        arguments: Sequence[tuple[str, object]],
        values: Sequence[int],
        *,
        single: bool = False,
        choices: Sequence[int] = (),
    ) -> tuple[Sampled, ...]:
        """Note a decision in the trace; gives its numbers, which know where they come from."""
        step = len(self._instructions)
        plain = tuple(int(value) for value in values)
        known = tuple(arguments), plain
        decision = Decision(method, *known, single=single, choices=tuple(choices))
        self._instructions.append(decision)
        return tuple(Sampled(value, step, n, decision) for n, value in enumerate(plain))

    def loop_name(self, loop: LoopLike) -> str:
        """The name under which a primitive finds the loop.

        Raises:
            CompileError: `schedule/no-such-loop`, `schedule/foreign-reference`.
        """
        return self._name(loop, LoopRef, "loop")

    def block_name(self, block: BlockLike) -> str:
        """The name under which a primitive finds the block.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/foreign-reference`.
        """
        return self._name(block, BlockRef, "block")

    def block_names(self, blocks: BlockLike | Sequence[BlockLike] | None) -> tuple[str, ...]:
        """The names of several blocks, or of one that is given by itself; none for None.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/foreign-reference`.
        """
        if isinstance(blocks, BlockRef | str):
            return (self.block_name(blocks),)
        return tuple(self.block_name(block) for block in blocks or ())

    def _name(
        self,
        item: LoopLike | BlockLike,
        kind: type[LoopRef | BlockRef],
        what: Literal["loop", "block"],
    ) -> str:
        if isinstance(item, str):
            named = self.scope.loop(item) if what == "loop" else self.scope.block(item)
            return self.scope.label(named)
        if not isinstance(item, kind):
            raise CompileError(
                Diagnostic(
                    "schedule/not-a-place",
                    f"expected a {what} or its name, got {found(item)}",
                    function=self.function,
                    hint='take it from `get_loops` or `get_block`, or say its name: `"i"`',
                )
            )
        if item.owner is not self._owner:
            raise CompileError(
                Diagnostic(
                    "schedule/foreign-reference",
                    f"{what} `{item.name}` belongs to another schedule",
                    function=self.function,
                    hint="take it from this schedule's `get_loops` or `get_block`",
                )
            )
        return self.scope.label(self.scope.node(item.id, what))

    def loop_ref(self, place: NodeId) -> LoopRef:
        """A reference to the loop whose variable has the id."""
        known = self.scope.node(place)
        assert isinstance(known, For)
        return LoopRef(known.var.name, place, self._owner)

    def block_ref(self, place: NodeId) -> BlockRef:
        """A reference to the block of the id."""
        known = self.scope.node(place)
        assert isinstance(known, Block)
        return BlockRef(known.name, place, self._owner)

    def buffer_name(self, buffer: Var | str) -> str:
        """The name of a buffer.

        Raises:
            CompileError: `schedule/no-such-buffer`.
        """
        return self.scope.buffer(buffer if isinstance(buffer, str) else buffer.name).name
