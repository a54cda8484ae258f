"""Pooling: the greatest or the mean element of each window.

Reference: `tvm.relax.op.nn.max_pool2d`, `tvm.topi.nn.pool`; rounding as in PyTorch and ONNX 22.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, TensorType, as_dim, as_expr, is_float
from workbench.ir.dtypes import numpy_dtype
from workbench.ops.call import OpCall
from workbench.ops.convolution import Layout, layout
from workbench.ops.definition import define
from workbench.ops.padding import padded
from workbench.ops.windows import Window, per_axis, window_counts, window_view, windows
from workbench.te import Reduction, Tensor

_AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}
_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


def _windows(call: OpCall, rank: int) -> list[Window]:
    return windows(call, per_axis(call, "pool_size", rank), ceil_mode=bool(call["ceil_mode"]))


def _pool_rule(call: OpCall, rank: int) -> TensorType:
    data = call.tensor(0)
    shape = call.need_rank(data, rank + 2, "data")
    if "avg" in call.name:
        call.need_float(data)
    batch, channels, extents = layout(call, "layout", "NC", rank).pick(shape)
    found = _windows(call, rank)
    for window, size in zip(found, per_axis(call, "pool_size", rank), strict=True):
        if max(window.before, window.after) >= (size - 1) * window.dilation + 1:
            raise call.error("type/attribute", "pads as much as a whole window")
    counts = window_counts(call, found, extents)
    placed = layout(call, "layout", "NC", rank).place(batch, channels, tuple(counts))
    return TensorType(placed, data.dtype)


def _to_nc(call: OpCall, x: NDArray[Any], rank: int) -> tuple[NDArray[Any], Layout]:
    found = layout(call, "layout", "NC", rank)
    return np.transpose(x, found.order), found


def _lowest(x: NDArray[Any]) -> Any:  # noqa: ANN401
    return -np.inf if is_float(str(x.dtype)) else np.iinfo(x.dtype).min


def _max_pool(call: OpCall, x: NDArray[Any], rank: int) -> Any:  # noqa: ANN401
    data, order = _to_nc(call, x, rank)
    view = window_view(data, _windows(call, rank), _lowest(x))
    taps = list(np.ndindex(*view.shape[-rank:]))
    result = view[(..., *taps[0])].copy()
    for tap in taps[1:]:
        np.maximum(result, view[(..., *tap)], out=result)
    return np.transpose(result, np.argsort(order.order))


def _avg_pool(call: OpCall, x: NDArray[Any], rank: int) -> Any:  # noqa: ANN401
    data, order = _to_nc(call, x, rank)
    found = _windows(call, rank)
    view = window_view(data, found, 0)
    total = np.zeros(view.shape[:-rank], dtype=x.dtype)
    for tap in np.ndindex(*view.shape[-rank:]):
        total += view[(..., *tap)]
    elements = np.ones((), dtype=np.int64)
    for window, extent in zip(found, data.shape[2:], strict=True):
        elements = elements[..., None] * _valid_counts(call, window, extent)
    return np.transpose(total / elements.astype(numpy_dtype(str(x.dtype))), np.argsort(order.order))


def _valid_counts(call: OpCall, window: Window, extent: int) -> NDArray[np.int64]:
    """How many elements of each window count: those of the tensor, or also its padding."""
    low, high = _bounds(call, window, extent)
    counts, kernel = window.count(extent), window.kernel
    assert isinstance(high, int)
    assert isinstance(counts, int)
    assert isinstance(kernel, int)
    starts = np.arange(counts)[:, None] * window.stride - window.before
    positions = starts + np.arange(kernel) * window.dilation
    return ((positions >= low) & (positions < high)).sum(axis=1)


def _bounds(call: OpCall, window: Window, extent: Dim) -> tuple[int, Dim]:
    """The positions that count, relative to the tensor without padding."""
    if call["count_include_pad"]:
        return -window.before, as_dim(as_expr(extent, INDEX) + window.after)
    return 0, extent


def _pool_form(call: OpCall, x: Tensor, rank: int) -> Tensor:
    average = "avg" in call.name
    data = layout(call, "layout", "NC", rank)
    _, _, extents = data.pick(x.shape)
    found = _windows(call, rank)
    spatial = tuple(
        (w.before, w.after + w.overhang(e)) for w, e in zip(found, extents, strict=True)
    )
    fill = te.const(0, x.dtype) if average else te.min_value(x.dtype)
    source = padded(x, data.place((0, 0), (0, 0), spatial), fill, "pad_temp")
    rs = tuple(
        te.reduce_axis(as_expr(w.kernel, INDEX), f"r{axis}")
        for w, axis in zip(found, _AXES[rank], strict=True)
    )
    combine = te.sum if average else te.max

    def element(*index: PrimExpr) -> Reduction:
        n, c, p = data.pick(index)
        at = tuple(w.start(i) + r * w.dilation for w, i, r in zip(found, p, rs, strict=True))
        return combine(source[data.place(n, c, at)], axis=rs)

    shape = _pool_rule(call, rank).shape or ()
    names = data.place("n", "c", _AXES[rank])
    pooled = te.compute(shape, element, "pool_sum" if average else "pool_max", names)
    if not average:
        return pooled

    def mean(*index: PrimExpr) -> PrimExpr:
        _, _, p = data.pick(index)
        return pooled[index] / _divisor(call, found, extents, p, x.dtype)

    return te.compute(shape, mean, "pool_avg", names)


def _divisor(
    call: OpCall,
    found: list[Window],
    extents: tuple[Dim, ...],
    index: tuple[PrimExpr, ...],
    dtype: str,
) -> PrimExpr:
    elements = as_expr(1)
    for window, extent, i in zip(found, extents, index, strict=True):
        elements = elements * _valid_count(call, window, extent, i)
    return (
        te.cast(elements, dtype)
        if not isinstance(as_dim(elements), int)
        else te.const(
            int(as_dim(elements)),  # pyright: ignore[reportArgumentType]
            dtype,
        )
    )


def _valid_count(call: OpCall, window: Window, extent: Dim, index: PrimExpr) -> PrimExpr:
    """The closed form of `_valid_counts`."""
    low, high = _bounds(call, window, extent)
    everything = as_expr(window.kernel, INDEX)
    inside = call["count_include_pad"] or not (window.before or window.after)
    if inside and window.overhang(extent) == 0:
        return everything
    start, d = window.start(index) - window.before, window.dilation
    first = te.maximum((low - start + (d - 1)) // d, 0)
    last = te.minimum((as_expr(high, INDEX) - 1 - start) // d + 1, everything)
    return last - first


def _define_pools(rank: int) -> None:
    attributes: dict[str, Any] = {
        "pool_size": (1,) * rank,
        "strides": (1,) * rank,
        "padding": (0,) * (2 * rank),
        "dilation": (1,) * rank,
        "ceil_mode": False,
        "count_include_pad": False,
        "layout": f"NC{_SPATIAL[rank]}",
        "out_layout": "",
    }
    pools: tuple[tuple[str, Callable[..., Any], str], ...] = (
        ("max", _max_pool, "The greatest element of each window."),
        ("avg", _avg_pool, "The mean of each window, of its padding too if `count_include_pad`."),
    )
    for name, numeric, doc in pools:
        define(
            f"nn.{name}_pool{rank}d",
            partial(_pool_rule, rank=rank),
            partial(numeric, rank=rank),
            partial(_pool_form, rank=rank),
            parameters=("data",),
            attributes=attributes,
            doc=doc,
        )


# --- adaptive ---------------------------------------------------------------------------------


def _output_size(call: OpCall, extents: tuple[Dim, ...]) -> tuple[Dim, ...]:
    given = call["output_size"]
    if given is None:
        return extents
    values = (given,) * len(extents) if isinstance(given, int) else tuple(given)
    values = values * len(extents) if len(values) == 1 else values
    if len(values) != len(extents) or any(value < 1 for value in values):
        raise call.error(
            "type/attribute", f"needs `{len(extents)}` positive numbers as `output_size`"
        )
    return values


def _adaptive_rule(call: OpCall, rank: int) -> TensorType:
    data = call.tensor(0)
    call.need_float(data)
    order = layout(call, "layout", "NC", rank)
    batch, channels, extents = order.pick(call.need_rank(data, rank + 2, "data"))
    placed = order.place(batch, channels, _output_size(call, extents))
    return TensorType(placed, data.dtype)


def _adaptive(call: OpCall, x: NDArray[Any], rank: int) -> Any:  # noqa: ANN401
    data, order = _to_nc(call, x, rank)
    sizes = _output_size(call, data.shape[2:])
    for axis, size in enumerate(sizes, start=2):
        data = _segment_means(data, axis, int(size))  # pyright: ignore[reportArgumentType]
    return np.transpose(data.astype(x.dtype, copy=False), np.argsort(order.order))


def _segment_means(x: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    extent = x.shape[axis]
    parts = [
        x.take(range(i * extent // size, -(-(i + 1) * extent // size)), axis=axis).mean(
            axis=axis, keepdims=True
        )
        for i in range(size)
    ]
    return np.concatenate(parts, axis=axis)


def _adaptive_form(call: OpCall, x: Tensor, rank: int) -> Tensor:
    order = layout(call, "layout", "NC", rank)
    _, _, extents = order.pick(x.shape)
    sizes = tuple(as_expr(size, INDEX) for size in _output_size(call, extents))
    known = tuple(as_expr(extent, INDEX) for extent in extents)
    rs = tuple(
        te.reduce_axis(_longest(extent, size), f"r{axis}")
        for extent, size, axis in zip(known, sizes, _AXES[rank], strict=True)
    )

    def bounds(i: PrimExpr, extent: PrimExpr, size: PrimExpr) -> tuple[PrimExpr, PrimExpr]:
        if _divides(extent, size):
            length = _longest(extent, size)
            return i * length, i * length + length
        return i * extent // size, ((i + 1) * extent + (size - 1)) // size

    def element(*index: PrimExpr) -> Reduction:
        n, c, p = order.pick(index)
        segments = [bounds(*triple) for triple in zip(p, known, sizes, strict=True)]
        at = tuple(start + r for (start, _), r in zip(segments, rs, strict=True))
        inside = [
            position < end
            for (_, end), position, extent, size in zip(segments, at, known, sizes, strict=True)
            if not _divides(extent, size)
        ]
        value = x[order.place(n, c, at)]
        return te.sum(value, axis=rs, where=te.all(*inside) if inside else None)

    names = order.place("n", "c", _AXES[rank])
    shape = _adaptive_rule(call, rank).shape or ()
    total = te.compute(shape, element, "adaptive_pool_sum", names)

    def mean(*index: PrimExpr) -> PrimExpr:
        _, _, p = order.pick(index)
        elements = as_expr(1)
        for triple in zip(p, known, sizes, strict=True):
            divides = _divides(triple[1], triple[2])
            start, end = bounds(*triple)
            elements = elements * (_longest(triple[1], triple[2]) if divides else end - start)
        return total[index] / te.cast(elements, x.dtype)

    return te.compute(shape, mean, "adaptive_pool_avg", names)


def _divides(extent: PrimExpr, size: PrimExpr) -> bool:
    """Whether all segments are known to be equally long."""
    known, wanted = as_dim(extent), as_dim(size)
    if wanted == 1 or extent == size:
        return True
    return isinstance(known, int) and isinstance(wanted, int) and known % wanted == 0


def _longest(extent: PrimExpr, size: PrimExpr) -> PrimExpr:
    """The length of the longest segment, at least."""
    if extent == size:
        return as_expr(1)
    return extent // size if _divides(extent, size) else (extent + (size - 1)) // size + 1


def _define_adaptive(rank: int) -> None:
    define(
        f"nn.adaptive_avg_pool{rank}d",
        partial(_adaptive_rule, rank=rank),
        partial(_adaptive, rank=rank),
        partial(_adaptive_form, rank=rank),
        parameters=("data",),
        attributes={"output_size": None, "layout": f"NC{_SPATIAL[rank]}", "out_layout": ""},
        doc="The means of `output_size` segments of nearly equal length of each dimension.",
    )


for _rank in _SPATIAL:
    _define_pools(_rank)
    _define_adaptive(_rank)
