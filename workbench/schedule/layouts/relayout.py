"""Layouts of a whole tensor function: parameters and buffers laid out anew, loops with them.

`TransformLayout` keeps the parameters of a function and converts inside of it. Here the parameters
change their types, so that the conversions are the caller's affair; each stage then runs over the
dimensions of what it writes, so that analyses see plain nests as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_map import IndexMap, InverseMap
from workbench.analysis.stages import Stage, stages
from workbench.ir import (
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    For,
    IntImm,
    Load,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_expr,
    substitute,
    transform,
    walk,
)
from workbench.schedule.buffers.operands import plain_buffer
from workbench.support import IdSource, NodeId
from workbench.support.identity_memo import IdentityMemo

Layouts = Mapping[NodeId, IndexMap]
"""Index maps by the ids of buffers; a buffer without one keeps its layout."""


def relaid_function(function: TensorFunction, layouts: Layouts) -> TensorFunction | str:
    """The function with buffers in new layouts, parameters included; a reason where it cannot be.

    It is private: only calls that convert can use it.
    Stages whose output is laid out anew run over its new dimensions, in order. Reduction axes are
    split where layouts take them apart; the inner parts become the innermost loops, so that sums
    are reassociated.

    Raises:
        CompileError: `index-map/not-invertible`, `index-map/not-a-map`.
    """
    key = frozenset(layouts.items())
    return _RELAID.get(function, lambda: _relaid(function, layouts), key)


_RELAID: IdentityMemo[TensorFunction, TensorFunction | str] = IdentityMemo()
"""Networks repeat their layers."""


def _relaid(function: TensorFunction, layouts: Layouts) -> TensorFunction | str:
    found = stages(function)
    if found is None:
        return "its loops are no sequence of plain nests"
    if dict(function.attrs).get("scheduled"):
        return "it has a schedule already"
    inverses = {
        buffer.id: layouts[buffer.id].inverse(plain_buffer(buffer).shape)
        for buffer in (*function.params, *function.allocations)
        if buffer.id in layouts
    }
    refused = next((why for stage in found if (why := _why_not(stage, inverses))), "")
    if refused:
        return refused
    work = _Relayout(IdSource(function.next_id), layouts, inverses)
    nests = tuple(work.nest(stage) for stage in found)
    body = nests[0] if len(nests) == 1 else Seq(nests)
    params = tuple(work.buffer(p) for p in function.params)
    inner = tuple(work.buffer(a) for a in function.allocations)
    return replace(
        function,
        params=params,
        body=body,
        allocations=inner,
        private=True,
        next_id=work.ids.next,
    )


def _why_not(stage: Stage, inverses: Mapping[NodeId, InverseMap]) -> str:
    for access in (*stage.loads, stage.store):
        if access.buffer.id in inverses and plain_buffer(access.buffer).strides:
            return f"`{access.buffer.name}` has strides of its own"
    inverse = inverses.get(stage.buffer.id)
    if inverse is None:
        return ""
    if not stage.writes_identity:
        return f"`{stage.block.name}` does not write its buffer element by element in order"
    if not stage.spatial:
        return f"`{stage.block.name}` writes a single element, which no axis numbers"
    if inverse.inside is not None:
        return f"`{stage.buffer.name}` would get padding that nothing writes"
    return ""


@dataclass
class _Relayout:
    ids: IdSource
    layouts: Layouts
    inverses: Mapping[NodeId, InverseMap]
    _buffers: dict[NodeId, Var] = field(default_factory=dict[NodeId, Var])
    _own: tuple[NodeId, tuple[Var, ...]] | None = None
    """What the stage at work writes, and the new axes that are its indices."""

    def buffer(self, old: Var) -> Var:
        """The buffer in its new layout, under its id."""
        if old.id not in self.inverses:
            return old
        if old.id not in self._buffers:
            type_ = replace(plain_buffer(old), shape=self.inverses[old.id].shape)
            self._buffers[old.id] = replace(old, type=type_)
        return self._buffers[old.id]

    def nest(self, stage: Stage) -> Stmt:
        """The nest of a stage over its new axes."""
        values: dict[NodeId, PrimExpr] = {}
        self._own = None
        axes = [*self._spatial(stage, values), *self._reduction(stage, values)]
        facts = Facts()
        for axis in axes:
            if axis.extent != IntImm(1):  # an axis stays an index, also where it is always 0
                facts = facts.with_range(axis.var, loop_interval(IntImm(0), axis.extent))
        init = None if stage.init is None else self._rewritten(stage.init, values, facts)
        update = self._rewritten(stage.store, values, facts)
        block = replace(
            stage.block, axes=tuple(axes), body=update, init=init, reads=None, writes=None
        )
        body: Stmt = block
        for axis in reversed(axes):
            assert isinstance(axis.value, Var)
            body = For(axis.value, IntImm(0), axis.extent, body)
        return body

    def _spatial(self, stage: Stage, values: dict[NodeId, PrimExpr]) -> Iterator[Axis]:
        inverse = self.inverses.get(stage.buffer.id)
        if inverse is None:
            for axis in stage.block.axes:
                if axis.kind is AxisKind.SPATIAL:
                    yield self._axis(axis, "", axis.extent, values)
            return
        sources = _sources(self.layouts[stage.buffer.id], stage)
        fresh: list[Var] = []
        for (source, part), extent in zip(sources, inverse.shape, strict=True):
            axis = self._axis(source, part, as_expr(extent))
            fresh.append(axis.var)
            yield axis
        known = {v.id: e for v, e in zip(inverse.variables, fresh, strict=True)}
        for index, value in zip(stage.store.indices, with_unit_variables(inverse), strict=True):
            if isinstance(index, Var):
                values[index.id] = substitute(value, dict[NodeId, PrimExpr](known))
        self._own = stage.buffer.id, tuple(fresh)

    def _reduction(self, stage: Stage, values: dict[NodeId, PrimExpr]) -> Iterator[Axis]:
        inner: list[Axis] = []
        for axis in stage.block.axes:
            if axis.kind is AxisKind.SPATIAL:
                continue
            factor = self._factor(stage, axis)
            if factor is None:
                yield self._axis(axis, "", axis.extent, values)
                continue
            assert isinstance(axis.extent, IntImm)
            extent = IntImm(axis.extent.value // factor)
            outer = self._axis(axis, "_0", extent)
            inner.append(self._axis(axis, "_1", IntImm(factor)))
            values[axis.var.id] = outer.var * factor + inner[-1].var
            yield outer
        yield from inner

    def _axis(
        self,
        source: Axis,
        part: str,
        extent: PrimExpr,
        values: dict[NodeId, PrimExpr] | None = None,
    ) -> Axis:
        """An axis named after the one that it comes from; in `values` it stands for that one."""
        assert isinstance(source.value, Var | IntImm)
        name = source.value.name if isinstance(source.value, Var) else source.var.name
        loop = Var(self.ids.new(), f"{name}{part}", ScalarType())
        var = Var(self.ids.new(), f"{source.var.name}{part}", ScalarType())
        if values is not None:
            values[source.var.id] = var
        return Axis(var, source.kind, extent, loop)

    def _factor(self, stage: Stage, axis: Axis) -> int | None:
        """Into parts of which size the layouts of what is read take a reduction axis apart."""
        if not isinstance(axis.extent, IntImm):
            return None
        for load in stage.loads:
            layout = self.layouts.get(load.buffer.id)
            if layout is None:
                continue
            for var, index in zip(layout.initial, load.indices, strict=True):
                if index != axis.var:
                    continue
                for size in digit_sizes(layout, var):
                    if axis.extent.value % size == 0 and axis.extent.value > size:
                        return size
        return None

    def _rewritten(self, stmt: Stmt, values: dict[NodeId, PrimExpr], facts: Facts) -> Store:
        assert isinstance(stmt, Store)

        def relaid(node: object) -> object:
            match node:
                case Load(buffer=buffer, indices=indices):
                    if own and buffer.id == stmt.buffer.id and indices == at:
                        return Load(self.buffer(buffer), fresh)
                    return Load(self.buffer(buffer), self._indices(buffer, indices, facts))
                case Select(condition=condition):
                    decided = facts.simplify(condition)
                    if isinstance(decided, IntImm):
                        return node.true_value if decided.value else node.false_value
                    return replace(node, condition=decided)
                case _:
                    return node

        at = tuple(substitute(index, values) for index in stmt.indices)
        own = self._own is not None and self._own[0] == stmt.buffer.id
        fresh = self._own[1] if own and self._own is not None else ()
        value = transform(substitute(stmt.value, values), relaid)
        indices = fresh if own else self._indices(stmt.buffer, at, facts)
        return Store(self.buffer(stmt.buffer), indices, value)

    def _indices(
        self, buffer: Var, indices: tuple[PrimExpr, ...], facts: Facts
    ) -> tuple[PrimExpr, ...]:
        layout = self.layouts.get(buffer.id)
        placed = indices if layout is None else layout.apply(indices)
        return tuple(facts.simplify(index) for index in placed)


def with_unit_variables(inverse: InverseMap) -> tuple[PrimExpr, ...]:
    """The old indices, where dimensions of one element come from such dimensions of the layout.

    In order, as far as there are any; an inverse map says 0 for them.
    """
    used = {node for value in inverse.values for node in walk(value) if isinstance(node, Var)}
    units = iter(
        var
        for var, extent in zip(inverse.variables, inverse.shape, strict=True)
        if extent == 1 and var not in used
    )
    return tuple(next(units, value) if value == IntImm(0) else value for value in inverse.values)


def digit_sizes(layout: IndexMap, var: Var) -> Iterator[int]:
    """The sizes of the parts into which a layout takes an index apart."""
    for value in layout.final:
        for node in walk(value):
            divides = isinstance(node, Binary) and node.op in (BinaryOp.FLOORDIV, BinaryOp.FLOORMOD)
            if divides and node.a == var and isinstance(node.b, IntImm):
                yield node.b.value


def _sources(layout: IndexMap, stage: Stage) -> Iterator[tuple[Axis, str]]:
    """For each new dimension an axis that it comes from, and what to add to its name."""
    axes = {axis.var.id: axis for axis in stage.block.axes}
    first = next(axis for axis in stage.block.axes if axis.kind is AxisKind.SPATIAL)
    old = {
        var.id: axes[index.id]
        for var, index in zip(layout.initial, stage.store.indices, strict=True)
        if isinstance(index, Var)
    }
    for value in layout.final:
        inside = [node for node in walk(value) if isinstance(node, Var)]
        source = next((old[var.id] for var in inside if var.id in old), first)
        match value:
            case Binary(op=BinaryOp.FLOORDIV):
                yield source, "_0"
            case Binary(op=BinaryOp.FLOORMOD):
                yield source, "_1"
            case _:
                yield source, ""
