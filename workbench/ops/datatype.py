"""Conversion between dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import DType, TensorType, is_float
from workbench.ir.dtypes import DTYPES, numpy_dtype
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.te import Tensor, cast, compute


def convert(x: NDArray[Any], dtype: DType) -> NDArray[Any]:
    """`x` as `dtype`: floats truncate toward zero and saturate, NaN becomes 0, integers wrap."""
    target = numpy_dtype(dtype)
    if not is_float(str(x.dtype)) or is_float(dtype) or dtype == "bool":
        return x.astype(target)
    limits = np.iinfo(target)
    wide = np.trunc(x.astype(np.float64))
    low, high = float(limits.min), float(limits.max) + 1.0
    inside = (wide >= low) & (wide < high)
    result = np.where(inside, wide, 0).astype(target)
    result[wide >= high] = limits.max
    result[wide < low] = limits.min
    return result


def check_dtype(call: OpCall, dtype: object) -> DType:
    """`dtype` if there is such a dtype.

    Raises:
        CompileError: `type/unknown-dtype`.
    """
    if dtype not in DTYPES:
        raise call.error("type/unknown-dtype", f"names the dtype `{dtype}`, which does not exist")
    return str(dtype)


def _astype_rule(call: OpCall) -> TensorType:
    return TensorType(call.shape(call.tensor(0)), check_dtype(call, call["dtype"]))


def _astype(call: OpCall, x: NDArray[Any]) -> NDArray[Any]:
    """The operand converted to `dtype`: toward zero, saturating, NaN to 0; to bool: `x != 0`."""
    return convert(np.asarray(x), call["dtype"])


def _astype_form(call: OpCall, x: Tensor) -> Tensor:
    return compute(x.shape, lambda *i: cast(x[i], call["dtype"]), "compute")


define(
    "astype",
    _astype_rule,
    _astype,
    _astype_form,
    attributes={"dtype": "float32"},
    dtype=lambda call: call["dtype"],
)
