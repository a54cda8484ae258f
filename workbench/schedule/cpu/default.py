"""Default CPU schedules: register tiles chosen from strides and extents.

The choice is made from what each stage reads, never from names. Reference: Goto and van de Geijn,
"Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008; BLIS (Van Zee and van de
Geijn, ACM TOMS 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.analysis.affine import step_of
from workbench.analysis.stages import Stage, stages
from workbench.ir import (
    For,
    IntImm,
    Load,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    walk,
)
from workbench.schedule.cpu.followers import tile_followers
from workbench.schedule.cpu.inline import inline_stages
from workbench.schedule.cpu.lanes import contiguous_axis, lane_reduction
from workbench.schedule.cpu.tile import Tile, TileBuilder
from workbench.support import CompileError, IdSource, NodeId
from workbench.support.identity_memo import IdentityMemo
from workbench.support.kinds import wrong_fields
from workbench.support.limits import at_least

PARALLEL_ELEMENTS = 1 << 15
"""Work below this many innermost instances is not worth waking another thread."""

SYMBOLIC_ROWS = 6
"""A symbolic axis counts as this many rows: it gives a tile where no longer axis is known."""

LARGEST_STRIDE = 4
"""Elements between neighbours of a vector that may still be loaded as one."""

TILES = (
    (6, 2),
    (4, 3),
    (4, 2),
    (5, 2),
    (8, 1),
    (3, 4),
    (2, 5),
    (2, 4),
    (12, 1),
    (1, 8),
    (1, 4),
    (1, 2),
    (1, 1),
)
"""Rows and vectors of register tiles that fit 16 vector registers."""


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """`lanes` float32 elements fill a vector; `rows` and `vectors` force a tile, 0 chooses."""

    lanes: int = at_least(1, default=8)
    rows: int = at_least(0, default=0)
    vectors: int = at_least(0, default=0)
    parallel: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that no tile has.

        Raises:
            CompileError: `call/wrong-kind`.
        """
        if faults := wrong_fields(self):
            raise CompileError(faults)


def schedule_function(
    function: TensorFunction, options: ScheduleOptions | None = None
) -> TensorFunction | str:
    """The function with every stage tiled, vectorised and run in parallel.

    A reason where it cannot be.

    Reductions are reordered (sums are reassociated across vector lanes).
    """
    given = options or ScheduleOptions()
    return _SCHEDULED.get(function, lambda: _schedule(function, given), given)


_SCHEDULED: IdentityMemo[TensorFunction, TensorFunction | str] = IdentityMemo()
"""Asking what applies, and applying it, schedule once."""


def _schedule(function: TensorFunction, options: ScheduleOptions) -> TensorFunction | str:
    if dict(function.attrs).get("scheduled"):
        return "it has a schedule already"
    inlined = inline_stages(function)
    found = stages(inlined)
    if found is None:
        return "its loops are no sequence of plain nests"
    ids = IdSource(inlined.next_id)
    bodies: list[Stmt] = []
    choices: list[str] = []
    done: set[NodeId] = set()
    for position, stage in enumerate(found):
        if stage.block.id in done:
            continue
        lanes = _prefers_lanes(stage, options)
        followers = () if lanes else tile_followers(inlined, found, position)
        bodies.append(_schedule_stage(stage, followers, ids, options, choices))
        done |= {follower.block.id for follower in followers}
    kept = _still_used(inlined, bodies)
    attrs = tuple(sorted((*inlined.attrs, ("scheduled", _description(choices)))))
    body = bodies[0] if len(bodies) == 1 else Seq(tuple(bodies))
    return replace(inlined, body=body, allocations=kept, attrs=attrs, next_id=ids.next)


def _description(choices: list[str]) -> str:
    """What was chosen for each stage, rows by columns of its tile."""
    return "; ".join(choices)


def _still_used(function: TensorFunction, bodies: list[Stmt]) -> tuple[Var, ...]:
    if not function.allocations:
        return ()
    used = {node.buffer.id for body in bodies for node in _accesses(body)}
    return tuple(a for a in function.allocations if a.id in used)


def _accesses(body: Stmt) -> list[Store | Load]:
    return [node for node in walk(body) if isinstance(node, Store | Load)]


