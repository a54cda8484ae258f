"""Scalar expressions as linear forms, conditions as constraints."""

from __future__ import annotations

from dataclasses import dataclass, field

from typing_extensions import override

from workbench.analysis.dependence.constraints import SIGNED, ConstraintReader
from workbench.analysis.dependence.linear import (
    AnyOf,
    Conjunction,
    Linear,
    Row,
    equal,
    less,
    terms_in,
)
from workbench.analysis.dependence.operands import leaves
from workbench.analysis.dependence.spelling import short, whole
from workbench.analysis.dependence.terms import Division, Term, TermKind
from workbench.ir.expr import (
    Binary,
    BinaryOp,
    Cast,
    IntImm,
    Intrinsic,
    Load,
    PrimExpr,
    Select,
    Var,
    dtype_of,
    is_float,
)
from workbench.support.ids import NodeId


@dataclass(slots=True)
class Reader(ConstraintReader):
    """Reads expressions in one scope: `values` has the forms of the variables in sight.

    Loads of a buffer in `written` may differ from instance to instance.
    """

    written: frozenset[NodeId] = frozenset()
    values: dict[NodeId, Linear] = field(default_factory=dict[NodeId, Linear])
    passing: dict[int, tuple[PrimExpr, Linear]] = field(
        default_factory=dict[int, tuple[PrimExpr, Linear]]
    )
    depth: int = 0
    kept: list[PrimExpr] = field(default_factory=list[PrimExpr])
    known: dict[int, tuple[PrimExpr, Linear]] = field(
        default_factory=dict[int, tuple[PrimExpr, Linear]]
    )

    # --- values ---------------------------------------------------------------------------

    @override
    def linear(self, expr: PrimExpr) -> Linear:
        """The form of an integer expression; what is not quasi-affine becomes a term."""
        if isinstance(expr, IntImm):
            return Linear({}, expr.value)
        if isinstance(expr, Var):
            known = self.values.get(expr.id)
            return self._opaque(expr) if known is None else known
        seen = self.known.get(id(expr)) or self.passing.get(id(expr))
        return self._read(expr) if seen is None else seen[1]

    def _read(self, expr: PrimExpr) -> Linear:
        """The form of a compound expression, kept; what may change only until all of it is read."""
        self.depth += 1
        form = self._compound(expr)
        if form.is_large:
            form = self._opaque(expr)
        self.depth -= 1
        known = self.known if self.terms.stable(form) else self.passing
        known[id(expr)] = expr, form
        if self.depth == 0:
            self.passing.clear()
        return form

    def _compound(self, expr: PrimExpr) -> Linear:
        match expr:
            case Binary(op=op, a=a, b=b) if dtype_of(expr) in SIGNED:
                return self._binary(op, a, b, expr)
            case Select(condition=condition, true_value=a, false_value=b):
                return self._choice(condition, a, b, expr)
            case Cast(value=value):
                return self._cast(expr, value)
            case Intrinsic():
                return self._intrinsic(expr)
            case _:
                return self._opaque(expr)

    def _binary(self, op: BinaryOp, a: PrimExpr, b: PrimExpr, expr: PrimExpr) -> Linear:
        match op:
            case BinaryOp.ADD:
                return self.linear(a).plus(self.linear(b))
            case BinaryOp.SUB:
                return self.linear(a).plus(self.linear(b), -1)
            case BinaryOp.MUL:
                return self.terms.product(self.linear(a), self.linear(b))
            case BinaryOp.MIN:
                return self._choice(Binary(BinaryOp.LE, a, b), a, b, expr)
            case BinaryOp.MAX:
                return self._choice(Binary(BinaryOp.GE, a, b), a, b, expr)
            case BinaryOp.FLOORDIV | BinaryOp.FLOORMOD:
                return self._floored(op, self.linear(a), self.linear(b), expr)
            case BinaryOp.TRUNCDIV | BinaryOp.TRUNCMOD | BinaryOp.DIV:
                return self._truncated(op, self.linear(a), self.linear(b), expr)
            case _:
                return self._opaque(expr)

    def _floored(self, op: BinaryOp, a: Linear, b: Linear, expr: PrimExpr) -> Linear:
        divisor = b.value
        if divisor is None:
            return self._symbolic_division(op, a, b, expr)
        if divisor == 0:
            return self._opaque(expr)
        if divisor > 1 and self._inner(a) is not None and isinstance(expr, Binary):
            digits = self._divided(a, b, expr.a, expr.b)
            return digits[0] if op is BinaryOp.FLOORDIV else digits[1]
        sign = 1 if divisor > 0 else -1
        quotient = self.terms.floor(a.scale(sign), sign * divisor)
        return quotient if op is BinaryOp.FLOORDIV else a.plus(quotient, -divisor)

    def _symbolic_division(self, op: BinaryOp, a: Linear, b: Linear, expr: PrimExpr) -> Linear:
        found = self.terms.split(a, b)
        if found is not None:
            return found[0] if op is BinaryOp.FLOORDIV else found[1]
        if isinstance(expr, Binary) and self._divides(a, b):
            quotient, rest = self._divided(a, b, expr.a, expr.b)
            return quotient if op is BinaryOp.FLOORDIV else rest
        return self._division(op, a, b, expr)

    def _division(self, op: BinaryOp, a: Linear, b: Linear, expr: PrimExpr) -> Linear:
        made = self._opaque(expr)
        (key,) = made.terms
        self.terms[key].division = (a, b, op is BinaryOp.FLOORMOD)
        return made

    def _divides(self, a: Linear, b: Linear) -> bool:
        """Whether a divisor is the same at all instances, and positive as it is not zero."""
        low, _ = self.terms.bounds(b)
        stable = self.terms.stable(a) and self.terms.stable(b) and not self.terms.deps(b)
        return stable and low is not None and low >= 0

    def _divided(self, a: Linear, b: Linear, x: PrimExpr, y: PrimExpr) -> tuple[Linear, Linear]:
        """The terms `a // b` and `a % b`; `a // b // c` is `a // (b * c)`."""
        inner = self._inner(a)
        if inner is None:
            quotient = self._digit(BinaryOp.FLOORDIV, a, b, x, y)
        else:
            product = self.terms.product(inner.divisor, b)
            dividend, divisor = inner.operands
            whole = Binary(BinaryOp.MUL, divisor, y)
            quotient, _ = self._divided(inner.dividend, product, dividend, whole)
        rest = self._digit(BinaryOp.FLOORMOD, a, b, x, y)
        (key,) = quotient.terms
        divisions = self.terms.quotients.setdefault(key, [])
        if not any(division.rest.same(rest) for division in divisions):
            divisions.append(Division(a, b, rest, (x, y)))
        return quotient, rest

    def _inner(self, form: Linear) -> Division | None:
        """The division that a form is the quotient of."""
        if form.constant or list(form.terms.values()) != [1]:
            return None
        (key,) = form.terms
        return next(iter(self.terms.quotients.get(key, ())), None)

    def _digit(self, op: BinaryOp, a: Linear, b: Linear, x: PrimExpr, y: PrimExpr) -> Linear:
        identity = (op, a.key(), b.key())
        known = self.terms.known(identity)
        if known is not None:
            return known
        made = self._division(op, a, b, Binary(op, x, y))
        (key,) = made.terms
        term = self.terms[key]
        low, _ = self.terms.bounds(a)
        term.kind = TermKind.FLOOR
        rest = op is BinaryOp.FLOORMOD
        term.low = 0 if rest or (low is not None and low >= 0) else None
        term.high = b.constant - 1 if rest and b.value is not None else None
        self.terms.identify(identity, made)
        return made

    def _truncated(self, op: BinaryOp, a: Linear, b: Linear, expr: PrimExpr) -> Linear:
        divisor = b.value
        low, high = self.terms.bounds(a)
        if low is not None and low >= 0 and (divisor is None or divisor > 0):
            floored = BinaryOp.FLOORMOD if op is BinaryOp.TRUNCMOD else BinaryOp.FLOORDIV
            return self._floored(floored, a, b, expr)
        if divisor is None or divisor == 0:
            return self._opaque(expr)
        magnitude = abs(divisor)
        down = self.terms.floor(a, magnitude)
        up = self.terms.floor(a.scale(-1), magnitude).scale(-1)
        if high is not None and high <= 0:
            quotient = up
        else:
            options = ((Row(a),), down), ((less(a, Linear({})),), up)
            quotient = self._either(("trunc", a.key(), magnitude), options, expr)
        quotient = quotient.scale(1 if divisor > 0 else -1)
        return a.plus(quotient, -divisor) if op is BinaryOp.TRUNCMOD else quotient

    def _choice(self, condition: PrimExpr, a: PrimExpr, b: PrimExpr, expr: PrimExpr) -> Linear:
        before = len(self.reasons)
        holds = self.condition(condition, holds=True)
        fails = self.condition(condition, holds=False)
        if len(self.reasons) > before:
            del self.reasons[before:]
            return self._opaque(expr)
        left, right = self.linear(a), self.linear(b)
        decided = self._decided(condition)
        if decided is not None:
            return left if decided else right
        identity = ("choice", left.key(), right.key(), repr(_keys(holds)))
        made = self._either(identity, ((holds, left), (fails, right)), expr)
        self._narrow(expr, made, left, right)
        return made

    def _narrow(self, expr: PrimExpr, made: Linear, left: Linear, right: Linear) -> None:
        """A minimum is below both upper bounds, a maximum above both lower ones."""
        if not isinstance(expr, Binary):
            return
        term = self.terms[next(iter(made.terms))]
        ends = self.terms.bounds(left), self.terms.bounds(right)
        if expr.op is BinaryOp.MIN:
            term.high = min((high for _, high in ends if high is not None), default=None)
        else:
            term.low = max((low for low, _ in ends if low is not None), default=None)

    def _decided(self, condition: PrimExpr) -> bool | None:
        """What bounds decide about `a <= b` or `a >= b`."""
        if not isinstance(condition, Binary) or condition.op not in {BinaryOp.LE, BinaryOp.GE}:
            return None
        low, high = self.terms.bounds(self.linear(condition.a).plus(self.linear(condition.b), -1))
        if condition.op is BinaryOp.GE:
            low, high = None if high is None else -high, None if low is None else -low
        if high is not None and high <= 0:
            return True
        return False if low is not None and low > 0 else None

    def _either(
        self, identity: object, options: tuple[tuple[Conjunction, Linear], ...], expr: PrimExpr
    ) -> Linear:
        known = self.terms.known(identity)
        if known is not None:
            return known
        ends = [self.terms.bounds(form) for _, form in options]
        lows, highs = [low for low, _ in ends], [high for _, high in ends]
        inside = {key for _, form in options for key in form.terms}
        inside |= terms_in(item for when, _ in options for item in when)
        term = Term(
            -1,
            TermKind.CHOICE,
            short(expr),
            None if None in lows else min(v for v in lows if v is not None),
            None if None in highs else max(v for v in highs if v is not None),
            frozenset[int]().union(*(self.terms[key].deps for key in inside)),
            all(self.terms[key].stable for key in inside),
            expr=expr,
        )
        made = self.terms.fresh(identity, term)
        term.definition = (AnyOf(tuple((*when, equal(made, form)) for when, form in options)),)
        return made

    def _cast(self, expr: Cast, value: PrimExpr) -> Linear:
        source = dtype_of(value)
        if source == "bool":
            return self._choice(value, IntImm(1), IntImm(0), expr)
        if is_float(source) or expr.dtype not in SIGNED or source == "uint64":
            return self._opaque(expr)
        return self.linear(value)

    def _intrinsic(self, expr: Intrinsic) -> Linear:
        if expr.dtype not in SIGNED or not expr.args:
            return self._opaque(expr)
        first, last = expr.args[0], expr.args[-1]
        amount = last.value if isinstance(last, IntImm) else None
        if expr.name == "likely":
            return self.linear(first)
        if expr.name == "abs":
            zero = IntImm(0, dtype_of(first))
            negative = Binary(BinaryOp.SUB, zero, first)
            return self._choice(Binary(BinaryOp.GE, first, zero), first, negative, expr)
        if amount is None or not 0 <= amount < 1 << 31:
            return self._opaque(expr)
        if expr.name == "shift_left" and amount < 32:
            return self.linear(first).scale(1 << amount)
        if expr.name == "shift_right" and amount < 32:
            return self.terms.floor(self.linear(first), 1 << amount)
        if expr.name == "bitwise_and" and amount & (amount + 1) == 0:
            return self.terms.modulo(self.linear(first), amount + 1)
        return self._opaque(expr)

    def _opaque(self, expr: PrimExpr) -> Linear:
        """A term whose value is not known; one term for equal expressions."""
        deps: frozenset[int] = frozenset()
        stable, scope = True, dict[NodeId, object]()
        variables: dict[NodeId, tuple[Var, Linear | None]] = {}
        for node in leaves(expr):
            if isinstance(node, Load):
                stable = stable and node.buffer.id not in self.written
                scope[node.buffer.id] = None
                continue
            form = self.values.get(node.id)
            variables[node.id] = node, form
            scope[node.id] = None if form is None else form.key()
            if form is not None:
                deps |= self.terms.deps(form)
                stable = stable and self.terms.stable(form)
        text = short(expr)
        low = 0 if dtype_of(expr).startswith("uint") else None
        low, high = (0, 1) if dtype_of(expr) == "bool" else (low, None)
        term = Term(
            -1,
            TermKind.OPAQUE,
            text,
            low,
            high,
            deps,
            stable,
            expr=expr,
            why=f"`{text}` is not an affine expression of the loop variables",
            variables=tuple(variables.values()),
        )
        if (divisor := self._divisor(expr)) is not None:
            term.low, term.above = 0, divisor
        identity = whole(expr) or id(expr)
        self.kept.append(expr)
        if not stable:
            return self.terms.fresh(object(), term)
        return self.terms.fresh(("opaque", identity, tuple(sorted(scope.items()))), term)

    def _divisor(self, expr: PrimExpr) -> Linear | None:
        match expr:
            case Binary(op=BinaryOp.FLOORMOD, b=b) if dtype_of(expr) in SIGNED:
                divisor = self.linear(b)
                low, _ = self.terms.bounds(divisor)
                return divisor if low is not None and low >= 0 else None
            case _:
                return None


def _keys(items: Conjunction) -> list[object]:
    return [
        (item.equal, item.linear.key())
        if isinstance(item, Row)
        else [_keys(option) for option in item.options]
        for item in items
    ]
