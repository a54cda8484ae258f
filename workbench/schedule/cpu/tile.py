"""Tiled loop nests: what a stage becomes when its output is computed tile by tile in registers.

Halide calls it `tile`, `vectorize`, `unroll` with `store_in(register)`; in TVM it is `split`,
`reorder`, `cache_write`, `reverse_compute_at`, `decompose_reduction`, `vectorize` and `unroll` in
one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.stages import Stage
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    BinaryOp,
    Block,
    BufferType,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Stmt,
    Store,
    Var,
    as_expr,
    binary,
    is_float,
    substitute,
    transform,
    walk,
)
from workbench.support import IdSource, NodeId

ZERO = IntImm(0)


@dataclass(frozen=True, slots=True)
class Tile:
    """Sizes of the register tile: `columns` elements of the vector axis, `rows` of the row axis.

    A single element has no column axis. `parallel` names the spatial axis (by position) whose
    outer loop runs on several threads.
    """

    column_axis: int | None
    columns: int
    row_axis: int | None = None
    rows: int = 1
    parallel: int | None = None
    unroll: int = 1


@dataclass(frozen=True, slots=True)
class _Split:
    """One spatial axis of the nest: outer loop, and the inner one where it is tiled."""

    outer: Var
    extent: PrimExpr
    inner: Var | None = None
    size: int = 1

    @property
    def value(self) -> PrimExpr:
        """The axis in terms of the loops."""
        return self.outer if self.inner is None else self.outer * self.size + self.inner

    @property
    def trips(self) -> PrimExpr:
        """Extent of the outer loop."""
        return self.extent if self.size == 1 else (self.extent + (self.size - 1)) // self.size

    @property
    def guard(self) -> PrimExpr | None:
        """What must hold inside the last, partial tile."""
        if self.inner is None or (
            isinstance(self.extent, IntImm) and self.extent.value % self.size == 0
        ):
            return None
        return self.value < self.extent


class TileBuilder:
    """Builds the loops of one stage, and of the elementwise stages that follow it in its tile."""

    def __init__(self, ids: IdSource, stage: Stage, tile: Tile) -> None:
        self.ids = ids
        self.stage = stage
        self.tile = tile
        self.axes = [a for a in stage.block.axes if a.kind is AxisKind.SPATIAL]
        self.splits = [self._split(n, axis) for n, axis in enumerate(self.axes)]

    def spatial(self, followers: Sequence[Stage] = ()) -> Stmt:
        """The nest of a stage without reduction, and of the stages that follow it in its tile."""
        if not followers:
            return self._outer(
                self._vector_nest(self._instance(self.stage, self._values(self.stage)))
            )
        return self._outer(self._in_tile((self.stage, *followers), {}))

    def reduction(self, followers: Sequence[Stage] = ()) -> Stmt:
        """The nest of a reduction that accumulates in a local tile.

        Stored through the stages that follow it, if there are some, the values between them in
        local tiles too.
        """
        accumulator, indices = self._accumulator(self.stage)
        init = self._vector_nest(self._init(accumulator, indices))
        update = self._reduce_nest(accumulator, indices)
        if followers:
            store = self._in_tile(followers, {self.stage.buffer.id: accumulator})
        else:
            store = self._vector_nest(self._copied(accumulator, indices))
        return self._outer(Allocate(accumulator, Seq((init, update, store))))

    def _in_tile(self, chain: Sequence[Stage], local: dict[NodeId, Var]) -> Stmt:
        """Stages one after the other in a tile; what but the last one computes is local to it."""
        tiles = {s.buffer.id: self._accumulator(s)[0] for s in chain[:-1]}
        local = local | tiles
        nests = [self._vector_nest(self._local_instance(s, local)) for s in chain]
        body: Stmt = nests[0] if len(nests) == 1 else Seq(tuple(nests))
        for tile in reversed(tiles.values()):
            body = Allocate(tile, body)
        return body

    def _local_instance(self, stage: Stage, local: dict[NodeId, Var]) -> Block:
        """A stage that reads and writes the tiles of the values that are local."""
        indices = self._tile_indices()

        def redirect(node: object) -> object:
            if isinstance(node, Load) and node.buffer.id in local:
                return Load(local[node.buffer.id], indices)
            return node

        store = replace(stage.store, value=transform(stage.store.value, redirect))
        if stage.buffer.id in local:
            store = replace(store, buffer=local[stage.buffer.id], indices=indices)
        return self._block(stage, stage.block.name, store, self._values(stage))

    def _split(self, position: int, axis: Axis) -> _Split:
        name = axis.var.name
        size = {self.tile.column_axis: self.tile.columns, self.tile.row_axis: self.tile.rows}.get(
            position, 1
        )
        if size == 1:
            return _Split(self._loop_var(name), axis.extent)
        return _Split(self._loop_var(f"{name}_0"), axis.extent, self._loop_var(f"{name}_1"), size)

    def _loop_var(self, name: str) -> Var:
        return Var(self.ids.new(), name.removeprefix("v_"), ScalarType())

    def _values(self, stage: Stage) -> dict[NodeId, PrimExpr]:
        return {axis.id: s.value for axis, s in zip(stage.spatial, self.splits, strict=True)}

    def _guard(self) -> PrimExpr | None:
        guards = [g for split in self.splits if (g := split.guard) is not None]
        return None if not guards else conjunction(guards)

    def _outer(self, body: Stmt) -> Stmt:
        for position in reversed(range(len(self.splits))):
            split = self.splits[position]
            kind = LoopKind.PARALLEL if position == self.tile.parallel else LoopKind.SERIAL
            body = For(split.outer, ZERO, split.trips, body, kind)
        return body

    def _vector_nest(self, body: Stmt) -> Stmt:
        """The loops inside a tile: columns as vectors, rows unrolled around them."""
        for position, kind in (
            (self.tile.column_axis, LoopKind.VECTORIZED),
            (self.tile.row_axis, LoopKind.UNROLLED),
        ):
            split = None if position is None else self.splits[position]
            if split is not None and split.inner is not None:
                body = For(split.inner, ZERO, IntImm(split.size), body, kind)
        return _fresh_loops(body, self.ids)

    def _accumulator(self, stage: Stage) -> tuple[Var, tuple[PrimExpr, ...]]:
        """A local buffer of the tile's shape, and where an instance finds its element."""
        shape = tuple(s.size for s in self._tiled() if s.inner is not None) or (1,)
        assert isinstance(stage.buffer.type, BufferType)
        type_ = BufferType(shape, stage.buffer.type.dtype, "local")
        buffer = Var(self.ids.new(), f"{stage.buffer.name}_local", type_)
        return buffer, self._tile_indices()

    def _tile_indices(self) -> tuple[PrimExpr, ...]:
        return tuple(s.inner for s in self._tiled() if s.inner is not None) or (ZERO,)

    def _tiled(self) -> list[_Split]:
        order = [p for p in (self.tile.row_axis, self.tile.column_axis) if p is not None]
        return [self.splits[p] for p in order]

    def _init(self, accumulator: Var, indices: tuple[PrimExpr, ...]) -> Block:
        assert self.stage.init is not None
        store = Store(accumulator, indices, self.stage.init.value)
        name = f"{self.stage.block.name}_init"
        return self._block(self.stage, name, store, self._values(self.stage), guarded=False)

    def _reduce_nest(self, accumulator: Var, indices: tuple[PrimExpr, ...]) -> Stmt:
        stage = self.stage
        loops = [
            (axis, self._loop_var(axis.var.name))
            for axis in stage.block.axes
            if axis.kind is AxisKind.REDUCE
        ]
        values = self._values(stage) | {axis.var.id: loop for axis, loop in loops}
        own = Load(stage.buffer, stage.store.indices)

        def redirect(node: object) -> object:
            if not isinstance(node, Load):
                return node
            return Load(accumulator, indices) if node == own else self._guarded(node)

        store = Store(accumulator, indices, transform(stage.store.value, redirect))
        block = self._block(stage, f"{stage.block.name}_update", store, values, guarded=False)
        nest = self._vector_nest(block)
        for axis, loop in reversed(loops):
            nest = For(loop, ZERO, axis.extent, nest)
        return nest

    def _guarded(self, load: Load) -> PrimExpr:
        """A load that gives zero outside the output: such elements of the tile are never stored."""
        used = {node.id for index in load.indices for node in walk(index) if isinstance(node, Var)}
        guards = [
            axis.var < axis.extent
            for axis, split in zip(self.axes, self.splits, strict=True)
            if split.guard is not None and axis.var.id in used
        ]
        if not guards:
            return load
        assert isinstance(load.buffer.type, BufferType)
        dtype = load.buffer.type.dtype
        return Select(conjunction(guards), load, as_expr(0.0 if is_float(dtype) else 0, dtype))

    def _copied(self, accumulator: Var, indices: tuple[PrimExpr, ...]) -> Block:
        store = Store(self.stage.buffer, self.stage.store.indices, Load(accumulator, indices))
        name = f"{self.stage.block.name}_store"
        return self._block(self.stage, name, store, self._values(self.stage))

    def _instance(self, stage: Stage, values: dict[NodeId, PrimExpr]) -> Block:
        return self._block(stage, stage.block.name, stage.store, values)

    def _block(
        self,
        stage: Stage,
        name: str,
        store: Store,
        values: dict[NodeId, PrimExpr],
        *,
        guarded: bool = True,
    ) -> Block:
        """A block on fresh axis variables, so that a stage may appear in several blocks.

        One that is not guarded runs over whole tiles, also where they reach over the output's end.
        """
        padded = {} if guarded else self._padded_extents(stage)
        axes: list[Axis] = []
        renamed: dict[NodeId, PrimExpr] = {}
        for axis in stage.block.axes:
            value = values.get(axis.var.id, ZERO if axis.kind is AxisKind.SPATIAL else None)
            if value is not None:
                var = Var(self.ids.new(), axis.var.name, axis.var.type)
                renamed[axis.var.id] = var
                axes.append(Axis(var, axis.kind, padded.get(axis.var.id, axis.extent), value))
        body = substitute(store, renamed)
        predicate = self._guard() if guarded else None
        return Block(self.ids.new(), name, tuple(axes), body, predicate=predicate)

    def _padded_extents(self, stage: Stage) -> dict[NodeId, PrimExpr]:
        pairs = zip(stage.spatial, self.splits, strict=True)
        return {
            axis.id: split.trips * split.size for axis, split in pairs if split.guard is not None
        }


def conjunction(conditions: Sequence[PrimExpr]) -> PrimExpr:
    """All conditions at once."""
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = both(whole, condition)
    return whole


def both(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """`a and b`."""
    return binary(BinaryOp.AND, a, b)


def _fresh_loops(body: Stmt, ids: IdSource) -> Stmt:
    """The loops of one tile nest under ids of their own: the same tile is walked several times."""
    values: dict[NodeId, PrimExpr] = {}
    loop = body
    while isinstance(loop, For):
        values[loop.var.id] = Var(ids.new(), loop.var.name, loop.var.type)
        loop = loop.body
    return substitute(body, values) if values else body
