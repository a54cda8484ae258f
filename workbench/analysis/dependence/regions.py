"""Read and write regions: the boxes that a statement or a block touches.

Reference: `tvm::tir::GetBlockAccessRegion`, `tvm::arith::EstimateRegionLowerBound`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.analysis.dependence.boxes import Box, box_of, joined
from workbench.analysis.dependence.dependences import dependences
from workbench.analysis.dependence.linear import AnyOf, Conjunction, Linear, Row, at_most, less
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.statements import Access, Model, Statement
from workbench.analysis.dependence.system import System
from workbench.analysis.dependence.views import region_behind
from workbench.ir.expr import PrimExpr, Var
from workbench.ir.tensor import Block, BufferRegion, TensorFunction
from workbench.support.diagnostics import Diagnostic, Severity
from workbench.support.ids import NodeId

Ranges = tuple[tuple[PrimExpr, PrimExpr], ...]
"""Start and extent of each dimension."""


@dataclass(frozen=True, slots=True)
class Region:
    """The box of a buffer that is read or written, in index expressions of the loops around.

    `exact` where every element of the box is touched.
    """

    region: BufferRegion
    exact: bool

    @property
    def buffer(self) -> Var:
        """The buffer, behind views."""
        return self.region.buffer


@dataclass(frozen=True, slots=True)
class Regions:
    """What is read, and what is written, a box a buffer."""

    reads: tuple[Region, ...]
    writes: tuple[Region, ...]


def regions(function: TensorFunction, part: Block | Statement) -> Regions:
    """The regions of a block, over all that runs inside of it, or of one statement.

    Loops inside of the block range; loops around it, and its axes, stay as they are.
    """
    model = dependences(function).model
    inside = _statements(model, part)
    outer = _outer_keys(model, part, inside)
    found: dict[tuple[NodeId, bool], tuple[Var, Box]] = {}
    for statement in inside:
        for access in statement.accesses:
            if set(access.private) - outer:
                continue
            box = box_of(model.terms, statement, access, outer)
            key = access.buffer.id, access.write
            known = found.get(key)
            box = box if known is None else joined(model.terms, known[1], box)
            found[key] = access.buffer, box
    made = {
        key: Region(BufferRegion(buffer, box.ranges(model.terms, buffer)), box.exact)
        for key, (buffer, box) in found.items()
    }
    return Regions(
        tuple(region for (_, write), region in made.items() if not write),
        tuple(region for (_, write), region in made.items() if write),
    )


def _statements(model: Model, part: Block | Statement) -> tuple[Statement, ...]:
    if isinstance(part, Statement):
        return (part,)
    return tuple(
        s
        for s in model.statements
        if any(isinstance(node, Block) and node.id == part.id for node in s.path)
    )


def _outer_keys(
    model: Model, part: Block | Statement, inside: Sequence[Statement]
) -> frozenset[int]:
    """The loops around a block; around one statement, all its loops."""
    if not inside:
        return frozenset()
    statement = inside[0]
    if isinstance(part, Statement):
        return frozenset(statement.keys)
    count = 0
    for node in statement.path:
        if isinstance(node, Block) and node.id == part.id:
            break
        count += any(node is loop for loop in statement.loops)
    inner = {key for loop in statement.loops[count:] for key in model.loops[loop.var.id]}
    return frozenset(statement.keys) - inner


# --- declared regions -------------------------------------------------------------------------


def undeclared(function: TensorFunction) -> tuple[Diagnostic, ...]:
    """Accesses that lie outside of the regions that their blocks declare.

    Errors with an element, warnings where containment is not proved. Blocks whose accesses cannot
    be seen are trusted; what a block does not declare at all (None) is not looked at.
    """
    model = dependences(function).model
    found = (
        fault
        for statement in model.statements
        for block in statement.path
        if isinstance(block, Block)
        for declared, write in ((block.reads, False), (block.writes, True))
        if declared is not None
        for fault in _outside(model, statement, block, declared, write)
    )
    return tuple(dict.fromkeys(found))


def _outside(
    model: Model,
    statement: Statement,
    block: Block,
    declared: tuple[BufferRegion, ...],
    write: bool,
) -> Iterator[Diagnostic]:
    outer = _outer_keys(model, block, (statement,))
    for access in statement.accesses:
        own = access.update is not None and not access.write
        if access.write is not write or access.trusted or own or set(access.private) - outer:
            continue
        sources = [region_behind(model.views, region) for region in declared]
        same = [ranges for buffer, ranges in sources if buffer.id == access.buffer.id]
        proved = _contained(model, statement, access, same)
        if proved is not True:
            verb = "writes" if write else "reads"
            yield Diagnostic(
                "tensor/undeclared-access",
                f"block `{block.name}` {verb} {access.text}, which its declared regions "
                + ("do not contain" if proved is False else "are not proved to contain"),
                Severity.ERROR if proved is False else Severity.WARNING,
                node=block.id,
                span=block.span,
                hint="correct the declaration, or leave it out: it is computed then",
            )


def _contained(
    model: Model, statement: Statement, access: Access, declared: Sequence[Ranges]
) -> bool | None:
    """Whether regions contain an access at all its instances; None where that stays open."""
    system = System(model.terms, frozenset())
    system.add(1, statement.domain)
    system.add(1, access.constraints)
    for symbol in model.symbols:
        low = model.terms[symbol].low
        if low is not None:
            system.add(1, (Row(Linear.of(symbol).shift(-low)),))
    for ranges in declared:
        system.add(1, (AnyOf(tuple(_beside(model, access, ranges))),))
    try:
        point = system.point()
    except TooLargeError:
        return None
    if point is None:
        return True
    known = not statement.inexact and not access.inexact
    exact = known and not any(model.terms[key].why for _, key in point)
    return False if exact else None


def _beside(model: Model, access: Access, ranges: Ranges) -> Iterator[Conjunction]:
    """All ways in which an element lies outside of a region."""
    for form, (first, many) in zip(access.indices, ranges, strict=False):
        start, extent = model.reader.linear(first), model.reader.linear(many)
        yield (less(form, start),)
        yield (at_most(start.plus(extent), form),)
