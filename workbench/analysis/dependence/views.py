"""Buffers behind views: `match_buffer` inside of a block names a region of another buffer."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.ir.expr import IntImm, PrimExpr, Var
from workbench.ir.tensor import BufferRegion, MatchBuffer
from workbench.support.ids import NodeId

Views = Mapping[NodeId, MatchBuffer]


def behind(
    views: Views, buffer: Var, indices: tuple[PrimExpr, ...]
) -> tuple[Var, tuple[PrimExpr, ...]]:
    """Buffer and coordinates behind views; a view drops leading extents of 1."""
    while (match := views.get(buffer.id)) is not None:
        starts = tuple(item.start for item in match.source.ranges)
        dropped = len(starts) - len(indices)
        moved = (start + index for start, index in zip(starts[dropped:], indices, strict=False))
        buffer, indices = match.source.buffer, (*starts[:dropped], *moved)
    return buffer, indices


def region_behind(
    views: Views, region: BufferRegion
) -> tuple[Var, tuple[tuple[PrimExpr, PrimExpr], ...]]:
    """Buffer, starts and extents of a region behind views."""
    buffer, starts = behind(views, region.buffer, tuple(item.start for item in region.ranges))
    own = tuple(item.extent for item in region.ranges)
    extents = (IntImm(1),) * (len(starts) - len(own)) + own
    return buffer, tuple(zip(starts, extents, strict=True))