def _schedule_stage(
    stage: Stage,
    followers: tuple[Stage, ...],
    ids: IdSource,
    options: ScheduleOptions,
    choices: list[str],
) -> Stmt:
    columns = column_axis(stage)
    if _prefers_lanes(stage, options):
        lanes = lane_reduction(ids, stage, options.lanes, _parallel_axis(stage, None, options))
        if lanes is not None:
            choices.append(f"{stage.block.name} in lanes")
            return lanes
    if columns is None:
        last = len(stage.spatial) - 1 if stage.spatial else None
        tile = Tile(last, 1, parallel=_parallel_axis(stage, None, options))
    else:
        tile = choose_tile(stage, columns, options)
    builder = TileBuilder(ids, stage, tile)
    where = "" if tile.parallel is None else f", {stage.spatial[tile.parallel].name} parallel"
    names = " + ".join(s.block.name for s in (stage, *followers))
    choices.append(f"{names} {tile.rows}x{tile.columns}{where}")
    if stage.reduction is not None:
        return builder.reduction(followers)
    if stage.reduce or not stage.writes_identity:
        return _as_it_is(stage)
    return builder.spatial(followers)


def _as_it_is(stage: Stage) -> Stmt:
    body: Stmt = stage.block
    for loop in reversed(stage.loops):
        body = For(loop.var, loop.start, loop.extent, body, loop.kind)
    return body


def _prefers_lanes(stage: Stage, options: ScheduleOptions) -> bool:
    """Whether partial results in vector lanes beat vectors across the output."""
    axis = contiguous_axis(stage)
    if axis is None or stage.reduction is None:
        return False
    if isinstance(axis.extent, IntImm) and axis.extent.value < options.lanes:
        return False
    columns = column_axis(stage)
    return columns is None or _short(stage, columns, options) or not _contiguous(stage, columns)


def _contiguous(stage: Stage, position: int) -> bool:
    """Whether some load moves along the axis in steps of one."""
    return any(step_of(load, stage.spatial[position]) == 1 for load in stage.loads)


def _short(stage: Stage, axis: int, options: ScheduleOptions) -> bool:
    extent = stage.extents[stage.spatial[axis].id]
    return isinstance(extent, IntImm) and extent.value < options.lanes // 2


def column_axis(stage: Stage) -> int | None:
    """The spatial axis to vectorise.

    Contiguous in the output, contiguous or constant in most loads.
    """
    best: tuple[int, int] | None = None
    target = Load(stage.buffer, stage.store.indices)
    for position, axis in enumerate(stage.spatial):
        extent = stage.extents[axis.id]
        if isinstance(extent, IntImm) and extent.value == 1:
            continue
        if step_of(target, axis) != 1:
            continue
        steps = [step_of(load, axis) for load in stage.loads]
        bad = sum(step is None or step not in (0, 1) for step in steps)
        if stage.reduce and all(step is None or step > LARGEST_STRIDE for step in steps):
            continue
        if best is None or bad < best[0]:
            best = (bad, position)
    return None if best is None else best[1]


def choose_tile(stage: Stage, columns: int, options: ScheduleOptions) -> Tile:
    """The register tile of a stage whose vectors run along the axis at position `columns`."""
    row = _row_axis(stage, columns) if stage.reduce else None
    extent = extent_of(stage, columns)
    rows_extent = 1 if row is None else extent_of(stage, row) or SYMBOLIC_ROWS
    if not stage.reduce:
        width = options.lanes * (2 if extent is None or extent >= 2 * options.lanes else 1)
        parallel = _parallel_axis(stage, None, options, columns)
        return Tile(columns, min(width, extent or width), None, 1, parallel)
    rows, vectors = register_tile(rows_extent, extent, gathers_along(stage, columns), options)
    width = vectors * options.lanes
    return Tile(
        columns,
        width if extent is None or extent > width else extent,
        row if rows > 1 else None,
        rows,
        _parallel_axis(stage, row if rows > 1 else None, options, columns),
    )


def extent_of(stage: Stage, position: int) -> int | None:
    """The extent of a spatial axis, None where it is symbolic."""
    extent = stage.extents[stage.spatial[position].id]
    return extent.value if isinstance(extent, IntImm) else None


