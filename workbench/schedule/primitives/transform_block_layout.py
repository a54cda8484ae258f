"""TransformBlockLayout: run the instances of a block in the order of other axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import (
    Answer,
    Dependences,
    Time,
    dependences,
    inapplicable,
)
from workbench.analysis.index_map import IndexMap, InverseMap
from workbench.ir import (
    Axis,
    AxisKind,
    Block,
    For,
    IntImm,
    PrimExpr,
    ScalarType,
    Stmt,
    Var,
    as_dim,
    as_expr,
    free_vars,
    substitute,
)
from workbench.schedule.buffers.block_nests import BlockNest, alone, block_nest
from workbench.schedule.facts import with_loop
from workbench.schedule.loops.times import time_within
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.resolve import resolved
from workbench.schedule.scope import Scope
from workbench.support import NodeId

N = TypeVar("N")


@dataclass(frozen=True)
class TransformBlockLayout(Primitive):
    """Replace the axes of a block and the loops around it by those that the index map makes.

    The map takes each value of the axes to one of the new ones; new axes are of the kind of those
    that they are made of. Legal where every dependence keeps its order; skewed axes (`i + j`)
    are fine as well, with a predicate. Called `transform_block_layout` in TVM; in Halide and Exo
    by `split`, `fuse` and `reorder` in turn.

    Rewrite::

        for i, j in T.grid(64, 8): B(i, j): B[i, j] = A[i, j]
        =>  TransformBlockLayout(block="B", index_map="lambda i, j: (i // 16, j, i % 16)")
        for ax0, j, ax2 in T.grid(4, 8, 16):
            B(ax0, j, ax2): B[ax0 * 16 + ax2, j] = A[ax0 * 16 + ax2, j]
    """

    name: ClassVar[str] = "transform-block-layout"
    tvm: ClassVar[str] = "transform_block_layout"

    block: str = ""
    index_map: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        nest = block_nest(scope, scope.block(self.block))
        if isinstance(nest, Answer):
            return nest
        block = nest.block
        found = IndexMap.of(self.index_map, len(block.axes))
        found.inverse(_shape(block))
        values = found.apply(tuple(axis.var for axis in block.axes))
        refused = _mixed(block, values) or _init_moves(block, values) or _sizes_memory(block)
        if refused is not None:
            return refused
        found = dependences(alone(scope, nest))
        return found.order_kept(_times(found, nest, values))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        nest = block_nest(scope, scope.block(self.block))
        assert not isinstance(nest, Answer)
        block = nest.block
        found = IndexMap.of(self.index_map, len(block.axes))
        inverse = found.inverse(_shape(block))
        values = found.apply(tuple(axis.var for axis in block.axes))
        made = [
            _new_axis(scope, nest, number, value, as_expr(extent))
            for number, (value, extent) in enumerate(zip(values, inverse.shape, strict=True))
        ]
        new: Stmt = _new_block(nest, [axis for axis, _ in made], inverse)
        for axis, loop in reversed(made):
            new = For(loop, IntImm(0), axis.extent, new)
        loops = tuple(loop.id for _, loop in made)
        old = tuple(loop.var.id for loop in nest.loops)
        return Rewritten(scope.replaced(nest.top, new), loops, (Derived(old, loops),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[TransformBlockLayout]:
        if not isinstance(node, Block) or not node.axes:
            return
        names = [f"i{n}" for n in range(len(node.axes))]
        inner = ", ".join((f"{names[0]} // 16", *names[1:], f"{names[0]} % 16"))
        yield cls(scope.name, scope.label(node), f"lambda {', '.join(names)}: ({inner})")


def _shape(block: Block) -> tuple[int | PrimExpr, ...]:
    return tuple(as_dim(axis.extent) for axis in block.axes)


def _kinds(block: Block, value: PrimExpr) -> set[AxisKind]:
    used = set(free_vars(value))
    return {axis.kind for axis in block.axes if axis.var.id in used}


def _mixed(block: Block, values: tuple[PrimExpr, ...]) -> Answer | None:
    for number, value in enumerate(values):
        if len(_kinds(block, value)) > 1:
            names = sorted(kind.value for kind in _kinds(block, value))
            message = f"new axis `{number}` would mix {' and '.join(names)} axes"
            return inapplicable(message, block.id)
    return None


def _init_moves(block: Block, values: tuple[PrimExpr, ...]) -> Answer | None:
    """The initial value is stored where all reduction axes are zero, before and after."""
    if block.init is None:
        return None
    reduce: dict[NodeId, PrimExpr] = {
        a.var.id: IntImm(0) for a in block.axes if a.kind is AxisKind.REDUCE
    }
    at_zero = [substitute(v, reduce) for v in values if _kinds(block, v) == {AxisKind.REDUCE}]
    if all(Facts().simplify(value) == IntImm(0) for value in at_zero):
        return None
    message = f"block `{block.name}` would store its initial value at another instance"
    return inapplicable(message, block.id, hint="`decompose_reduction` first")


def _sizes_memory(block: Block) -> Answer | None:
    """Extents of memory of the block are in terms of the axes that it has."""
    axes = {axis.var.id: axis.var.name for axis in block.axes}
    for buffer in block.allocations:
        named = [name for ident, name in axes.items() if ident in free_vars(buffer.type)]
        if named:
            message = f"axis `{named[0]}` of `{block.name}` is an extent of `{buffer.name}`"
            return inapplicable(message, block.id)
    return None


def _times(model: Dependences, nest: BlockNest, values: tuple[PrimExpr, ...]) -> dict[int, Time]:
    """When each statement of the block runs."""
    outer = tuple(stmt.var for stmt in nest.outer if isinstance(stmt, For))
    found: dict[int, Time] = {}
    for statement in model.statements:
        path = (*statement.path, statement.node)
        position = next((n for n, stmt in enumerate(path) if stmt is nest.block), None)
        if position is not None:
            found[statement.index] = (*outer, *values, *time_within(path[position:]))
    return found


def _new_axis(
    scope: Scope, nest: BlockNest, number: int, value: PrimExpr, extent: PrimExpr
) -> tuple[Axis, Var]:
    """An axis and its loop; those that stay the same keep their ids."""
    old = next((axis for axis in nest.block.axes if axis.var == value), None)
    loop = next((x for x in nest.loops if old is not None and x.var == old.value), None)
    if old is not None and loop is not None and loop.start == IntImm(0):
        return old, loop.var
    var = scope.fresh(f"ax{number}", ScalarType())
    kinds = _kinds(nest.block, value)
    kind = next(iter(kinds)) if kinds else AxisKind.SPATIAL
    own = old.var if old is not None else Var(scope.ids.new(), f"v{number}", ScalarType())
    return Axis(own, kind, extent, var), var


def _new_block(nest: BlockNest, axes: list[Axis], inverse: InverseMap) -> Block:
    block, facts = nest.block, nest.facts
    for axis in axes:
        facts = with_loop(facts, axis.var, IntImm(0), axis.extent)
    values, inside = inverse.at([axis.var for axis in axes])
    if inside is not None:
        facts = facts.assume(inside)
    known = {
        axis.var.id: value
        for axis, value in zip(block.axes, values, strict=True)
        if axis.var != value
    }
    return replace(
        block,
        axes=tuple(axes),
        predicate=inside,
        init=None if block.init is None else resolved(block.init, known, facts),
        body=resolved(block.body, known, facts),
        reads=_each(block.reads, known),
        writes=_each(block.writes, known),
        match_buffers=_each(block.match_buffers, known) or (),
    )


def _each(items: tuple[N, ...] | None, known: dict[NodeId, PrimExpr]) -> tuple[N, ...] | None:
    return None if items is None else tuple(substitute(item, known) for item in items)
