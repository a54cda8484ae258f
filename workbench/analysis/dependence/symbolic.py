"""Loops fused by a symbol: one loop as the tuple of its original axes.

`f` with `0 <= f < n * m * k` that is divided by `m * k` and by `k` is the tuple of its digits in
the mixed radix `(n, m, k)`, in lexicographic order: `f // (m * k)`, `f // k % m` and `f % k` are
independent variables, and what uses them alone stays affine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.analysis.dependence.linear import Conjunction, Linear, at_most, less
from workbench.analysis.dependence.reader import Reader
from workbench.analysis.dependence.terms import Term, TermKind
from workbench.ir.expr import Binary, BinaryOp, IntImm, PrimExpr, Var
from workbench.ir.tensor import For
from workbench.ir.traverse import walk

_DIVISIONS = frozenset({BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD})


@dataclass(frozen=True, slots=True)
class Digits:
    """The terms of the digits of a fused loop, outermost first, their ranges and their weights."""

    keys: tuple[int, ...]
    rows: Conjunction
    weights: tuple[Linear, ...]


def symbolic_digits(reader: Reader, loop: For) -> Digits | None:
    """The digits of a loop that was fused by symbols, None for every other loop."""
    extent = reader.linear(loop.extent)
    if loop.start != IntImm(0) or not any(reader.terms[t].factors for t in extent.terms):
        return None
    chain = _chain(reader, loop, extent)
    if not chain:
        return None
    keys: list[int] = []
    rows: Conjunction = ()
    value = Linear({})
    for outer, weight in zip((extent, *chain), (*chain, Linear({}, 1)), strict=True):
        found = reader.terms.split(outer, weight) if weight.terms else (outer, Linear({}))
        if found is None or found[1].value != 0:
            return None
        digit = _digit(reader, loop, len(keys), found[0])
        keys += digit.terms
        rows = (*rows, at_most(Linear({}), digit), less(digit, found[0]))
        value = value.plus(reader.terms.product(digit, weight))
    reader.values[loop.var.id] = value
    return Digits(tuple(keys), rows, (*chain, Linear({}, 1)))


def _digit(reader: Reader, loop: For, position: int, bound: Linear) -> Linear:
    name = f"digit {position} of {loop.var.name}"
    _, high = reader.terms.bounds(bound)
    last = None if high is None else high - 1
    term = Term(-1, TermKind.LOOP, name, 0, last, below=Linear({}), above=bound)
    made = reader.terms.fresh((loop.var.id, position), term)
    term.deps = frozenset(made.terms)
    return made


def _chain(reader: Reader, loop: For, extent: Linear) -> list[Linear]:
    """Products of symbols that divide the extent and each other, greatest first."""
    found: dict[object, Linear] = {}
    for divisor in _divisors(reader, loop):
        weight = reader.terms.single(divisor)
        if weight is not None and all(
            reader.terms[factor].kind is TermKind.SYMBOL for factor in weight[1]
        ):
            found[divisor.key()] = divisor
    ordered = sorted(found.values(), key=lambda form: _size(reader, form), reverse=True)
    chain: list[Linear] = []
    for divisor in ordered:
        split = reader.terms.split(chain[-1] if chain else extent, divisor)
        if split is not None and split[1].value == 0:
            chain.append(divisor)
    return chain


def _size(reader: Reader, form: Linear) -> tuple[int, int]:
    weight = reader.terms.single(form)
    assert weight is not None
    return len(weight[1]), weight[0]


def _divisors(reader: Reader, loop: For) -> Iterator[Linear]:
    """What the loop variable is divided by, also in `f // k % m`: there by `k` and `m * k`."""
    for node in walk(loop.body):
        if not isinstance(node, Binary) or node.op not in _DIVISIONS:
            continue
        if node.a == loop.var and _known(reader, node.b):
            yield reader.linear(node.b)
        elif (inner := _quotient(node.a, loop.var)) is not None and _known(reader, node.b, inner):
            yield reader.terms.product(reader.linear(inner), reader.linear(node.b))


def _quotient(expr: PrimExpr, var: Var) -> PrimExpr | None:
    """What the variable is divided by in a quotient."""
    match expr:
        case Binary(op=BinaryOp.FLOORDIV | BinaryOp.TRUNCDIV, a=a, b=b) if a == var:
            return b
        case _:
            return None


def _known(reader: Reader, *parts: PrimExpr) -> bool:
    """Whether all variables are in sight already."""
    return all(
        node.id in reader.values for part in parts for node in walk(part) if isinstance(node, Var)
    )
