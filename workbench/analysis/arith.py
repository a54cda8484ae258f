"""Arithmetic on index expressions: bounds, proofs of inequalities, simplification.

Index arithmetic (`int64`) is taken as exact; values loaded from memory are opaque to every rule
that overflow would break. Reference: `tvm::arith::Analyzer`.
"""

from __future__ import annotations

from typing import Any

from workbench.analysis import intervals
from workbench.analysis.conditions import inequalities, negate, tighten
from workbench.analysis.inequalities import Inequalities
from workbench.analysis.polynomial import Poly
from workbench.analysis.ranges import Interval
from workbench.ir.expr import (
    COMPARISONS,
    INDEX,
    LOGICAL,
    Binary,
    BinaryOp,
    Cast,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    Not,
    PrimExpr,
    Select,
    Var,
    dtype_of,
    fold_int,
    is_float,
)
from workbench.ir.traverse import map_children


def loop_interval(start: PrimExpr, extent: PrimExpr) -> Interval:
    """The values of a loop variable or block axis."""
    low = start.value if isinstance(start, IntImm) else start
    high = (Facts().poly(start) + Facts().poly(extent)).shift(-1)
    return Interval(low, high.constant if high.is_const else high.to_expr())


class Facts(Inequalities):
    """What is known about variables at one point of a program: ranges and inequalities.

    `assume` and `with_range` give new facts; the receiver does not change.
    """

    __slots__ = ()

    def with_range(self, var: Var, interval: Interval) -> Facts:
        """The facts inside the scope of `var`; symbolic bounds are kept as inequalities too."""
        found = list(self.inequalities)
        if interval.hi is not None and not isinstance(interval.hi, int):
            found.append(self.poly(interval.hi) - Poly.atom(var))
        if interval.lo is not None and not isinstance(interval.lo, int):
            found.append(Poly.atom(var) - self.poly(interval.lo))
        return Facts({**self.ranges, var.id: interval}, tuple(found))

    def with_value(self, var: Var, value: PrimExpr) -> Facts:
        """The facts where `var` is bound to an `int64` value."""
        low, high = self.const_bounds(value)
        difference = Poly.atom(var) - self.poly(value)
        known = (*self.inequalities, difference, difference.scale(-1))
        return Facts({**self.ranges, var.id: Interval(low, high)}, known)

    def assume(self, condition: PrimExpr, *, holds: bool = True) -> Facts:
        """The facts where `condition` holds, or does not."""
        extra = list(inequalities(self.poly, condition, holds=holds))
        if not extra:
            return self
        ranges = dict(self.ranges)
        for fact in extra:
            tighten(ranges, fact)
        return Facts(ranges, self.inequalities + tuple(extra))

    def inequalities_of(self, condition: PrimExpr) -> tuple[Poly, ...]:
        """Polynomials that are `>= 0` exactly where a conjunction of comparisons holds.

        Parts that are no comparison of indices are left out.
        """
        return tuple(inequalities(self.poly, condition, holds=True))

    # --- proofs ---------------------------------------------------------------------------

    def proves(self, condition: PrimExpr) -> bool | None:
        """Whether `condition` always holds (True), never holds (False), or neither is proved."""
        match self.simplify(condition):
            case IntImm(value=value):
                return bool(value)
            case _:
                return None

    # --- normal form ----------------------------------------------------------------------

    def simplify(self, expr: PrimExpr) -> PrimExpr:
        """An equal expression in normal form: see `index_arithmetic.simplify`."""
        match expr:
            case IntImm() | FloatImm():
                return expr
            case Binary(op=op, a=a, b=b) if op in COMPARISONS:
                return self._compare(op, a, b)
            case Binary(op=op, a=a, b=b) if op in LOGICAL:
                return self._logic(op, a, b)
            case Not(value=value):
                return negate(self.simplify(value))
            case Select():
                return self._select(expr)
            case _:
                return self._arithmetic(expr)

    def _arithmetic(self, expr: PrimExpr) -> PrimExpr:
        if dtype_of(expr) == INDEX:
            result = self.poly(expr).to_expr()
            return expr if result == expr else result
        return _fold_cast(map_children(expr, self._child))

    def _child(self, node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, Var):
            return node
        if isinstance(node, Binary | Not | Select | Cast | Intrinsic | Load):
            return self.simplify(node)
        return node

    def poly(self, expr: PrimExpr) -> Poly:
        """The normal form of an integer expression."""
        match expr:
            case IntImm(value=value):
                return Poly.const(value)
            case Var(id=ident):
                known = self.ranges.get(ident)
                if known is not None and isinstance(known.lo, int) and known.lo == known.hi:
                    return Poly.const(known.lo)
                return Poly.atom(expr)
            case Binary(op=op, a=a, b=b) if dtype_of(a) == INDEX and op not in COMPARISONS:
                return self._binary(op, a, b)
            case _:
                return self._opaque(expr)

    def _binary(self, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> Poly:
        left, right = self.poly(a), self.poly(b)
        match op:
            case BinaryOp.ADD:
                return left + right
            case BinaryOp.SUB:
                return left - right
            case BinaryOp.MUL:
                return left * right
            case BinaryOp.MIN | BinaryOp.MAX:
                return self._extremum(op, left, right)
            case BinaryOp.FLOORDIV | BinaryOp.FLOORMOD:
                return self._division(op, left, right)
            case BinaryOp.TRUNCDIV | BinaryOp.TRUNCMOD:
                return self._truncated(op, left, right)
            case _:
                return _atom(op, left, right)

    def _truncated(self, op: BinaryOp, left: Poly, right: Poly) -> Poly:
        """Truncated division is floored division where nothing is negative."""
        positive = self.nonnegative(left) and self.nonnegative(right.shift(-1))
        if positive and self._exact(left, right):
            floored = op is BinaryOp.TRUNCDIV
            wanted = BinaryOp.FLOORDIV if floored else BinaryOp.FLOORMOD
            return self._division(wanted, left, right)
        return _atom(op, left, right)

    def _opaque(self, expr: PrimExpr) -> Poly:
        match expr:
            case Select():
                chosen = self._select(expr)
                return Poly.atom(chosen) if isinstance(chosen, Select) else self.poly(chosen)
            case Cast(value=value, dtype=dtype) if dtype == INDEX and dtype_of(value) == INDEX:
                return self.poly(value)
            case Cast() | Intrinsic() | Load() | Binary() | Not():
                result = _fold_cast(map_children(expr, self._child))
                if isinstance(result, IntImm):
                    return Poly.const(result.value)
                return Poly.atom(result)
            case _:
                return Poly.atom(expr)

    def _exact(self, *polys: Poly) -> bool:
        """Whether overflow is excluded: no atom comes from memory without finite bounds."""
        return all(
            isinstance(atom, Var | Binary) or None not in self.atom_bounds(atom)
            for poly in polys
            for atom in poly.atoms()
        )

    def _extremum(self, op: BinaryOp, left: Poly, right: Poly) -> Poly:
        if self._exact(left, right):
            if self.nonnegative(right - left):
                return left if op is BinaryOp.MIN else right
            if self.nonnegative(left - right):
                return right if op is BinaryOp.MIN else left
        return _atom(op, left, right)

    def _division(self, op: BinaryOp, left: Poly, right: Poly) -> Poly:
        if right.is_const and right.constant < 0 and left.is_const:
            folded = fold_int(op, left.constant, right.constant)
            return Poly.const(folded or 0)
        if not self._exact(left, right):
            return _atom(op, left, right)
        if right.is_const and right.constant > 0:
            return self._divide_const(op, left, right.constant)
        if len(right.terms) == 1 and not right.is_const:
            return self._divide_symbol(op, left, right)
        return _atom(op, left, right)

    def _divide_const(self, op: BinaryOp, left: Poly, c: int) -> Poly:
        low, high = self.poly_bounds(left)
        if low is not None and high is not None and low // c == high // c:
            k = low // c
            return Poly.const(k) if op is BinaryOp.FLOORDIV else left.shift(-k * c)
        quotient, rest = left.split(c)
        low, high = self.poly_bounds(rest)
        if low is not None and high is not None and low // c == high // c:
            k = low // c
            if op is BinaryOp.FLOORDIV:
                return quotient.shift(k)
            return rest.shift(-k * c)
        if op is BinaryOp.FLOORMOD:
            return self._reduce_mod(rest, c)
        return quotient + self._reduce_div(rest, c)

    def _reduce_div(self, rest: Poly, c: int) -> Poly:
        """`rest // c` with a common factor of the large terms divided out."""
        g, large, small = rest.common_factor(c)
        if g > 1:
            low, high = self.poly_bounds(small)
            if low is not None and high is not None and low >= 0 and high < g:
                return self._divide_const(BinaryOp.FLOORDIV, large.scaled_down(g), c // g)
        match rest.single_atom():
            case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=d)) as atom if d > 0:
                if rest.terms[atom,] == 1:
                    return self._divide_const(BinaryOp.FLOORDIV, self.poly(a), d * c)
            case _:
                pass
        return _atom(BinaryOp.FLOORDIV, rest, Poly.const(c))

    def _reduce_mod(self, rest: Poly, c: int) -> Poly:
        plain = self._without_remainders(rest, c)
        if plain is not None:
            return self._divide_const(BinaryOp.FLOORMOD, plain, c)
        g, large, small = rest.common_factor(c)
        if g > 1 and large.terms:
            low, high = self.poly_bounds(small)
            if low is not None and high is not None and low >= 0 and high < g:
                inner = self._divide_const(BinaryOp.FLOORMOD, large.scaled_down(g), c // g)
                return inner.scale(g) + small
        return _atom(BinaryOp.FLOORMOD, rest, Poly.const(c))

    def _without_remainders(self, poly: Poly, c: int) -> Poly | None:
        """An equal form modulo `c` in which `a` stands for an `a % d`; None where there is none."""
        for key, factor in poly.terms.items():
            match key:
                case (Binary(op=BinaryOp.FLOORMOD, a=a, b=IntImm(value=d)) as atom,) if (
                    d > 0 and factor * d % c == 0 and self._exact(self.poly(a))
                ):
                    return poly + (self.poly(a) - Poly.atom(atom)).scale(factor)
                case _:
                    pass
        return None

    def _divide_symbol(self, op: BinaryOp, left: Poly, right: Poly) -> Poly:
        """Division by one monomial `c * n`, such as a symbolic extent."""
        ((divisor, factor),) = right.terms.items()
        quotient: dict[tuple[PrimExpr, ...], int] = {}
        rest: dict[tuple[PrimExpr, ...], int] = {}
        for key, value in left.terms.items():
            remaining = _remove(key, divisor)
            if remaining is not None and value % factor == 0:
                quotient[remaining] = value // factor
            else:
                rest[key] = value
        remainder = Poly(rest)
        positive = self.nonnegative(right.shift(-1))
        below = self.nonnegative(right - remainder.shift(1))
        if positive and below and self.nonnegative(remainder):
            return Poly(quotient) if op is BinaryOp.FLOORDIV else remainder
        return _atom(op, left, right)

    # --- logic ----------------------------------------------------------------------------

    def _compare(self, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> PrimExpr:
        if dtype_of(a) != INDEX:
            left, right = self.simplify(a), self.simplify(b)
            if isinstance(left, IntImm) and isinstance(right, IntImm):
                return IntImm(fold_int(op, left.value, right.value) or 0, "bool")
            return Binary(op, left, right)
        left, right = self.poly(a), self.poly(b)
        decided = self._decide(op, left, right) if self._exact(left, right) else None
        if decided is not None:
            return IntImm(int(decided), "bool")
        return Binary(op, left.to_expr(), right.to_expr())

    def _decide(self, op: BinaryOp, left: Poly, right: Poly) -> bool | None:
        match op:
            case BinaryOp.LT:
                return self._ordered(right - left.shift(1))
            case BinaryOp.LE:
                return self._ordered(right - left)
            case BinaryOp.GT:
                return self._ordered(left - right.shift(1))
            case BinaryOp.GE:
                return self._ordered(left - right)
            case BinaryOp.EQ | BinaryOp.NE:
                equal = self._equal(left - right)
                return equal if equal is None or op is BinaryOp.EQ else not equal
            case _:
                return None

    def _ordered(self, difference: Poly) -> bool | None:
        if self.nonnegative(difference):
            return True
        return False if self.nonnegative(difference.scale(-1).shift(-1)) else None

    def _equal(self, difference: Poly) -> bool | None:
        if not difference.terms:
            return True
        apart = self.nonnegative(difference.shift(-1)) or self.nonnegative(
            difference.scale(-1).shift(-1)
        )
        return False if apart else None

    def _logic(self, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> PrimExpr:
        left = self.simplify(a)
        neutral = int(op is BinaryOp.AND)
        if isinstance(left, IntImm):
            return self.simplify(b) if left.value == neutral else left
        right = self.assume(left, holds=op is BinaryOp.AND).simplify(b)
        if isinstance(right, IntImm):
            return left if right.value == neutral else right
        return Binary(op, left, right)

    def _select(self, expr: Select) -> PrimExpr:
        condition = self.simplify(expr.condition)
        if isinstance(condition, IntImm):
            return self.simplify(expr.true_value if condition.value else expr.false_value)
        yes, no = self, self
        if expr.lazy:
            yes, no = self.assume(condition), self.assume(condition, holds=False)
        return Select(
            condition, yes.simplify(expr.true_value), no.simplify(expr.false_value), expr.lazy
        )


def _atom(op: BinaryOp, left: Poly, right: Poly) -> Poly:
    return Poly.atom(Binary(op, left.to_expr(), right.to_expr()))


def _remove(
    key: tuple[PrimExpr, ...], divisor: tuple[PrimExpr, ...]
) -> tuple[PrimExpr, ...] | None:
    remaining = list(key)
    for atom in divisor:
        if atom not in remaining:
            return None
        remaining.remove(atom)
    return tuple(remaining)


def _fold_cast(expr: PrimExpr) -> PrimExpr:
    match expr:
        case Cast(value=value, dtype=dtype) if dtype_of(value) == dtype:
            return value
        case Cast(value=IntImm(value=value), dtype=dtype):
            low, high = intervals.dtype_bounds(dtype)
            fits = (low is None or value >= low) and (high is None or value <= high)
            return (
                IntImm(value, dtype) if fits and dtype != "bool" and not is_float(dtype) else expr
            )
        case _:
            return expr
