"""What a function defines, in the order of its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from workbench.ir import (
    Allocate,
    Block,
    For,
    Function,
    GraphFunction,
    Let,
    Stmt,
    TensorFunction,
    Type,
    Var,
    bindings_in,
)
from workbench.script.print_graph import graph_symbols
from workbench.script.print_tensor import statements_below, symbols_of
from workbench.script.printer import printed_names
from workbench.support.ids import NodeId
from workbench.support.spans import Span

Kind = Literal["symbol", "param", "buffer", "loop", "axis", "block", "let", "binding"]


@dataclass(frozen=True, slots=True)
class Definition:
    """One variable or block: what it is, its name in the text, its id."""

    kind: Kind
    name: str
    id: NodeId
    type: Type | None
    var: Var | None = None
    span: Span | None = None
    detail: str = ""

    @property
    def key(self) -> tuple[Kind, str]:
        """What makes it the same thing in an edited text."""
        return self.kind, self.name

    @property
    def shape(self) -> tuple[Any, ...]:
        """What a renamed thing still has in common with itself."""
        return self.kind, _plain(self.type), self.detail


def _plain(type_: Type | None) -> Any:  # noqa: ANN401
    """A type without the ids of its symbols."""
    shape = getattr(type_, "shape", None)
    if shape is None:
        return type(type_).__name__
    dims = tuple(dim if isinstance(dim, int) else None for dim in shape)
    return type(type_).__name__, dims, getattr(type_, "dtype", None)


def definitions(name: str, function: Function) -> list[Definition]:
    """All definitions of a function, symbols and parameters first."""
    names = dict[NodeId, str]()
    for text, node in printed_names(name, function):
        names.setdefault(node, text)
    if isinstance(function, GraphFunction):
        return list(_of_graph(function, names))
    return list(_of_tensor(function, names))


def _var(
    kind: Kind, var: Var, names: dict[NodeId, str], span: Span | None = None, detail: str = ""
) -> Definition:
    return Definition(kind, names.get(var.id, var.name), var.id, var.type, var, span, detail)


def _of_graph(function: GraphFunction, names: dict[NodeId, str]) -> Iterator[Definition]:
    for symbol in graph_symbols(function):
        yield _var("symbol", symbol, names)
    for param in function.params:
        yield _var("param", param, names)
    for binding in bindings_in(function.blocks):
        yield _var("binding", binding.var, names, binding.span)


def _of_tensor(function: TensorFunction, names: dict[NodeId, str]) -> Iterator[Definition]:
    params = {param.id for param in function.params}
    for symbol in symbols_of(tuple(param.type for param in function.params), params):
        yield _var("symbol", symbol, names)
    for param in function.params:
        yield _var("param", param, names)
    for buffer in function.allocations:
        yield _var("buffer", buffer, names)
    yield from _of_stmt(function.body, names)


def _of_stmt(stmt: Stmt, names: dict[NodeId, str]) -> Iterator[Definition]:
    match stmt:
        case For(var=var, kind=kind, extent=extent, span=span):
            size = str(getattr(extent, "value", "?"))
            yield _var("loop", var, names, span, f"{kind.value} {size}")
        case Block():
            yield from _of_block(stmt, names)
            return
        case Let(var=var, span=span):
            yield _var("let", var, names, span)
        case Allocate(buffer=buffer, span=span):
            yield _var("buffer", buffer, names, span)
        case _:
            pass
    for child in statements_below(stmt):
        yield from _of_stmt(child, names)


def _of_block(block: Block, names: dict[NodeId, str]) -> Iterator[Definition]:
    detail = "".join(axis.kind.value[0] for axis in block.axes)
    yield Definition("block", block.name, block.id, None, None, block.span, detail)
    for axis in block.axes:
        yield _var("axis", axis.var, names)
    for buffer in block.allocations:
        yield _var("buffer", buffer, names)
    for match in block.match_buffers:
        yield _var("buffer", match.buffer, names)
    if block.init is not None:
        yield from _of_stmt(block.init, names)
    yield from _of_stmt(block.body, names)
