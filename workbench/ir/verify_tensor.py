"""Well-formedness of tensor functions."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from workbench.ir.expr import BufferType, Dim, ScalarType, Var, as_expr
from workbench.ir.faults import Faults
from workbench.ir.tensor import (
    Allocate,
    Block,
    BufferRegion,
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
from workbench.ir.verify_scalar import ScalarChecker
from workbench.support.diagnostics import Diagnostic
from workbench.support.spans import Span


def verify_tensor_function(name: str, function: TensorFunction) -> tuple[Diagnostic, ...]:
    """All faults of one tensor function."""
    faults = Faults(name, function.next_id)
    _Verifier(faults, ScalarChecker(faults)).function(function)
    return tuple(faults.found)


@dataclass(slots=True)
class _Verifier:
    """Walks the statements; `scalars.scope` has what is visible."""

    faults: Faults
    scalars: ScalarChecker

    def function(self, function: TensorFunction) -> None:
        self._signature(function)
        with self._scope(()):
            for buffer in function.allocations:
                self._buffer(buffer)
            self.statement(function.body)

    def _signature(self, function: TensorFunction) -> None:
        for param in function.params:
            self.faults.take(param.id, param.name)
            self.scalars.define(param)
            if not isinstance(param.type, BufferType | ScalarType):
                self.faults.add(
                    "type/bad-parameter",
                    f"parameter `{param.name}` must be a buffer or a scalar",
                    param.id,
                )
        params = {param.id for param in function.params}
        for param in function.params:
            for symbol in free_vars(param.type).values():
                if symbol.id not in params and symbol.id not in self.scalars.scope:
                    self.faults.take(symbol.id, symbol.name)
                    self.scalars.define(symbol)
            self._dims(param)

    @contextmanager
    def _scope(self, variables: Iterable[Var], span: Span | None = None) -> Generator[None]:
        before = dict(self.scalars.scope)
        for var in variables:
            self.faults.take(var.id, var.name, span)
            self.scalars.define(var)
        yield
        self.scalars.scope = before

    def _buffer(self, buffer: Var, span: Span | None = None) -> None:
        """Define a buffer whose dimensions must be known already."""
        self.faults.take(buffer.id, buffer.name, span)
        if not isinstance(buffer.type, BufferType):
            message = f"`{buffer.name}` is allocated, but is no buffer"
            self.faults.add("type/not-a-buffer", message, buffer.id, span)
        self._dims(buffer)
        self.scalars.define(buffer)

    def _dims(self, buffer: Var) -> None:
        if isinstance(buffer.type, BufferType):
            for dim in (*buffer.type.shape, *buffer.type.strides):
                self._integer(dim, f"a dimension of `{buffer.name}`")
            for dim in buffer.type.shape:
                if isinstance(dim, int) and dim < 0:
                    message = f"a dimension of `{buffer.name}` is 0 or more, found `{dim}`"
                    self.faults.add("type/negative-extent", message, buffer.id)

    def _integer(self, expr: Dim, what: str, span: Span | None = None) -> None:
        self.scalars.integer(as_expr(expr), what, span)

    def statement(self, stmt: Stmt) -> None:  # noqa: C901 one case a node
        match stmt:
            case Store():
                self._store(stmt)
            case For():
                self._for(stmt)
            case Block():
                self._block(stmt)
            case Seq(body=body):
                for item in body:
                    self.statement(item)
            case If(condition=condition, then=then, otherwise=otherwise, span=span):
                self.scalars.boolean(condition, "the condition of `if`", span)
                self.statement(then)
                if otherwise is not None:
                    self.statement(otherwise)
            case While(condition=condition, body=body, span=span):
                self.scalars.boolean(condition, "the condition of `while`", span)
                self.statement(body)
            case Let():
                self._let(stmt)
            case Allocate(buffer=buffer, body=body, span=span):
                with self._scope(()):
                    self._buffer(buffer, span)
                    self.statement(body)
            case Evaluate(value=value, span=span):
                self.scalars.dtype(value, span)
            case _:
                assert_never(stmt)

    def _store(self, store: Store) -> None:
        self.scalars.access(store.buffer, store.indices, store.span)
        value = self.scalars.dtype(store.value, store.span)
        type_ = store.buffer.type
        if isinstance(type_, BufferType) and value is not None and value != type_.dtype:
            self.faults.add(
                "type/dtype-mismatch",
                f"`{store.buffer.name}` holds `{type_.dtype}`, the value stored has `{value}`",
                self.scalars.node,
                store.span,
                hint=f"cast the value to `{type_.dtype}`",
            )

    def _for(self, loop: For) -> None:
        self._integer(loop.start, f"the start of loop `{loop.var.name}`", loop.span)
        self._integer(loop.extent, f"the extent of loop `{loop.var.name}`", loop.span)
        if not isinstance(loop.var.type, ScalarType):
            message = f"loop variable `{loop.var.name}` must be an integer scalar"
            self.faults.add("type/not-integer", message, loop.var.id, loop.span)
        with self._scope((loop.var,), loop.span):
            self.statement(loop.body)

    def _let(self, let: Let) -> None:
        value = self.scalars.dtype(let.value, let.span)
        declared = let.var.type.dtype if isinstance(let.var.type, ScalarType) else None
        if value is not None and value != declared:
            self.faults.add(
                "type/dtype-mismatch",
                f"`{let.var.name}` is declared `{declared}`, its value has `{value}`",
                let.var.id,
                let.span,
            )
        with self._scope((let.var,), let.span):
            self.statement(let.body)

    def _block(self, block: Block) -> None:
        self.faults.take(block.id, block.name, block.span)
        outer, self.scalars.node = self.scalars.node, block.id
        for axis in block.axes:
            what = f"axis `{axis.var.name}` of block `{block.name}`"
            self._integer(axis.extent, f"the extent of {what}", block.span)
            self._integer(axis.value, f"the value of {what}", block.span)
            if not isinstance(axis.var.type, ScalarType):
                self.faults.add(
                    "type/not-integer", f"{what} must be a scalar", block.id, block.span
                )
        with self._scope((axis.var for axis in block.axes), block.span):
            if block.predicate is not None:
                self.scalars.boolean(
                    block.predicate, f"the predicate of `{block.name}`", block.span
                )
            self._block_body(block)
        self.scalars.node = outer

    def _block_body(self, block: Block) -> None:
        for buffer in block.allocations:
            self._buffer(buffer, block.span)
        for region in (*(block.reads or ()), *(block.writes or ())):
            self._region(region, block.span)
        for match in block.match_buffers:
            self._match_buffer(match, block.span)
        if block.init is not None:
            self.statement(block.init)
        self.statement(block.body)

    def _region(self, region: BufferRegion, span: Span | None) -> None:
        starts = tuple(r.start for r in region.ranges)
        self.scalars.access(region.buffer, starts, span)
        for item in region.ranges:
            self._integer(item.extent, f"the extent of a region of `{region.buffer.name}`", span)

    def _match_buffer(self, match: MatchBuffer, span: Span | None) -> None:
        """The matched buffer binds the free variables of its shape and strides."""
        self._region(match.source, span)
        source, own = match.source.buffer.type, match.buffer.type
        if isinstance(source, BufferType) and isinstance(own, BufferType):
            if source.dtype != own.dtype:
                self.faults.add(
                    "type/dtype-mismatch",
                    f"`{match.buffer.name}` has dtype `{own.dtype}`, its source `{source.dtype}`",
                    match.buffer.id,
                    span,
                )
            for dim in (*own.shape, *own.strides):
                if isinstance(dim, Var) and dim.id not in self.scalars.scope:
                    self.faults.take(dim.id, dim.name, span)
                    self.scalars.define(dim)
        self._buffer(match.buffer, span)
