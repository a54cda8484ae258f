from __future__ import annotations

import pytest

from tests.schedule import programs
from workbench import te
from workbench.analysis.op_pattern import (
    OpPattern,
    is_expensive_operation,
    only_moves_data,
    op_pattern,
)
from workbench.ir import TensorFunction


def of(compute: object, *inputs: te.Tensor) -> TensorFunction:
    return te.create_tensor_function(list(inputs), [compute])  # pyright: ignore[reportArgumentType]


def broadcast() -> TensorFunction:
    a, b = te.placeholder((4, 5), "float32", "a"), te.placeholder((5,), "float32", "b")
    return of(te.compute((4, 5), lambda i, j: a[i, j] + b[j], "add"), a, b)


def reshape() -> TensorFunction:
    a = te.placeholder((4, 6), "float32", "a")
    return of(te.compute((24,), lambda i: a[i // 6, i % 6], "reshape"), a)


def scan_like() -> TensorFunction:
    """Two reductions in one function cannot be fused as one."""
    a = te.placeholder((4, 6), "float32", "a")
    r, q = te.reduce_axis(6, "r"), te.reduce_axis(6, "q")
    top = te.compute((4,), lambda i: te.max(a[i, r], axis=r), "top")
    return of(te.compute((4,), lambda i: te.sum(a[i, q] - top[i], axis=q), "rest"), a)


@pytest.mark.parametrize(
    ("function", "pattern"),
    [
        (programs.chain(3, 4), OpPattern.ELEMENTWISE),
        (broadcast(), OpPattern.BROADCAST),
        (programs.transpose(3, 4), OpPattern.INJECTIVE),
        (reshape(), OpPattern.INJECTIVE),
        (programs.row_sum(3, 4), OpPattern.REDUCTION),
        (programs.column_max(3, 4), OpPattern.REDUCTION),
        (programs.matmul(3, 4, 5), OpPattern.OUT_FUSABLE),
        (programs.conv2d(2, 3, 5), OpPattern.OUT_FUSABLE),
        (scan_like(), OpPattern.OPAQUE),
    ],
)
def test_the_pattern_is_read_off_the_loops(function: TensorFunction, pattern: OpPattern) -> None:
    assert op_pattern(function) is pattern


def test_moving_data_is_no_computation() -> None:
    assert only_moves_data(programs.transpose(3, 4))
    assert only_moves_data(reshape())
    assert not only_moves_data(broadcast())


def test_transcendentals_are_expensive() -> None:
    a = te.placeholder((4,), "float32", "a")
    assert is_expensive_operation(te.exp(a[0]))
    assert is_expensive_operation(a[0] / a[1])
    assert not is_expensive_operation(te.exp(a[0]) + 2.0), "its operand is asked by itself"
