"""Guards of a block that hold for all instances of an outer block around it, or for none.

Rewrite::

    with block C_o: vo = io                      with block C_o: vo = io
        for ii in range(4):                          where vo < 5
            with block C: vi = vo * 4 + ii   =>      for ii in range(4):
                where vo * 4 + ii < 20                   with block C: vi = vo * 4 + ii

What the guard leaves out is left out as before, in whole instances of the outer block.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.polynomial import Poly
from workbench.ir import (
    INDEX,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    Load,
    PrimExpr,
    Stmt,
    dtype_of,
    free_vars,
    walk,
)
from workbench.schedule.blocks.lift_init import perfect_nest
from workbench.support import NodeId


def guarded_outside(body: Stmt) -> tuple[Stmt, PrimExpr | None]:
    """The body of an outer block without what is decided outside of it, and that as a predicate."""
    loops, block = perfect_nest(body)
    if not isinstance(block, Block) or block.predicate is None:
        return body, None
    outside: list[PrimExpr] = []
    kept: list[PrimExpr] = []
    for condition in conjuncts(block.predicate):
        found = _outside(condition, loops, block)
        (kept if found is None else outside).append(condition if found is None else found)
    if not outside:
        return body, None
    inner: Stmt = replace(block, predicate=conjunction(*kept))
    for loop in reversed(loops):
        inner = replace(loop, body=inner)
    return inner, conjunction(*outside)


def with_guard(outer: Block) -> Block:
    """The outer block with the guards that are decided for whole instances of it."""
    body, guard = guarded_outside(outer.body)
    if guard is None:
        return outer
    conditions = [guard] if outer.predicate is None else [outer.predicate, guard]
    return replace(outer, body=body, predicate=conjunction(*conditions))


def _outside(condition: PrimExpr, loops: tuple[For, ...], block: Block) -> PrimExpr | None:
    """The condition without inner loops, None where it is decided inside."""
    used = set(free_vars(condition))
    inside = {loop.var.id for loop in loops} | {axis.var.id for axis in block.axes}
    if any(isinstance(node, Load) for node in walk(condition)):
        return None
    if used.isdisjoint(inside):
        return condition
    if not isinstance(condition, Binary) or condition.op is not BinaryOp.LT:
        return None
    if dtype_of(condition.a) != INDEX or not used.isdisjoint({a.var.id for a in block.axes}):
        return None
    return _whole(condition, {loop.var.id: loop for loop in loops})


def _whole(condition: Binary, loops: dict[NodeId, For]) -> PrimExpr | None:
    """`g * q + c + r < 0` as a bound of `q`, where it is the same for every `r` of the loops."""
    facts = Facts()
    poly = facts.poly(condition.a) - facts.poly(condition.b)
    low = high = poly.constant
    rest = poly.shift(-poly.constant)
    for loop in loops.values():
        step = poly.coefficient(loop.var)
        if not step.terms:
            continue
        if not step.is_const or not isinstance(loop.extent, IntImm) or loop.start != IntImm(0):
            return None
        reach = step.constant * (loop.extent.value - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
        rest = rest.without(loop.var)
    if not rest.terms or any(_mentions(atom, loops) for atom in rest.atoms()):
        return None
    factor = gcd(*rest.terms.values())
    bound = (-low - 1) // factor
    part = rest.divided(factor)
    if part is None or bound != (-high - 1) // factor:
        return None
    return _below(part, bound + 1)


def _mentions(atom: PrimExpr, loops: dict[NodeId, For]) -> bool:
    return not loops.keys().isdisjoint(free_vars(atom))


def _below(part: Poly, bound: int) -> PrimExpr:
    """`part < bound`, the variable of a single one on the left."""
    return Binary(BinaryOp.LT, part.to_expr(), IntImm(bound))
