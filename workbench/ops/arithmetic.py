"""Functions of two tensors, element by element, with broadcasting.

Reference: numpy's broadcasting rules; `tvm.topi.broadcast`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import (
    BinaryOp,
    Dim,
    PrimExpr,
    Scalar,
    Shape,
    TensorType,
    binary,
    dtype_of,
    is_float,
)
from workbench.ir.call_types import show_shape
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import same
from workbench.te import (
    Tensor,
    all,
    any,
    compute,
    floor,
    intrinsic,
    not_equal,
    select,
    truncdiv,
    truncmod,
)

Pair = Callable[[PrimExpr, PrimExpr], Scalar]


def broadcast(call: OpCall, *shapes: Shape) -> Shape | None:
    """The shape that all operands broadcast to, None where that depends on symbolic extents.

    Raises:
        CompileError: `type/shape-mismatch`.
    """
    rank = max(map(len, shapes))
    aligned = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    columns = [_common(call, extents, shapes) for extents in zip(*aligned, strict=True)]
    known = tuple(extent for extent in columns if extent is not None)
    if len(known) == rank:
        return known
    call.unproved.append("broadcasting")
    return None


def _common(call: OpCall, extents: tuple[Dim, ...], shapes: tuple[Shape, ...]) -> Dim | None:
    wide = [extent for extent in extents if extent != 1]
    for extent in wide[1:]:
        verdict = same(wide[0], extent)
        if verdict is None or (verdict is False and not _both_known(wide[0], extent)):
            return None
        if verdict is False:
            raise call.error(
                "type/shape-mismatch",
                "needs shapes that broadcast, got "
                + " and ".join(f"`{show_shape(shape)}`" for shape in shapes),
                notes=("extents must be equal, or one of them 1, counted from the last",),
            )
    return wide[0] if wide else 1


def _both_known(a: Dim, b: Dim) -> bool:
    """Symbolic extents that differ always may still broadcast: one of them may be 1."""
    return isinstance(a, int) and isinstance(b, int)


def element(operand: Tensor | Scalar, index: tuple[PrimExpr, ...], shape: Shape) -> Any:  # noqa: ANN401
    """The element of an operand that broadcasts to `index` in a result of `shape`."""
    if not isinstance(operand, Tensor):
        return operand
    offset = len(index) - operand.ndim
    return operand[
        tuple(
            0 if extent == 1 and shape[offset + axis] != 1 else index[offset + axis]
            for axis, extent in enumerate(operand.shape)
        )
    ]


def broadcast_type(call: OpCall, dtype: str | None, *operands: TensorType) -> TensorType:
    """The type of a result that all operands broadcast to."""
    shapes = [call.shape(operand) for operand in operands]
    shape = broadcast(call, *shapes)
    return TensorType(shape, dtype, None if shape is not None else max(map(len, shapes)))


def arithmetic(
    name: str, numeric: Callable[[Any, Any], Any], pair: Pair, kind: str, doc: str
) -> None:
    """Register `name`: `numeric` on arrays, `pair` on two elements.

    `kind` is `number`, `float`, `integer`, `bool`, or `compare` (any operands, the result is bool).

    Raises:
        CompileError: `type/dtype`.
    """
    result = "bool" if kind == "compare" else ""

    def rule(call: OpCall) -> TensorType:
        x, y = call.tensor(0), call.tensor(1)
        dtype = call.same_dtype(x, y)
        _check_kind(call, x, kind)
        return broadcast_type(call, result or dtype, x, y)

    def reference(call: OpCall, x: Any, y: Any) -> Any:  # noqa: ANN401
        a, b = _alike(x, y)
        if name in _DIVISIONS:
            _check_divisor(call, a, b)
        return np.asarray(numeric(a, b)).astype(result or a.dtype, copy=False)

    def form(call: OpCall, x: Tensor, y: Tensor) -> Tensor:
        shape = broadcast(call, *(call.shape(call.tensor(i)) for i in (0, 1)))
        return compute(
            shape or (),
            lambda *i: pair(element(x, i, shape or ()), element(y, i, shape or ())),
            f"T_{name}",
        )

    define(
        name,
        rule,
        reference,
        form,
        parameters=("x1", "x2"),
        dtype=lambda call: result or call.tensor(0).dtype,
        doc=doc,
    )


_DIVISIONS = frozenset({"divide", "floor_divide", "mod", "floor_mod"})


def _check_divisor(call: OpCall, a: NDArray[Any], b: NDArray[Any]) -> None:
    """Refuse to divide an integer by zero, as the loops do.

    Raises:
        CompileError: `run/division-by-zero`.
    """
    if not is_float(str(b.dtype)) and np.broadcast(a, b).size and not b.all():
        raise call.error("run/division-by-zero", "divides an integer by zero")


def _alike(x: Any, y: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Python scalars become arrays of the other operand's dtype."""
    dtype: Any = getattr(x, "dtype", None) or getattr(y, "dtype", None)
    return tuple(v if hasattr(v, "dtype") else np.asarray(v, dtype=dtype) for v in (x, y))  # pyright: ignore[reportReturnType]


def _check_kind(call: OpCall, operand: TensorType, kind: str) -> None:
    dtype = operand.dtype or "float32"
    if kind == "float":
        call.need_float(operand)
    elif kind == "integer":
        call.need_integer(operand, "operands")
    elif kind == "bool" and dtype != "bool":
        raise call.error("type/dtype", f"needs bool operands, got `{dtype}`")
    elif kind == "number" and dtype == "bool":
        raise call.error("type/dtype", "needs numeric operands, got `bool`")


