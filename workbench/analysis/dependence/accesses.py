"""The loads and stores of one leaf, as forms of the loop variables around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.analysis.dependence.linear import Conjunction, Linear, Row, less
from workbench.analysis.dependence.operands import has_load, operands
from workbench.analysis.dependence.reader import Reader
from workbench.analysis.dependence.reductions import Update, update_of
from workbench.analysis.dependence.statements import Access, Guard
from workbench.analysis.dependence.terms import Term, TermKind
from workbench.analysis.dependence.views import behind, region_behind
from workbench.ir.expr import BufferType, FloatImm, IntImm, Intrinsic, Load, PrimExpr, Select, Var
from workbench.ir.tensor import (
    Allocate,
    Block,
    BufferRegion,
    Evaluate,
    For,
    Let,
    MatchBuffer,
    Stmt,
    Store,
    While,
)
from workbench.ir.traverse import walk
from workbench.support.ids import NodeId


class _When(NamedTuple):
    """The choices in which a load stands: conditions, constraints, and what those leave out."""

    guards: tuple[Guard, ...] = ()
    rows: Conjunction = ()
    why: tuple[str, ...] = ()


ALWAYS = _When()


@dataclass(slots=True)
class AccessReader:
    """Collects accesses; knows the views in scope and the loops around each allocation."""

    reader: Reader
    private: dict[NodeId, tuple[int, ...]] = field(default_factory=dict[NodeId, tuple[int, ...]])
    views: dict[NodeId, MatchBuffer] = field(default_factory=dict[NodeId, MatchBuffer])

    def of_store(self, store: Store) -> tuple[Access, ...]:
        """What a store reads, then what it writes."""
        update = update_of(store)
        reads = [
            self._access(load.buffer, load.indices, when, update=_own(load, update))
            for value in (store.value, *store.indices)
            for load, when in self._loads(value)
        ]
        write = self._access(store.buffer, store.indices, ALWAYS, write=True, update=update)
        return (*reads, write)

    def of_value(self, value: PrimExpr) -> tuple[Access, ...]:
        """What an expression reads."""
        if isinstance(value, IntImm | FloatImm | Var):
            return ()
        return tuple(
            self._access(load.buffer, load.indices, when) for load, when in self._loads(value)
        )

    def _loads(self, value: PrimExpr, when: _When = ALWAYS) -> Iterator[tuple[Load, _When]]:
        """Loads with the conditions of the choices that they stand in; shared parts once."""
        pending, seen = [value], set[int]()
        while pending:
            node = pending.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Select):
                pending.append(node.condition)
                for side, holds in ((node.true_value, True), (node.false_value, False)):
                    if has_load(side):
                        yield from self._loads(side, self._chosen(when, node.condition, holds))
                continue
            if isinstance(node, Load):
                yield node, when
            pending += reversed(operands(node))

    def _chosen(self, when: _When, condition: PrimExpr, holds: bool) -> _When:
        rows = self.reader.condition(condition, holds=holds)
        reasons = (*self.reader.taken(), *self.reader.unknown(rows, "a choice"))
        return _When((*when.guards, (condition, holds)), (*when.rows, *rows), (*when.why, *reasons))

    def _access(
        self,
        buffer: Var,
        indices: tuple[PrimExpr, ...],
        when: _When,
        *,
        write: bool = False,
        update: Update | None = None,
    ) -> Access:
        root, coordinates = behind(self.views, buffer, indices)
        forms = tuple(self.reader.linear(index) for index in coordinates)
        return Access(
            root,
            forms,
            coordinates,
            write,
            self.private.get(root.id, ()),
            when.guards,
            when.rows,
            update,
            when.why,
        )

    # --- views ----------------------------------------------------------------------------

    def match(self, block: Block) -> None:
        """Bind the views of a block, and the free variables of their types."""
        for match in block.match_buffers:
            self.views[match.buffer.id] = match
            type_ = match.buffer.type
            ranges = match.source.ranges
            assert isinstance(type_, BufferType)
            for dim, item in zip(reversed(type_.shape), reversed(ranges), strict=False):
                if isinstance(dim, Var) and dim.id not in self.reader.values:
                    self.reader.values[dim.id] = self.reader.linear(item.extent)

    # --- regions --------------------------------------------------------------------------

    def declared(self, block: Block) -> tuple[Access, ...] | None:
        """The declared regions of a block that calls what analysis cannot see into.

        None for every other block: there the computed regions count.
        """
        if block.writes is None or not any(
            isinstance(n, Evaluate) and isinstance(n.value, Intrinsic) for n in walk(block.body)
        ):
            return None
        reads = [self._region(region, write=False) for region in block.reads or ()]
        return (*reads, *(self._region(region, write=True) for region in block.writes))

    def _region(self, region: BufferRegion, *, write: bool) -> Access:
        root, ranges = region_behind(self.views, region)
        forms = [self.reader.linear(start) for start, _ in ranges]
        for n, (_, extent) in enumerate(ranges):
            if extent != IntImm(1):
                forms[n] = forms[n].plus(self._offset(self.reader.linear(extent)))
        rows = tuple(Row(form, equal=True) for form in forms)
        named = f"the declared region of `{region.buffer.name}`"
        return Access(
            root,
            tuple(forms),
            None,
            write,
            self.private.get(root.id, ()),
            inexact=self.reader.unknown(rows, named),
            trusted=True,
        )

    def _offset(self, extent: Linear) -> Linear:
        """Some value below an extent."""
        terms = self.reader.terms
        _, high = terms.bounds(extent)
        term = Term(-1, TermKind.OPAQUE, "", 0, None if high is None else high - 1, stable=False)
        made = terms.fresh(object(), term)
        term.definition = (Row(made), less(made, extent))
        return made

    def of_region(self, stmt: While) -> tuple[Access, ...]:
        """Everything that a `while` loop may touch, in any order."""
        found: list[Access] = list(self.of_value(stmt.condition))
        for node in walk(stmt.body):
            self._bind(node)
        for node in walk(stmt.body):
            if isinstance(node, Store):
                found += self.of_store(node)
            elif isinstance(node, Evaluate):
                found += self.of_value(node.value)
            elif isinstance(node, For | Let | Block):
                found += [a for part in _scalars(node) for a in self.of_value(part)]
        inner = {n.id for n in _allocated(stmt.body)}
        reason = ("a `while` loop decides which elements it touches",)
        return tuple(
            Access(
                a.buffer,
                a.indices,
                None,
                a.write,
                a.private,
                inexact=(*a.inexact, *reason),
            )
            for a in found
            if a.buffer.id not in inner
        )

    def _bind(self, node: object) -> None:
        """Variables that are bound inside a `while` loop may have any value of their range."""
        reader = self.reader
        if isinstance(node, For):
            low, last = reader.terms.bounds(reader.linear(node.start))
            _, most = reader.terms.bounds(reader.linear(node.extent))
            high = None if last is None or most is None else last + most - 1
            term = Term(
                -1,
                TermKind.OPAQUE,
                node.var.name,
                low,
                high,
                stable=False,
                variables=((node.var, None),),
                why=f"`{node.var.name}` runs inside a `while` loop",
            )
            made = reader.terms.fresh(object(), term)
            term.definition = tuple(
                row
                for row, known in (
                    (Row(made.shift(-(low or 0))), low is not None),
                    (Row(made.scale(-1).shift(high or 0)), high is not None),
                )
                if known
            )
            reader.values[node.var.id] = made
        elif isinstance(node, Let):
            reader.values[node.var.id] = reader.linear(node.value)
        elif isinstance(node, Block):
            for axis in node.axes:
                reader.values[axis.var.id] = reader.linear(axis.value)
            self.match(node)


def _own(load: Load, update: Update | None) -> Update | None:
    return update if update is not None and load == update.own else None


def _scalars(node: For | Let | Block) -> tuple[PrimExpr, ...]:
    if isinstance(node, For):
        return node.start, node.extent
    if isinstance(node, Let):
        return (node.value,)
    values = tuple(axis.value for axis in node.axes)
    return values if node.predicate is None else (*values, node.predicate)


def _allocated(body: Stmt) -> Iterator[Var]:
    for node in walk(body):
        if isinstance(node, Allocate):
            yield node.buffer
        elif isinstance(node, Block):
            yield from node.allocations
