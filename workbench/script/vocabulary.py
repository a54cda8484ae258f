"""Words of the language that printer and parser share."""

from __future__ import annotations

from workbench.ir import BinaryOp, DType

INFIX: dict[BinaryOp, tuple[int, bool]] = {
    BinaryOp.OR: (1, False),
    BinaryOp.AND: (2, False),
    BinaryOp.EQ: (4, True),
    BinaryOp.NE: (4, True),
    BinaryOp.LT: (4, True),
    BinaryOp.LE: (4, True),
    BinaryOp.GT: (4, True),
    BinaryOp.GE: (4, True),
    BinaryOp.ADD: (5, False),
    BinaryOp.SUB: (5, False),
    BinaryOp.MUL: (6, False),
    BinaryOp.DIV: (6, False),
    BinaryOp.FLOORDIV: (6, False),
    BinaryOp.FLOORMOD: (6, False),
}
"""Operators written between their operands: how tightly they bind as in Python, and whether they
chain (`a < b < c` means something else), so that the left side needs parentheses too."""

NOT_LEVEL = 3

CALLED: dict[str, BinaryOp] = {
    "truncdiv": BinaryOp.TRUNCDIV,
    "truncmod": BinaryOp.TRUNCMOD,
    "min": BinaryOp.MIN,
    "max": BinaryOp.MAX,
}
"""Binary operators that print as calls `T.name(a, b)`."""

FUNCTION_FORMS: dict[str, BinaryOp] = CALLED | {
    "floordiv": BinaryOp.FLOORDIV,
    "floormod": BinaryOp.FLOORMOD,
    "Div": BinaryOp.DIV,
    "FloorDiv": BinaryOp.FLOORDIV,
    "FloorMod": BinaryOp.FLOORMOD,
    "Add": BinaryOp.ADD,
    "Sub": BinaryOp.SUB,
    "Mul": BinaryOp.MUL,
    "Min": BinaryOp.MIN,
    "Max": BinaryOp.MAX,
    "EQ": BinaryOp.EQ,
    "NE": BinaryOp.NE,
    "LT": BinaryOp.LT,
    "LE": BinaryOp.LE,
    "GT": BinaryOp.GT,
    "GE": BinaryOp.GE,
    "And": BinaryOp.AND,
    "Or": BinaryOp.OR,
}
"""Binary operators that may be written as calls."""

_SAME_DTYPE = """
    exp exp2 exp10 expm1 log log2 log10 log1p sqrt rsqrt cbrt sin cos tan sinh cosh tanh asin acos
    atan atan2 asinh acosh atanh erf erfc sigmoid floor ceil round nearbyint trunc abs fabs
    pow power fmod fma dot2 dot4
    hypot copysign nextafter ldexp clz popcount ctpop bitwise_and bitwise_or bitwise_xor bitwise_not
    shift_left shift_right likely
"""
_BOOL = "isnan isinf isfinite"

INTRINSICS: frozenset[str] = frozenset(_SAME_DTYPE.split()) | frozenset(_BOOL.split())
"""Scalar functions that need no `dtype=` in scripts."""

_OLD_ATTRS = {"tirx.noalias": "noalias", "tir.noalias": "noalias"}
NOALIAS = "tirx.noalias"


def intrinsic_dtype(name: str, first: DType | None) -> DType | None:
    """The dtype that `T.name(...)` has, given its first argument's; None if unknown."""
    if name not in INTRINSICS:
        return None
    return "bool" if name in _BOOL.split() else first


def attribute_name(text: str) -> str:
    """The name that the IR uses for an attribute of a tensor function in any generation."""
    return _OLD_ATTRS.get(text, text)
