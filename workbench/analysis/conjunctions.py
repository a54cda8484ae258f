"""Conjunctions: conditions that hold at once, joined and taken apart."""

from __future__ import annotations

from functools import reduce

from workbench.ir.expr import Binary, BinaryOp, PrimExpr


def conjunction(*conditions: PrimExpr | None) -> PrimExpr | None:
    """All conditions that are there at once, None where none is: nothing is simplified."""
    known = [condition for condition in conditions if condition is not None]
    return reduce(lambda a, b: Binary(BinaryOp.AND, a, b), known) if known else None


def conjuncts(condition: PrimExpr | None) -> tuple[PrimExpr, ...]:
    """The parts of a conjunction in order; none of None."""
    match condition:
        case None:
            return ()
        case Binary(op=BinaryOp.AND, a=a, b=b):
            return (*conjuncts(a), *conjuncts(b))
        case _:
            return (condition,)
