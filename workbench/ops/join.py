"""Tensors put together and taken apart: concatenation, splitting, slices, repetition, padding."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, Shape, TensorType, TupleType, as_dim, as_expr
from workbench.ir.call_types import show_shape
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import ceil_div, total
from workbench.te import Tensor

_NO_LIMIT = 2**31 - 1
"""An `end` at least this large means: to the end of the dimension (as in ONNX and Relax)."""


def _concat_rule(call: OpCall) -> TensorType:
    fields = call.tensors(0)
    if not fields:
        raise call.error("type/argument-count", "needs at least one tensor")
    dtype = call.same_dtype(*fields)
    shapes = [call.shape(field) for field in fields]
    first = shapes[0]
    axis = call.axis(call["axis"] or 0, len(first))
    for shape in shapes[1:]:
        if len(shape) != len(first):
            raise call.error(
                "type/rank",
                f"needs equal ranks, got `{show_shape(first)}` and `{show_shape(shape)}`",
            )
        for position in range(len(first)):
            if position != axis:
                call.require_equal(first[position], shape[position], "extents", *shapes)
    joined = total([shape[axis] for shape in shapes])
    return TensorType((*first[:axis], joined, *first[axis + 1 :]), dtype)


def _concat(call: OpCall, fields: Sequence[NDArray[Any]]) -> Any:  # noqa: ANN401
    """The tensors one after the other along `axis`."""
    return np.concatenate(list(fields), axis=call["axis"] or 0)


def _concat_form(call: OpCall, fields: tuple[Tensor, ...]) -> Tensor:
    shape = _concat_rule(call).shape or ()
    axis = call.axis(call["axis"] or 0, len(shape))
    ends = list(itertools.accumulate(as_expr(f.shape[axis], INDEX) for f in fields))

    def element(*i: PrimExpr) -> PrimExpr:
        value: PrimExpr | None = None
        for n in reversed(range(len(fields))):
            start = ends[n - 1] if n else as_expr(0)
            here = fields[n][(*i[:axis], i[axis] - start, *i[axis + 1 :])]
            value = here if value is None else te.if_then_else(i[axis] < ends[n], here, value)
        assert value is not None
        return value

    return te.compute(shape, element, "T_concat")


define(
    "concat", _concat_rule, _concat, _concat_form, parameters=("tensors",), attributes={"axis": 0}
)


def _stack_rule(call: OpCall) -> TensorType:
    fields = call.tensors(0)
    if not fields:
        raise call.error("type/argument-count", "needs at least one tensor")
    dtype = call.same_dtype(*fields)
    shapes = [call.shape(field) for field in fields]
    for shape in shapes[1:]:
        if len(shape) != len(shapes[0]):
            raise call.error(
                "type/rank",
                f"needs equal ranks, got `{show_shape(shapes[0])}` and `{show_shape(shape)}`",
            )
        for a, b in zip(shapes[0], shape, strict=True):
            call.require_equal(a, b, "extents", *shapes)
    axis = call.axis(call["axis"], len(shapes[0]) + 1)
    return TensorType((*shapes[0][:axis], len(fields), *shapes[0][axis:]), dtype)


def _stack(call: OpCall, fields: Sequence[NDArray[Any]]) -> Any:  # noqa: ANN401
    """The tensors along a new dimension at `axis`."""
    return np.stack(list(fields), axis=call["axis"])


def _stack_form(call: OpCall, fields: tuple[Tensor, ...]) -> Tensor:
    shape = _stack_rule(call).shape or ()
    axis = call.axis(call["axis"], len(shape))

    def element(*i: PrimExpr) -> PrimExpr:
        index = (*i[:axis], *i[axis + 1 :])
        value: PrimExpr = fields[-1][index]
        for n in reversed(range(len(fields) - 1)):
            value = te.if_then_else(te.equal(i[axis], n), fields[n][index], value)
        return value

    return te.compute(shape, element, "T_stack")


define("stack", _stack_rule, _stack, _stack_form, parameters=("tensors",), attributes={"axis": 0})


# --- split ------------------------------------------------------------------------------------


def _split_bounds(call: OpCall, extent: Dim) -> list[tuple[Dim, Dim]]:
    """Start and end of each part."""
    wanted = call["indices_or_sections"]
    if not isinstance(wanted, int):
        cuts: list[Dim] = [0, *(int(cut) for cut in wanted), extent]
        return list(itertools.pairwise(cuts))
    if wanted < 1:
        raise call.error("type/shape-mismatch", f"cannot split into `{wanted}` parts")
    if wanted == 1:
        return [(0, extent)]
    if not isinstance(extent, int):
        raise call.error(
            "type/shape-mismatch",
            "needs a known extent to split into equal parts",
            hint="give the positions of the cuts",
        )
    size = -(-extent // wanted)
    return [(min(n * size, extent), min((n + 1) * size, extent)) for n in range(wanted)]


def _split_rule(call: OpCall) -> TupleType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    axis = call.axis(call["axis"], len(shape))
    parts = [
        as_dim(as_expr(end, INDEX) - as_expr(start, INDEX))
        for start, end in _split_bounds(call, shape[axis])
    ]
    if any(isinstance(part, int) and part < 0 for part in parts):
        raise call.error("type/shape-mismatch", f"has cuts outside of extent `{shape[axis]}`")
    return TupleType(
        tuple(TensorType((*shape[:axis], p, *shape[axis + 1 :]), operand.dtype) for p in parts)
    )


def _split(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """Parts along `axis`: so many of equal size, or cut at the given positions."""
    axis = call.axis(call["axis"], x.ndim)
    bounds = _split_bounds(call, x.shape[axis])
    return tuple(x[(slice(None),) * axis + (slice(start, end),)] for start, end in bounds)


def _split_form(call: OpCall, x: Tensor) -> tuple[Tensor, ...]:
    axis = call.axis(call["axis"], x.ndim)
    bounds = _split_bounds(call, x.shape[axis])
    return tuple(
        _shifted(x, axis, start, field.shape or (), f"T_split_{n}")
        for n, ((start, _), field) in enumerate(
            zip(
                bounds,
                (f for f in _split_rule(call).fields if isinstance(f, TensorType)),
                strict=True,
            )
        )
    )


def _shifted(x: Tensor, axis: int, start: Dim, shape: Shape, name: str) -> Tensor:
    return te.compute(shape, lambda *i: x[(*i[:axis], i[axis] + start, *i[axis + 1 :])], name)


define("split", _split_rule, _split, _split_form, attributes={"indices_or_sections": 1, "axis": 0})


# --- slices -----------------------------------------------------------------------------------


def _slice_ranges(call: OpCall, shape: Shape) -> dict[int, tuple[Dim, Dim, int]]:
    """First index, extent and stride of each sliced axis."""
    axes = call.axes(call["axes"], len(shape))
    begin, end = tuple(call["begin"]), tuple(call["end"])
    strides = tuple(call["strides"]) if call["strides"] is not None else (1,) * len(axes)
    if not len(axes) == len(begin) == len(end) == len(strides):
        raise call.error(
            "type/argument-count",
            f"has `{len(axes)}` axes, `{len(begin)}` begins, `{len(end)}` ends and "
            f"`{len(strides)}` strides",
        )
    return {
        axis: _slice_range(call, shape[axis], b, e, s)
        for axis, b, e, s in zip(axes, begin, end, strides, strict=True)
    }


def _slice_range(
    call: OpCall, extent: Dim, begin: int, end: int, stride: int
) -> tuple[Dim, Dim, int]:
    if stride == 0:
        raise call.error("type/shape-mismatch", "has a stride of `0`")
    if isinstance(extent, int):
        positions = range(*slice(begin, _stop(end, stride), stride).indices(extent))
        return positions.start, len(positions), stride
    if stride < 0:
        return _backward(call, extent, begin, end, stride)
    first, last = _position(extent, begin), _position(extent, end)
    length = as_expr(last, INDEX) - as_expr(first, INDEX)
    surely = first == 0 or (end >= _NO_LIMIT and begin < 0)
    return first, ceil_div(as_dim(length if surely else te.maximum(length, 0)), stride), stride


def _stop(end: int, stride: int) -> int | None:
    """The `end` that Relax and ONNX write to include element 0 of a backward slice."""
    return None if stride < 0 and end <= -_NO_LIMIT else end


def _position(extent: PrimExpr, position: int) -> Dim:
    """A position within a symbolic extent, clamped to it."""
    if position >= _NO_LIMIT:
        return extent
    if position == 0:
        return 0
    if position < 0:
        return te.maximum(extent + position, 0)
    return te.minimum(extent, position)


def _backward(
    call: OpCall, extent: PrimExpr, begin: int, end: int, stride: int
) -> tuple[Dim, Dim, int]:
    if end > -_NO_LIMIT or not (begin == -1 or begin >= _NO_LIMIT):
        raise call.error(
            "type/unsupported",
            "slices a symbolic extent backward, which is supported only for the whole of it",
        )
    return extent - 1, ceil_div(extent, -stride), stride


def _strided_slice_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    ranges = _slice_ranges(call, shape)
    sliced = (ranges[axis][1] if axis in ranges else dim for axis, dim in enumerate(shape))
    return TensorType(tuple(sliced), operand.dtype)


def _strided_slice(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The elements `begin, begin + stride, ...` before `end` along `axes`, as numpy slices."""
    index = [slice(None)] * x.ndim
    axes = call.axes(call["axes"], x.ndim)
    strides = call["strides"] if call["strides"] is not None else (1,) * len(axes)
    for axis, begin, end, stride in zip(axes, call["begin"], call["end"], strides, strict=True):
        index[axis] = slice(begin, _stop(end, stride), stride)
    return x[tuple(index)]


