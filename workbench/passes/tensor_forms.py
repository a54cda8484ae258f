"""Tensor forms of operator calls: the tensor function and the call that stand for an operator."""

from __future__ import annotations

from dataclasses import replace

from workbench.ir import (
    CallOp,
    CallTIR,
    ScalarValue,
    ShapeValue,
    TensorFunction,
    TensorType,
    TupleType,
    Type,
    find_operator,
    type_of,
)
from workbench.ops import scalar_arguments, tensor_arguments


def tensor_form(call: CallOp, out: Type) -> TensorFunction | None:
    """The private tensor function that computes an operator call, None where there is none."""
    operator = find_operator(call.op)
    if operator is None or operator.legalize is None:
        return None
    types = tuple(type_of(arg) for arg in call.args)
    shapes = tuple(arg for arg in call.args if isinstance(arg, ShapeValue | ScalarValue))
    key = (operator, call.attrs, types, shapes, out)
    if key not in _FORMS:
        function = operator.legalize(call, types, out)
        _FORMS[key] = None if function is None else replace(function, private=True)
    return _FORMS[key]


_FORMS: dict[tuple[object, ...], TensorFunction | None] = {}
"""Memo of a pure function: asking what applies, and applying it, make each tensor function once."""


def call_of(name: str, call: CallOp, out: Type) -> CallTIR:
    """The destination-passing call that stands for an operator call.

    Tuples of arguments are flattened.
    """
    outs = out.fields if isinstance(out, TupleType) else (out,)
    out_types = tuple(t for t in outs if isinstance(t, TensorType))
    return CallTIR(name, tensor_arguments(call), out_types, scalar_arguments(call))
