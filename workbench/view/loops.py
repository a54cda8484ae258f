"""The loop nest of a tensor function as rows: code, kind, what it reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from workbench.analysis.cost import Cost, loop_costs
from workbench.ir import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    IntImm,
    Let,
    Load,
    LoopKind,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    walk,
)
from workbench.schedule.scope import Scope, place_id
from workbench.script.print_scalar import separated, write_expr, write_load
from workbench.script.print_tensor import symbols_of
from workbench.script.tokens import Token, Writer
from workbench.support import NodeId
from workbench.view import protocol
from workbench.view.costs import long_cost, short_cost
from workbench.view.protocol import LoopRow
from workbench.view.text import token_views

KINDS: dict[LoopKind, protocol.LoopKind] = {
    LoopKind.SERIAL: "serial",
    LoopKind.PARALLEL: "parallel",
    LoopKind.VECTORIZED: "vectorized",
    LoopKind.UNROLLED: "unrolled",
    LoopKind.THREAD: "thread",
}


def loop_rows(name: str, function: TensorFunction) -> list[LoopRow]:
    """The rows of a function, in the order of its text."""
    builder = _Rows(name, function)
    for param in function.params:
        builder.w.names.define(param)
    types = tuple(param.type for param in function.params)
    for symbol in symbols_of(types, {param.id for param in function.params}):
        builder.w.names.define(symbol)
    for buffer in function.allocations:
        builder.allocation(buffer, 0)
    builder.stmt(function.body, 0)
    return builder.rows


class _Rows:
    def __init__(self, name: str, function: TensorFunction) -> None:
        self.name = name
        self.scope = Scope(name, function)
        self.costs: dict[NodeId, Cost] = loop_costs(function)
        self.w = Writer()
        self.w.function = name
        self.rows: list[LoopRow] = []

    def stmt(self, stmt: Stmt, depth: int) -> None:
        """Add the rows of a statement."""
        match stmt:
            case For():
                self._for(stmt, depth)
            case Block():
                self._block(stmt, depth)
            case Seq(body=body):
                for item in body:
                    self.stmt(item, depth)
            case Store() | Evaluate():
                self._leaf(stmt, depth)
            case If() | While():
                self._conditional(stmt, depth)
            case Let(var=var, value=value, body=body):
                self.w.define(var)
                self.w.put(" = ", "operator")
                write_expr(self.w, value)
                self._row(depth, "statement", node=var)
                self.stmt(body, depth)
            case Allocate(buffer=buffer, body=body):
                self.allocation(buffer, depth)
                self.stmt(body, depth)
            case _:
                assert_never(stmt)

    def allocation(self, buffer: Var, depth: int) -> None:
        """A row for a buffer that comes into being."""
        self.w.define(buffer)
        self.w.put(" = ", "operator")
        self.w.put("allocate", "keyword")
        self._row(depth, "statement", node=buffer)

    def _for(self, loop: For, depth: int) -> None:
        w = self.w
        w.put("for ", "keyword")
        w.define(loop.var)
        w.put(" in ", "keyword")
        if not (isinstance(loop.start, IntImm) and loop.start.value == 0):
            write_expr(w, loop.start)
            w.put(" + ")
        write_expr(w, loop.extent)
        extent = str(loop.extent.value) if isinstance(loop.extent, IntImm) else ""
        self._row(depth, KINDS[loop.kind], node=loop.var, extent=extent, place=loop)
        self.stmt(loop.body, depth + 1)

    def _block(self, block: Block, depth: int) -> None:
        w = self.w
        w.put("block ", "keyword")
        w.put(block.name, "name", block.id)
        if block.axes:
            w.put("  ")
        for count, axis in enumerate(block.axes):
            if count:
                w.put(", ")
            w.define(axis.var)
            w.put(" = ", "operator")
            write_expr(w, axis.value)
        reduces = any(axis.kind.value == "reduce" for axis in block.axes)
        self._row(
            depth,
            "block",
            node_id=f"{self.name}/{block.id}",
            reads=_reads([block.body]),
            writes=_writes([block.body]),
            note="reduction" if reduces else "",
            place=block,
        )
        if block.init is not None:
            w.put("init", "keyword")
            self._row(depth + 1, "statement")
            self.stmt(block.init, depth + 2)
        for buffer in block.allocations:
            self.allocation(buffer, depth + 1)
        self.stmt(block.body, depth + 1)

    def _leaf(self, stmt: Store | Evaluate, depth: int) -> None:
        if isinstance(stmt, Store):
            write_load(self.w, stmt.buffer, stmt.indices)
            self.w.put(" = ", "operator")
        write_expr(self.w, stmt.value)
        self._row(depth, "statement")

    def _conditional(self, stmt: If | While, depth: int) -> None:
        self.w.put("if " if isinstance(stmt, If) else "while ", "keyword")
        write_expr(self.w, stmt.condition)
        self._row(depth, "statement" if isinstance(stmt, If) else "while")
        self.stmt(stmt.then if isinstance(stmt, If) else stmt.body, depth + 1)
        if isinstance(stmt, If) and stmt.otherwise is not None:
            self.w.put("else", "keyword")
            self._row(depth, "statement")
            self.stmt(stmt.otherwise, depth + 1)

    def _row(
        self,
        depth: int,
        kind: protocol.LoopKind,
        *,
        node: Var | None = None,
        node_id: str | None = None,
        extent: str = "",
        reads: list[str] | None = None,
        writes: list[str] | None = None,
        note: str = "",
        place: For | Block | None = None,
    ) -> None:
        found = None if place is None else self.costs.get(place_id(place))
        code: list[Token] = self.w.tokens
        self.w.tokens = []
        key = f"{self.name}/{node.id}" if node is not None else node_id
        self.rows.append(
            LoopRow(
                depth=depth,
                code=token_views(code),
                kind=kind,
                node=key,
                extent=extent,
                reads=reads or [],
                writes=writes or [],
                note=note,
                name="" if place is None else self.scope.label(place),
                cost="" if found is None else short_cost(found),
                cost_detail="" if found is None else long_cost(found),
            )
        )


def _reads(stmts: Iterable[Stmt]) -> list[str]:
    loads = (node for stmt in stmts for node in walk(stmt) if isinstance(node, Load))
    return list(dict.fromkeys(_access(load.buffer, load.indices) for load in loads))


def _writes(stmts: Iterable[Stmt]) -> list[str]:
    stores = (node for stmt in stmts for node in walk(stmt) if isinstance(node, Store))
    return list(dict.fromkeys(_access(store.buffer, store.indices) for store in stores))


def _access(buffer: Var, indices: tuple[PrimExpr, ...]) -> str:
    w = Writer()
    w.put(buffer.name)
    w.put("[")
    separated(w, indices, lambda index: write_expr(w, index))
    w.put("]")
    return "".join(token.text for token in w.tokens)