def _strided_slice_form(call: OpCall, x: Tensor) -> Tensor:
    ranges = _slice_ranges(call, x.shape)

    def source(axis: int, index: PrimExpr) -> PrimExpr:
        if axis not in ranges:
            return index
        first, _, stride = ranges[axis]
        return index * stride + as_expr(first, INDEX)

    return te.compute(
        _strided_slice_rule(call).shape or (),
        lambda *i: x[tuple(source(axis, index) for axis, index in enumerate(i))],
        "T_strided_slice",
    )


define(
    "strided_slice",
    _strided_slice_rule,
    _strided_slice,
    _strided_slice_form,
    attributes={"axes": (), "begin": (), "end": (), "strides": None, "assume_inbound": False},
)


def _flip_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    call.axes(call["axis"], len(call.shape(operand)))
    return TensorType(call.shape(operand), operand.dtype)


def _flip(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The elements along `axis` in reverse order."""
    return np.flip(x, call.axes(call["axis"], x.ndim))


def _flip_form(call: OpCall, x: Tensor) -> Tensor:
    axes = call.axes(call["axis"], x.ndim)

    def source(axis: int, index: PrimExpr) -> PrimExpr:
        return as_expr(x.shape[axis], INDEX) - 1 - index if axis in axes else index

    return te.compute(
        x.shape, lambda *i: x[tuple(source(axis, v) for axis, v in enumerate(i))], "T_flip"
    )


define("flip", _flip_rule, _flip, _flip_form, attributes={"axis": 0})


# --- repetition and padding -------------------------------------------------------------------


def _repeat_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    axis = call.axis(call["axis"], len(shape))
    repeated = as_dim(as_expr(shape[axis], INDEX) * call["repeats"])
    return TensorType((*shape[:axis], repeated, *shape[axis + 1 :]), operand.dtype)


def _repeat(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """Each element `repeats` times along `axis`."""
    return np.repeat(x, call["repeats"], axis=call["axis"])


def _repeat_form(call: OpCall, x: Tensor) -> Tensor:
    axis = call.axis(call["axis"], x.ndim)
    return te.compute(
        _repeat_rule(call).shape or (),
        lambda *i: x[(*i[:axis], i[axis] // call["repeats"], *i[axis + 1 :])],
        "T_repeat",
    )


define("repeat", _repeat_rule, _repeat, _repeat_form, attributes={"repeats": 1, "axis": 0})


def _tile_repeats(call: OpCall, rank: int) -> tuple[int, ...]:
    given = call["repeats"]
    repeats = (given,) if isinstance(given, int) else tuple(given)
    return (1,) * (rank - len(repeats)) + repeats


def _tile_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    repeats = _tile_repeats(call, len(shape))
    padded = (1,) * (len(repeats) - len(shape)) + shape
    dims = (as_dim(as_expr(d, INDEX) * r) for d, r in zip(padded, repeats, strict=True))
    return TensorType(tuple(dims), operand.dtype)


def _tile(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The whole tensor `repeats` times along each dimension."""
    return np.tile(x, call["repeats"])


def _tile_form(call: OpCall, x: Tensor) -> Tensor:
    shape = _tile_rule(call).shape or ()
    return te.compute(
        shape,
        lambda *i: x[
            tuple(v % as_expr(d, INDEX) for v, d in zip(i[len(i) - x.ndim :], x.shape, strict=True))
        ],
        "T_tile",
    )


define("tile", _tile_rule, _tile, _tile_form, attributes={"repeats": 1})


def pad_widths(call: OpCall, rank: int) -> list[tuple[int, int]]:
    """Elements before and after each dimension, from `before, after` pairs in a row.

    Raises:
        CompileError: `type/argument-count`.
    """
    flat = tuple(call["pad_width"])
    if len(flat) != 2 * rank:
        raise call.error("type/argument-count", f"needs `{2 * rank}` pad widths, got `{len(flat)}`")
    return list(zip(flat[::2], flat[1::2], strict=True))


def padded(x: Tensor, widths: Sequence[tuple[int, int]], value: PrimExpr, name: str) -> Tensor:
    """`x` surrounded by `value`; `x` itself where no width is positive."""
    if not any(before or after for before, after in widths):
        return x
    shape = tuple(
        as_dim(as_expr(extent, INDEX) + (before + after))
        for extent, (before, after) in zip(x.shape, widths, strict=True)
    )

    def element(*i: PrimExpr) -> PrimExpr:
        inside: list[PrimExpr] = []
        for index, extent, (before, after) in zip(i, x.shape, widths, strict=True):
            if before:
                inside.append(index >= before)
            if after:
                inside.append(index < as_expr(extent, INDEX) + before)
        source = tuple(v - before for v, (before, _) in zip(i, widths, strict=True))
        return te.if_then_else(te.all(*inside), x[source], value)

    return te.compute(shape, element, name)


def _pad_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    if call["pad_mode"] not in _PAD_MODES:
        raise call.error("type/unsupported", f"has no mode `{call['pad_mode']}`")
    widths = pad_widths(call, len(shape))
    dims = (
        as_dim(as_expr(d, INDEX) + (before + after))
        for d, (before, after) in zip(shape, widths, strict=True)
    )
    return TensorType(tuple(dims), operand.dtype)


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "edge": "edge"}


