"""Tensor functions as tokens: loops, blocks and statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from workbench.ir import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    IntImm,
    Let,
    LoopKind,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    free_vars,
    walk,
)
from workbench.script.print_blocks import BlockPrinter, write_stop
from workbench.script.print_scalar import separated, write_expr, write_load
from workbench.script.print_types import (
    open_signature,
    quote,
    write_attr_dict,
)
from workbench.script.tokens import Writer
from workbench.script.vocabulary import NOALIAS
from workbench.support.ids import NodeId

_ZERO = IntImm(0)


def symbols_of(types: Iterator[object] | tuple[object, ...], bound: set[NodeId]) -> list[Var]:
    """Symbolic dimensions in types, in order of first occurrence, without those in `bound`."""
    found: dict[NodeId, Var] = {}
    for type_ in types:
        for var in free_vars(type_).values():
            if var.id not in bound and isinstance(var.type, ScalarType):
                found.setdefault(var.id, var)
    return list(found.values())


def has_blocks(function: TensorFunction) -> bool:
    """Whether the function has blocks or allocations of its own, as opposed to flat loops."""
    return bool(function.allocations) or any(isinstance(n, Block) for n in _stmts(function.body))


def _stmts(stmt: Stmt) -> Iterator[Stmt]:
    yield stmt
    for child in statements_below(stmt):
        yield from _stmts(child)


def statements_below(stmt: Stmt) -> tuple[Stmt, ...]:
    """The statements directly below one that is no block."""
    match stmt:
        case Seq(body=body):
            return body
        case If(then=then, otherwise=otherwise):
            return (then,) if otherwise is None else (then, otherwise)
        case For(body=body) | While(body=body) | Let(body=body) | Allocate(body=body):
            return (body,)
        case _:
            return ()


def write_tensor_function(w: Writer, name: str, function: TensorFunction) -> None:
    """A whole `T.prim_func`."""
    _TensorPrinter(w).function(name, function)


class _TensorPrinter(BlockPrinter):
    """Prints one function."""

    def function(self, name: str, function: TensorFunction) -> None:
        w = self.w
        symbols = symbols_of(
            tuple(param.type for param in function.params), {p.id for p in function.params}
        )
        for symbol in symbols:
            w.names.define(symbol)
        for param in function.params:
            w.names.define(param)
        self._header(name, function)
        w.depth += 1
        for symbol in symbols:
            w.line()
            w.use(symbol)
            w.put(" = T.int64()")
            w.end()
        if function.attrs:
            w.line()
            w.put("T.func_attr(")
            write_attr_dict(w, function.attrs, {"noalias": NOALIAS})
            w.put(")")
            w.end()
        for buffer in function.allocations:
            self.allocation(buffer)
        self.stmt(function.body)
        w.depth -= 1

    def _header(self, name: str, function: TensorFunction) -> None:
        w = self.w
        options = [
            *(["private=True"] if function.private else []),
            *(["s_tir=True"] if has_blocks(function) else []),
        ]
        open_signature(w, "@T.prim_func", options, name, function.params)
        w.put("):")
        w.end()

    # --- statements -------------------------------------------------------------------------

    def scope(self, write: Callable[[], None]) -> None:
        """An indented suite with names of its own."""
        w = self.w
        w.names.open()
        w.depth += 1
        write()
        w.depth -= 1
        w.names.close()

    def suite(self, stmt: Stmt) -> None:
        self.scope(lambda: self.stmt(stmt))

    def stmt(self, stmt: Stmt, *, last: bool = True) -> None:
        match stmt:
            case Store(buffer=buffer, indices=indices, value=value):
                self.w.line()
                write_load(self.w, buffer, indices)
                self._tail(" = ", value)
            case For():
                self._for(stmt)
            case Block():
                self._block(stmt)
            case Seq(body=body):
                self._seq(body, last=last)
            case If():
                self._if(stmt)
            case While(condition=condition, body=body):
                self._head("while ", condition)
                self.suite(body)
            case Let():
                self._let(stmt, last=last)
            case Allocate():
                self._allocate(stmt, last=last)
            case Evaluate(value=value):
                self.w.line()
                self.w.put("T.evaluate(")
                write_expr(self.w, value)
                self.w.put(")")
                self.w.end()
            case _:
                assert_never(stmt)

    def _seq(self, body: tuple[Stmt, ...], *, last: bool) -> None:
        for position, stmt in enumerate(body):
            self.stmt(stmt, last=last and position == len(body) - 1)
        if not body:
            self.w.line()
            self.w.put("pass", "keyword")
            self.w.end()

    def _tail(self, between: str, value: PrimExpr) -> None:
        self.w.put(between, "operator")
        write_expr(self.w, value)
        self.w.end()

    def _head(self, word: str, condition: PrimExpr) -> None:
        self.w.line()
        self.w.put(word, "keyword")
        write_expr(self.w, condition)
        self.w.put(":")
        self.w.end()

    def _if(self, stmt: If) -> None:
        self._head("if ", stmt.condition)
        self.suite(stmt.then)
        if stmt.otherwise is not None:
            self.w.line()
            self.w.put("else", "keyword")
            self.w.put(":")
            self.w.end()
            self.suite(stmt.otherwise)

    def _let(self, stmt: Let, *, last: bool) -> None:
        """The rest of the suite is the body; elsewhere a `with` bounds it."""
        w = self.w
        w.line()
        if last:
            w.define(stmt.var)
            w.put(": ")
            assert isinstance(stmt.var.type, ScalarType)
            w.put(f"T.let[T.{stmt.var.type.dtype}]", "type")
            self._tail(" = ", stmt.value)
            self._rest(stmt.body)
            return
        w.put("with ", "keyword")
        w.put("T.LetStmt(")
        write_expr(w, stmt.value)
        w.put(")")
        self._bounded(stmt.var, stmt.body)

    def _allocate(self, stmt: Allocate, *, last: bool) -> None:
        w = self.w
        w.line()
        if last:
            w.define(stmt.buffer)
            w.put(" = ", "operator")
            self.buffer("T.alloc_buffer", stmt.buffer)
            w.end()
            self._rest(stmt.body)
            return
        w.put("with ", "keyword")
        self.buffer("T.alloc_buffer", stmt.buffer)
        self._bounded(stmt.buffer, stmt.body)

    def _rest(self, body: Stmt) -> None:
        if not isinstance(body, Seq) or body.body:
            self.stmt(body)

    def _bounded(self, var: Var, body: Stmt) -> None:
        w = self.w
        w.put(" as ", "keyword")
        w.names.open()
        w.define(var)
        w.put(":")
        w.end()
        self.suite(body)
        w.names.close()

    # --- loops ------------------------------------------------------------------------------

    def _for(self, loop: For) -> None:
        w = self.w
        nest = _grid(loop)
        w.line()
        w.put("for ", "keyword")
        w.names.open()
        # Extents are written before the variables come into scope, targets stand before them.
        mark = len(w.tokens)
        self._extents(nest)
        extents = w.tokens[mark:]
        del w.tokens[mark:]
        separated(w, [item.var for item in nest], w.define)
        w.put(" in ", "keyword")
        w.tokens += extents
        w.put(":")
        w.end()
        self.loops.update({item.var.id: item for item in nest})
        self.suite(nest[-1].body)
        w.names.close()

    def _extents(self, nest: list[For]) -> None:
        w, loop = self.w, nest[0]
        if len(nest) > 1:
            w.put("T.grid(")
            separated(w, [item.extent for item in nest], lambda extent: write_expr(w, extent))
            w.put(")")
            return
        plain = loop.kind is LoopKind.SERIAL and not loop.annotations
        w.put("range(" if plain else f"T.{loop.kind.value}(")
        if loop.start != _ZERO:
            write_expr(w, loop.start)
            w.put(", ")
        write_stop(w, loop.start, loop.extent)
        if loop.thread:
            w.put(", thread=")
            w.put(quote(loop.thread), "string")
        if loop.annotations:
            w.put(", annotations=")
            write_attr_dict(w, loop.annotations)
        w.put(")")

    # --- blocks -----------------------------------------------------------------------------

    def _block(self, block: Block) -> None:
        w = self.w
        w.line()
        w.put("with ", "keyword")
        w.put("T.sblock(")
        w.put(quote(block.name), "string", block.id)
        w.put("):")
        w.end()
        self.scope(lambda: self._block_body(block))

    def _block_body(self, block: Block) -> None:
        w = self.w
        for group in self.axis_groups(block.axes):
            self.axes(group)
        if block.predicate is not None:
            w.line()
            w.put("T.where(")
            write_expr(w, block.predicate)
            w.put(")")
            w.end()
        self.regions("T.reads", block.reads)
        self.regions("T.writes", block.writes)
        if block.annotations:
            w.line()
            w.put("T.sblock_attr(")
            write_attr_dict(w, block.annotations)
            w.put(")")
            w.end()
        for buffer in block.allocations:
            self.allocation(buffer)
        for match in block.match_buffers:
            self.match_buffer(match)
        if block.init is not None:
            w.line()
            w.put("with ", "keyword")
            w.put("T.init():")
            w.end()
            self.suite(block.init)
        self.stmt(block.body)


def _grid(loop: For) -> list[For]:
    """The perfectly nested plain loops from `loop` on whose extents do not depend on each other."""
    nest = [loop]
    while _plain(nest[-1]) and isinstance(inner := nest[-1].body, For) and _plain(inner):
        own = {item.var.id for item in nest}
        if any(isinstance(node, Var) and node.id in own for node in walk(inner.extent)):
            break
        nest.append(inner)
    return nest


def _plain(loop: For) -> bool:
    return (
        loop.kind is LoopKind.SERIAL
        and not loop.annotations
        and not loop.thread
        and loop.start == _ZERO
    )
