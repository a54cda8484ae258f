"""Sorting, and what is found by it or by a search. On the numpy reference only."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.ir import INDEX, Dim, TensorType, TupleType
from workbench.ops.call import OpCall
from workbench.ops.definition import define


def _sort_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    call.axis(call["axis"], len(call.shape(operand)))
    dtype = operand.dtype if call.name == "sort" else call["dtype"]
    return TensorType(call.shape(operand), dtype)


def _order(x: NDArray[Any], axis: int, *, descending: bool) -> NDArray[np.int64]:
    """A stable order; equal elements stay in place in both directions."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backward = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    return x.shape[axis] - 1 - backward


def _sort(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The elements along `axis` in ascending order, or descending."""
    order = _order(x, call["axis"], descending=call["descending"])
    return np.take_along_axis(x, order, axis=call["axis"])


def _argsort(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The positions of the elements along `axis` in ascending order, or descending; stable."""
    return _order(x, call["axis"], descending=call["descending"]).astype(call["dtype"])


define("sort", _sort_rule, _sort, attributes={"axis": -1, "descending": False})
define(
    "argsort",
    _sort_rule,
    _argsort,
    attributes={"axis": -1, "descending": False, "dtype": "int32"},
    dtype=lambda call: call["dtype"],
)


def _topk_rule(call: OpCall) -> TensorType | TupleType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    axis = call.axis(call["axis"], len(shape))
    extent: Dim = shape[axis] if call["k"] < 1 else call["k"]
    if isinstance(shape[axis], int) and isinstance(extent, int) and extent > int(str(shape[axis])):
        raise call.error("type/attribute", f"takes `{extent}` of `{shape[axis]}` elements")
    dims = (*shape[:axis], extent, *shape[axis + 1 :])
    values, positions = TensorType(dims, operand.dtype), TensorType(dims, call["dtype"])
    both: dict[str, TensorType | TupleType] = {
        "both": TupleType((values, positions)),
        "values": values,
        "indices": positions,
    }
    if call["ret_type"] not in both:
        raise call.error("type/attribute", f"has no ret_type `{call['ret_type']}`")
    return both[call["ret_type"]]


def _topk(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The `k` greatest elements along `axis` in order, or smallest, and their positions."""
    axis = call.axis(call["axis"], x.ndim)
    order = _order(x, axis, descending=call["largest"])
    k = x.shape[axis] if call["k"] < 1 else call["k"]
    first = order[(slice(None),) * axis + (slice(0, k),)]
    values = np.take_along_axis(x, first, axis=axis)
    positions = first.astype(call["dtype"])
    found: dict[str, Any] = {"both": (values, positions), "values": values, "indices": positions}
    return found[call["ret_type"]]


define(
    "topk",
    _topk_rule,
    _topk,
    parameters=("data",),
    attributes={"k": 1, "axis": -1, "ret_type": "both", "largest": True, "dtype": "int32"},
)


def _nonzero_rule(call: OpCall) -> TensorType:
    call.tensor(0)
    return TensorType(None, INDEX, 2)


def _nonzero(_: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The positions of the elements that are not zero: `(rank, count) int64`."""
    return np.stack(np.nonzero(np.atleast_1d(x))).astype(np.int64)


define("nonzero", _nonzero_rule, _nonzero, dtype=lambda _: INDEX)


_POSITIONS = ("return_index", "return_inverse", "return_counts")


def _unique_rule(call: OpCall) -> TensorType | TupleType:
    operand = call.tensor(0)
    whole = call["axis"] is None
    if not whole:
        call.axis(call["axis"], len(call.shape(operand)))
    elements = TensorType(None, operand.dtype, 1 if whole else operand.rank)
    more = [TensorType(None, INDEX, 1) for name in _POSITIONS if call[name]]
    return TupleType((elements, *more)) if more else elements


def _unique(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The distinct elements in ascending order, or slices along `axis`.

    With `return_index`, `return_inverse` and `return_counts` also where each comes first, which one
    each element is, and how often each comes: `int64` of one dimension.
    """
    wanted = {name: call[name] for name in _POSITIONS}
    found: Any = cast("Any", np.unique(x, **wanted, axis=call["axis"]))
    if not any(wanted.values()):
        return found
    elements, *positions = cast("tuple[NDArray[Any], ...]", found)
    return (elements, *(np.ravel(item).astype(np.int64) for item in positions))


define(
    "unique",
    _unique_rule,
    _unique,
    attributes={"sorted": True, **dict.fromkeys(_POSITIONS, False), "axis": None},
)