def _pad(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The tensor with `pad_width` elements (before, after each dimension in turn) around it."""
    widths = pad_widths(call, x.ndim)
    mode = _PAD_MODES[call["pad_mode"]]
    constant = {"constant_values": call["pad_value"]} if mode == "constant" else {}
    pad: Any = np.pad
    return pad(x, widths, mode=mode, **constant)


def _pad_form(call: OpCall, x: Tensor) -> Tensor:
    widths = pad_widths(call, x.ndim)
    mode = _PAD_MODES[call["pad_mode"]]
    if mode == "constant":
        value = te.const(call["pad_value"], x.dtype)
        found = padded(x, widths, value, "PadInput")
        return found if found is not x else te.compute(x.shape, lambda *i: x[i], "PadInput")

    def source(index: PrimExpr, extent: Dim, before: int) -> PrimExpr:
        last = as_expr(extent, INDEX) - 1
        inner = index - before
        if mode == "edge":
            return te.minimum(te.maximum(inner, 0), last)
        near = te.maximum(inner, 0 - inner)
        return te.minimum(near, last + last - near)

    return te.compute(
        _pad_rule(call).shape or (),
        lambda *i: x[tuple(source(v, d, w[0]) for v, d, w in zip(i, x.shape, widths, strict=True))],
        "PadInput",
    )


define(
    "nn.pad",
    _pad_rule,
    _pad,
    _pad_form,
    attributes={"pad_width": (), "pad_value": 0.0, "pad_mode": "constant"},
)
