"""Loops fused by a symbol: one loop that is used as a tuple of its original axes only.

`f` with `0 <= f < n * m` that occurs as `f // m` and `f % m` alone is the pair of them, in
lexicographic order; both are independent variables, and everything stays affine.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.analysis.dependence.linear import Conjunction, Linear, at_most, less
from workbench.analysis.dependence.reader import Reader
from workbench.analysis.dependence.spelling import spell
from workbench.analysis.dependence.terms import Term, TermKind
from workbench.ir.expr import Binary, BinaryOp, IntImm, PrimExpr, Var
from workbench.ir.tensor import For
from workbench.ir.traverse import children

_DIVISIONS = frozenset({BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD})


@dataclass(frozen=True, slots=True)
class Digits:
    """The terms of quotient and rest of a fused loop by `divisor`, and their ranges."""

    keys: tuple[int, int]
    rows: Conjunction
    divisor: PrimExpr


def symbolic_digits(reader: Reader, loop: For) -> Digits | None:
    """The digits of a loop that was fused by a symbol, None for every other loop."""
    extent = reader.linear(loop.extent)
    if loop.start != IntImm(0) or not any(reader.terms[t].factors for t in extent.terms):
        return None
    divisor = _divisor(loop)
    if divisor is None:
        return None
    inner = reader.linear(divisor)
    outer = _quotient(reader, extent, inner)
    if outer is None:
        return None
    quotient = _digit(reader, loop, "//", outer, divisor)
    rest = _digit(reader, loop, "%", inner, divisor)
    reader.values[loop.var.id] = reader.terms.product(quotient, inner).plus(rest)
    rows = tuple(
        row
        for digit, bound in ((quotient, outer), (rest, inner))
        for row in (at_most(Linear({}), digit), less(digit, bound))
    )
    (first,), (second,) = quotient.terms, rest.terms
    return Digits((first, second), rows, divisor)


def _digit(reader: Reader, loop: For, sign: str, bound: Linear, divisor: PrimExpr) -> Linear:
    name = f"{loop.var.name} {sign} {spell(divisor, 6)}"
    _, high = reader.terms.bounds(bound)
    term = Term(-1, TermKind.LOOP, name, 0, None if high is None else high - 1, above=bound)
    made = reader.terms.fresh((loop.var.id, sign), term)
    term.deps = frozenset(made.terms)
    return made


def _divisor(loop: For) -> PrimExpr | None:
    """The one symbol or product that all uses of the loop variable divide by."""
    divisors: list[PrimExpr] = []
    pending: list[object] = [loop.body]
    while pending:
        node = pending.pop()
        if isinstance(node, Binary) and node.op in _DIVISIONS and node.a == loop.var:
            divisors.append(node.b)
            pending.append(node.b)
        elif isinstance(node, Var):
            if node.id == loop.var.id:
                return None
        else:
            pending += children(node)
    first = divisors[0] if divisors else None
    return first if all(d == first for d in divisors) else None


def _quotient(reader: Reader, extent: Linear, divisor: Linear) -> Linear | None:
    """`extent / divisor` where it is a form."""
    if divisor.value is not None:
        return None
    found = reader.terms.split(extent, divisor)
    return found[0] if found is not None and found[1].value == 0 else None
