"""Element expressions are checked where they are written, not when what they become is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from workbench.ir import (
    Binary,
    BinaryOp,
    Intrinsic,
    PrimExpr,
    dtype_of,
    free_vars,
    is_float,
    walk,
)
from workbench.ir.expr import expression_text
from workbench.ir.faults import Faults, too_deep
from workbench.ir.verify_scalar import ScalarChecker
from workbench.support import CompileError, Diagnostic

MOST_TOLD = 4
_ONE_DTYPE = frozenset({"atan2", "copysign", "fma", "fmod", "hypot", "nextafter", "pow", "power"})
"""Scalar functions of several arguments, which have the dtype of the first."""


def check_element(name: str, element: PrimExpr) -> None:
    """Refuse an element expression of the tensor `name` whose dtypes do not fit together.

    Nothing is converted silently.

    Raises:
        CompileError: `te/mixed-dtypes`, `te/integer-division`, and what the verifier says of
            scalar expressions.
    """
    if too_deep(element):  # the verifier says so, and everything here recurses
        return
    place = f"in the function of `{name}`"
    faults = [*_divisions(element), *_mixed(element)]
    if not faults:
        checker = ScalarChecker(Faults("", 0), {v.id: v.type for v in free_vars(element).values()})
        checker.dtype(element, None)
        faults = [replace(fault, function=None, node=None) for fault in checker.faults.found]
    if faults:
        raise CompileError(replace(d, notes=(*d.notes, place)) for d in faults[:MOST_TOLD])


def _divisions(element: PrimExpr) -> Iterator[Diagnostic]:
    for node in _operations(element):
        match node:
            case Binary(op=BinaryOp.DIV, a=a, b=b) if not is_float(dtype_of(a)):
                if dtype_of(a) == dtype_of(b):
                    yield Diagnostic(
                        "te/integer-division",
                        f"`{expression_text(node)}` divides `{dtype_of(a)}` values by `/`",
                        hint="`//` rounds down, `te.truncdiv` toward zero, "
                        "`te.cast(x, 'float32') / y` gives fractions",
                    )
            case _:
                pass


def _mixed(element: PrimExpr) -> Iterator[Diagnostic]:
    for node in _operations(element):
        match node:
            case Binary(a=a, b=b):
                operands: tuple[PrimExpr, ...] = (a, b)
            case Intrinsic(name=name, args=args) if name in _ONE_DTYPE:
                operands = args
            case _:
                continue
        dtypes = list(dict.fromkeys(dtype_of(operand) for operand in operands))
        if len(dtypes) > 1:
            pairs = (f"`{expression_text(x)}` is `{dtype_of(x)}`" for x in operands)
            wanted = next((dtype for dtype in dtypes if is_float(dtype)), dtypes[0])
            other = next(x for x in operands if dtype_of(x) != wanted)
            yield Diagnostic(
                "te/mixed-dtypes",
                f"`{expression_text(node)}` mixes dtypes: {', '.join(pairs)}",
                hint=f"`te.cast({expression_text(other)}, {wanted!r})` converts",
            )


def _operations(element: PrimExpr) -> Iterator[PrimExpr]:
    for node in walk(element):
        if isinstance(node, Binary | Intrinsic):
            yield node
