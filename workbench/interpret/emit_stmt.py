"""Statements of tensor functions as Python source."""

from __future__ import annotations

from typing import assert_never

from workbench.analysis.empty_reductions import empty_inits
from workbench.interpret.emit_expr import (
    LARGEST_EXTENT,
    Scope,
    emit,
    emit_indices,
    extent_name,
    name_of,
    wrapped,
)
from workbench.ir.expr import INDEX, BufferType, Dim, Var, dtype_of, is_float
from workbench.ir.numbers import int_range
from workbench.ir.tensor import (
    Allocate,
    AxisKind,
    Block,
    Evaluate,
    For,
    If,
    Let,
    MatchBuffer,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    While,
)
from workbench.ir.traverse import free_vars
from workbench.support.ids import IdSource, NodeId

MAX_NESTED_LOOPS = 12
"""Python allows 20 nested loops in one function; deeper ones go into a nested function."""


class StatementEmitter:
    """Writes the source of one tensor function: `def program(buffers and scalars...)`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.lines: list[str] = []
        self.indent = 0
        self.loops = 0
        self.before: dict[NodeId, list[Stmt]] = {}

    def function(self, function: TensorFunction, symbols: tuple[Var, ...]) -> str:
        """The source of the whole function; symbolic dimensions follow the parameters."""
        for symbol in symbols:
            self.scope.intervals[symbol.id] = (0, LARGEST_EXTENT)
        names = [name_of(var) for var in (*function.params, *symbols)]
        self._line(f"def program({', '.join(names)}):")
        self.indent += 1
        for param in function.params:
            if isinstance(param.type, BufferType):
                self._extents(param, param.type.shape)
            else:
                self._known(param)
        for buffer in function.allocations:
            self._allocate(buffer)
        self.before = empty_inits(function, IdSource(function.next_id))
        self.statement(function.body)
        return "\n".join(self.lines)

    def statement(self, stmt: Stmt) -> None:  # noqa: C901 one case a node
        """Append the lines of one statement."""
        match stmt:
            case Store(buffer=buffer, indices=indices, value=value):
                target = ", ".join(emit_indices(self.scope, buffer, indices, "written")) or "()"
                self._line(f"{name_of(buffer)}[{target}] = {emit(self.scope, value).text}")
            case For():
                self._for(stmt)
            case While(condition=condition, body=body):
                self._line(f"while {emit(self.scope, condition).text}:")
                self._loop_body(body)
            case Block():
                self._block(stmt)
            case Seq(body=body):
                for item in body:
                    self.statement(item)
                self._line("pass")
            case If():
                self._if(stmt)
            case Let(var=var, value=value, body=body):
                self._assign(var, value)
                self.statement(body)
            case Allocate(buffer=buffer, body=body):
                self._allocate(buffer)
                self.statement(body)
            case Evaluate(value=value):
                self._line(emit(self.scope, value).text)
            case _:
                assert_never(stmt)

    def _line(self, text: str) -> None:
        self.lines.append(" " * self.indent + text)

    def _assign(self, var: Var, value: Dim) -> None:
        emitted = emit(self.scope, value)
        if not is_float(emitted.dtype):
            self.scope.intervals[var.id] = emitted.low, emitted.high
        self._line(f"{name_of(var)} = {emitted.text}")

    def _known(self, var: Var) -> None:
        if not is_float(dtype_of(var)):
            self.scope.intervals[var.id] = int_range(dtype_of(var))

    def _for(self, loop: For) -> None:
        for init in self.before.get(loop.var.id, ()):
            self.statement(init)
        start, extent = emit(self.scope, loop.start), emit(self.scope, loop.extent)
        last = start.high + max(extent.high, 1) - 1
        self._known(loop.var)
        if dtype_of(loop.var) == INDEX:
            self.scope.intervals[loop.var.id] = start.low, last
        self._line(f"for {name_of(loop.var)} in range({start.text}, {start.text} + {extent.text}):")
        self._loop_body(loop.body)

    def _loop_body(self, body: Stmt) -> None:
        self.indent += 1
        self.loops += 1
        if self.loops % MAX_NESTED_LOOPS == 0:
            name = self.scope.fresh("nested")
            self._line(f"def {name}():")
            self._indented(body)
            self._line(f"{name}()")
        else:
            self.statement(body)
        self.loops -= 1
        self.indent -= 1

    def _indented(self, body: Stmt) -> None:
        self.indent += 1
        self.statement(body)
        self.indent -= 1

    def _if(self, stmt: If) -> None:
        self._line(f"if {emit(self.scope, stmt.condition).text}:")
        self._indented(stmt.then)
        if stmt.otherwise is not None:
            self._line("else:")
            self._indented(stmt.otherwise)

    def _block(self, block: Block) -> None:
        outer, self.scope.block = self.scope.block, block
        for axis in block.axes:
            self._assign(axis.var, axis.value)
        if block.predicate is None:
            self._instance(block)
        else:
            self._line(f"if {emit(self.scope, block.predicate).text}:")
            self.indent += 1
            self._instance(block)
            self.indent -= 1
        self.scope.block = outer

    def _instance(self, block: Block) -> None:
        for position, axis in enumerate(block.axes):
            self._check_axis(block, position)
            extent = emit(self.scope, axis.extent)
            low, high = self.scope.intervals[axis.var.id]
            self.scope.intervals[axis.var.id] = max(low, 0), min(high, extent.high - 1)
        for buffer in block.allocations:
            self._allocate(buffer)
        for match in block.match_buffers:
            self._match_buffer(match)
        if block.init is not None:
            first = [f"{name_of(a.var)} == 0" for a in block.axes if a.kind is AxisKind.REDUCE]
            self._line(f"if {' and '.join(first) or 'True'}:")
            self._indented(block.init)
        self.statement(block.body)

    def _check_axis(self, block: Block, position: int) -> None:
        axis = block.axes[position]
        low, high = self.scope.intervals[axis.var.id]
        extent = emit(self.scope, axis.extent)
        if low >= 0 and high < extent.low:
            return
        name = name_of(axis.var)
        checked = self.scope.constant(self.scope.fresh("block"), block)
        self._line(f"if not 0 <= {name} < {extent.text}:")
        self._line(f" axis_fault({checked}, {position}, {name}, {extent.text})")

    def _allocate(self, buffer: Var) -> None:
        assert isinstance(buffer.type, BufferType)
        shape = "".join(f"{emit(self.scope, d).text}, " for d in buffer.type.shape)
        self._line(f"{name_of(buffer)} = local_array(({shape}), {buffer.type.dtype!r})")
        self._extents(buffer, buffer.type.shape)

    def _extents(self, buffer: Var, shape: tuple[Dim, ...]) -> None:
        for dimension, dim in enumerate(shape):
            if not isinstance(dim, int):
                name = extent_name(buffer, dimension)
                self._line(f"{name} = {name_of(buffer)}.shape[{dimension}]")

    def _match_buffer(self, match: MatchBuffer) -> None:
        """Bind the buffer to a view, and the free variables of its type to what the view has."""
        source, type_ = match.source, match.buffer.type
        assert isinstance(type_, BufferType)
        starts = "".join(
            f"{wrapped(self.scope, emit(self.scope, r.start)).text}, " for r in source.ranges
        )
        extents = "".join(f"{emit(self.scope, r.extent).text}, " for r in source.ranges)
        checked = self.scope.constant(self.scope.fresh("match"), match)
        name = name_of(match.buffer)
        self._line(f"{name} = region({checked}, {name_of(source.buffer)}, ({starts}), ({extents}))")
        for dimension, dim in enumerate(type_.shape):
            if isinstance(dim, Var) and dim.id not in self.scope.intervals:
                self.scope.intervals[dim.id] = (0, LARGEST_EXTENT)
                self._line(f"{name_of(dim)} = {name}.shape[{dimension}]")
        for dimension, stride in enumerate(type_.strides):
            if isinstance(stride, Var) and stride.id not in self.scope.intervals:
                self.scope.intervals[stride.id] = (-LARGEST_EXTENT, LARGEST_EXTENT)
                self._line(f"{name_of(stride)} = {name}.strides[{dimension}] // {name}.itemsize")
        shape = "".join(f"{emit(self.scope, d).text}, " for d in type_.shape)
        self._line(f"check_region({checked}, {name}, ({shape}))")
        self._extents(match.buffer, type_.shape)


def symbols_of(function: TensorFunction) -> tuple[Var, ...]:
    """Symbolic dimensions of the parameters that are not parameters themselves, in order."""
    params = {param.id for param in function.params}
    found = free_vars(tuple_of_types(function))
    return tuple(var for var in found.values() if var.id not in params)


def tuple_of_types(function: TensorFunction) -> BufferType:
    """All dimensions of all parameters, as one node that can be traversed."""
    dims: list[Dim] = []
    for param in function.params:
        if isinstance(param.type, BufferType):
            dims += [*param.type.shape, *param.type.strides]
    return BufferType(tuple(dims))
