"""Read and write regions: the boxes that a statement or a block touches.

Reference: `tvm::tir::GetBlockAccessRegion`, `tvm::arith::EstimateRegionLowerBound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.dependence.boxes import Box, box_of, joined
from workbench.analysis.dependence.dependences import dependences
from workbench.analysis.dependence.spelling import spell
from workbench.analysis.dependence.statements import Model, Statement
from workbench.ir.expr import IntImm, Var
from workbench.ir.tensor import Block, BufferRegion, For, Range, Stmt, TensorFunction
from workbench.support.ids import NodeId


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

    @property
    def text(self) -> str:
        """`A[i, 0:48]`, marked where only some elements of the box are touched."""
        box = ", ".join(_range_text(one) for one in self.region.ranges) or "()"
        return f"{self.buffer.name}[{box}]" + ("" if self.exact else " in part")

    @override
    def __repr__(self) -> str:
        return f"<{self.text}>"


@dataclass(frozen=True, slots=True)
class Regions:
    """What is read, and what is written, a box a buffer."""

    reads: tuple[Region, ...]
    writes: tuple[Region, ...]

    @property
    def text(self) -> str:
        """`reads A[i, 0:48]; writes C[i, j]`."""
        told = (
            f"{verb} {', '.join(item.text for item in items)}"
            for verb, items in (("reads", self.reads), ("writes", self.writes))
            if items
        )
        return "; ".join(told) or "touches nothing"

    @override
    def __repr__(self) -> str:
        return f"<{self.text}>"


def regions(function: TensorFunction, part: Block | For | Statement) -> Regions:
    """The regions of a block or loop, over all that runs inside of it, or of one statement.

    A loop and the loops inside of it range; loops around, and axes of a block, stay as they are.
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


def _statements(model: Model, part: Block | For | Statement) -> tuple[Statement, ...]:
    if isinstance(part, Statement):
        return (part,)
    return tuple(s for s in model.statements if any(_is(node, part) for node in s.path))


def _outer_keys(
    model: Model, part: Block | For | Statement, inside: Sequence[Statement]
) -> frozenset[int]:
    """The loops around a block; around one statement, all its loops."""
    if not inside:
        return frozenset()
    statement = inside[0]
    if isinstance(part, Statement):
        return frozenset(statement.keys)
    count = 0
    for node in statement.path:
        if _is(node, part):
            break
        count += any(node is loop for loop in statement.loops)
    inner = {key for loop in statement.loops[count:] for key in model.loops[loop.var.id]}
    return frozenset(statement.keys) - inner


def _is(node: Stmt, part: Block | For) -> bool:
    if isinstance(part, Block):
        return isinstance(node, Block) and node.id == part.id
    return isinstance(node, For) and node.var.id == part.var.id


def _range_text(range_: Range) -> str:
    if range_.extent == IntImm(1):
        return spell(range_.start)
    return f"{spell(range_.start)}:{spell(Facts().simplify(range_.start + range_.extent))}"
