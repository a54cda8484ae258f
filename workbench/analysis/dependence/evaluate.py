"""Values of scalar expressions at one instance."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.ir.expr import (
    LOGICAL,
    Binary,
    BinaryOp,
    Cast,
    IntImm,
    Intrinsic,
    Not,
    PrimExpr,
    Select,
    Var,
    dtype_of,
    fold_int,
    is_float,
)
from workbench.support.ids import NodeId


def evaluate(
    expr: PrimExpr, values: Mapping[NodeId, int], bindings: Mapping[NodeId, PrimExpr]
) -> int | None:
    """The value of an integer or boolean expression.

    None where it depends on memory, or does not fit into 64 bits.

    `values` has loop variables and symbols, `bindings` axes and scalars that are bound once.
    """
    known: dict[NodeId, int | None] = {**values}

    def value(node: PrimExpr) -> int | None:
        match node:
            case IntImm(value=constant):
                return constant
            case Var(id=ident):
                if ident not in known and ident in bindings:
                    known[ident] = value(bindings[ident])
                return known.get(ident)
            case Binary(op=op, a=a, b=b):
                return binary(op, value(a), value(b), float_side=is_float(dtype_of(a)))
            case Not(value=inner):
                found = value(inner)
                return None if found is None else int(not found)
            case Select(condition=condition, true_value=a, false_value=b):
                chosen = value(condition)
                return None if chosen is None else value(a if chosen else b)
            case Cast(value=inner, dtype=dtype) if not is_float(dtype_of(inner)):
                found = value(inner)
                return found if dtype != "bool" or found is None else int(found != 0)
            case Intrinsic(name=name, args=args):
                return _intrinsic(name, [value(arg) for arg in args])
            case _:
                return None

    return value(expr)


def binary(op: BinaryOp, a: int | None, b: int | None, *, float_side: bool = False) -> int | None:
    """`a op b`; a conjunction may be decided by one side."""
    if float_side:
        return None
    if op in LOGICAL and (a is None or b is None):
        known = a if b is None else b
        decides = 0 if op is BinaryOp.AND else 1
        return known if known == decides else None
    if a is None or b is None:
        return None
    found = fold_int(BinaryOp.TRUNCDIV if op is BinaryOp.DIV else op, a, b)
    return found if found is None or abs(found) < 1 << 63 else None


def _intrinsic(name: str, args: list[int | None]) -> int | None:
    known = [arg for arg in args if arg is not None]
    if len(known) < len(args):
        return None
    match name, known:
        case "likely", [a]:
            return a
        case "abs", [a]:
            return abs(a)
        case "shift_left", [a, b] if 0 <= b < 32:
            return a << b
        case "shift_right", [a, b] if 0 <= b < 64:
            return a >> b
        case "bitwise_and", [a, b]:
            return a & b
        case _:
            return None
