"""What all normalisations share: their parameters `gamma` and `beta`, and `epsilon`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import PrimExpr, TensorType
from workbench.ops.call import OpCall
from workbench.te import Tensor


def check_parameters(call: OpCall, data: TensorType, axes: tuple[int, ...], first: int) -> None:
    """Check that the arguments from `first` on have the extents of `axes`.

    Raises:
        CompileError: `type/dtype-mismatch`, `type/rank`, `type/shape-mismatch`.
    """
    shape = call.shape(data)
    for position in range(first, len(call.types)):
        scale = call.tensor(position)
        call.same_dtype(data, scale)
        for extent, axis in zip(call.need_rank(scale, len(axes), "a parameter"), axes, strict=True):
            call.require_equal(extent, shape[axis], "extents of data and parameters", shape)


def spread(array: NDArray[Any], axes: tuple[int, ...], rank: int) -> NDArray[Any]:
    """Parameters of `axes` with extent 1 elsewhere, to broadcast against the data."""
    order = np.argsort(axes)
    extents = dict(zip(axes, array.shape, strict=True))
    return np.transpose(array, order).reshape([extents.get(axis, 1) for axis in range(rank)])


def scaled(
    call: OpCall, value: PrimExpr, parameters: tuple[Tensor, ...], at: tuple[PrimExpr, ...]
) -> PrimExpr:
    """`value * gamma + beta`, as far as the call has them and wants them."""
    gamma, beta = (*parameters, None, None)[:2]
    if gamma is not None and call.attributes.get("scale", True):
        value = value * gamma[at]
    if beta is not None and call.attributes.get("center", True):
        value = value + beta[at]
    return value


def numeric_scaled(
    call: OpCall, value: NDArray[Any], parameters: tuple[NDArray[Any], ...], axes: tuple[int, ...]
) -> NDArray[Any]:
    """The same for arrays, whose parameters belong to `axes`."""
    gamma, beta = (*parameters, None, None)[:2]
    if gamma is not None and call.attributes.get("scale", True):
        value = value * spread(gamma, axes, value.ndim)
    if beta is not None and call.attributes.get("center", True):
        value = value + spread(beta, axes, value.ndim)
    return value


def epsilon(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The attribute `epsilon` in the dtype of the data."""
    return x.dtype.type(call["epsilon"])
