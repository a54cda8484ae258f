"""Tensors put together and taken apart: concatenation, stacks, splitting."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, Shape, TensorType, TupleType, as_dim, as_expr
from workbench.ir.call_types import show_shape
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import total
from workbench.te import Tensor


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
        def one(n: int) -> PrimExpr:
            start = ends[n - 1] if n else as_expr(0)
            return fields[n][(*i[:axis], i[axis] - start, *i[axis + 1 :])]

        return _halved(range(len(fields)), one, lambda cut: i[axis] < ends[cut - 1])

    return te.compute(shape, element, "T_concat")


def _halved(
    items: range, one: Callable[[int], PrimExpr], before: Callable[[int], PrimExpr]
) -> PrimExpr:
    """One of some expressions, by choices between halves: as deep as the logarithm of their count.

    `before` says whether it is one of those before a number.
    """
    if len(items) == 1:
        return one(items[0])
    cut = len(items) // 2
    first, second = items[:cut], items[cut:]
    return te.if_then_else(
        before(second[0]), _halved(first, one, before), _halved(second, one, before)
    )


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
        return _halved(
            range(len(fields)), lambda n: fields[n][index], lambda cut: i[axis] < as_expr(cut)
        )

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
