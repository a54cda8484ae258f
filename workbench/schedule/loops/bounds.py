"""Bounds of loops: whether they can be computed elsewhere, or have to be kept from changing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.codegen.division import DIVISIONS
from workbench.ir import (
    Binary,
    Evaluate,
    For,
    Let,
    Load,
    PrimExpr,
    Stmt,
    Store,
    Var,
    dtype_of,
    is_float,
    walk,
)
from workbench.schedule.scope import Scope


@dataclass(frozen=True, slots=True)
class Settled:
    """A loop whose bounds can be computed again in its body, with scalars that hold them."""

    loop: For
    scalars: tuple[tuple[Var, PrimExpr], ...] = ()

    def around(self, stmt: Stmt) -> Stmt:
        """The statement in the scope of the scalars."""
        for var, value in reversed(self.scalars):
            stmt = Let(var, value, stmt)
        return stmt


def settled(scope: Scope, loop: For) -> Settled:
    """The loop with bounds that the body cannot change.

    A loop computes its bounds once, before it runs; a bound that reads what the body may write is
    put into a scalar.
    """
    found: list[tuple[Var, PrimExpr]] = []
    bounds: list[PrimExpr] = []
    for bound, what in ((loop.start, "start"), (loop.extent, "extent")):
        if all(
            _constant_memory(scope, node, loop) for node in walk(bound) if isinstance(node, Load)
        ):
            bounds.append(bound)
            continue
        scalar = scope.fresh(f"{loop.var.name}_{what}", loop.var.type)
        found.append((scalar, bound))
        bounds.append(scalar)
    if not found:
        return Settled(loop)
    return Settled(replace(loop, start=bounds[0], extent=bounds[1]), tuple(found))


def fixed(scope: Scope, facts: Facts, bound: PrimExpr, outer: Sequence[For]) -> str:
    """Why a bound of a loop may not be computed once, before the loops around it; else empty.

    `facts` hold before them.
    """
    for loop in outer:
        if any(node == loop.var for node in walk(bound)):
            return f"depends on `{loop.var.name}`"
    runs = all(facts.proves(loop.extent > 0) is True for loop in outer)
    for node in walk(bound):
        if isinstance(node, Load):
            if not runs:
                return f"reads `{node.buffer.name}`, which is not read where the loops do not run"
            if not _constant_memory(scope, node, outer[0]):
                return f"reads `{node.buffer.name}`, which the nest may write"
        if isinstance(node, Binary) and not runs and _may_fault(facts, node):
            return "divides by what may be zero where the loops do not run"
    return ""


def _constant_memory(scope: Scope, load: Load, nest: For) -> bool:
    """Whether nothing in the nest may write the buffer that is read, under whatever name."""
    if any(block.match_buffers for block in scope.blocks):
        return False
    for node in walk(nest.body):
        if isinstance(node, Store) and node.buffer.id == load.buffer.id:
            return False
        if isinstance(node, Evaluate):
            return False
    return True


def _may_fault(facts: Facts, expr: Binary) -> bool:
    if expr.op not in DIVISIONS or is_float(dtype_of(expr)):
        return False
    return facts.proves(expr.b > 0) is not True
