"""Followers: elementwise stages that can be computed in the tile in which their input is made."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.analysis.op_pattern import OpPattern, stage_pattern
from workbench.analysis.stages import Stage
from workbench.ir import IntImm, Load, PrimExpr, TensorFunction, Var
from workbench.support import NodeId


def tile_followers(
    function: TensorFunction, found: Sequence[Stage], position: int
) -> tuple[Stage, ...]:
    """The stages right behind one that can share its tiles, so that what is between stays local.

    Each runs over the same elements and reads of the stages before it in the tile only the element
    that it computes; but the last, nobody else reads what they write. Halide: `compute_at`.
    """
    first = found[position]
    if not first.writes_identity or (first.reduce and first.reduction is None):
        return ()
    if not first.reduce and stage_pattern(first) > OpPattern.INJECTIVE:
        return ()
    local = {a.id for a in function.allocations}
    group, closed = [first], 1
    for stage in found[position + 1 :]:
        if group[-1].buffer.id not in local or not _follows(stage, group):
            break
        group.append(stage)
        if _is_closed(group, found):
            closed = len(group)
    return tuple(group[1:closed])


def _follows(stage: Stage, group: Sequence[Stage]) -> bool:
    made = {s.buffer.id: s for s in group}
    ours = [load for load in stage.loads if load.buffer.id in made]
    touched = {load.buffer.id for s in group for load in s.loads} | made.keys()
    return (
        bool(ours)
        and stage.buffer.id not in touched
        and stage_pattern(stage) <= OpPattern.INJECTIVE
        and _same_space(group[0], stage)
        and all(_same_element(load, made[load.buffer.id], stage) for load in ours)
    )


def _is_closed(group: Sequence[Stage], found: Sequence[Stage]) -> bool:
    inner = {stage.buffer.id for stage in group[:-1]}
    members = {stage.block.id for stage in group}
    outside = [stage for stage in found if stage.block.id not in members]
    return not any(
        stage.buffer.id in inner or any(load.buffer.id in inner for load in stage.loads)
        for stage in outside
    )


def _same_space(a: Stage, b: Stage) -> bool:
    extents = [[s.extents[v.id] for v in s.spatial] for s in (a, b)]
    return extents[0] == extents[1] and b.writes_identity and a.writes_identity


def _same_element(load: Load, producer: Stage, reader: Stage) -> bool:
    """Whether the instance of `reader` with the axes of one of `producer` reads its element."""
    axis = {a.id: b for a, b in zip(producer.spatial, reader.spatial, strict=True)}
    pairs = zip(load.indices, producer.store.indices, strict=True)
    return all(_same_index(read, axis, written, reader) for read, written in pairs)


def _same_index(read: PrimExpr, axis: dict[NodeId, Var], written: PrimExpr, reader: Stage) -> bool:
    expected: PrimExpr = axis[written.id] if isinstance(written, Var) else written
    if read == expected:
        return True
    return _is_zero(read, reader) and _is_zero(expected, reader)


def _is_zero(index: PrimExpr, reader: Stage) -> bool:
    """Whether an index is always 0, as the axis of a dimension with one element is."""
    if isinstance(index, Var):
        return reader.extents.get(index.id) == IntImm(1)
    return isinstance(index, IntImm) and index.value == 0
