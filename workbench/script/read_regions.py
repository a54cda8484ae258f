"""Regions and buffers of tensor functions, and what blocks collect."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from workbench.ir import (
    Allocate,
    Attr,
    Axis,
    BufferRegion,
    BufferType,
    IntImm,
    MatchBuffer,
    PrimExpr,
    Range,
    ScalarType,
    Stmt,
    Var,
    as_expr,
)
from workbench.ir.expr import Binary, BinaryOp
from workbench.script.context import Context
from workbench.script.read_types import TypeReader
from workbench.script.scope import Handle
from workbench.support.ids import NodeId

Opener: TypeAlias = Callable[[Stmt], Stmt]
"""A statement whose body is the rest of its suite."""

_ZERO, _ONE = IntImm(0), IntImm(1)


@dataclass(slots=True)
class Frame:
    """What the statements at the top of a block, or of the function, add to it."""

    is_block: bool = True
    axes: list[Axis] = field(default_factory=list[Axis])
    reads: tuple[BufferRegion, ...] | None = None
    writes: tuple[BufferRegion, ...] | None = None
    predicate: PrimExpr | None = None
    attrs: dict[str, Attr] = field(default_factory=dict[str, Attr])
    allocations: list[Var] = field(default_factory=list[Var])
    matches: list[MatchBuffer] = field(default_factory=list[MatchBuffer])
    init: Stmt | None = None


class RegionReader(TypeReader):
    """Reads regions and what defines buffers."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.frame: Frame | None = None
        self.params: list[Var | None] = []
        self.loops: dict[NodeId, PrimExpr | None] = {}
        """Extents of the loops in scope, None where a loop does not start at 0."""
        self.block_allocations = True
        """Whether `T.alloc_buffer` at the top of a block is the block's, as before TVM 0.27."""

    def new(self, name: str, type_: BufferType | ScalarType) -> Var:
        """A new variable in scope."""
        var = Var(self.ids.new(), name, type_)
        self.scope.set(name, var)
        return var

    def block_frame(self, node: ast.AST, what: str) -> Frame:
        """The block that a statement stands directly in.

        Raises:
            CompileError: `script/block`.
        """
        if self.frame is None or not self.frame.is_block:
            raise self.fault(
                node,
                "script/block",
                f"`{what}` stands directly in a block",
                hint='`with T.sblock("name"):` opens one',
            )
        return self.frame

    # --- regions and buffers ----------------------------------------------------------------

    def regions(self, call: ast.Call) -> tuple[BufferRegion, ...]:
        """The arguments of `T.reads` and `T.writes`."""
        nodes = call.args
        if len(nodes) == 1 and isinstance(nodes[0], ast.List | ast.Tuple):
            nodes = nodes[0].elts
        return tuple(self.report.collect(functools.partial(self.region, node) for node in nodes))

    def region(self, node: ast.expr) -> BufferRegion:
        """`A[i, 0:4]`, or a whole buffer.

        Raises:
            CompileError: `script/rank`, `script/region`.
        """
        if isinstance(node, ast.Name):
            buffer = self.buffer(node)
            assert isinstance(buffer.type, BufferType)
            whole = tuple(Range(_ZERO, as_expr(extent)) for extent in buffer.type.shape)
            return BufferRegion(buffer, whole)
        if not isinstance(node, ast.Subscript):
            raise self.fault(node, "script/region", "expected a region such as `A[i, 0:4]`")
        buffer = self.buffer(node.value)
        assert isinstance(buffer.type, BufferType)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(parts) != len(buffer.type.shape):
            raise self.fault(
                node,
                "script/rank",
                f"`{buffer.name}` has {len(buffer.type.shape)} dimensions, "
                f"found {len(parts)} indices",
            )
        ranges = self.report.collect(functools.partial(self._range, part) for part in parts)
        return BufferRegion(buffer, tuple(ranges))

    def _range(self, node: ast.expr) -> Range:
        if not isinstance(node, ast.Slice):
            return Range(self.whole(node), _ONE)
        if node.upper is None or node.step is not None:
            raise self.fault(node, "script/region", "a range is `start:stop`")
        start = self.whole(node.lower) if node.lower is not None else _ZERO
        return Range(start, extent_of(start, self.whole(node.upper)))

    def _allocate(self, node: ast.stmt, name: str, call: ast.Call, word: str) -> Opener | None:
        type_ = self.buffer_arguments(call, call.args)
        frame = self.frame
        if word == "T.sblock_alloc_buffer" and frame is None:
            raise self.fault(node, "script/block", f"`{word}` stands directly in a block")
        to_block = word == "T.alloc_buffer" and self.block_allocations
        buffer = self.new(name, type_)
        if frame is not None and (to_block or word == "T.sblock_alloc_buffer"):
            frame.allocations.append(buffer)
            return None
        span = self.report.span(node)
        return lambda body: Allocate(buffer, body, span)

    def _match_buffer(self, name: str, call: ast.Call) -> None:
        """A handle parameter gets its buffer; in a block, a region gets another name."""
        if not call.args:
            raise self.fault(call, "script/missing-argument", "`T.match_buffer` needs a source")
        source, *rest = call.args
        entry = self.scope.get(source.id) if isinstance(source, ast.Name) else None
        if isinstance(entry, Handle):
            buffer = self.new(name, self.buffer_arguments(call, rest))
            self.params[entry.position] = buffer
            return
        frame = self.block_frame(call, "T.match_buffer")
        region = self.region(source)
        buffer = self.new(name, self.buffer_arguments(call, rest))
        frame.matches.append(MatchBuffer(buffer, region))


def extent_of(start: PrimExpr, stop: PrimExpr) -> PrimExpr:
    """The extent of `start:stop`; `s:s + e` gives `e` back."""
    if start == _ZERO:
        return stop
    if isinstance(start, IntImm) and isinstance(stop, IntImm):
        return IntImm(stop.value - start.value, stop.dtype)
    if isinstance(stop, Binary) and stop.op is BinaryOp.ADD and stop.a == start:
        return stop.b
    return Binary(BinaryOp.SUB, stop, start)
