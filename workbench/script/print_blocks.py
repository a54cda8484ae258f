"""Axes, regions and buffers of blocks as tokens."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.ir import (
    Axis,
    AxisKind,
    BufferRegion,
    BufferType,
    For,
    IntImm,
    MatchBuffer,
    PrimExpr,
    Range,
    Var,
)
from workbench.ir.expr import Binary, BinaryOp
from workbench.script.print_scalar import separated, write_expr
from workbench.script.print_types import (
    quote,
    write_buffer_arguments,
)
from workbench.script.tokens import Writer
from workbench.support.ids import NodeId

_ZERO = IntImm(0)


class BlockPrinter:
    """Prints the parts of blocks; knows the loops that an axis may be remapped from."""

    def __init__(self, w: Writer) -> None:
        self.w = w
        self.loops: dict[NodeId, For] = {}

    def buffer(self, constructor: str, buffer: Var) -> None:
        """A constructor call with the arguments of a buffer."""
        assert isinstance(buffer.type, BufferType)
        self.w.put(constructor + "(")
        write_buffer_arguments(self.w, buffer.type)
        self.w.put(")")

    def allocation(self, buffer: Var) -> None:
        """A buffer of the function or block."""
        self.w.line()
        self.w.define(buffer)
        self.w.put(" = ", "operator")
        self.buffer("T.sblock_alloc_buffer", buffer)
        self.w.end()

    def axis_groups(self, axes: tuple[Axis, ...]) -> Iterator[list[Axis]]:
        """Runs of axes that are loop variables as they are, and single ones."""
        run: list[Axis] = []
        for axis in axes:
            if self._is_loop(axis):
                run.append(axis)
                continue
            if run:
                yield run
            yield [axis]
            run = []
        if run:
            yield run

    def _is_loop(self, axis: Axis) -> bool:
        if not isinstance(axis.value, Var) or axis.kind not in (AxisKind.SPATIAL, AxisKind.REDUCE):
            return False
        loop = self.loops.get(axis.value.id)
        return loop is not None and loop.start == _ZERO and loop.extent == axis.extent

    def axes(self, axes: list[Axis]) -> None:
        """`vi, vj = T.axis.remap(...)`, or one axis alone."""
        w = self.w
        w.line()
        separated(w, [axis.var for axis in axes], w.define)
        w.put(" = ", "operator")
        if len(axes) == 1:
            (axis,) = axes
            w.put(f"T.axis.{axis.kind.value}(")
            write_expr(w, axis.extent)
            w.put(", ")
            write_expr(w, axis.value)
            w.put(")")
        else:
            kinds = "".join("S" if axis.kind is AxisKind.SPATIAL else "R" for axis in axes)
            w.put("T.axis.remap(")
            w.put(quote(kinds), "string")
            w.put(", [")
            separated(w, axes, lambda axis: write_expr(w, axis.value))
            w.put("])")
        w.end()

    def regions(self, name: str, regions: tuple[BufferRegion, ...] | None) -> None:
        """`T.reads(...)` or `T.writes(...)`, where they are declared."""
        if regions is None:
            return
        self.w.line()
        self.w.put(name + "(")
        separated(self.w, regions, lambda region: write_region(self.w, region))
        self.w.put(")")
        self.w.end()

    def match_buffer(self, match: MatchBuffer) -> None:
        """Another name for a region."""
        w = self.w
        assert isinstance(match.buffer.type, BufferType)
        w.line()
        w.define(match.buffer)
        w.put(" = T.match_buffer(")
        write_region(w, match.source)
        w.put(", ")
        write_buffer_arguments(w, match.buffer.type)
        w.put(")")
        w.end()


def write_region(w: Writer, region: BufferRegion) -> None:
    """`A[i, 0:4]`: an index where the extent is 1."""
    w.use(region.buffer)
    if not region.ranges:
        w.put("[()]")
        return
    w.put("[")
    separated(w, region.ranges, lambda range_: _write_range(w, range_))
    w.put("]")


def _write_range(w: Writer, range_: Range) -> None:
    write_expr(w, range_.start)
    if range_.extent != IntImm(1):
        w.put(":")
        write_stop(w, range_.start, range_.extent)


def write_stop(w: Writer, start: PrimExpr, extent: PrimExpr) -> None:
    """The end of a range, in the form from which the parser gets the extent back."""
    if start == _ZERO:
        write_expr(w, extent)
    elif isinstance(start, IntImm) and isinstance(extent, IntImm):
        write_expr(w, IntImm(start.value + extent.value, extent.dtype))
    elif isinstance(extent, Binary) and _is_difference(extent, start):
        write_expr(w, extent.a)
    else:
        write_expr(w, Binary(BinaryOp.ADD, start, extent))


def _is_difference(extent: Binary, start: PrimExpr) -> bool:
    """Whether `extent` is `stop - start` of a stop that does not start with `start` itself."""
    stop = extent.a
    begins = isinstance(stop, Binary) and stop.op is BinaryOp.ADD and stop.a == start
    literal = isinstance(start, IntImm) and isinstance(stop, IntImm)
    return extent.op is BinaryOp.SUB and extent.b == start and not begins and not literal