# --- semantics where numpy, integers and floats differ ----------------------------------------


def _divide(a: Any, b: Any) -> Any:  # noqa: ANN401
    return a / b if is_float(str(a.dtype)) else _truncated(a, b)


def _truncated(a: Any, b: Any) -> Any:  # noqa: ANN401
    down = a // b
    return down + ((a % b != 0) & ((a < 0) != (b < 0)))


def _divide_pair(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return binary(BinaryOp.DIV, a, b) if is_float(dtype_of(a)) else truncdiv(a, b)


def _floor_divide(a: Any, b: Any) -> Any:  # noqa: ANN401
    return np.floor(a / b) if is_float(str(a.dtype)) else a // b


def _floor_divide_pair(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return floor(a / b) if is_float(dtype_of(a)) else a // b


def _mod_pair(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return intrinsic("fmod", a, b) if is_float(dtype_of(a)) else truncmod(a, b)


def _floor_mod_pair(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    if not is_float(dtype_of(a)):
        return a % b
    rest = intrinsic("fmod", a, b)
    wrong_side = any(all(rest < 0, b > 0), all(rest > 0, b < 0))
    return select(wrong_side, rest + b, rest)


def _power_pair(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return intrinsic("pow", a, b)


def _of(op: BinaryOp) -> Pair:
    return lambda a, b: binary(op, a, b)


def _bits(name: str) -> Pair:
    return lambda a, b: intrinsic(name, a, b)


for _name, _numeric, _pair, _doc in (
    ("add", np.add, _of(BinaryOp.ADD), "`x1 + x2`."),
    ("subtract", np.subtract, _of(BinaryOp.SUB), "`x1 - x2`."),
    ("multiply", np.multiply, _of(BinaryOp.MUL), "`x1 * x2`."),
    ("divide", _divide, _divide_pair, "`x1 / x2`; integers are divided toward zero."),
    ("floor_divide", _floor_divide, _floor_divide_pair, "`x1 / x2`, rounded down."),
    ("mod", np.fmod, _mod_pair, "Remainder of `divide`, with the sign of `x1`."),
    ("floor_mod", np.mod, _floor_mod_pair, "Remainder with the sign of `x2`."),
    ("maximum", np.maximum, _of(BinaryOp.MAX), "The greater one; NaN if one is NaN."),
    ("minimum", np.minimum, _of(BinaryOp.MIN), "The smaller one; NaN if one is NaN."),
):
    arithmetic(_name, _numeric, _pair, "number", _doc)

arithmetic("power", np.power, _power_pair, "float", "`x1` to the power of `x2`.")
arithmetic(
    "atan2", np.arctan2, _bits("atan2"), "float", "The angle of the point `(x2, x1)`, in radians."
)

for _name, _numeric, _op in (
    ("equal", np.equal, BinaryOp.EQ),
    ("not_equal", np.not_equal, BinaryOp.NE),
    ("less", np.less, BinaryOp.LT),
    ("less_equal", np.less_equal, BinaryOp.LE),
    ("greater", np.greater, BinaryOp.GT),
    ("greater_equal", np.greater_equal, BinaryOp.GE),
):
    arithmetic(_name, _numeric, _of(_op), "compare", f"`x1 {_op.value} x2`, as bool.")

arithmetic("logical_and", np.logical_and, all, "bool", "Whether both hold.")
arithmetic("logical_or", np.logical_or, any, "bool", "Whether one holds.")
arithmetic("logical_xor", np.logical_xor, not_equal, "bool", "Whether exactly one holds.")
for _name, _numeric, _intrinsic, _doc in (
    ("bitwise_and", np.bitwise_and, "bitwise_and", "Bits that are set in both."),
    ("bitwise_or", np.bitwise_or, "bitwise_or", "Bits that are set in one."),
    ("bitwise_xor", np.bitwise_xor, "bitwise_xor", "Bits that are set in exactly one."),
    ("left_shift", np.left_shift, "shift_left", "Bits moved up by `x2`."),
    ("right_shift", np.right_shift, "shift_right", "Bits moved down by `x2`, keeping the sign."),
):
    arithmetic(_name, _numeric, _bits(_intrinsic), "integer", _doc)


def _where_rule(call: OpCall) -> TensorType:
    condition, x, y = (call.tensor(i) for i in range(3))
    if condition.dtype != "bool":
        raise call.error("type/dtype", f"needs a bool condition, got `{condition.dtype}`")
    return broadcast_type(call, call.same_dtype(x, y), condition, x, y)


def _where(_: OpCall, condition: Any, x: Any, y: Any) -> Any:  # noqa: ANN401
    """`x1` where the condition holds, else `x2`."""
    a, b = _alike(x, y)
    choose: Any = np.where
    return choose(condition, a, b)


def _where_form(call: OpCall, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    shape = broadcast(call, *(call.shape(call.tensor(i)) for i in range(3))) or ()
    return compute(
        shape,
        lambda *i: select(element(condition, i, shape), element(x, i, shape), element(y, i, shape)),
        "T_where",
    )


define(
    "where",
    _where_rule,
    _where,
    _where_form,
    parameters=("condition", "x1", "x2"),
    dtype=lambda call: call.tensor(1).dtype,
)
