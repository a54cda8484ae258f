"""Reads a tensor function as statements with quasi-affine domains and accesses."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import assert_never

from workbench.analysis.dependence.accesses import AccessReader
from workbench.analysis.dependence.early import at_first_iterations, is_ahead
from workbench.analysis.dependence.linear import Conjunction, Linear, Row, at_most, less
from workbench.analysis.dependence.place import Place, written_buffers
from workbench.analysis.dependence.reader import Reader
from workbench.analysis.dependence.scalars import only_stored
from workbench.analysis.dependence.spelling import short
from workbench.analysis.dependence.statements import Access, Guard, Model, Statement
from workbench.analysis.dependence.symbolic import symbolic_digits
from workbench.analysis.dependence.terms import TermKind, Terms
from workbench.analysis.empty_reductions import reduction_of
from workbench.analysis.intervals import dtype_bounds
from workbench.ir.expr import Binary, BinaryOp, IntImm, PrimExpr, ScalarType, binary, dtype_of
from workbench.ir.tensor import (
    Allocate,
    AxisKind,
    Block,
    Evaluate,
    For,
    If,
    Let,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    While,
)
from workbench.ir.traverse import free_vars
from workbench.support.ids import NodeId

ZERO = IntImm(0)


def model_of(function: TensorFunction) -> Model:
    """The statements of a function, in program order."""
    reader = Reader(Terms(function.next_id), written_buffers(function.body))
    model = Model(reader)
    builder = _Builder(model, reader)
    builder.symbols(function)
    builder.statement(function.body)
    model.statements = tuple(builder.found)
    return model


@dataclass(slots=True)
class _Builder:
    model: Model
    reader: Reader
    place: Place = field(default_factory=Place)
    found: list[Statement] = field(default_factory=list[Statement])
    accesses: AccessReader = field(init=False)

    def __post_init__(self) -> None:
        self.accesses = AccessReader(self.reader, views=self.model.views)

    def symbols(self, function: TensorFunction) -> None:
        scalars = [p for p in function.params if isinstance(p.type, ScalarType)]
        dims = [
            var
            for owner in (*function.params, *function.allocations)
            for var in free_vars(owner.type).values()
        ]
        known = {var.id for var in scalars}
        for var in dict.fromkeys((*scalars, *dims)):
            low, high = dtype_bounds(dtype_of(var))
            if var.id not in known:
                low = 0
            form = self.model.terms.variable(var, TermKind.SYMBOL, (low, high))
            self.reader.values[var.id] = form
        self.model.symbols = tuple(self.reader.values)

    @contextmanager
    def _inside(self, node: Stmt, **changes: object) -> Generator[None]:
        before = self.place
        self.place = replace(before, path=(*before.path, node), **changes)
        yield
        self.place = before

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case Store() | Evaluate() | While():
                self._leaf(stmt)
            case For():
                self._for(stmt)
            case Block():
                self._block(stmt)
            case Seq(body=body):
                with self._inside(stmt):
                    for item in body:
                        self.statement(item)
            case If():
                self._if(stmt)
            case Let():
                self._let(stmt)
            case Allocate(buffer=buffer, body=body):
                self.accesses.private[buffer.id] = self.place.keys
                with self._inside(stmt):
                    self.statement(body)
            case _:
                assert_never(stmt)

    # --- leaves ---------------------------------------------------------------------------

    def _leaf(self, stmt: Store | Evaluate | While) -> None:
        place = self.place
        if place.trusted:
            found = ()
        elif isinstance(stmt, Store):
            found = self.accesses.of_store(stmt)
        elif isinstance(stmt, Evaluate):
            found = self.accesses.of_value(stmt.value)
        else:
            found = self.accesses.of_region(stmt)
        self.found.append(
            Statement(
                len(self.found),
                stmt,
                place.path,
                place.loops,
                place.block,
                place.is_init,
                place.keys,
                place.domain,
                place.guards,
                (*found, *place.controls),
                place.inexact,
                place.early,
                place.ahead,
            )
        )

    # --- surroundings ---------------------------------------------------------------------

    def _for(self, loop: For) -> None:
        reader = self.reader
        controls = (*self.accesses.of_value(loop.start), *self.accesses.of_value(loop.extent))
        digits = symbolic_digits(reader, loop)
        if digits is not None:
            keys, rows, reasons = digits.keys, digits.rows, ()
            self.model.weights[loop.var.id] = digits.weights
        else:
            keys = (loop.var.id,)
            rows, reasons = self._range(loop)
        self.model.loops[loop.var.id] = keys
        self.model.nodes[loop.var.id] = loop
        first = len(self.found)
        place = self.place
        with self._inside(
            loop,
            loops=(*place.loops, loop),
            keys=(*place.keys, *keys),
            domain=(*place.domain, *rows),
            inexact=(*place.inexact, *reasons),
            controls=(*place.controls, *controls),
        ):
            self.statement(loop.body)
        self.model.spans[loop.var.id] = range(first, len(self.found))
        self._steered(controls, first, f"the extent of loop `{loop.var.name}`")

    def _range(self, loop: For) -> tuple[Conjunction, tuple[str, ...]]:
        reader, terms = self.reader, self.model.terms
        start, extent = reader.linear(loop.start), reader.linear(loop.extent)
        if not start.terms and not extent.terms:
            first, end = start.constant, start.plus(extent)
            last = end.constant - 1
            ends = first, max(first, last)
            var = terms.variable(loop.var, TermKind.LOOP, ends, (start, end))
            reader.values[loop.var.id] = var
            return (Row(var.shift(-first)), Row(var.scale(-1).shift(last))), ()
        low, last = terms.bounds(start)
        _, most = terms.bounds(extent)
        high = None if last is None or most is None else last + max(most, 1) - 1
        end = start.plus(extent)
        var = terms.variable(loop.var, TermKind.LOOP, (low, high), (start, end))
        reader.values[loop.var.id] = var
        offset = binary(BinaryOp.SUB, loop.var, loop.start)
        rows = (at_most(start, var), *reader.ordered(offset, loop.extent, 1))
        return rows, tuple(reader.unknown(rows, f"the range of loop `{loop.var.name}`"))

    def _if(self, stmt: If) -> None:
        controls = self.accesses.of_value(stmt.condition)
        first = len(self.found)
        for body, holds in ((stmt.then, True), (stmt.otherwise, False)):
            if body is not None:
                with self._inside(stmt, **self._where(stmt.condition, controls, holds=holds)):
                    self.statement(body)
        self._steered(controls, first, f"the condition `{short(stmt.condition)}`")

    def _where(
        self, condition: PrimExpr, controls: Iterable[Access], *, holds: bool
    ) -> dict[str, object]:
        """The place where a condition holds."""
        place, reader = self.place, self.reader
        rows = reader.condition(condition, holds=holds)
        reasons = (*reader.taken(), *reader.unknown(rows, f"the condition `{short(condition)}`"))
        return {
            "domain": (*place.domain, *rows),
            "guards": (*place.guards, (condition, holds)),
            "inexact": (*place.inexact, *reasons),
            "controls": (*place.controls, *controls),
        }

    def _let(self, stmt: Let) -> None:
        controls = self.accesses.of_value(stmt.value)
        self.model.bindings[stmt.var.id] = stmt.value
        self.reader.values[stmt.var.id] = self.reader.linear(stmt.value)
        if dtype_of(stmt.value) == "bool":
            self.reader.flags[stmt.var.id] = stmt.value
        first = len(self.found)
        with self._inside(stmt, controls=(*self.place.controls, *controls)):
            self.statement(stmt.body)
        if not only_stored(stmt):
            self._steered(controls, first, f"the value of `{stmt.var.name}`")

    def _block(self, block: Block) -> None:
        controls: list[Access] = []
        first = len(self.found)
        for axis in block.axes:
            controls += self.accesses.of_value(axis.value)
            self.model.bindings[axis.var.id] = axis.value
            self.reader.values[axis.var.id] = self.reader.linear(axis.value)
        changes: dict[str, object] = {"controls": (*self.place.controls, *controls)}
        if block.predicate is not None:
            controls += self.accesses.of_value(block.predicate)
            changes = self._where(block.predicate, controls, holds=True)
        with self._inside(block, block=block, **changes):
            self.place.domain = (*self.place.domain, *self._promises(block))
            self._instance(block)
        self._steered(controls, first, f"an axis or the predicate of block `{block.name}`")

    def _promises(self, block: Block) -> Conjunction:
        """`0 <= axis < extent`, where the value of an axis does not say so by itself."""
        rows: list[Conjunction] = []
        for axis in block.axes:
            value = self.reader.values[axis.var.id]
            low, high = self.model.terms.bounds(value)
            extent = self.reader.linear(axis.extent)
            least, _ = self.model.terms.bounds(extent)
            if low is None or low < 0:
                rows.append((at_most(Linear({}), value),))
            if high is None or least is None or high >= least:
                rows.append((less(value, extent),))
        return tuple(row for group in rows for row in group)

    def _instance(self, block: Block) -> None:
        for buffer in block.allocations:
            self.accesses.private[buffer.id] = self.place.keys
        self.accesses.match(block)
        if block.init is not None:
            self._init(block, block.init)
        declared = self.accesses.declared(block)
        if declared is not None:
            self.place = replace(
                self.place, controls=(*self.place.controls, *declared), trusted=True
            )
        self.statement(block.body)

    def _init(self, block: Block, init: Stmt) -> None:
        """`init` runs where every reduction axis has the value 0.

        Where the reduction may be empty, it is as if its loops had a first iteration.
        """
        place, reader = self._early(block), self.reader
        before = self.place
        rows: Conjunction = ()
        guards: tuple[Guard, ...] = ()
        for axis in block.axes:
            if axis.kind is AxisKind.REDUCE:
                condition = Binary(BinaryOp.EQ, axis.var, IntImm(0, dtype_of(axis.var)))
                rows = (*rows, *reader.condition(condition))
                guards = (*guards, (condition, True))
        reasons = reader.unknown(rows, f"the reduction axes of block `{block.name}`")
        self.place = replace(
            place,
            is_init=True,
            domain=(*place.domain, *rows),
            guards=(*place.guards, *guards),
            inexact=(*place.inexact, *reasons),
        )
        self.statement(init)
        self.place = before

    def _early(self, block: Block) -> Place:
        """The place of an init, at the first iterations of loops that may have none."""
        place = self.place
        reduction = reduction_of(block, place.path[:-1])
        simple = reduction.simple if reduction.may_be_empty else None
        if simple is None:
            return place
        ids = frozenset(loop.var.id for loop in simple.reduced)
        keys = {key for ident in ids for key in self.model.loops[ident]}
        rows = at_first_iterations(self.model, place.domain, simple, keys)
        guards = tuple(g for g in place.guards if ids.isdisjoint(free_vars(simple.plain(g[0]))))
        ahead = is_ahead(self.model, simple, keys)
        return replace(place, domain=rows, guards=guards, early=ids, ahead=ahead)

    def _steered(self, controls: Iterable[Access], first: int, what: str) -> None:
        """Note statements that may change what decides whether or how they run."""
        buffers: set[NodeId] = {access.buffer.id for access in controls}
        if not buffers:
            return
        below = self.found[first:]
        if any(a.write and a.buffer.id in buffers for s in below for a in s.accesses):
            for statement in below:
                self.model.unstable.setdefault(statement.index, what)
