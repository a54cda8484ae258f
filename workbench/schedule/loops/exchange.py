"""Exchange ranges: what a loop may run over once it is outside of loops that its range depends on.

A triangle `0 <= i < 7, 0 <= j <= i` is `0 <= j < 7, j <= i < 7` as well. Reference: Ancourt and
Irigoin, "Scanning Polyhedra with DO Loops", PPoPP 1991; here for unit coefficients, other
conditions stay as guards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, inapplicable
from workbench.analysis.polynomial import Poly
from workbench.ir import (
    Binary,
    BinaryOp,
    For,
    IntImm,
    LoopKind,
    PrimExpr,
    Stmt,
    Var,
    binary,
    free_vars,
)
from workbench.schedule.facts import facts_at, loads, with_loop
from workbench.schedule.loops.bounds import fixed
from workbench.schedule.loops.guards import guarded
from workbench.schedule.scope import Scope


@dataclass(frozen=True, slots=True)
class Box:
    """A nest whose loops can be in any order: their ranges, and conditions for the body.

    In the old order it runs the same as the nest that it was made of.
    """

    loops: tuple[For, ...]
    conditions: tuple[PrimExpr, ...] = ()


def boxed(scope: Scope, nest: Sequence[For], order: Sequence[For]) -> Box | Answer:
    """The nest such that no range depends on a loop that comes further inside in `order`."""
    facts = facts_at(scope, nest[0].var.id)
    loops: list[For] = []
    conditions: list[PrimExpr] = []
    for position, loop in enumerate(nest):
        later = order[next(n for n, other in enumerate(order) if other is loop) :]
        left = [outer for outer in nest[:position] if any(outer is other for other in later)]
        reason, what = _reason(scope, facts, loop, left)
        if not reason:
            loops.append(loop)
            continue
        made = _hull(loop, left, facts) if reason.startswith("depends") else None
        if made is None:
            return inapplicable(
                f"the {what} of `{loop.var.name}` {reason}, so that it cannot move out of "
                f"`{left[0].var.name}`",
                loop.var.id,
                hint="make the extent constant: pad it and guard the body",
            )
        loops.append(made)
        conditions += _conditions(loop, left)
    return Box(tuple(loops), tuple(conditions))


def nest_around(body: Stmt, box: Box, order: Sequence[For], facts: Facts) -> Stmt:
    """The loops of a box around a body, in an order, with conditions in ranges where possible.

    `facts` hold before the nest.
    """
    loops = [next(new for new in box.loops if new.var == old.var) for old in order]
    left = [condition for condition in box.conditions if not _absorbed(loops, condition)]
    for condition in left:
        body = guarded(body, condition)
    inner = facts
    for position, loop in enumerate(loops):
        start, extent = loop.start, loop.extent
        if box.conditions:
            start, extent = _between(inner, start, start + extent)
        loops[position] = replace(loop, start=start, extent=extent)
        inner = with_loop(inner, loop.var, start, extent)
    for loop in reversed(loops):
        body = replace(loop, body=body)
    return body


def _between(facts: Facts, start: PrimExpr, stop: PrimExpr) -> tuple[PrimExpr, PrimExpr]:
    """Start and extent, as the script writes them: a range from start to stop."""
    start, stop = facts.simplify(start), facts.simplify(stop)
    extent = facts.simplify(stop - start)
    if isinstance(extent, IntImm) or start == IntImm(0):
        return start, extent
    if isinstance(stop, Binary) and stop.op is BinaryOp.ADD and stop.a == start:
        return start, stop.b
    return start, Binary(BinaryOp.SUB, stop, start)


def _reason(scope: Scope, facts: Facts, loop: For, left: Sequence[For]) -> tuple[str, str]:
    """Why the range of a loop cannot be computed before the loops of `left`, and which end."""
    found = "", ""
    for bound, what in ((loop.start, "start"), (loop.extent, "extent")) if left else ():
        reason = fixed(scope, facts, bound, left)
        if reason and not (found[0] and reason.startswith("depends")):
            found = reason, what
    return found


def _hull(loop: For, left: Sequence[For], facts: Facts) -> For | None:
    """The loop over all values that it has in some iteration of the loops of `left`.

    None where its range is not linear and has no constant bounds, or is read from memory, which
    the body may change.
    """
    if loads(loop.start) or loads(loop.extent):
        return None
    low = _extreme(facts.poly(loop.start), left, facts, -1)
    high = _extreme(facts.poly(loop.start + loop.extent), left, facts, 1)
    if low is None or high is None:
        return None
    return replace(loop, start=low.to_expr(), extent=(high - low).to_expr())


def _extreme(poly: Poly, left: Sequence[For], facts: Facts, side: int) -> Poly | None:
    """The lowest (-1) or highest (1) value over the iterations of loops, innermost first."""
    for loop in reversed(left):
        found = _linear(poly, loop.var)
        if found is None:
            return _constant(poly, left, facts, side)
        factor, rest = found
        at = loop.start
        if factor * side > 0:
            at = loop.start + loop.extent - 1
        poly = rest + facts.poly(at).scale(factor)
    return poly


def _linear(poly: Poly, var: Var) -> tuple[int, Poly] | None:
    """`(c, rest)` of `c * var + rest`, None where the variable occurs in another way."""
    factor, rest = poly.coefficient(var), poly.without(var)
    whole = len(factor.terms) + len(rest.terms) == len(poly.terms)
    if not whole or not factor.is_const or _mentions(rest, var):
        return None
    return factor.constant, rest


def _constant(poly: Poly, left: Sequence[For], facts: Facts, side: int) -> Poly | None:
    """The lowest or highest value by interval arithmetic."""
    for loop in left:
        facts = with_loop(facts, loop.var, loop.start, loop.extent)
    end = facts.poly_bounds(poly)[0 if side < 0 else 1]
    return None if end is None else Poly.const(end)


def _mentions(poly: Poly, var: Var) -> bool:
    return any(var.id in free_vars(atom) for atom in poly.atoms())


def _conditions(loop: For, left: Sequence[For]) -> list[PrimExpr]:
    """What has to hold of the variable in the body, where the range depends on other loops."""
    variables = {outer.var.id for outer in left}
    found: list[PrimExpr] = []
    if not variables.isdisjoint(free_vars(loop.start)):
        found.append(loop.start <= loop.var)
    end = loop.start + loop.extent
    if not variables.isdisjoint(free_vars(end)):
        found.append(loop.var < end)
    return found


def _absorbed(loops: list[For], condition: PrimExpr) -> bool:
    """Put a condition into the range of the innermost loop that it is about, if it is simple."""
    (poly,) = Facts().inequalities_of(condition)
    used = [n for n, loop in enumerate(loops) if _mentions(poly, loop.var)]
    loop = loops[used[-1]]
    found = _linear(poly, loop.var)
    if found is None or abs(found[0]) != 1 or loop.kind is LoopKind.UNROLLED:
        return False
    factor, rest = found
    start, end = loop.start, loop.start + loop.extent
    if factor > 0:
        start = binary(BinaryOp.MAX, start, rest.scale(-1).to_expr())
    else:
        end = binary(BinaryOp.MIN, end, rest.shift(1).to_expr())
    loops[used[-1]] = replace(loop, start=start, extent=end - start)
    return True