def gathers_along(stage: Stage, columns: int) -> bool:
    """Whether some load moves along the columns in steps of more than one."""
    return any(step_of(load, stage.spatial[columns]) not in (0, 1) for load in stage.loads)


GATHER_LOADS = 6
"""Loads and shuffles that one vector with strides costs."""
GATHER_REGISTERS = 8
"""Accumulators beside which such a vector can be put together without spills."""


def register_tile(
    rows: int, columns: int | None, gathers: bool, options: ScheduleOptions
) -> tuple[int, int]:
    """The tile with the least work.

    Multiply-adds or loads, whichever bounds, over all tiles, waste included.
    """
    if options.rows and options.vectors:
        return options.rows, options.vectors
    registers = 16 if options.lanes <= 8 else 32
    fitting = [
        (r, v)
        for r, v in TILES
        if r * v + v + 1 <= registers
        and r <= max(rows, 1)
        and (not gathers or r * v <= GATHER_REGISTERS)
    ]
    return min(fitting, key=lambda tile: tile_cycles(rows, columns, tile, options, gathers=gathers))


def tile_cycles(
    rows: int,
    columns: int | None,
    tile: tuple[int, int],
    options: ScheduleOptions,
    *,
    gathers: bool,
) -> float:
    """Cycles for one step of the reduction over all tiles of a plane, waste included.

    Multiply-adds or loads, whichever bounds, two of each in a cycle.
    """
    r, v = tile
    rows_work = -(-rows // r) * r
    full, rest = divmod(columns or 4096, v * options.lanes)
    vectors = full * v + -(-rest // options.lanes) * 1.25
    vector_cost = GATHER_LOADS if gathers else 1
    loads = rows_work * vectors * (vector_cost / r + 1 / v) / 2
    latency = max(1.0, 8 / (r * v))
    return max(rows_work * vectors / 2 * latency, loads)


def _row_axis(stage: Stage, columns: int) -> int | None:
    """The axis to unroll beside the columns.

    One that the vector loads do not move with, so that they are reused; of equal ones the
    innermost, whose rows lie nearest to each other.
    """
    vector_loads = [x for x in stage.loads if step_of(x, stage.spatial[columns]) != 0]
    best: tuple[int, int] | None = None
    for position, axis in enumerate(stage.spatial):
        if position == columns or extent_of(stage, position) == 1:
            continue
        moving = sum(step_of(load, axis) != 0 for load in vector_loads)
        if moving < len(vector_loads) or not vector_loads:
            gain = extent_of(stage, position) or SYMBOLIC_ROWS
            if best is None or gain >= best[0]:
                best = (gain, position)
    return None if best is None else best[1]


def _parallel_axis(
    stage: Stage, row: int | None, options: ScheduleOptions, columns: int | None = None
) -> int | None:
    """The outermost loop with enough iterations, where the whole nest has enough work.

    Behind symbolic loops each of their iterations must have enough work; else the innermost of
    those runs in parallel, and the code that is made asks at run time whether there is enough.
    """
    if not options.parallel:
        return None
    extents = [extent_of(stage, position) for position in range(len(stage.spatial))]
    work = _work(stage, 0)
    if work is not None and work < PARALLEL_ELEMENTS:
        return None
    known = (
        position
        for position, extent in enumerate(extents)
        if extent is not None and extent >= (8 if position == row else 4)
    )
    first = next(known, None)
    before = extents[:first] if work is None else []
    unknown = [p for p, extent in enumerate(before) if extent is None and p != columns]
    if not unknown:
        return None if work is None and first == columns else first
    inside = 0 if first in {None, columns} else _work(stage, first)
    return first if inside is None or inside >= PARALLEL_ELEMENTS else unknown[-1]


def _work(stage: Stage, outermost: int | None) -> int | None:
    """Innermost instances of the spatial axes from `outermost` on, and of the reduction.

    None where a symbolic extent decides.
    """
    outer = {var.id for var in stage.spatial[:outermost]}
    work = 1
    for axis in stage.block.axes:
        if axis.var.id in outer:
            continue
        if not isinstance(axis.extent, IntImm):
            return None
        work *= max(axis.extent.value, 1)
    return work
