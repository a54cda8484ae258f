"""What the default schedule is expected to take: cycles of its register tiles.

A model of the inner loops only: instructions that a tile issues, lanes and rows wasted at the ends,
vectors that must be gathered. No caches: to be compared between forms of one computation.
"""

from __future__ import annotations

from workbench.analysis.stages import Stage, stages
from workbench.ir import IntImm, TensorFunction
from workbench.schedule.cpu.default import (
    SYMBOLIC_ROWS,
    ScheduleOptions,
    choose_tile,
    column_axis,
    extent_of,
    gathers_along,
    tile_cycles,
)


def kernel_cycles(function: TensorFunction, options: ScheduleOptions) -> float | None:
    """Cycles of the reductions of a function; symbolic extents count as 1, None without stages."""
    found = stages(function)
    if found is None:
        return None
    return sum(_stage_cycles(stage, options) for stage in found if stage.reduction is not None)


def _stage_cycles(stage: Stage, options: ScheduleOptions) -> float:
    columns = column_axis(stage)
    work = 1.0
    for axis in stage.block.axes:
        if isinstance(axis.extent, IntImm):
            work *= axis.extent.value
    if columns is None:
        return work
    tile = choose_tile(stage, columns, options)
    width = extent_of(stage, columns)
    rows = 1 if tile.row_axis is None else extent_of(stage, tile.row_axis) or SYMBOLIC_ROWS
    plane = (width or 4096) * rows
    vectors = max(1, -(-tile.columns // options.lanes))
    gathers = gathers_along(stage, columns)
    cycles = tile_cycles(rows, width, (tile.rows, vectors), options, gathers=gathers)
    return work / plane * cycles
