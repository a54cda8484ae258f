"""Elementary functions of float32 as straight-line code, the same for every number of lanes.

Errors are within 4 units in the last place of the exact result; NaN goes through, infinities and
overflow give what IEEE 754 says. The polynomials of `exp`, `log` and `tanh` are those of Cephes
(S. L. Moshier, 1992), that of `erf` is N. Juffa's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.codegen.target import Target
from workbench.codegen.values import Value, floating, integer
from workbench.codegen.writer import Writer

_LOG2_E = 1.44269504088896341
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_ROUND = 12582912.0  # 1.5 * 2**23: adding it leaves the nearest integer in the low bits
_ROUND_BITS = 0x4B400000
_EXP = (
    *(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1),
    5.0000001201e-1,
)
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
_TANH = (
    *(-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1),
    -3.33332819422e-1,
)
_ERF_SMALL = (
    *(-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1),
    1.28379166e-1,
)
_ERF_LARGE = (-1.06777877e-1, -6.34846687e-1, -1.28717512e-1)


class Math:
    """Float arithmetic on `Value`s, with Python numbers as constants."""

    def __init__(self, writer: Writer, target: Target) -> None:
        self.w = writer
        self.target = target

    def constant(self, value: Value | float) -> Value:
        """A number as a `float` constant."""
        return value if isinstance(value, Value) else floating(value, "float")

    def add(self, a: Value | float, b: Value | float) -> Value:
        """`a + b`."""
        return self.w.op("fadd", self.constant(a), self.constant(b))

    def sub(self, a: Value | float, b: Value | float) -> Value:
        """`a - b`."""
        return self.w.op("fsub", self.constant(a), self.constant(b))

    def mul(self, a: Value | float, b: Value | float) -> Value:
        """`a * b`."""
        return self.w.op("fmul", self.constant(a), self.constant(b))

    def div(self, a: Value | float, b: Value | float) -> Value:
        """`a / b`."""
        return self.w.op("fdiv", self.constant(a), self.constant(b))

    def fma(self, a: Value | float, b: Value | float, c: Value | float) -> Value:
        """`a * b + c`, rounded once where the target can."""
        if not self.target.has_fma:
            return self.add(self.mul(a, b), c)
        return self.w.intrinsic("fma", self.constant(a), self.constant(b), self.constant(c))

    def horner(self, x: Value, coefficients: tuple[float, ...]) -> Value:
        """The polynomial with the highest coefficient first."""
        result = self.constant(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, x, coefficient)
        return result

    def where(self, predicate: str, a: Value, b: float, yes: Value | float, no: Value) -> Value:
        """`yes` where `fcmp predicate a, b` holds, else `no`."""
        condition = self.w.compare(f"fcmp {predicate}", a, self.constant(b))
        return self.w.select(condition, self.constant(yes), no)

    def bits(self, value: Value) -> Value:
        """The bits as `i32`."""
        return self.w.convert("bitcast", value, "i32")

    def from_bits(self, value: Value) -> Value:
        """The `float` that has these bits."""
        return self.w.convert("bitcast", value, "float")

    def power_of_two(self, exponent: Value) -> Value:
        """`2 ** exponent` for an `i32` in [-126, 127]."""
        biased = self.w.add(exponent, integer(127, "i32"))
        return self.from_bits(self.w.op("shl", biased, integer(23, "i32")))


def exp(m: Math, x: Value) -> Value:
    """Exponential function, `2**n * e**r` for `n = round(x / ln 2)`, two factors for the power."""
    x = m.where("ogt", x, 89.0, 89.0, x)
    x = m.where("olt", x, -104.0, -104.0, x)
    shifted = m.fma(x, _LOG2_E, _ROUND)
    whole = m.sub(shifted, _ROUND)
    r = m.fma(whole, -_LN2_LOW, m.fma(whole, -_LN2_HIGH, x))
    p = m.fma(m.horner(r, _EXP), m.mul(r, r), m.add(r, 1.0))
    n = m.w.sub(m.bits(shifted), integer(_ROUND_BITS, "i32"))
    half = m.w.op("ashr", n, integer(1, "i32"))
    scaled = m.mul(p, m.power_of_two(half))
    return m.mul(scaled, m.power_of_two(m.w.sub(n, half)))


def log(m: Math, x: Value) -> Value:
    """Natural logarithm by parts, `e * ln 2 + log m` for `x = 2**e * m`, sqrt 1/2 <= m < sqrt 2."""
    w = m.w
    tiny = w.compare("fcmp olt", x, m.constant(2.0**-126))
    normal = w.select(tiny, m.mul(x, 2.0**25), x)
    offset = w.select(tiny, integer(127 + 25, "i32"), integer(127, "i32"))
    # Take the exponent relative to sqrt(1/2), so that the mantissa is already in range.
    lifted = w.sub(m.bits(normal), integer(0x3F3504F3, "i32"))
    exponent = w.op("ashr", lifted, integer(23, "i32"))
    mantissa = w.sub(m.bits(normal), w.op("shl", exponent, integer(23, "i32")))
    exponent = w.sub(exponent, w.sub(offset, integer(127, "i32")))
    e = w.convert("sitofp", exponent, "float")
    r = m.sub(m.from_bits(mantissa), 1.0)
    square = m.mul(r, r)
    y = m.mul(m.mul(r, square), m.horner(r, _LOG))
    y = m.fma(e, _LN2_LOW, y)
    y = m.fma(square, -0.5, y)
    result = m.fma(e, _LN2_HIGH, m.add(r, y))
    result = m.where("oeq", x, math.inf, math.inf, result)
    result = m.where("oeq", x, 0.0, -math.inf, result)
    return m.where("ult", x, 0.0, math.nan, result)


def tanh(m: Math, x: Value) -> Value:
    """Hyperbolic tangent: a polynomial near 0, else `1 - 2 / (e**2|x| + 1)`."""
    size = m.w.intrinsic("fabs", x)
    square = m.mul(x, x)
    small = m.fma(m.mul(m.horner(square, _TANH), square), x, x)
    large = m.sub(1.0, m.div(2.0, m.add(exp(m, m.add(size, size)), 1.0)))
    return m.where("olt", size, 0.625, small, m.w.intrinsic("copysign", large, x))


def sigmoid(m: Math, x: Value) -> Value:
    """The logistic function, `1 / (1 + e**-x)`."""
    return m.div(1.0, m.add(exp(m, m.w.op("fsub", m.constant(-0.0), x)), 1.0))


def erf(m: Math, x: Value) -> Value:
    """Error function: a polynomial near 0, else `1 - e**p(|x|)`."""
    size, square = m.w.intrinsic("fabs", x), m.mul(x, x)
    small = m.fma(m.horner(square, _ERF_SMALL), x, x)
    bounded = m.where("ogt", size, 4.0, 4.0, size)
    squared = m.mul(bounded, bounded)
    high = m.fma(-1.72853470e-5, bounded, 3.83197126e-4)
    low = m.fma(-3.88396438e-3, bounded, 2.42546219e-2)
    p = m.fma(high, squared, low)
    for coefficient in _ERF_LARGE:
        p = m.fma(p, bounded, coefficient)
    p = m.fma(p, bounded, m.sub(0.0, bounded))
    large = m.w.intrinsic("copysign", m.sub(1.0, exp(m, p)), x)
    return m.where("ogt", size, 0.927734375, large, small)


FUNCTIONS: dict[str, Callable[[Math, Value], Value]] = {
    "exp": exp,
    "log": log,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "erf": erf,
}
