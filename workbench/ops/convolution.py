"""Convolutions over one, two and three dimensions, with groups.

Reference: `tvm.relax.op.nn.conv2d`, `tvm.topi.nn.conv`; Chellapilla et al., "High Performance
Convolutional Neural Networks for Document Processing", 2006 (convolution as a matrix product).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, TensorType, as_dim, as_expr
from workbench.ir.dtypes import numpy_dtype
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import quotient
from workbench.ops.matmul import exact_product, result_dtype
from workbench.ops.padding import padded
from workbench.ops.windows import Window, window_counts, window_view, windows
from workbench.te import Reduction, Tensor

_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of the dimensions: `first` is batch or output channels, `second` input channels."""

    first: int
    second: int
    spatial: tuple[int, ...]

    def pick(self, dims: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """First, second and spatial entries of `dims`."""
        return dims[self.first], dims[self.second], tuple(dims[axis] for axis in self.spatial)

    def place(self, first: Any, second: Any, spatial: tuple[Any, ...]) -> tuple[Any, ...]:  # noqa: ANN401
        """Entries in the order of this layout."""
        dims: list[Any] = [None] * (2 + len(spatial))
        dims[self.first], dims[self.second] = first, second
        for axis, entry in zip(self.spatial, spatial, strict=True):
            dims[axis] = entry
        return tuple(dims)

    @property
    def order(self) -> tuple[int, ...]:
        """The permutation to `first, second, spatial`."""
        return (self.first, self.second, *self.spatial)


def layout(call: OpCall, attribute: str, letters: str, rank: int) -> Layout:
    """The layout that an attribute names, such as `NHWC`.

    Raises:
        CompileError: `type/attribute`.
    """
    name = str(call[attribute])
    if sorted(name) != sorted(letters + _SPATIAL[rank]):
        raise call.error(
            "type/attribute",
            f"needs an order of `{letters + _SPATIAL[rank]}` as `{attribute}`, got `{name}`",
            hint="blocked layouts are expressed by an index map on the buffers",
        )
    return Layout(
        name.index(letters[0]),
        name.index(letters[1]),
        tuple(name.index(letter) for letter in _SPATIAL[rank]),
    )


def _out_layout(call: OpCall, rank: int) -> Layout:
    chosen = call["out_layout"]
    return layout(call, "out_layout" if chosen else "data_layout", "NC", rank)


def _conv_rule(call: OpCall, rank: int) -> TensorType:
    data, weight = call.tensor(0), call.tensor(1)
    call.same_dtype(data, weight)
    shape = call.need_rank(data, rank + 2, "data")
    kernel_shape = call.need_rank(weight, rank + 2, "a weight")
    batch, channels, extents = layout(call, "data_layout", "NC", rank).pick(shape)
    filters, depth, kernel = layout(call, "kernel_layout", "OI", rank).pick(kernel_shape)
    groups = _groups(call, filters)
    call.require_equal(
        channels, as_dim(as_expr(depth, INDEX) * groups), "channels", shape, kernel_shape
    )
    counts = window_counts(call, windows(call, kernel), extents)
    dims = _out_layout(call, rank).place(batch, filters, tuple(counts))
    return TensorType(dims, result_dtype(call, data))


def _groups(call: OpCall, filters: Dim) -> int:
    groups = call["groups"]
    divides = groups == 1 or (groups > 1 and quotient(filters, groups) is not None)
    if not divides and (groups < 1 or isinstance(filters, int)):
        raise call.error(
            "type/attribute", f"cannot divide `{filters}` output channels into `{groups}` groups"
        )
    if not divides:
        call.unproved.append("output channels divide into groups")
    return groups


def _conv(call: OpCall, x: NDArray[Any], weight: NDArray[Any], rank: int) -> Any:  # noqa: ANN401
    order, kernel_order = (
        layout(call, "data_layout", "NC", rank).order,
        layout(call, "kernel_layout", "OI", rank).order,
    )
    x, weight = np.transpose(x, order), np.transpose(weight, kernel_order)
    chosen = call["out_dtype"]
    if chosen not in (None, "", "void"):
        x, weight = (array.astype(numpy_dtype(chosen)) for array in (x, weight))
    result = _grouped(x, weight, windows(call, weight.shape[2:]), call["groups"])
    out = _out_layout(call, rank)
    return np.transpose(result, np.argsort(out.order))


def _grouped(
    x: NDArray[Any], weight: NDArray[Any], found: list[Window], groups: int
) -> NDArray[Any]:
    """`out[n, f, p] = sum over c, k of weight[f, c, k] * x[n, c, window p at k]`, by groups."""
    rank = len(found)
    view = window_view(x, found, 0)
    counts = view.shape[2 : 2 + rank]
    depth, filters = weight.shape[1], weight.shape[0] // groups
    size = prod(weight.shape[1:])
    parts: list[NDArray[Any]] = []
    for group in range(groups):
        part = view[:, group * depth : (group + 1) * depth]
        # (n, c, counts, kernels) -> (n, c, kernels, counts): columns of a matrix
        columns = np.moveaxis(part, range(2, 2 + rank), range(-rank, 0))
        matrix = columns.reshape(x.shape[0], size, prod(counts))
        rows = weight[group * filters : (group + 1) * filters].reshape(
            filters, prod(weight.shape[1:])
        )
        parts.append(exact_product(rows, matrix))
    joined = parts[0] if groups == 1 else np.concatenate(parts, axis=1)
    return joined.reshape(x.shape[0], weight.shape[0], *counts)


_AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}


