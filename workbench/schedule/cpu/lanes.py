"""Reductions along memory: partial results in vector lanes, combined at the end.

Reference: `rfactor` (Suriana et al., "Parallel Associative Reductions in Halide", CGO 2017).
"""

from __future__ import annotations

from workbench.analysis.affine import step_of
from workbench.analysis.stages import Stage
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    Block,
    BufferType,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    Var,
    substitute,
)
from workbench.schedule.cpu.tile import ZERO
from workbench.support import IdSource, NodeId

VECTORS = 4
"""Independent partial vectors: enough to hide the latency of an addition."""


def lane_reduction(ids: IdSource, stage: Stage, lanes: int, parallel: int | None) -> Stmt | None:
    """The nest with the contiguous reduction axis in vector lanes.

    None where no such axis is there.

    Changes the order of the reduction.
    """
    axis = contiguous_axis(stage)
    if axis is None or stage.reduction is None or stage.init is None:
        return None
    return _LaneBuilder(ids, stage, axis, lanes, parallel).nest()


def contiguous_axis(stage: Stage) -> Axis | None:
    """The innermost reduction axis along which every load moves by one element or not at all."""
    for axis in reversed(stage.block.axes):
        if axis.kind is not AxisKind.REDUCE:
            continue
        steps = [step_of(load, axis.var) for load in stage.loads]
        if all(step in (0, 1) for step in steps) and 1 in steps:
            return axis
    return None


class _LaneBuilder:
    """Loops: spatial, then partial sums over the other reduction axes and blocks of lanes.

    Then the lanes.
    """

    def __init__(
        self, ids: IdSource, stage: Stage, axis: Axis, lanes: int, parallel: int | None
    ) -> None:
        self.ids, self.stage, self.axis, self.parallel = ids, stage, axis, parallel
        extent = axis.extent.value if isinstance(axis.extent, IntImm) else lanes * VECTORS
        self.width = min(lanes * VECTORS, -(-extent // lanes) * lanes)
        assert isinstance(stage.buffer.type, BufferType)
        dtype = stage.buffer.type.dtype
        self.partial = Var(
            ids.new(), f"{stage.buffer.name}_lanes", BufferType((self.width,), dtype, "local")
        )
        self.loops = {
            a.var.id: Var(ids.new(), a.var.name.removeprefix("v_"), ScalarType())
            for a in stage.block.axes
        }

    def nest(self) -> Stmt:
        """The whole nest."""
        body: Stmt = Allocate(
            self.partial, Seq((self._clear(), self._accumulate(), *self._combine()))
        )
        spatial = [a for a in self.stage.block.axes if a.kind is AxisKind.SPATIAL]
        for position, axis in reversed(list(enumerate(spatial))):
            kind = LoopKind.PARALLEL if position == self.parallel else LoopKind.SERIAL
            body = For(self.loops[axis.var.id], ZERO, axis.extent, body, kind)
        return body

    def _clear(self) -> Stmt:
        assert self.stage.init is not None
        lane = Var(self.ids.new(), "lane", ScalarType())
        store = Store(self.partial, (lane,), self.stage.init.value)
        block = Block(self.ids.new(), f"{self.stage.block.name}_init", (), store)
        return For(lane, ZERO, IntImm(self.width), block, LoopKind.VECTORIZED)

    def _accumulate(self) -> Stmt:
        reduction = self.stage.reduction
        assert reduction is not None
        lane = Var(self.ids.new(), "lane", ScalarType())
        outer = Var(self.ids.new(), f"{self.axis.var.name}_0", ScalarType())
        position = outer * self.width + lane
        store = Store(
            self.partial, (lane,), Binary(reduction[0], Load(self.partial, (lane,)), reduction[1])
        )
        values: dict[NodeId, PrimExpr] = {**self.loops, self.axis.var.id: position}
        block = self._block("update", self.stage.block.axes, store, values, self._guard(position))
        nest: Stmt = For(lane, ZERO, IntImm(self.width), block, LoopKind.VECTORIZED)
        nest = For(outer, ZERO, (self.axis.extent + (self.width - 1)) // self.width, nest)
        for axis in reversed(self.stage.block.axes):
            if axis.kind is AxisKind.REDUCE and axis is not self.axis:
                nest = For(self.loops[axis.var.id], ZERO, axis.extent, nest)
        return nest

    def _guard(self, position: PrimExpr) -> PrimExpr | None:
        extent = self.axis.extent
        whole = isinstance(extent, IntImm) and extent.value % self.width == 0
        return None if whole else position < extent

    def _combine(self) -> tuple[Stmt, Stmt]:
        reduction, init = self.stage.reduction, self.stage.init
        assert reduction is not None
        assert init is not None
        spatial = tuple(a for a in self.stage.block.axes if a.kind is AxisKind.SPATIAL)
        values: dict[NodeId, PrimExpr] = dict(self.loops)
        start = Store(self.stage.buffer, self.stage.store.indices, init.value)
        first = self._block("start", spatial, start, values, None)
        lane = Var(self.ids.new(), "lane", ScalarType())
        own = Load(self.stage.buffer, self.stage.store.indices)
        merged = Binary(reduction[0], own, Load(self.partial, (lane,)))
        store = Store(self.stage.buffer, self.stage.store.indices, merged)
        block = self._block("combine", spatial, store, values, None)
        return first, For(lane, ZERO, IntImm(self.width), block)

    def _block(
        self,
        part: str,
        axes: tuple[Axis, ...],
        store: Store,
        values: dict[NodeId, PrimExpr],
        guard: PrimExpr | None,
    ) -> Block:
        renamed: dict[NodeId, PrimExpr] = {}
        fresh: list[Axis] = []
        for axis in axes:
            var = Var(self.ids.new(), axis.var.name, axis.var.type)
            renamed[axis.var.id] = var
            fresh.append(Axis(var, axis.kind, axis.extent, values[axis.var.id]))
        name = f"{self.stage.block.name}_{part}"
        return Block(
            self.ids.new(), name, tuple(fresh), substitute(store, renamed), predicate=guard
        )
