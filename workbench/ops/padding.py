"""Tensors made larger: repetition, tiles and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, TensorType, as_dim, as_expr
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.te import Tensor


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
    _check_room(call, shape, widths, "type/attribute")
    dims = (
        as_dim(as_expr(d, INDEX) + (before + after))
        for d, (before, after) in zip(shape, widths, strict=True)
    )
    return TensorType(tuple(dims), operand.dtype)


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "edge": "edge"}


def _check_room(
    call: OpCall, shape: Sequence[Dim], widths: Sequence[tuple[int, int]], code: str
) -> None:
    """Refuse to repeat elements that are not there: `reflect` goes there and back once.

    Raises:
        CompileError: with this code.
    """
    mode = _PAD_MODES[call["pad_mode"]]
    if mode == "constant":
        return
    for axis, (extent, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        if not isinstance(extent, int) or not max(before, after):
            continue
        far = mode == "reflect" and (before > 2 * (extent - 1) or after > extent - 1)
        if extent == 0 or far:
            raise call.error(
                code,
                f"cannot pad `{extent}` elements of dimension `{axis}` by `({before}, {after})`"
                f" in mode `{call['pad_mode']}`",
            )


def _pad(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The tensor with `pad_width` elements (before, after each dimension in turn) around it."""
    widths = pad_widths(call, x.ndim)
    _check_room(call, x.shape, widths, "run/out-of-bounds")
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
