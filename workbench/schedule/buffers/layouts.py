"""Layouts: a buffer whose elements lie where an index map says."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_map import IndexMap, InverseMap
from workbench.ir import (
    Allocate,
    Block,
    IntImm,
    Load,
    Not,
    PrimExpr,
    Select,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_expr,
)
from workbench.schedule.buffers.accesses import accesses, as_index
from workbench.schedule.buffers.caching import Indices, nest
from workbench.schedule.buffers.footprint import whole
from workbench.schedule.buffers.operands import plain_buffer
from workbench.schedule.buffers.redirect import Remap, redirected
from workbench.schedule.buffers.staging import needs_contents
from workbench.schedule.facts import facts_of
from workbench.schedule.scope import Scope, replace_statement, sequence, walk_statements
from workbench.support import NodeId

LAYOUT_HINT = "let the block access a plain copy first: `cache_read`, `cache_write`"


@dataclass(frozen=True, slots=True)
class Layout:
    """A buffer, where its elements are to lie, and what is stored in the padding."""

    buffer: Var
    map: IndexMap
    inverse: InverseMap
    pad_value: float | bool | None = None

    @property
    def type_(self) -> object:
        """The type of the buffer in the new layout."""
        return replace(plain_buffer(self.buffer), shape=self.inverse.shape)

    @property
    def remap(self) -> Remap:
        """Old indices as new ones."""

        def remap(indices: Indices, facts: Facts) -> Indices:
            whole = [as_index(index) for index in indices]
            return tuple(facts.simplify(index) for index in self.map.apply(whole))

        return remap

    @property
    def fill(self) -> PrimExpr | None:
        """What is to be stored in the padding, None where there is nothing to be stored."""
        if self.pad_value is None or self.inverse.inside is None:
            return None
        return as_expr(self.pad_value, plain_buffer(self.buffer).dtype)


def relaid(scope: Scope, layout: Layout) -> TensorFunction:
    """The function with a buffer of its own in the new layout; the buffer keeps its id."""
    old = layout.buffer
    new = replace(old, type=layout.type_)
    body = redirected(scope.function.body, old.id, new, layout.remap, facts_of(scope.function))
    made = scope.with_body(_defined(body, new, _fill(scope, layout, new)))
    allocations = tuple(new if b.id == new.id else b for b in made.allocations)
    return replace(made, allocations=allocations)


def _fill(scope: Scope, layout: Layout, new: Var) -> Stmt | None:
    """A nest that stores the padding."""
    fill = layout.fill
    if fill is None:
        return None
    return nest(
        scope,
        f"{layout.buffer.name}_padding",
        [as_expr(extent) for extent in layout.inverse.shape],
        lambda at: Store(new, at, fill),
        lambda at: _outside(layout, at),
    )[0]


def _outside(layout: Layout, at: Indices) -> PrimExpr:
    inside = layout.inverse.at(at)[1]
    assert inside is not None
    return Not(inside)


def _defined(body: Stmt, new: Var, fill: Stmt | None) -> Stmt:
    """The body with the buffer of the new type, filled where it begins to live."""
    first = () if fill is None else (fill,)
    for stmt in walk_statements(body):
        if isinstance(stmt, Allocate) and stmt.buffer.id == new.id:
            made = replace(stmt, buffer=new, body=sequence([*first, stmt.body]))
            return replace_statement(body, stmt, made)
        if isinstance(stmt, Block) and any(b.id == new.id for b in stmt.allocations):
            allocations = tuple(new if b.id == new.id else b for b in stmt.allocations)
            inner = sequence([*first, stmt.body])
            made = replace(stmt, allocations=allocations, body=inner)
            return replace_statement(body, stmt, made)
    return sequence([*first, body])


def converted(scope: Scope, layout: Layout, name: str) -> tuple[TensorFunction, NodeId]:
    """The function working on a copy of a parameter in the new layout; and the id of the copy."""
    old = layout.buffer
    copy = scope.fresh(name, layout.type_)  # pyright: ignore[reportArgumentType]
    facts = facts_of(scope.function)
    found = accesses([scope.function.body], old.id)
    writes = any(access.writes for access in found)
    items: list[Stmt] = []
    if not writes or needs_contents(scope, found, whole(old), facts):
        items.append(_entry(scope, layout, copy, facts))
    elif (fill := _fill(scope, layout, copy)) is not None:
        items.append(fill)
    items.append(redirected(scope.function.body, old.id, copy, layout.remap, facts))
    if writes:
        items.append(_exit(scope, layout, copy, facts))
    made = scope.with_body(sequence(items))
    return replace(made, allocations=(*made.allocations, copy)), copy.id


def _entry(scope: Scope, layout: Layout, copy: Var, facts: Facts) -> Stmt:
    """Copy the parameter; over the new box where the padding is to be stored as well."""
    old, fill = layout.buffer, layout.fill
    if fill is None:
        extents = [as_expr(extent) for extent in plain_buffer(old).shape]

        def plain(at: Indices) -> Stmt:
            return Store(copy, layout.remap(at, _inside(facts, at, extents)), Load(old, at))

        return nest(scope, copy.name, extents, plain)[0]

    def padded(at: Indices) -> Stmt:
        there, inside = layout.inverse.at(at)
        assert inside is not None
        return Store(copy, at, Select(inside, Load(old, there), fill))

    return nest(scope, copy.name, [as_expr(e) for e in layout.inverse.shape], padded)[0]


def _exit(scope: Scope, layout: Layout, copy: Var, facts: Facts) -> Stmt:
    old = layout.buffer
    extents = [as_expr(extent) for extent in plain_buffer(old).shape]

    def back(at: Indices) -> Stmt:
        return Store(old, at, Load(copy, layout.remap(at, _inside(facts, at, extents))))

    return nest(scope, f"{copy.name}_out", extents, back)[0]


def _inside(facts: Facts, at: Indices, extents: list[PrimExpr]) -> Facts:
    for index, extent in zip(at, extents, strict=True):
        assert isinstance(index, Var)
        facts = facts.with_range(index, loop_interval(IntImm(0), extent))
    return facts
