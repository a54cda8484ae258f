"""Index arithmetic by itself: simplify, bound and prove expressions, as nodes or as text.

::

    simplify("(i * 16 + j) // 16", {"i": 8, "j": 16})  # "i"
    bounds("i * 16 + j", {"i": 8, "j": 16})            # Interval(lo=0, hi=127)
    proves("i * 16 + j < n", {"i": "n // 16", "j": 16})  # True

Text is read, never evaluated. Reference: `tvm::arith::Analyzer`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast, overload

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.dependence.spelling import in_full
from workbench.analysis.ranges import Interval
from workbench.analysis.recombine import recombined
from workbench.ir import (
    INDEX,
    Binary,
    BinaryOp,
    IntImm,
    Not,
    PrimExpr,
    ScalarType,
    Var,
    binary,
    dtype_of,
)
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.kinds import wrong_arguments

K = TypeVar("K", bound=str | Var | NodeId)
"""A variable: the variable, its id, or its name in a text."""
End: TypeAlias = int | str | PrimExpr | None
Span: TypeAlias = End | tuple[End, End] | Interval
"""The values of a variable: an extent (`16` is 0 to 15), the lowest and highest, or an interval."""

_ARITHMETIC: dict[type[ast.operator], BinaryOp] = {
    ast.Add: BinaryOp.ADD,
    ast.Sub: BinaryOp.SUB,
    ast.Mult: BinaryOp.MUL,
    ast.FloorDiv: BinaryOp.FLOORDIV,
    ast.Mod: BinaryOp.FLOORMOD,
}
_COMPARISONS: dict[type[ast.cmpop], BinaryOp] = {
    ast.Lt: BinaryOp.LT,
    ast.LtE: BinaryOp.LE,
    ast.Gt: BinaryOp.GT,
    ast.GtE: BinaryOp.GE,
    ast.Eq: BinaryOp.EQ,
    ast.NotEq: BinaryOp.NE,
}
_CALLS = {"min": BinaryOp.MIN, "max": BinaryOp.MAX}
_LIMIT = 2**62
_FIRST = -(2**40)
"""Ids of names that are only text, away from all others."""


@overload
def simplify(expr: str, ranges: Mapping[K, Span]) -> str: ...
@overload
def simplify(expr: PrimExpr, ranges: Mapping[K, Span]) -> PrimExpr: ...
def simplify(expr: PrimExpr | str, ranges: Mapping[K, Span]) -> PrimExpr | str:
    """An equal expression in normal form; text for text.

    Sums of products, divisions and modulos split, choices and comparisons decided where `ranges`
    decide them. Values equal those of `expr` wherever the variables lie in `ranges`; a name
    without a range may be any integer. A range may name variables that stand before it.

    Raises:
        CompileError: `analysis/not-an-index`.
    """
    node, facts = _question(expr, ranges)
    done = recombined(facts.simplify(node), facts)
    return in_full(done) if isinstance(expr, str) else done


def bounds(expr: PrimExpr | str, ranges: Mapping[K, Span]) -> Interval:
    """An interval of ints (None where unbounded) that holds every value of an integer `expr`.

    Raises:
        CompileError: `analysis/not-an-index`.
    """
    node, facts = _question(expr, ranges)
    return Interval(*facts.const_bounds(facts.simplify(node)))


def proves(condition: PrimExpr | str, ranges: Mapping[K, Span]) -> bool | None:
    """Whether a condition always holds (True), never holds (False), or neither is proved (None).

    Raises:
        CompileError: `analysis/not-an-index`.
    """
    node, facts = _question(condition, ranges)
    return facts.proves(node)


@dataclass
class Names:
    """Variables by name; with `open`, names that are unknown become variables as well."""

    known: dict[str, Var] = field(default_factory=dict[str, Var])
    open: bool = False

    def read(self, text: str) -> PrimExpr:
        """The expression that a text says: whole numbers, names, `+ - * // %`, comparisons, `and`.

        Also `or`, `not`, `min` and `max`.

        Raises:
            CompileError: `analysis/not-an-index`.
        """
        try:
            return self._read(text, ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise _fault(text, "it is no expression") from None

    def variable(self, text: str, name: str) -> Var:
        """The variable of that name.

        Raises:
            CompileError: `analysis/not-an-index`.
        """
        if name not in self.known:
            if not self.open:
                there = ", ".join(f"`{one}`" for one in self.known) or "none"
                raise _fault(text, f"there is no `{name}`, the names are {there}")
            self.known[name] = Var(NodeId(_FIRST - len(self.known)), name, ScalarType(INDEX))
        return self.known[name]

    def _read(self, text: str, node: ast.expr) -> PrimExpr:
        match node:
            case ast.Name(id=name):
                return self.variable(text, name)
            case ast.Constant(value=int() as value) if type(value) is int and value < _LIMIT:
                return IntImm(value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return binary(BinaryOp.SUB, IntImm(0), self._read(text, operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._condition(text, operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                a, b = self._read(text, left), self._read(text, right)
                return binary(_ARITHMETIC[type(op)], a, b)
            case ast.BoolOp(op=op, values=values):
                how = BinaryOp.AND if isinstance(op, ast.And) else BinaryOp.OR
                return _joined(how, [self._condition(text, value) for value in values])
            case ast.Compare():
                return self._comparison(text, node)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
                name in _CALLS and len(args) > 1
            ):
                return _joined(_CALLS[name], [self._read(text, value) for value in args])
            case _:
                raise _fault(text, f"`{ast.unparse(node)[:40]}` is no index arithmetic")

    def _condition(self, text: str, node: ast.expr) -> PrimExpr:
        read = self._read(text, node)
        if dtype_of(read) != "bool":
            raise _fault(text, f"`{ast.unparse(node)[:40]}` is no condition, compare it")
        return read

    def _comparison(self, text: str, node: ast.Compare) -> PrimExpr:
        terms = [self._read(text, term) for term in (node.left, *node.comparators)]
        if any(type(op) not in _COMPARISONS for op in node.ops):
            raise _fault(text, f"`{ast.unparse(node)[:40]}` is no comparison of indices")
        parts = [
            binary(_COMPARISONS[type(op)], a, b)
            for op, a, b in zip(node.ops, terms, terms[1:], strict=False)
        ]
        return _joined(BinaryOp.AND, parts)


def _joined(op: BinaryOp, items: list[PrimExpr]) -> PrimExpr:
    whole, *rest = items
    for item in rest:
        whole = Binary(op, whole, item)
    return whole


def _question(expr: PrimExpr | str, ranges: Mapping[K, Span]) -> tuple[PrimExpr, Facts]:
    names, facts = Names(open=True), Facts()
    asked = {"expr": (expr, PrimExpr | str), "ranges": (ranges, Mapping[Any, Any])}
    if wrong := wrong_arguments("index arithmetic", **asked):
        raise CompileError(wrong)
    for name, span in ranges.items():
        facts = _ranged(names, facts, name, span)
    return (names.read(expr) if isinstance(expr, str) else expr), facts


def _ranged(names: Names, facts: Facts, name: object, span: Span) -> Facts:
    """The facts with the range of one more variable."""
    if not isinstance(name, str | Var):
        if not isinstance(span, Interval):
            raise _fault(repr(span), "an id needs an `Interval`")
        return Facts({**facts.ranges, cast("NodeId", name): span}, facts.inequalities)
    var = names.variable(name, name) if isinstance(name, str) else name
    names.known[var.name] = var
    if isinstance(span, Interval):
        return facts.with_range(var, span)
    if isinstance(span, tuple):
        if len(span) != 2:
            raise _fault(repr(span), "a range has a lowest and a highest value")
        low, high = (_end(names, end) for end in span)
        return facts.with_range(var, Interval(low, high))
    extent = _end(names, span)
    if extent is None:
        return facts
    size = IntImm(extent) if isinstance(extent, int) else extent
    inner = facts.assume(size > 0)
    return inner.with_range(var, loop_interval(IntImm(0), inner.simplify(size)))


def _end(names: Names, end: object) -> int | PrimExpr | None:
    if end is None or (isinstance(end, int) and not isinstance(end, bool)):
        return end
    if isinstance(end, str):
        read = names.read(end)
        return read.value if isinstance(read, IntImm) else read
    if hasattr(end, "__index__"):
        return int(cast("int", end))
    if not isinstance(end, PrimExpr):
        raise _fault(repr(end), "a range is an extent, or the lowest and highest value")
    return end.value if isinstance(end, IntImm) else end


def _fault(text: str, why: str) -> CompileError:
    return CompileError(
        Diagnostic(
            "analysis/not-an-index",
            f"`{text[:80]}` is no index expression: {why}",
            hint="write it with whole numbers, names, `+ - * // %`, comparisons, `and`, `min`",
        )
    )
