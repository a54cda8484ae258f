"""Layouts: a tensor whose elements lie where an index map says.

Reference: `tvm.relax.op.layout_transform`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.analysis.index_map import IndexMap, InverseMap
from workbench.ir import (
    Binary,
    BinaryOp,
    DType,
    IntImm,
    PrimExpr,
    Shape,
    TensorType,
    Var,
    is_float,
)
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.support import NodeId
from workbench.te import Tensor


def _map(call: OpCall, rank: int) -> IndexMap:
    """The map of a call.

    Raises:
        CompileError: `type/attribute` where the attribute is no text, `index-map/not-a-map`.
    """
    text = call["index_map"]
    if not isinstance(text, str):
        raise call.error("type/attribute", f"needs the text of a map as `index_map`, got `{text}`")
    return IndexMap.of(text, rank)


def _inverse(call: OpCall, shape: Shape) -> InverseMap:
    return _map(call, len(shape)).inverse(shape)


def _fill(call: OpCall, dtype: DType) -> float | bool:
    value = call["pad_value"]
    number = isinstance(value, int | float) and (isinstance(value, int) or is_float(dtype))
    if not number:
        raise call.error(
            "type/attribute", f"needs a number of dtype `{dtype}` as `pad_value`, got `{value}`"
        )
    return value


def _rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    _fill(call, operand.dtype or "float32")
    return TensorType(_inverse(call, call.shape(operand)).shape, operand.dtype)


def _numeric(call: OpCall, x: NDArray[Any]) -> NDArray[Any]:
    """`out[index_map(*i)] = x[i]`; the padding of a larger box is `pad_value`."""
    layout = _map(call, x.ndim)
    back = layout.inverse(x.shape)
    extents = [extent for extent in back.shape if isinstance(extent, int)]
    result = np.full(extents, call["pad_value"]).astype(x.dtype)
    indices = np.indices(x.shape, sparse=True)
    known = {var.id: index for var, index in zip(layout.initial, indices, strict=True)}
    places = [np.broadcast_to(_value(value, known), x.shape) for value in layout.final]
    result[tuple(places)] = x
    return result


def _value(expr: PrimExpr, known: dict[NodeId, Any]) -> Any:  # noqa: ANN401
    """An index expression on arrays of indices."""
    match expr:
        case Var(id=var):
            return known[var]
        case IntImm(value=value):
            return value
        case Binary(op=op, a=a, b=b):
            return _combined(op, _value(a, known), _value(b, known))
        case _:
            msg = f"{expr!r} is no expression of an index map"
            raise TypeError(msg)


def _combined(op: BinaryOp, a: Any, b: Any) -> Any:  # noqa: ANN401
    match op:
        case BinaryOp.ADD:
            return a + b
        case BinaryOp.SUB:
            return a - b
        case BinaryOp.MUL:
            return a * b
        case BinaryOp.FLOORDIV:
            return a // b
        case _:
            assert op is BinaryOp.FLOORMOD
            return a % b


def _form(call: OpCall, x: Tensor) -> Tensor:
    back = _inverse(call, x.shape)
    fill = te.const(_fill(call, x.dtype), x.dtype)

    def element(*at: PrimExpr) -> PrimExpr:
        there, inside = back.at(at)
        return x[there] if inside is None else te.if_then_else(inside, x[there], fill)

    names = tuple(var.name for var in back.variables)
    return te.compute(back.shape, element, "layout", names)


define(
    "layout_transform",
    _rule,
    _numeric,
    _form,
    attributes={"index_map": "", "pad_value": 0},
)