def _conv_form(call: OpCall, x: Tensor, weight: Tensor, rank: int) -> Tensor:
    data, kernel, out = (
        layout(call, "data_layout", "NC", rank),
        layout(call, "kernel_layout", "OI", rank),
        _out_layout(call, rank),
    )
    filters, depth, sizes = kernel.pick(weight.shape)
    found = windows(call, sizes)
    widths = data.place((0, 0), (0, 0), tuple((w.before, w.after) for w in found))
    source = padded(x, widths, te.const(0, x.dtype), "pad_temp")
    rc = te.reduce_axis(as_expr(depth, INDEX), "rc")
    rs = tuple(
        te.reduce_axis(as_expr(size, INDEX), f"r{axis}")
        for size, axis in zip(sizes, _AXES[rank], strict=True)
    )
    groups = call["groups"]
    result = _conv_rule(call, rank)

    def element(*index: PrimExpr) -> Reduction:
        n, f, p = out.pick(index)
        offset = 0 if groups == 1 else f // (filters // groups) * depth
        at = tuple(w.start(i) + r * w.dilation for w, i, r in zip(found, p, rs, strict=True))
        left = source[data.place(n, rc + offset if groups > 1 else rc, at)]
        right = weight[kernel.place(f, rc, rs)]
        dtype = result.dtype or x.dtype
        return te.sum(te.cast(left, dtype) * te.cast(right, dtype), axis=[rc, *rs])

    names = out.place("n", "f", _AXES[rank])
    block = f"conv{rank}d_{str(call['out_layout'] or call['data_layout']).lower()}"
    return te.compute(result.shape or (), element, f"group_{block}" if groups > 1 else block, names)


def _define(rank: int) -> None:
    spatial = _SPATIAL[rank]
    define(
        f"nn.conv{rank}d",
        partial(_conv_rule, rank=rank),
        partial(_conv, rank=rank),
        partial(_conv_form, rank=rank),
        parameters=("data", "weight"),
        attributes={
            "strides": (1,) * rank,
            "padding": (0,) * (2 * rank),
            "dilation": (1,) * rank,
            "groups": 1,
            "data_layout": f"NC{spatial}",
            "kernel_layout": f"OI{spatial}",
            "out_layout": "",
            "out_dtype": "",
        },
        doc=f"Convolution over `{rank}` dimensions: `out[n, f, p] = sum of weight[f, c, r] * "
        "data[n, c, p * strides + r * dilation - padding]`.",
    )


for _rank in _SPATIAL:
    _define(_rank)
