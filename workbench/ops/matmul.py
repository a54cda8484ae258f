"""Products of matrices.

Reference: numpy's `@`; `tvm.relax.op.matmul`, `tvm.topi.matmul`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, DType, PrimExpr, Shape, TensorType, as_expr, is_float
from workbench.ir.dtypes import numpy_dtype
from workbench.ops.arithmetic import broadcast, element
from workbench.ops.call import OpCall
from workbench.ops.datatype import check_dtype
from workbench.ops.definition import define
from workbench.te import Reduction, Tensor


def result_dtype(call: OpCall, operand: TensorType) -> DType:
    """The attribute `out_dtype`, or the dtype of the operand where that is empty."""
    chosen = call["out_dtype"]
    return (
        check_dtype(call, chosen)
        if chosen not in (None, "", "void")
        else operand.dtype or "float32"
    )


def _matmul_rule(call: OpCall) -> TensorType:
    a, b = call.tensor(0), call.tensor(1)
    call.same_dtype(a, b)
    dtype = result_dtype(call, a)
    left, right = call.shape(a), call.shape(b)
    if len(left) == 0 or len(right) == 0:
        raise call.error("type/rank", "needs operands with at least `1` dimension")
    inner = right[-2] if len(right) > 1 else right[-1]
    call.require_equal(left[-1], inner, "inner extents", left, right)
    batch = broadcast(call, left[:-2], right[:-2])
    if batch is None:
        rank = max(len(left), len(right)) - (len(left) == 1) - (len(right) == 1)
        return TensorType(None, dtype, rank)
    return TensorType((*batch, *left[-2:-1], *_columns(right)), dtype)


def _columns(shape: Shape) -> tuple[Dim, ...]:
    return shape[-1:] if len(shape) > 1 else ()


def exact_product(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """`a @ b`, accumulated in float64 where that is wider, rounded once.

    BLAS sums equal rows in different orders; after rounding from float64 they are equal again, and
    what a compiled program differs by is its own error.
    """
    if a.dtype == np.float64 or not is_float(str(a.dtype)):
        return np.matmul(a, b)
    return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(a.dtype)


def _matmul(call: OpCall, a: NDArray[Any], b: NDArray[Any]) -> Any:  # noqa: ANN401
    """The matrix product over the last two dimensions; leading dimensions broadcast."""
    chosen = call["out_dtype"]
    if chosen not in (None, "", "void"):
        a, b = (array.astype(numpy_dtype(chosen)) for array in (a, b))
    return exact_product(a, b)


def _matmul_form(call: OpCall, a: Tensor, b: Tensor) -> Tensor:
    dtype = result_dtype(call, call.tensor(0))
    rows, columns = a.shape[-2:-1], _columns(b.shape)
    batch = broadcast(call, a.shape[:-2], b.shape[:-2]) or ()
    k = te.reduce_axis(as_expr(a.shape[-1], INDEX), "k")

    def product(*index: PrimExpr) -> Reduction:
        outer, rest = index[: len(batch)], index[len(batch) :]
        i, j = rest[: len(rows)], rest[len(rows) :]
        left = _batched(a, outer, batch, (*i, k))
        right = _batched(b, outer, batch, (k, *j))
        return te.sum(te.cast(left, dtype) * te.cast(right, dtype), axis=k)

    names = (*_batch_names(len(batch)), *("i",) * len(rows), *("j",) * len(columns))
    return te.compute((*batch, *rows, *columns), product, "matmul", names)


def _batch_names(rank: int) -> tuple[str, ...]:
    return ("b",) if rank == 1 else tuple(f"b{axis}" for axis in range(rank))


def _batched(
    x: Tensor, outer: tuple[PrimExpr, ...], batch: Shape, inner: tuple[PrimExpr, ...]
) -> PrimExpr:
    """The element of `x` at a batch index that broadcasts and a matrix index."""
    shape = (*batch, *(1 for _ in inner))
    return element(x, (*outer, *inner), shape)


define(
    "matmul",
    _matmul_rule,
    _matmul,
    _matmul_form,
    parameters=("x1", "x2"),
    attributes={"out_dtype": ""},
)


def _linear_rule(call: OpCall) -> TensorType:
    x, weight = call.tensor(0), call.tensor(1)
    dtype = call.same_dtype(x, weight)
    shape, outer = call.shape(x), call.need_rank(weight, 2, "a weight")
    if not shape:
        raise call.error("type/rank", "needs data with at least `1` dimension")
    call.require_equal(shape[-1], outer[1], "inner extents", shape, outer)
    if call.has(2):
        bias = call.tensor(2)
        call.same_dtype(x, bias)
        call.require_equal(
            call.need_rank(bias, 1, "a bias")[0], outer[0], "extents of bias and weight"
        )
    return TensorType((*shape[:-1], outer[0]), dtype)


def _linear(
    _: OpCall, x: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any] | None = None
) -> Any:  # noqa: ANN401
    """`x @ weight.T + bias`; `weight` is `(out, in)`."""
    product = exact_product(x, weight.T)
    return product if bias is None else product + bias


def _linear_form(_: OpCall, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    k = te.reduce_axis(as_expr(x.shape[-1], INDEX), "k")
    shape = (*x.shape[:-1], weight.shape[0])
    product = te.compute(
        shape, lambda *i: te.sum(x[(*i[:-1], k)] * weight[i[-1], k], axis=k), "linear"
    )
    if bias is None:
        return product
    return te.compute(shape, lambda *i: product[i] + bias[i[-1]], "T_add")


define("linear", _linear_rule, _linear, _linear_form, parameters=("x", "weight", "bias"))
