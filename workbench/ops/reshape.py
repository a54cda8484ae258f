"""Tensors with the same elements in another shape.

The index arithmetic of the tensor forms is as simple as the shapes allow: dimensions are matched in
groups of equal size, and a group of one dimension on both sides needs no arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, Shape, TensorType, as_expr
from workbench.ir.call_types import show_dim, show_shape
from workbench.ops.arithmetic import element
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import floor_div, product, quotient, same
from workbench.te import Tensor


def reshaped(x: Tensor, shape: Shape, name: str) -> Tensor:
    """`x` with the same elements, in row-major order, in `shape`."""
    return te.compute(shape, lambda *i: x[_source_index(x.shape, shape, i)], name)


def _source_index(
    source: Shape, target: Shape, index: tuple[PrimExpr, ...]
) -> tuple[PrimExpr, ...]:
    found: list[PrimExpr] = [as_expr(0)] * len(source)
    inner = [axis for axis, extent in enumerate(source) if extent != 1]
    outer = [axis for axis, extent in enumerate(target) if extent != 1]
    while inner and outer:
        n, m = _equal_prefix([source[a] for a in inner], [target[a] for a in outer])
        group, inner = inner[:n], inner[n:]
        linear = _flattened([(index[a], target[a]) for a in outer[:m]])
        outer = outer[m:]
        _unflatten(linear, [source[a] for a in group], group, found)
    return tuple(found)


def _equal_prefix(a: list[Dim], b: list[Dim]) -> tuple[int, int]:
    """The shortest prefixes with as many elements; everything where there are none."""
    pairs = ((n, m) for n in range(1, len(a) + 1) for m in range(1, len(b) + 1))
    for n, m in sorted(pairs, key=lambda pair: pair[0] + pair[1]):
        if same(product(a[:n]), product(b[:m])):
            return n, m
    return len(a), len(b)


def _flattened(pairs: list[tuple[PrimExpr, Dim]]) -> PrimExpr:
    linear: PrimExpr | None = None
    for index, extent in pairs:
        linear = index if linear is None else linear * as_expr(extent, INDEX) + index
    return as_expr(0) if linear is None else linear


def _unflatten(
    linear: PrimExpr, extents: list[Dim], axes: list[int], found: list[PrimExpr]
) -> None:
    for position, axis in enumerate(axes):
        part = linear // as_expr(product(extents[position + 1 :]), INDEX)
        found[axis] = part % as_expr(extents[position], INDEX) if position else part


# --- reshape and flatten ----------------------------------------------------------------------


def _reshape_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    source, target = call.shape(operand), call.target_shape(1)
    if target is None:
        return TensorType(None, operand.dtype, call.target_rank(1))
    if sum(extent == -1 for extent in target) > 1:
        raise call.error("type/shape-mismatch", "has more than one `-1` in its shape")
    elements = product(source)
    if -1 in target:
        return TensorType(_inferred(call, source, target), operand.dtype)
    verdict = same(elements, product(target))
    if verdict is False:
        raise _count_mismatch(call, source, target)
    if verdict is None:
        call.unproved.append("the number of elements")
    return TensorType(target, operand.dtype)


def _inferred(call: OpCall, source: Shape, target: Shape) -> Shape:
    """`target` with its `-1` replaced by what is left."""
    elements, known = product(source), product(extent for extent in target if extent != -1)
    missing = quotient(elements, known) if known != 0 else None
    if missing is None:
        if isinstance(elements, int) and isinstance(known, int):
            raise _count_mismatch(call, source, target)
        call.unproved.append("the number of elements")
        missing = floor_div(elements, known) if isinstance(known, int) else _ratio(elements, known)
    return tuple(missing if extent == -1 else extent for extent in target)


def _ratio(a: Dim, b: Dim) -> Dim:
    return as_expr(a, INDEX) // as_expr(b, INDEX)


def _count_mismatch(call: OpCall, source: Shape, target: Shape) -> Exception:
    return call.error(
        "type/shape-mismatch",
        f"cannot turn shape `{show_shape(source)}` into `{show_shape(target)}`: "
        f"the first has `{show_dim(product(source))}` elements",
    )


def _reshape(_: OpCall, x: NDArray[Any], shape: Any) -> Any:  # noqa: ANN401
    """The same elements in row-major order in another shape; one extent may be -1."""
    return np.reshape(x, tuple(int(extent) for extent in shape))


def _reshape_form(call: OpCall, x: Tensor, _: object) -> Tensor | None:
    shape = _reshape_rule(call).shape
    return None if shape is None else reshaped(x, shape, "T_reshape")


define("reshape", _reshape_rule, _reshape, _reshape_form, parameters=("x", "shape"))


def _flatten_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    return TensorType((product(call.shape(operand)),), operand.dtype)


def _flatten(_: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """All elements in row-major order in one dimension."""
    return x.reshape(-1)


def _flatten_form(_: OpCall, x: Tensor) -> Tensor:
    return reshaped(x, (product(x.shape),), "T_reshape")


define("flatten", _flatten_rule, _flatten, _flatten_form)


# --- dimensions of extent 1 -------------------------------------------------------------------


def _expand_dims_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    rest = iter(call.shape(operand))
    rank, new = _expanded_axes(call, len(call.shape(operand)))
    shape = tuple(1 if axis in new else next(rest) for axis in range(rank))
    return TensorType(shape, operand.dtype)


def _expanded_axes(call: OpCall, rank: int) -> tuple[int, tuple[int, ...]]:
    given = (call["axis"],) if isinstance(call["axis"], int) else tuple(call["axis"])
    return rank + len(given), call.axes(given, rank + len(given))


def _expand_dims(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """New dimensions of extent 1 at the positions `axis` of the result."""
    return np.expand_dims(x, call["axis"])


def _expand_dims_form(call: OpCall, x: Tensor) -> Tensor:
    rank, new = _expanded_axes(call, x.ndim)
    shape = _expand_dims_rule(call).shape or ()
    kept = [axis for axis in range(rank) if axis not in new]
    return te.compute(shape, lambda *i: x[tuple(i[axis] for axis in kept)], "expand_dims")


define("expand_dims", _expand_dims_rule, _expand_dims, _expand_dims_form, attributes={"axis": 0})


def _squeezed_axes(call: OpCall, shape: Shape) -> tuple[int, ...]:
    if call["axis"] is None:
        if not all(isinstance(extent, int) for extent in shape):
            call.unproved.append("which extents are 1")
        return tuple(axis for axis, extent in enumerate(shape) if extent == 1)
    axes = call.axes(call["axis"], len(shape))
    for axis in axes:
        call.require_equal(shape[axis], 1, "extents of squeezed axes and 1", shape)
    return axes


def _squeeze_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    axes = _squeezed_axes(call, shape)
    if call["axis"] is None and call.unproved:
        return TensorType(None, operand.dtype)
    kept = tuple(extent for axis, extent in enumerate(shape) if axis not in axes)
    return TensorType(kept, operand.dtype)


def _squeeze(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """Without the dimensions `axis`, whose extent is 1; without all such for None."""
    return np.squeeze(x, call["axis"])


def _squeeze_form(call: OpCall, x: Tensor) -> Tensor:
    axes = _squeezed_axes(call, x.shape)
    kept = tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes)

    def source(i: tuple[PrimExpr, ...]) -> tuple[PrimExpr | int, ...]:
        rest = iter(i)
        return tuple(0 if axis in axes else next(rest) for axis in range(x.ndim))

    return te.compute(kept, lambda *i: x[source(i)], "T_squeeze")


define("squeeze", _squeeze_rule, _squeeze, _squeeze_form, attributes={"axis": None})


# --- order and copies -------------------------------------------------------------------------


def _permutation(call: OpCall, rank: int) -> tuple[int, ...]:
    axes = call["axes"]
    order = tuple(reversed(range(rank))) if axes is None else call.axes(axes, rank)
    if len(order) != rank:
        raise call.error(
            "type/axis", f"names `{len(order)}` axes, but its operand has `{rank}` dimensions"
        )
    return order


def _permute_dims_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    return TensorType(tuple(shape[a] for a in _permutation(call, len(shape))), operand.dtype)


def _permute_dims(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """Dimensions in the order `axes`, reversed for None."""
    return np.ascontiguousarray(np.transpose(x, call["axes"])).reshape(
        [x.shape[a] for a in _permutation(call, x.ndim)]
    )


def _permute_dims_form(call: OpCall, x: Tensor) -> Tensor:
    order = _permutation(call, x.ndim)
    shape = tuple(x.shape[a] for a in order)
    return te.compute(
        shape, lambda *i: x[tuple(i[order.index(a)] for a in range(x.ndim))], "T_transpose"
    )


define(
    "permute_dims",
    _permute_dims_rule,
    _permute_dims,
    _permute_dims_form,
    attributes={"axes": None},
)


def _broadcast_to_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    source, target = call.shape(operand), call.target_shape(1)
    if target is None:
        return TensorType(None, operand.dtype, call.target_rank(1))
    if len(source) > len(target):
        raise call.error(
            "type/shape-mismatch",
            f"cannot broadcast `{show_shape(source)}` to `{show_shape(target)}`",
        )
    for extent, wanted in zip(reversed(source), reversed(target), strict=False):
        if extent != 1:
            call.require_equal(extent, wanted, "extents, or extent 1", source, target)
    return TensorType(target, operand.dtype)


def _broadcast_to(_: OpCall, x: NDArray[Any], shape: Any) -> Any:  # noqa: ANN401
    """The operand repeated along dimensions of extent 1, and new leading ones."""
    return np.broadcast_to(x, tuple(int(extent) for extent in shape))


def _broadcast_to_form(call: OpCall, x: Tensor, _: object) -> Tensor | None:
    shape = call.target_shape(1)
    if shape is None:
        return None
    return te.compute(shape, lambda *i: element(x, i, shape), "T_broadcast_to")


define(
    "broadcast_to",
    _broadcast_to_rule,
    _broadcast_to,
    _broadcast_to_form,
    parameters=("x", "shape"),
)
