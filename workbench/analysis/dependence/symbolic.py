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
    if loop.start != IntImm(0) or not extent.terms:
        return None
    chain = _chain(reader, loop, extent)
    weights = (*chain, Linear({}, 1))
    sizes = [_divided(reader, a, b) for a, b in zip((extent, *chain), weights, strict=True)]
    if not chain or sum(_may_be_negative(reader, size) for size in sizes) > 1:
        return None
    keys: list[int] = []
    rows: Conjunction = ()
    value = Linear({})
    for size, weight in zip(sizes, weights, strict=True):
        assert size is not None
        digit = _digit(reader, loop, len(keys), size)
        keys += digit.terms
        rows = (*rows, at_most(Linear({}), digit), less(digit, size))
        value = value.plus(reader.terms.product(digit, weight))
    reader.values[loop.var.id] = value
    return Digits(tuple(keys), rows, weights)


def _may_be_negative(reader: Reader, size: Linear | None) -> bool:
    """Whether the extent of a digit may be: two such make a positive product of empty loops."""
    low = None if size is None else reader.terms.bounds(size)[0]
    return low is None or low < 0


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
        if _size(reader, divisor) is not None:
            found[divisor.key()] = divisor
    ordered = sorted(found.values(), key=lambda form: _size(reader, form) or (), reverse=True)
    chain: list[Linear] = []
    for divisor in ordered:
        if _divided(reader, chain[-1] if chain else extent, divisor) is not None:
            chain.append(divisor)
    return chain if any(divisor.terms for divisor in chain) else []


def _size(reader: Reader, form: Linear) -> tuple[int, int] | None:
    """The number of symbols and the coefficient of a weight, None for other forms."""
    if form.value is not None:
        return (0, form.value) if form.value > 1 else None
    weight = reader.terms.single(form)
    if weight is None:
        return None
    symbols = all(reader.terms[factor].kind is TermKind.SYMBOL for factor in weight[1])
    return (len(weight[1]), weight[0]) if symbols else None


def _divided(reader: Reader, form: Linear, divisor: Linear) -> Linear | None:
    """`form / divisor` where nothing is left over."""
    if divisor.value is None:
        found = reader.terms.split(form, divisor)
        return found[0] if found is not None and found[1].value == 0 else None
    numbers = (form.constant, *form.terms.values())
    if any(number % divisor.value for number in numbers):
        return None
    quotient = {key: c // divisor.value for key, c in form.terms.items()}
    return Linear(quotient, form.constant // divisor.value)


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
