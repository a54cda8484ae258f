from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench import te as typed
from workbench.support import CompileError

te: Any = typed
A = te.placeholder((8,), name="A")
K = te.reduce_axis(8, "k")
N = te.var("n")

WRONG: list[tuple[str, Callable[[], object]]] = [
    ("te/shape", lambda: te.placeholder(None)),
    ("te/shape", lambda: te.placeholder(4)),
    ("te/shape", lambda: te.placeholder("ab")),
    ("te/shape", lambda: te.placeholder((4, -1))),
    ("te/shape", lambda: te.placeholder((np.int64(-1),))),
    ("expr/not-a-dimension", lambda: te.placeholder((None,))),
    ("expr/not-a-dimension", lambda: te.placeholder((4.0,))),
    ("expr/not-a-dimension", lambda: te.placeholder((np.float32(4.0),))),
    ("expr/not-a-dimension", lambda: te.placeholder(("n",))),
    ("expr/not-a-dimension", lambda: te.placeholder((float("nan"),))),
    ("te/shape", lambda: te.placeholder((N / 2, te.const(2.0, "float32")))),
    ("te/dtype", lambda: te.placeholder((4,), "float")),
    ("te/dtype", lambda: te.placeholder((4,), None)),
    ("te/dtype", lambda: te.placeholder((4,), object)),
    ("te/argument", lambda: te.placeholder((4,), name=None)),
    ("te/argument", lambda: te.placeholder((4,), name="")),
    ("te/argument", lambda: te.var(3)),
    ("te/dtype", lambda: te.var("n", "int")),
    ("expr/not-a-dimension", lambda: te.reduce_axis(None)),
    ("te/argument", lambda: te.reduce_axis((0, 1, 2))),
    ("te/axis-start", lambda: te.reduce_axis((N, 8))),
    ("te/shape", lambda: te.reduce_axis(-3)),
    ("te/argument", lambda: te.compute((8,), None)),
    ("te/argument", lambda: te.compute((8,), lambda i: A[i], axes=("i", "j"))),
    ("te/shape", lambda: te.compute(8, lambda i: A[i])),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda _: None)),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda _: "x")),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda _: A)),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda _: A + 1)),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda i: A[i] + None)),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda i: (A[i], A[i]))),
    ("expr/not-a-scalar", lambda: te.compute((8,), lambda i: A[i] ** None)),
    ("expr/function-raised", lambda: te.compute((8,), lambda i: np.exp(A[i]))),
    ("expr/function-raised", lambda: te.compute((8,), lambda i: float(A[i]))),
    ("te/index", lambda: A[1.5]),
    ("te/index", lambda: A[N / 2 < 1]),
    ("expr/not-a-scalar", lambda: A[None]),
    ("expr/not-a-scalar", lambda: A[1:2]),
    ("te/argument", lambda: te.const(N, "int64")),
    ("expr/not-a-scalar", lambda: te.const("1", "float32")),
    ("te/argument", lambda: te.const(1.5, "int32")),
    ("te/argument", lambda: te.const(float("nan"), "int32")),
    ("te/argument", lambda: te.const(300, "uint8")),
    ("te/argument", lambda: te.const(-1, "uint8")),
    ("te/argument", lambda: te.const(2, "bool")),
    ("te/argument", lambda: te.const(2.0**63, "int64")),
    ("te/dtype", lambda: te.const(1, "int")),
    ("te/dtype", lambda: te.cast(A[0], "half")),
    ("expr/not-a-scalar", lambda: te.cast(None, "int32")),
    ("te/condition", lambda: te.if_then_else(A[0], 1.0, 0.0)),
    ("te/condition", lambda: te.select(1, 1.0, 0.0)),
    ("expr/not-a-scalar", lambda: te.if_then_else(N > 1, None, 0.0)),
    ("expr/not-a-scalar", lambda: te.if_then_else(N > 1, 1.0, "x")),
    ("te/condition", lambda: te.all(A[0], N > 1)),
    ("te/condition", lambda: te.logical_not(N)),
    ("expr/not-a-scalar", lambda: te.any(None)),
    ("expr/not-a-scalar", lambda: te.exp("x")),
    ("expr/not-a-scalar", lambda: te.exp(A)),
    ("te/argument", lambda: te.intrinsic(None, 1.0)),
    ("expr/not-a-scalar", lambda: te.maximum(None, 1)),
    ("te/axis", lambda: te.sum(A[0], axis=None)),
    ("te/axis", lambda: te.sum(A[0], axis=())),
    ("te/axis", lambda: te.sum(A[0], axis=0)),
    ("te/axis", lambda: te.max(A[0], "k")),
    ("expr/not-a-scalar", lambda: te.sum(None, axis=K)),
    ("te/condition", lambda: te.sum(A[K], axis=K, where=A[K])),
    ("te/dtype", lambda: te.max_value("int")),
    ("te/dtype", lambda: te.min_value(None)),
]


@pytest.mark.parametrize(("code", "make"), WRONG)
def test_a_wrong_kind_is_said(code: str, make: Callable[[], object]) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [code]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((np.int64(4), np.uint8(2)), (4, 2)),
        ([4, 2], (4, 2)),
        ((True,), (1,)),
        ((0,), (0,)),
        ((N, 4), (N, 4)),
    ],
)
def test_shapes_of_numpy_and_lists_are_understood(shape: Any, expected: tuple[Any, ...]) -> None:  # noqa: ANN401
    tensor = te.placeholder(shape, np.float32)
    assert tensor.shape == expected
    assert all(type(dim) is not np.int64 for dim in tensor.shape)
    assert tensor.dtype == "float32"


def test_numbers_of_numpy_are_constants() -> None:
    b = te.compute((8,), lambda i: A[i] * np.float32(2.0) + np.float64(1.0), "B")
    assert b.dtype == "float32"
    c = te.compute((8,), lambda i: np.float32(3.0) * te.cast(i + np.int32(1), "float32"), "C")
    assert c.dtype == "float32"


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(255, "uint8"), (-128, "int8"), (True, "bool"), (2**64 - 1, "uint64"), (-(2**63), "int64")],
)
def test_the_last_values_of_a_dtype_are_constants(value: int, dtype: str) -> None:
    assert te.const(value, dtype).value == value
