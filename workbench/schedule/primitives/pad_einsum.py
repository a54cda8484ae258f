"""PadEinsum: round up the extents of a sum of products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable, unproved
from workbench.ir import Block, For, IntImm
from workbench.schedule.buffers.block_nests import BlockNest, block_nest
from workbench.schedule.buffers.einsums import Einsum, einsum_of, zeros_vanish
from workbench.schedule.buffers.levels import Level, with_run
from workbench.schedule.buffers.padded import (
    PaddedEinsum,
    begins_with_contents,
    level_of,
    padded_extents,
)
from workbench.schedule.buffers.racing import without_races
from workbench.schedule.primitive import Derived, Primitive, Rewritten, bad_parameter
from workbench.schedule.scope import Scope, replace_statement


@dataclass(frozen=True)
class PadEinsum(Primitive):
    """Round the extents of a block's axes up to multiples, with zeros beyond the old ones.

    For blocks that add up (or store) products of elements at their axes. Inputs are copied into
    larger buffers with zeros around, the output is computed in a larger buffer and copied out.
    Legal where the zeros add nothing: every factor is padded along the reduction axes that grow.
    `padding` has a factor for each axis. Called `pad_einsum` in TVM; in Halide by `bound` and
    padded inputs; Exo has none.

    Rewrite::

        for i, j, k in T.grid(5, 8, 8): C(i, j, k): C[i, j] += A[i, k] * B[k, j]
        =>  PadEinsum(block="C", padding=(4, 1, 1))
        for ax0, ax1 in T.grid(8, 8): A_pad[ax0, ax1] = A[ax0, ax1] if ax0 < 5 else 0.0
        for i, j, k in T.grid(8, 8, 8): C(i, j, k): C_pad[i, j] += A_pad[i, k] * B[k, j]
        for ax0, ax1 in T.grid(5, 8): C[ax0, ax1] = C_pad[ax0, ax1]
    """

    name: ClassVar[str] = "pad-einsum"
    tvm: ClassVar[str] = "pad_einsum"

    block: str = ""
    padding: tuple[int, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        found = self._plan(scope)
        if isinstance(found, Answer):
            return found
        nest, einsum, level = found
        extents = padded_extents(nest, self.padding)
        grown = {axis.var.id for axis, _ in extents}
        if not grown:
            message = f"the extents of block `{nest.block.name}` are such multiples already"
            return inapplicable(message, nest.block.id)
        refused = zeros_vanish(einsum, grown)
        return refused or without_races(scope, level, self, applies())

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        found = self._plan(scope)
        assert not isinstance(found, Answer)
        nest, einsum, level = found
        sizes = {axis.var.id: size for axis, size in padded_extents(nest, self.padding)}
        copy_in = begins_with_contents(scope, nest, level, einsum.store.buffer)
        made = PaddedEinsum(scope, nest, einsum, sizes, copy_in)
        run = [replace_statement(item, nest.top, made.nest()) for item in level.run]
        function = with_run(scope, level, made.buffers, made.before, run, made.after)
        derived = tuple(Derived((old,), (new,)) for old, new in made.derived)
        return Rewritten(function, (), derived)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[PadEinsum]:
        if isinstance(node, Block) and node.axes:
            yield cls(scope.name, scope.label(node), tuple(16 for _ in node.axes))

    def _plan(self, scope: Scope) -> Answer | tuple[BlockNest, Einsum, Level]:
        block = scope.block(self.block)
        if len(self.padding) != len(block.axes) or any(factor < 1 for factor in self.padding):
            message = (
                f"`pad_einsum` needs `{len(block.axes)}` positive factors, one for each axis of "
                f"`{block.name}`, got `{list(self.padding)}`"
            )
            raise bad_parameter(scope, "schedule/bad-factor", message)
        nest = block_nest(scope, block)
        if isinstance(nest, Answer):
            return nest
        einsum = einsum_of(block)
        if isinstance(einsum, Answer):
            return einsum
        plain = {loop.var for loop in nest.loops if loop.start == IntImm(0)}
        for axis in block.axes:
            if axis.value not in plain and axis.value != IntImm(0):
                message = f"axis `{axis.var.name}` of block `{block.name}` is no loop by itself"
                return inapplicable(message, block.id, hint="pad before splitting or fusing loops")
            if nest.facts.proves(axis.extent >= 0) is not True:
                message = (
                    f"it is not proved that the extent of axis `{axis.var.name}` is not negative"
                )
                return unproved(message, block.id)
        level = level_of(scope, nest, einsum)
        return level if isinstance(level, Answer) else (nest, einsum, level)
