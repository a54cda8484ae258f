"""Short texts for boxes: types, labels, sizes in pixels."""

from __future__ import annotations

from typing import assert_never

from workbench.ir import (
    Alias,
    BufferType,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Constant,
    Dim,
    GraphExpr,
    IfThenElse,
    MatchCast,
    ObjectType,
    ScalarType,
    Shape,
    ShapeType,
    TensorType,
    TupleItem,
    TupleType,
    Type,
    Var,
)
from workbench.script.print_scalar import write_expr
from workbench.script.tokens import Writer, text_of
from workbench.session.titles import operation_label
from workbench.view.protocol import NodeKind

SHORT_DTYPES = {
    "float": "f",
    "int": "i",
    "uint": "u",
    "bfloat": "bf",
}
NAME_WIDTH, TYPE_WIDTH = 7, 7
"""Pixels of a character: average of the sans serif at 13, monospace at 11."""
NARROW = frozenset("iljtfr.,:;'|!()[] ")
WIDE = frozenset("mwMWOQGD@%⊂")
MIN_WIDTH, MAX_WIDTH, HEIGHT = 110, 260, 40
SIDE = 34
"""Bar, padding, and room for the sign of a change."""


def short_dtype(dtype: str | None) -> str:
    """`f32` for `float32`."""
    if dtype is None:
        return "?"
    for name in ("bfloat", "float", "uint", "int"):
        if dtype.startswith(name):
            return SHORT_DTYPES[name] + dtype.removeprefix(name)
    return dtype


def type_text(type_: Type) -> str:
    """`f32[1, 512, n]`."""
    match type_:
        case TensorType(shape=shape, dtype=dtype):
            return short_dtype(dtype) + (shape_text(shape) if shape is not None else "[...]")
        case BufferType(shape=shape, dtype=dtype, scope=scope):
            place = "" if scope == "global" else f" {scope}"
            return short_dtype(dtype) + shape_text(shape) + place
        case ScalarType(dtype=dtype):
            return short_dtype(dtype)
        case ShapeType(dims=dims):
            return "shape" + (shape_text(dims) if dims is not None else "")
        case TupleType(fields=fields):
            return "(" + ", ".join(type_text(field) for field in fields) + ")"
        case ObjectType():
            return "object"
        case _:
            assert_never(type_)


def shape_text(shape: Shape) -> str:
    """`[1, 512, n * 2]`."""
    return "[" + ", ".join(dim_text(dim) for dim in shape) + "]"


def dim_text(dim: Dim) -> str:
    """A dimension as in the script."""
    if isinstance(dim, int):
        return str(dim)
    writer = Writer()
    write_expr(writer, dim)
    return text_of(writer.tokens)


def expr_label(value: GraphExpr) -> str:
    """What a box says: operator without its namespace, tensor function, library symbol."""
    match value:
        case CallOp(op=op):
            return op.rsplit(".", maxsplit=1)[-1]
        case CallTIR() | CallTIRInplace() | CallFunction():
            return operation_label(value.callee)
        case CallPacked(symbol=symbol):
            return symbol
        case Alias(value=Constant()):
            return "constant"
        case Alias():
            return "alias"
        case TupleItem(index=index):
            return f"field {index}"
        case MatchCast():
            return "match_cast"
        case IfThenElse(condition=Var(name=condition)):
            return f"if {condition}"
        case IfThenElse():
            return "if"
        case _:
            assert_never(value)


def expr_kind(value: GraphExpr | None) -> NodeKind:
    """The kind of box for a right side; None is a parameter."""
    match value:
        case None:
            return "input"
        case CallOp():
            return "op"
        case CallTIR() | CallTIRInplace():
            return "tensor"
        case CallPacked():
            return "library"
        case CallFunction():
            return "function"
        case Alias(value=Constant()):
            return "constant"
        case IfThenElse():
            return "branch"
        case _:
            return "other"


def text_width(text: str) -> int:
    """Pixels of a label, from a fixed table of character widths."""
    return sum(
        4 if c in NARROW else 11 if c in WIDE else 9 if c.isupper() else NAME_WIDTH for c in text
    )


def box_size(label: str, type_: str) -> tuple[int, int]:
    """Width and height of a box; even, so that its middle is an integer."""
    wanted = max(text_width(label) + SIDE, TYPE_WIDTH * len(type_) + SIDE - 14)
    width = max(MIN_WIDTH, min(MAX_WIDTH, wanted))
    return width + width % 2, HEIGHT
