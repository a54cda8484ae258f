"""Put digits of a number together again: `a // c * c + a % c` is `a`."""

from __future__ import annotations

from typing import Any

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.ir import INDEX, Binary, BinaryOp, PrimExpr, Var, dtype_of, map_children, walk


def recombined(expr: PrimExpr, facts: Facts) -> PrimExpr:
    """An equal expression in whose indices and conditions quotients and remainders have met."""
    if not any(isinstance(node, Binary) and node.op is BinaryOp.FLOORMOD for node in walk(expr)):
        return expr
    return _recombined(expr, facts)


def _recombined(node: Any, facts: Facts) -> Any:  # noqa: ANN401
    if isinstance(node, Var):
        return node
    if not isinstance(node, Binary) or dtype_of(node) != INDEX:
        return map_children(node, lambda child: _recombined(child, facts))
    found = facts.poly(node)
    while (step := _step(found, facts)) is not None:
        found = step
    return found.to_expr()


def _step(poly: Poly, facts: Facts) -> Poly | None:
    """One remainder put together with its quotient."""
    for key, factor in poly.terms.items():
        match key:
            case (Binary(op=BinaryOp.FLOORMOD, a=a, b=b) as rest,):
                quotient = Poly.atom(Binary(BinaryOp.FLOORDIV, a, b)) * facts.poly(b)
                whole = (Poly.atom(rest) + quotient).scale(factor)
                if whole.terms.items() <= poly.terms.items():
                    return poly - whole + facts.poly(a).scale(factor)
            case _:
                pass
    return None
