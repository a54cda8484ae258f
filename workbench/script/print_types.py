"""Types, shapes and attributes as tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import assert_never

from workbench.ir import (
    Attr,
    Attrs,
    BufferType,
    Dim,
    ObjectType,
    ScalarType,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
)
from workbench.script.print_scalar import separated, write_expr
from workbench.script.tokens import Token, Writer, text_of


def open_signature(
    w: Writer, decorator: str, options: Sequence[str], name: str, params: Sequence[Var]
) -> None:
    """The decorator line and `def name(params` of a function of either kind, left open."""
    w.line()
    w.put(decorator + (f"({', '.join(options)})" if options else ""), "keyword")
    w.end()
    w.line()
    w.put("def ", "keyword")
    w.put(name, "name")
    w.put("(")

    def param(var: Var) -> None:
        w.use(var)
        w.put(": ")
        write_type(w, var.type, quoted=True)

    separated(w, params, param)


def write_type(w: Writer, type_: Type, *, quoted: bool = False) -> None:
    """A type; `quoted` writes symbolic dimensions as strings, as signatures have them."""
    match type_:
        case TensorType():
            _write_tensor_type(w, type_, quoted=quoted)
        case ScalarType(dtype=dtype):
            w.put(f"T.{dtype}", "type")
        case BufferType():
            write_buffer_type(w, type_, quoted=quoted)
        case ShapeType():
            _write_shape_type(w, type_, quoted=quoted)
        case TupleType(fields=fields):
            w.put("R.Tuple", "type")
            if fields:
                w.put("(")
                separated(w, fields, lambda field: write_type(w, field, quoted=quoted))
                w.put(")")
        case ObjectType():
            w.put("R.Any", "type")
        case _:
            assert_never(type_)


def type_text(type_: Type) -> str:
    """A type as a script has it in a signature, symbolic dimensions by name."""
    w = Writer()
    write_type(w, type_)
    return text_of(w.tokens)


def _write_tensor_type(w: Writer, type_: TensorType, *, quoted: bool) -> None:
    w.put("R.Tensor", "type")
    w.put("(")
    comma = ""
    if type_.shape is not None:
        write_dims(w, type_.shape, quoted=quoted)
        comma = ", "
    if type_.dtype is not None:
        w.put(comma + "dtype=")
        w.put(f'"{type_.dtype}"', "string")
        comma = ", "
    if type_.ndim is not None:
        w.put(comma + "ndim=")
        w.put(str(type_.ndim), "number")
    w.put(")")


def _write_shape_type(w: Writer, type_: ShapeType, *, quoted: bool) -> None:
    w.put("R.Shape", "type")
    if type_.dims is None and type_.ndim is None:
        return
    w.put("(")
    if type_.dims is not None:
        write_dims(w, type_.dims, quoted=quoted, brackets="[]")
    if type_.ndim is not None:
        w.put(", ndim=" if type_.dims is not None else "ndim=")
        w.put(str(type_.ndim), "number")
    w.put(")")


def write_buffer_type(w: Writer, type_: BufferType, *, quoted: bool) -> None:
    """`T.Buffer(shape, "dtype")`, with scope and strides where they are not the usual ones."""
    w.put("T.Buffer", "type")
    w.put("(")
    write_buffer_arguments(w, type_, quoted=quoted)
    w.put(")")


def write_buffer_arguments(w: Writer, type_: BufferType, *, quoted: bool = False) -> None:
    """What stands between the parentheses of everything that makes a buffer."""
    write_dims(w, type_.shape, quoted=quoted)
    w.put(", ")
    w.put(f'"{type_.dtype}"', "string")
    if type_.strides:
        w.put(", strides=")
        write_dims(w, type_.strides, quoted=quoted)
    if type_.scope != "global":
        w.put(", scope=")
        w.put(f'"{type_.scope}"', "string")


def write_dims(w: Writer, dims: Shape, *, quoted: bool = False, brackets: str = "()") -> None:
    """A shape; in parentheses a single dimension has a comma."""
    w.put(brackets[0])
    separated(w, dims, lambda dim: write_dim(w, dim, quoted=quoted))
    w.put(",)" if len(dims) == 1 and brackets == "()" else brackets[1])


def write_dim(w: Writer, dim: Dim, *, quoted: bool = False) -> None:
    """One dimension; a quoted one is one string token that names its variable."""
    if isinstance(dim, int):
        w.put(str(dim), "number")
    elif quoted:
        start = len(w.tokens)
        write_expr(w, dim)
        inner = w.tokens[start:]
        del w.tokens[start:]
        node = inner[0].node if len(inner) == 1 else None
        w.tokens.append(Token(quote(text_of(inner)), "string", w.function, node))
    else:
        write_expr(w, dim)


def write_attr(w: Writer, value: Attr) -> None:
    """An attribute value; tuples print as lists, as in TVM."""
    match value:
        case tuple():
            w.put("[")
            separated(w, value, lambda item: write_attr(w, item))
            w.put("]")
        case str():
            w.put(quote(value), "string")
        case bool() | None:
            w.put(repr(value), "keyword")
        case float() if value != value or value in (float("inf"), float("-inf")):
            w.put("float(")
            w.put(f'"{value}"', "string")
            w.put(")")
        case int() | float():
            w.put(repr(value), "number")
        case _:
            assert_never(value)


def write_attr_dict(w: Writer, attrs: Attrs, rename: dict[str, str] | None = None) -> None:
    """Attributes as a dictionary."""
    w.put("{")

    def item(pair: tuple[str, Attr]) -> None:
        name = (rename or {}).get(pair[0], pair[0])
        w.put(quote(name), "string")
        w.put(": ")
        write_attr(w, pair[1])

    separated(w, attrs, item)
    w.put("}")


def quote(text: str) -> str:
    """A Python string literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)
