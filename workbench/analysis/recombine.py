"""Put digits of a number together again: `a // c * c + a % c` is `a`."""

from __future__ import annotations

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.ir import INDEX, Binary, BinaryOp, PrimExpr, dtype_of
from workbench.ir.expr import COMPARISONS, LOGICAL


def recombined(expr: PrimExpr, facts: Facts) -> PrimExpr:
    """An equal index expression or condition in which quotients and remainders have met."""
    if isinstance(expr, Binary) and expr.op in COMPARISONS | LOGICAL:
        return Binary(expr.op, recombined(expr.a, facts), recombined(expr.b, facts))
    if not isinstance(expr, Binary) or dtype_of(expr) != INDEX:
        return expr
    found = facts.poly(expr)
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
