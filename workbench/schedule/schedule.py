"""Schedule: transform the loops of a tensor function primitive by primitive.

In TVM's familiar form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override

from workbench.ir import Block, For, IRModule, LoopKind, TensorFunction, children, walk
from workbench.schedule import loops as primitives
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block of the function that a schedule works on."""

    name: str
    id: NodeId


@dataclass(frozen=True, slots=True)
class LoopRef:
    """A loop of the function that a schedule works on."""

    name: str
    id: NodeId


class Schedule:
    """A tensor function of a module, changed step by step; `module` is the result so far.

    Every primitive is checked and refused with the reason where it is not legal; the function is
    then as it was. `trace` lists the primitives as lines of Python. Reference:
    `tvm.tir.Schedule`.

    Raises:
        CompileError: `schedule/which-function`, `module/unknown-function`.
    """

    def __init__(self, module: IRModule | TensorFunction, function: str | None = None) -> None:
        if isinstance(module, TensorFunction):
            module, function = IRModule((("main", module),)), "main"
        self.module = module
        self.function = _tensor_function_name(module, function)
        self.trace: list[str] = []

    @override
    def __repr__(self) -> str:
        return "\n".join((f"Schedule of `{self.function}`", *self.trace))

    @property
    def tensor_function(self) -> TensorFunction:
        """The function as it is now."""
        found = self.module[self.function]
        assert isinstance(found, TensorFunction)
        return found

    def get_block(self, name: str) -> BlockRef:
        """The block of that name.

        Raises:
            CompileError: `schedule/no-such-block`.
        """
        blocks = [n for n in walk(self.tensor_function.body) if isinstance(n, Block)]
        for block in blocks:
            if block.name == name:
                return BlockRef(name, block.id)
        known = ", ".join(f"`{b.name}`" for b in blocks)
        raise CompileError(
            Diagnostic(
                "schedule/no-such-block",
                f"no block `{name}`",
                function=self.function,
                notes=(f"there are {known}",),
            )
        )

    def get_loops(self, block: BlockRef | str) -> tuple[LoopRef, ...]:
        """The loops around a block, outermost first."""
        wanted = self.get_block(block) if isinstance(block, str) else block
        path = _path_to(self.tensor_function.body, wanted.id)
        if path is None:
            raise CompileError(
                Diagnostic(
                    "schedule/no-such-block",
                    f"block `{wanted.name}` is gone",
                    function=self.function,
                )
            )
        return tuple(LoopRef(loop.var.name, loop.var.id) for loop in path)

    def split(self, loop: LoopRef, factors: Sequence[int | None]) -> tuple[LoopRef, ...]:
        """Split a loop; see `workbench.schedule.loops.split`."""
        changed, fresh = primitives.split(self.tensor_function, loop.id, factors)
        self._set(changed, f"sch.split({loop.name}, {list(factors)})")
        return tuple(LoopRef(var.name, var.id) for var in fresh)

    def reorder(self, *loops: LoopRef) -> None:
        """Put loops of one nest into this order; see `workbench.schedule.loops.reorder`."""
        changed = primitives.reorder(self.tensor_function, [loop.id for loop in loops])
        self._set(changed, f"sch.reorder({', '.join(loop.name for loop in loops)})")

    def vectorize(self, loop: LoopRef) -> None:
        """Run the iterations of an innermost loop in vector lanes."""
        self._kind(loop, LoopKind.VECTORIZED, "vectorize")

    def parallel(self, loop: LoopRef) -> None:
        """Run the iterations of a loop on several threads."""
        self._kind(loop, LoopKind.PARALLEL, "parallel")

    def unroll(self, loop: LoopRef) -> None:
        """Write the iterations of a loop out."""
        self._kind(loop, LoopKind.UNROLLED, "unroll")

    def _kind(self, loop: LoopRef, kind: LoopKind, name: str) -> None:
        changed = primitives.set_kind(self.tensor_function, loop.id, kind)
        self._set(changed, f"sch.{name}({loop.name})")

    def _set(self, function: TensorFunction, line: str) -> None:
        self.module = self.module.with_function(self.function, function)
        self.trace.append(line)


def _tensor_function_name(module: IRModule, name: str | None) -> str:
    """`name`, or by default the only tensor function."""
    names = list(module.tensor_functions)
    if name is None and len(names) == 1:
        return names[0]
    if name is not None and isinstance(module[name], TensorFunction):
        return name
    there = ", ".join(f"`{n}`" for n in names) or "none"
    raise CompileError(
        Diagnostic(
            "schedule/which-function",
            "the module has not exactly one tensor function"
            if name is None
            else f"`{name}` is no tensor function",
            notes=(f"there are {there}",),
            hint='name it: `Schedule(module, "matmul")`',
        )
    )


def _path_to(node: object, block: NodeId) -> tuple[For, ...] | None:
    if isinstance(node, Block) and node.id == block:
        return ()
    for child in children(node):
        found = _path_to(child, block)
        if found is not None:
            return (node, *found) if isinstance(node, For) else found
    return None
