"""Instances that touch what their block does not declare: found in sets, checked in the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from workbench.analysis.dependence.dependences import dependences
from workbench.analysis.dependence.evaluate import Instance
from workbench.analysis.dependence.linear import AnyOf, Linear, Row, at_most, less
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.statements import Access, Model, Statement
from workbench.analysis.dependence.system import System
from workbench.analysis.dependence.views import region_behind
from workbench.analysis.dependence.witness import element_of, instance_of, runs
from workbench.ir.expr import PrimExpr, ScalarType
from workbench.ir.tensor import Block, BufferRegion, Store, TensorFunction
from workbench.ir.traverse import free_vars
from workbench.support.ids import NodeId

Ranges = tuple[tuple[PrimExpr, PrimExpr], ...]
MOST = 64
"""Accesses of one block that are looked at."""


def beyond_declared(
    function: TensorFunction, block: Block, regions: Sequence[BufferRegion], *, write: bool
) -> str | None:
    """An element of the regions' buffer that a block touches outside of all of them, and where.

    Spelled `C[2, 0]` with the loops at that instance. None where none was found: there is none, or
    it depends on memory, or the sets are too large.
    """
    model = dependences(function).model
    resolved = [region_behind(model.views, region) for region in regions]
    if not resolved:
        return None
    buffer = resolved[0][0].id
    places = [ranges for owner, ranges in resolved if owner.id == buffer]
    scalars = {param.id for param in function.params if isinstance(param.type, ScalarType)}
    for statement, access in islice(_accesses(model, block.id, buffer, write=write), MOST):
        found = _outside(model, statement, access, places)
        if found is not None and scalars.isdisjoint(_used(model, access, places)):
            return _spelled(statement, access, found)
    return None


def _used(model: Model, access: Access, places: Sequence[Ranges]) -> set[NodeId]:
    """What the elements of an access and of regions are computed from."""
    exprs = [*(access.expressions or ()), *(part for p in places for pair in p for part in pair)]
    found: set[NodeId] = set()
    while exprs:
        new = free_vars(exprs.pop()).keys() - found
        found |= new
        exprs += [model.bindings[var] for var in new if var in model.bindings]
    return found


def _accesses(
    model: Model, block: NodeId, buffer: NodeId, *, write: bool
) -> Iterator[tuple[Statement, Access]]:
    """What stores inside of a block read or write of a buffer."""
    for statement in model.statements:
        if not isinstance(statement.node, Store):
            continue
        if not any(isinstance(stmt, Block) and stmt.id == block for stmt in statement.path):
            continue
        for access in statement.accesses:
            if access.buffer.id == buffer and access.write is write and not access.trusted:
                yield statement, access
            if access.write:
                break  # what follows is read around the store


def _outside(
    model: Model, statement: Statement, access: Access, places: Sequence[Ranges]
) -> Instance | None:
    system = System(model.terms, frozenset())
    for symbol in model.symbols:
        system.column(0, symbol)
        low = model.terms[symbol].low
        if low is not None:
            system.rows.append(({system.column(0, symbol): 1}, -low, False))
    for key in statement.keys:
        system.column(1, key)
    system.add(1, statement.domain)
    system.add(1, access.constraints)
    for ranges in places:
        system.add(1, (_beside(model, access.indices, ranges),))
    try:
        point = system.point()
    except TooLargeError:
        return None
    if point is None:
        return None
    at = instance_of(model, statement, 1, point)
    return at if _confirmed(statement, access, at, places) else None


def _beside(model: Model, indices: Sequence[Linear], ranges: Ranges) -> AnyOf:
    """An element is before or behind a region in some dimension."""
    options: list[tuple[Row, ...]] = []
    for index, (start, extent) in zip(indices, ranges, strict=True):
        first, count = model.reader.linear(start), model.reader.linear(extent)
        options += [(less(index, first),), (at_most(first.plus(count), index),)]
    return AnyOf(tuple(options))


def _confirmed(
    statement: Statement, access: Access, at: Instance, places: Sequence[Ranges]
) -> bool:
    """Whether the instance runs, and is outside in the numbers of the program."""
    element = element_of(access, at)
    if element is None or runs(statement, access, at) is not True:
        return False
    return all(_apart(element, at, ranges) for ranges in places)


def _apart(element: Sequence[int], at: Instance, ranges: Ranges) -> bool:
    ends = [(at.value(start), at.value(extent)) for start, extent in ranges]
    known = [(start, extent) for start, extent in ends if start is not None and extent is not None]
    return len(known) == len(ends) and any(
        not start <= index < start + extent
        for index, (start, extent) in zip(element, known, strict=True)
    )


def _spelled(statement: Statement, access: Access, at: Instance) -> str:
    element = element_of(access, at) or ()
    loops = ", ".join(f"`{own.var.name}={at.values[own.var.id]}`" for own in statement.loops)
    spelled = f"`{access.buffer.name}[{', '.join(map(str, element)) or '()'}]`"
    return f"{spelled} at {loops}" if loops else spelled
