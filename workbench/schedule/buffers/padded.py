"""Padded einsums: the nests that copy in and out, and the larger nest between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction
from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.analysis.dependence.flows import unchanged_before_reads
from workbench.ir import (
    Axis,
    Block,
    BufferType,
    IntImm,
    Load,
    PrimExpr,
    Select,
    Stmt,
    Store,
    Var,
    as_dim,
    as_expr,
    transform,
)
from workbench.schedule.buffers.accesses import accesses
from workbench.schedule.buffers.block_nests import BlockNest
from workbench.schedule.buffers.caching import Indices, named_twice, nest, not_redirected, stores_to
from workbench.schedule.buffers.einsums import Einsum
from workbench.schedule.buffers.footprint import hull
from workbench.schedule.buffers.levels import Level, levels
from workbench.schedule.buffers.operands import plain_buffer
from workbench.schedule.buffers.redirect import redirected
from workbench.schedule.buffers.staging import has_contents, needs_contents
from workbench.schedule.scope import Scope
from workbench.support import NodeId


def padded_extents(found: BlockNest, padding: Sequence[int]) -> list[tuple[Axis, PrimExpr]]:
    """The axes that grow, with their new extents."""
    grown: list[tuple[Axis, PrimExpr]] = []
    for axis, factor in zip(found.block.axes, padding, strict=True):
        size = found.facts.simplify((axis.extent + (factor - 1)) // factor * factor)
        if found.facts.simplify(size - axis.extent) != IntImm(0):
            grown.append((axis, size))
    return grown


def level_of(scope: Scope, found: BlockNest, einsum: Einsum) -> Level | Answer:
    """The outermost place where the inputs are as they are read, and only the nest writes."""
    block, output = found.block, einsum.store.buffer
    buffers = {load.buffer.id: load.buffer for load in einsum.factors}
    first: Answer | None = None
    for level in levels(scope, [found.top], output):
        for buffer in (*buffers.values(), output):
            other = named_twice(scope, buffer, level.path) or not_redirected(
                level.run, buffer, [found.top]
            )
            if other is not None:
                return other
        answers = [_unchanged(scope, level, b, block) for b in buffers]
        refused = next((answer for answer in answers if not answer.applies), None)
        if refused is None and level.run == (found.top,):
            return level
        first = first or refused
    return first or inapplicable(f"block `{block.name}` stands in no suite", block.id)


def begins_with_contents(scope: Scope, found: BlockNest, level: Level, output: Var) -> bool:
    """Whether the nest may leave elements of the output as they were, or adds to them."""
    touched = accesses([found.top], output.id)
    box = hull(output, touched, found.facts, local=False)
    return needs_contents(scope, touched, box, found.facts) and has_contents(scope, level, output)


def _unchanged(scope: Scope, level: Level, buffer: NodeId, block: Block) -> Answer:
    if not stores_to(level.run, buffer):
        return applies()
    known = scope.dependences_holding(level.inside)
    return unchanged_before_reads(known, buffer, level.run, [block])


@dataclass(slots=True)
class PaddedEinsum:
    """Makes the parts; `sizes` are the new extents by the id of the axis.

    `copy_in`: the larger output has to begin as the output is.
    """

    scope: Scope
    found: BlockNest
    einsum: Einsum
    sizes: Mapping[NodeId, PrimExpr]
    copy_in: bool = False
    buffers: list[Var] = field(default_factory=list[Var])
    before: list[Stmt] = field(default_factory=list[Stmt])
    after: list[Stmt] = field(default_factory=list[Stmt])
    derived: list[tuple[NodeId, NodeId]] = field(default_factory=list[tuple[NodeId, NodeId]])

    def nest(self) -> Stmt:
        """The nest over the larger box; what it needs before and after is noted."""
        block = self._with_inputs(self.found.block)
        block = self._with_output(block)
        axes = tuple(
            replace(axis, extent=self.sizes.get(axis.var.id, axis.extent)) for axis in block.axes
        )
        new: Stmt = replace(block, axes=axes, predicate=None, reads=None, writes=None)
        extents = {axis.value: axis.extent for axis in axes if isinstance(axis.value, Var)}
        for loop in reversed(self.found.loops):
            new = replace(loop, extent=extents[loop.var], body=new)
        return new

    def _with_inputs(self, block: Block) -> Block:
        body = block.body
        assert isinstance(body, Store)
        known: dict[tuple[NodeId, Indices], Var] = {}
        for load in self.einsum.factors:
            if self._grows(load.indices) and (load.buffer.id, load.indices) not in known:
                known[load.buffer.id, load.indices] = self._input(load)
        return replace(block, body=replace(body, value=_relocated(body.value, known)))

    def _grows(self, indices: Indices) -> bool:
        return any(isinstance(index, Var) and index.id in self.sizes for index in indices)

    def _input(self, load: Load) -> Var:
        """A larger copy with zeros beyond the old extents."""
        pad = self._larger(load.buffer, load.indices)
        self._copied_in(load, pad, pad.name)
        return pad

    def _copied_in(self, load: Load, pad: Var, name: str) -> None:
        extents = [as_expr(extent) for extent in plain_buffer(pad).shape]
        zero = as_expr(0, plain_buffer(pad).dtype)

        def body(at: Indices) -> Stmt:
            inside = conjunction(*self._old_part(load.buffer, load.indices, at))
            assert inside is not None
            return Store(pad, at, Select(inside, Load(load.buffer, at), zero))

        self.before.append(nest(self.scope, name, extents, body)[0])

    def _larger(self, buffer: Var, indices: Indices) -> Var:
        axes = {axis.var.id: axis for axis in self.found.block.axes}
        shape = tuple(
            as_dim(self.sizes.get(i.id, axes[i.id].extent)) for i in indices if isinstance(i, Var)
        )
        pad = self.scope.fresh(f"{buffer.name}_pad", BufferType(shape, plain_buffer(buffer).dtype))
        self.buffers.append(pad)
        self.derived.append((buffer.id, pad.id))
        return pad

    def _old_part(self, buffer: Var, indices: Indices, at: Indices) -> list[PrimExpr | None]:
        """The conditions under which `at` lies in the old box."""
        axes = {axis.var.id: axis for axis in self.found.block.axes}
        dims = [as_expr(dim) for dim in plain_buffer(buffer).shape]
        found: list[PrimExpr | None] = []
        for i, there, dim in zip(indices, at, dims, strict=True):
            assert isinstance(i, Var)
            extent = axes[i.id].extent
            if i.id in self.sizes:
                found.append(there < extent)
            if self.found.facts.proves(extent <= dim) is not True:
                found.append(there < dim)
        return found

    def _with_output(self, block: Block) -> Block:
        """The block writing a larger buffer, of which the old part is copied out."""
        store = self.einsum.store
        if not self._grows(store.indices):
            return block
        pad = self._larger(store.buffer, store.indices)
        if self.copy_in:
            self._copied_in(Load(store.buffer, store.indices), pad, f"{pad.name}_in")
        axes = {axis.var.id: axis.extent for axis in self.found.block.axes}
        extents = [axes[i.id] for i in store.indices if isinstance(i, Var)]
        out, _ = nest(
            self.scope,
            f"{pad.name}_out",
            extents,
            lambda at: Store(store.buffer, at, Load(pad, at)),
        )
        self.after.append(out)
        made = redirected(block, store.buffer.id, pad, lambda indices, _: indices, Facts())
        assert isinstance(made, Block)
        return made


def _relocated(value: PrimExpr, known: Mapping[tuple[NodeId, Indices], Var]) -> PrimExpr:
    """The value reading copies in place of the buffers."""

    def change(node: object) -> object:
        if isinstance(node, Load) and (node.buffer.id, node.indices) in known:
            return Load(known[node.buffer.id, node.indices], node.indices)
        return node

    return transform(value, change)
