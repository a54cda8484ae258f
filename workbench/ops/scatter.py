"""Writes at computed places. On the numpy reference only: the result depends on their order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import TensorType
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.indexing import checked_indices


def _scatter_rule(call: OpCall) -> TensorType:
    operand, indices, updates = (call.tensor(i) for i in range(3))
    call.need_integer(indices, "indices")
    call.same_dtype(operand, updates)
    if call["reduction"] not in _SCATTER:
        raise call.error("type/unsupported", f"has no reduction `{call['reduction']}`")
    return TensorType(call.shape(operand), operand.dtype)


_SCATTER = {"update": None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _write(
    call: OpCall, x: NDArray[Any], at: tuple[Any, ...], values: NDArray[Any]
) -> NDArray[Any]:
    result = x.copy()
    combine: Any = _SCATTER[call["reduction"]]
    if combine is None:
        result[at] = values
    else:
        combine.at(result, at, values)
    return result


def _scatter_elements(
    call: OpCall, x: NDArray[Any], indices: NDArray[Any], updates: NDArray[Any]
) -> Any:  # noqa: ANN401
    """`out[indices[i, j], j] = updates[i, j]` for axis 0, or combined with what is there."""
    axis = call.axis(call["axis"], x.ndim)
    at: list[Any] = list(np.indices(indices.shape, sparse=True))
    at[axis] = checked_indices(call, indices, x.shape[axis])
    return _write(call, x, tuple(at), updates)


def _scatter_nd(call: OpCall, x: NDArray[Any], indices: NDArray[Any], updates: NDArray[Any]) -> Any:  # noqa: ANN401
    """`out[indices[i, 0], indices[i, 1], ...] = updates[i]`, or combined with what is there."""
    columns = [checked_indices(call, indices[..., n], x.shape[n]) for n in range(indices.shape[-1])]
    return _write(call, x, tuple(columns), updates)


define(
    "scatter_elements",
    _scatter_rule,
    _scatter_elements,
    parameters=("data", "indices", "updates"),
    attributes={"axis": 0, "reduction": "update"},
)
define(
    "scatter_nd",
    _scatter_rule,
    _scatter_nd,
    parameters=("data", "indices", "updates"),
    attributes={"reduction": "update"},
)
