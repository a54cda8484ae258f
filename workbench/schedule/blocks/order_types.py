"""Laws of functions that choose between tuples by comparing them, decided by trying all orders.

What such a function gives depends on how the components of its arguments compare, on nothing else:
a law that holds of a few values in every order, the smallest and the largest one, zeros of both
signs and NaN among them, holds of all values. Reference: the small-model property of the theory of
total orders; for reductions Suriana, Adams and Kamil, "Parallel Associative Reductions in Halide",
CGO 2017, which search for such functions and prove them by SMT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import (
    Binary,
    BinaryOp,
    FloatImm,
    IntImm,
    Not,
    PrimExpr,
    Select,
    Var,
    is_float,
    walk,
)
from workbench.ir.binary_op import COMPARISONS
from workbench.ir.numbers import int_range
from workbench.support import NodeId

Array = NDArray[Any]
Values = tuple[Array, ...]
"""One array a component: the values of an argument in all cases."""
FLOATS = (-math.inf, -1.0, -0.0, 0.0, 1.0, math.inf, math.nan)
INTEGERS = (0, 1, 2, 3, 4)
"""Three different values, the smallest one and the largest one of a dtype."""
BOOLEANS = (False, True)
MOST = 4_000_000
"""Cases that are tried at most."""
OTHER = 9
"""A value that no argument has."""
_OPERATIONS: dict[BinaryOp, Any] = {
    BinaryOp.EQ: np.equal,
    BinaryOp.NE: np.not_equal,
    BinaryOp.LT: np.less,
    BinaryOp.LE: np.less_equal,
    BinaryOp.GT: np.greater,
    BinaryOp.GE: np.greater_equal,
    BinaryOp.AND: np.logical_and,
    BinaryOp.OR: np.logical_or,
    BinaryOp.MIN: np.minimum,
    BinaryOp.MAX: np.maximum,
}
"""Operations whose results depend on the order of their operands alone."""
ORDERED = frozenset(_OPERATIONS)
_EXTREMA = frozenset({BinaryOp.MIN, BinaryOp.MAX})


@dataclass(frozen=True)
class Choice:
    """`f(a, x)`: its components, over the components of `a` and of `x`, which are variables.

    `dtypes` are those of the components.
    """

    old: tuple[Var, ...]
    new: tuple[Var, ...]
    dtypes: tuple[str, ...]
    after: tuple[PrimExpr, ...]

    @cached_property
    def compared(self) -> tuple[int, ...]:
        """The components that are compared; others are carried along."""
        place = {var.id: n for side in (self.old, self.new) for n, var in enumerate(side)}
        found: set[int] = set()
        for n, part in enumerate(self.after):
            for node in walk(part):
                if isinstance(node, Binary) and node.op in _EXTREMA:
                    found.add(n)
                elif isinstance(node, Binary) and node.op in COMPARISONS:
                    found |= {place[side.id] for side in (node.a, node.b) if isinstance(side, Var)}
        return tuple(sorted(found))

    @property
    def may_be_nan(self) -> tuple[int, ...]:
        """The components whose comparison with a NaN counts."""
        return tuple(n for n in self.compared if is_float(self.dtypes[n]))

    @cached_property
    def exact(self) -> bool:
        """Whether results are the same to the bit: `min` and `max` choose among zeros freely."""
        return not any(
            isinstance(node, Binary) and node.op in _EXTREMA and is_float(self.dtypes[n])
            for n, part in enumerate(self.after)
            for node in walk(part)
        )

    @property
    def decidable(self) -> bool:
        """Whether there are few enough cases to try."""
        return math.prod(len(_values(self.dtypes[n])) for n in self.compared) ** 3 <= MOST


@dataclass(frozen=True)
class Laws:
    """What holds of a choice; `signs` where zeros of both signs are different results."""

    choice: Choice
    signs: bool

    def associative(self, *, nan_before: bool, nan: bool) -> bool:
        """`f(a, f(p, x)) == f(f(a, p), x)`; whether `p`, and whether `x` may have a NaN."""
        a, p, x = self._arguments(3)
        same = self._same(self._run(a, self._run(p, x)), self._run(self._run(a, p), x))
        cases = same if nan_before else same | self._nan(p)
        return bool(np.all(cases if nan else cases | self._nan(x)))

    def commutative(self, *, nan: bool) -> bool:
        """`f(f(a, x), y) == f(f(a, y), x)`; whether `x` and `y` may have a NaN."""
        a, x, y = self._arguments(3)
        same = self._same(self._run(self._run(a, x), y), self._run(self._run(a, y), x))
        return bool(np.all(same if nan else same | self._nan(x) | self._nan(y)))

    def symmetric(self, *, nan: bool) -> bool:
        """`f(x, y) == f(y, x)`; whether they may have a NaN."""
        x, y = self._arguments(2)
        same = self._same(self._run(x, y), self._run(y, x))
        return bool(np.all(same if nan else same | self._nan(x) | self._nan(y)))

    def resets(self) -> bool:
        """`f(a, x) == x` wherever `x` has a NaN, so that what was before does not count."""
        a, x = self._arguments(2)
        return bool(np.all(self._same(self._run(a, x), x) | ~self._nan(x)))

    def ignores_nan(self) -> bool:
        """No NaN comes into an `a` that has none."""
        a, x = self._arguments(2)
        return bool(np.all(self._nan(a) | ~self._nan(self._run(a, x))))

    def neutral(self) -> tuple[PrimExpr, ...] | None:
        """An `e` of smallest and largest values with `f(a, e) == a` for every `a`."""
        (a,) = self._arguments(1)
        choice = self.choice
        ends = [
            (_values(dtype)[0], _greatest(dtype)) if n in choice.compared else (OTHER,)
            for n, dtype in enumerate(choice.dtypes)
        ]
        for candidate in product(*ends):
            e = tuple(np.asarray(value) for value in candidate)
            if np.all(self._same(self._run(a, e), a)):
                return tuple(map(_constant, candidate, choice.dtypes))
        return None

    # --- cases ----------------------------------------------------------------------------

    def _arguments(self, count: int) -> tuple[Values, ...]:
        """Arguments in all cases: what is compared has an axis, the rest is a value apart."""
        compared = self.choice.compared
        rank = count * len(compared)
        found: list[Values] = []
        for n in range(count):
            parts: list[Array] = []
            for m, dtype in enumerate(self.choice.dtypes):
                if m not in compared:
                    parts.append(np.asarray(n))
                    continue
                shape = [1] * rank
                shape[n * len(compared) + compared.index(m)] = -1
                parts.append(np.asarray(_values(dtype)).reshape(shape))
            found.append(tuple(parts))
        return tuple(found)

    def _run(self, a: Values, x: Values) -> Values:
        choice = self.choice
        known = {
            var.id: value
            for names, values in ((choice.old, a), (choice.new, x))
            for var, value in zip(names, values, strict=True)
        }
        return tuple(_value(part, known) for part in choice.after)

    def _same(self, a: Values, b: Values) -> Array:
        found = np.asarray(True)
        for one, other in zip(a, b, strict=True):
            same = one == other
            if one.dtype.kind == "f" and other.dtype.kind == "f":
                same = same & (np.signbit(one) == np.signbit(other)) if self.signs else same
                same = same | (np.isnan(one) & np.isnan(other))
            found = found & same
        return found

    def _nan(self, a: Values) -> Array:
        found = np.asarray(False)
        for n in self.choice.may_be_nan:
            found = found | np.isnan(a[n])
        return found


def _value(expr: PrimExpr, known: dict[NodeId, Array]) -> Array:
    match expr:
        case Var(id=ident):
            return known[ident]
        case IntImm(value=value):
            return np.asarray(bool(value))
        case Not(value=value):
            return ~_value(value, known)
        case Select(condition=condition, true_value=a, false_value=b):
            return np.where(_value(condition, known), _value(a, known), _value(b, known))
        case Binary(op=op, a=a, b=b):
            return _OPERATIONS[op](_value(a, known), _value(b, known))
        case _:
            raise ValueError(expr)


def _values(dtype: str) -> tuple[Any, ...]:
    if dtype == "bool":
        return BOOLEANS
    return FLOATS if is_float(dtype) else INTEGERS


def _greatest(dtype: str) -> Any:  # noqa: ANN401
    return math.inf if is_float(dtype) else _values(dtype)[-1]


def _constant(value: Any, dtype: str) -> PrimExpr:  # noqa: ANN401
    """The smallest or the largest value of a dtype, or zero for one that nobody looks at."""
    if is_float(dtype):
        return FloatImm(0.0 if value == OTHER else value, dtype)
    lowest, highest = int_range(dtype)
    if value == OTHER:
        return IntImm(0, dtype)
    return IntImm(lowest if value == _values(dtype)[0] else highest, dtype)
