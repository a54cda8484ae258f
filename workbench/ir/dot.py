"""Short dot products as one scalar function: `T.dot4` and `T.dot2`.

`T.dot4(c, a0, a1, a2, a3, b0, b1, b2, b3)` is `c + a0*b0 + a1*b1 + a2*b2 + a3*b3` of 8-bit integers
in int32, exact up to wrapping around. `T.dot2(c, a0, a1, b0, b1)` does the same with two 16-bit
integers; of bfloat16 it is `fma(a0, b0, fma(a1, b1, c))` in float32, the order in which processors
add. Reference: Intel's `VPDPBUSD`, `VPDPWSSD` and `VDPBF16PS`.
"""

from __future__ import annotations

from workbench.ir.expr import DType, Intrinsic, PrimExpr
from workbench.support.amounts import counted

DOT_LENGTH = {"dot2": 2, "dot4": 4}
"""Number of products, by the name of the function."""

_OPERANDS: dict[tuple[str, DType], frozenset[DType]] = {
    ("dot4", "int32"): frozenset({"int8", "uint8"}),
    ("dot2", "int32"): frozenset({"int16"}),
    ("dot2", "float32"): frozenset({"bfloat16"}),
}


def dot_operands(expr: Intrinsic) -> tuple[tuple[PrimExpr, ...], tuple[PrimExpr, ...]]:
    """The left and the right factors of a dot product."""
    count = DOT_LENGTH[expr.name]
    return expr.args[1 : 1 + count], expr.args[1 + count :]


def dot_fault(name: str, dtype: DType, dtypes: tuple[DType | None, ...]) -> str:
    """What is wrong with a dot product of that dtype on arguments of `dtypes`; empty if nothing."""
    count = DOT_LENGTH[name]
    if len(dtypes) != 1 + 2 * count:
        return f"`T.{name}` takes {counted(1 + 2 * count, 'argument')}, got {len(dtypes)}"
    allowed = _OPERANDS.get((name, dtype))
    if allowed is None:
        known = " or ".join(f"`{d}`" for n, d in _OPERANDS if n == name)
        return f"`T.{name}` accumulates in {known}, got `{dtype}`"
    if dtypes[0] not in {None, dtype}:
        return f"`T.{name}` adds to `{dtype}`, got `{dtypes[0]}`"
    for side in (dtypes[1 : 1 + count], dtypes[1 + count :]):
        found = {d for d in side if d is not None}
        if not found <= allowed or len(found) > 1:
            wanted = " or ".join(f"`{d}`" for d in sorted(allowed))
            got = ", ".join(f"`{d}`" for d in sorted(found))
            return f"`T.{name}` in `{dtype}` multiplies {wanted}, got {got}"
    return ""
