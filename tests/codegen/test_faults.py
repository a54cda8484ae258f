from __future__ import annotations

import numpy as np
import pytest

from tests.codegen.native import Native, function
from workbench.codegen import host_target
from workbench.codegen.kernel import emit
from workbench.ir.expr import FloatImm, IntImm, Intrinsic
from workbench.ir.tensor import Evaluate, TensorFunction
from workbench.support import CompileError


@pytest.mark.parametrize("kind", ["T.serial", "T.vectorized", "T.unroll", "T.parallel"])
def test_read_past_the_end_is_reported(kind: str) -> None:
    fn = function(
        'x: T.Buffer((8,), "float32"), y: T.Buffer((30,), "float32")',
        f"\n    for i in {kind}(30):\n        y[i] = x[i]\n",
    )
    native = Native(fn)
    status = native(np.zeros(8, np.float32), np.zeros(30, np.float32))
    site = native.code.sites[status - 1]
    assert site.kind == "bounds"
    assert site.node == fn.params[0].id
    assert "read of `x[" in site.message
    assert native.detail[0] >= 8
    assert native.detail[1] == 8


@pytest.mark.parametrize("kind", ["T.serial", "T.vectorized"])
@pytest.mark.parametrize("bad", [-1, 5, 1 << 40, -(1 << 62)])
def test_data_dependent_indices_are_checked(kind: str, bad: int) -> None:
    fn = function(
        'x: T.Buffer((5,), "float32"), p: T.Buffer((12,), "int64"), y: T.Buffer((5,), "float32"), '
        'z: T.Buffer((12,), "float32")',
        f"\n    for i in {kind}(12):\n        z[i] = x[p[i]]\n        y[p[i]] = z[i]\n",
    )
    native = Native(fn)
    x, p = np.arange(5, dtype=np.float32), np.arange(12, dtype=np.int64) % 5
    y, z = np.zeros(5, np.float32), np.zeros(12, np.float32)
    assert native(x, p, y, z) == 0
    np.testing.assert_array_equal(z, x[p])
    p[7] = bad
    status = native(x, p, y, z)
    assert status > 0
    assert native.detail[:2].tolist() == [bad, 5]


def test_guarded_access_by_data_needs_no_check() -> None:
    fn = function(
        'x: T.Buffer((5,), "float32"), p: T.Buffer((9,), "int64"), y: T.Buffer((9,), "float32")',
        """
    for i in T.vectorized(9):
        y[i] = T.if_then_else(0 <= p[i] and p[i] < 5, x[p[i]], T.float32(-1))
""",
    )
    native = Native(fn)
    assert native.code.sites == ()
    x, y = np.arange(5, dtype=np.float32), np.zeros(9, np.float32)
    p = np.array([0, 4, 5, -1, 2, 1 << 50, 3, 1, -9], np.int64)
    assert native(x, p, y) == 0
    assert y.tolist() == [0, 4, -1, -1, 2, -1, 3, 1, -1]


@pytest.mark.parametrize("kind", ["T.serial", "T.vectorized"])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("operator", ["x[i] // y[i]", "x[i] % y[i]", "T.truncdiv(x[i], y[i])"])
def test_division_by_zero_is_reported(kind: str, dtype: str, operator: str) -> None:
    fn = function(
        ", ".join(f'{name}: T.Buffer((11,), "{dtype}")' for name in "xyz"),
        f"\n    for i in {kind}(11):\n        z[i] = {operator}\n",
    )
    native = Native(fn)
    x, y, z = np.ones((3, 11), dtype)
    assert native(x, y, z) == 0
    y[9] = 0
    assert native.code.sites[native(x, y, z) - 1].kind == "division"


def test_guarded_division_is_not_reported() -> None:
    fn = function(
        ", ".join(f'{name}: T.Buffer((11,), "int32")' for name in "xyz"),
        """
    for i in T.vectorized(11):
        z[i] = T.if_then_else(y[i] != T.int32(0), x[i] // y[i], T.int32(-7))
""",
    )
    x, z = np.full(11, 10, np.int32), np.zeros(11, np.int32)
    y = (np.arange(11) % 3).astype(np.int32)
    assert Native(fn)(x, y, z) == 0
    assert z.tolist() == [-7, 10, 5] * 3 + [-7, 10]


def test_checks_off_has_no_sites() -> None:
    fn = function(
        'x: T.Buffer((8,), "float32"), y: T.Buffer((30,), "float32")',
        "\n    for i in range(30):\n        y[i] = x[i]\n",
    )
    assert emit(fn, "k", host_target(), "off").sites == ()


LARGE = """
    t = T.alloc_buffer((n, 1000), "float32")
    u = T.alloc_buffer((n, 1000), "float32")
    for i in T.parallel(n):
        for j in range(1000):
            t[i, j] = T.float32(1)
            u[i, j] = t[i, j] + x[i + p]
    for i in range(n):
        y[i] = u[i, 999]
"""


def test_memory_is_freed_after_a_fault() -> None:
    fn = function(
        'x: T.Buffer(("n",), "float32"), y: T.Buffer(("n",), "float32"), p: T.int64',
        "\n    n = T.int64()" + LARGE,
    )
    native = Native(fn)
    x, y = np.ones(50, np.float32), np.zeros(50, np.float32)
    assert native(x, y, 0) == 0
    assert native.allocations == 2
    assert y.tolist() == [2.0] * 50
    status = native(x, y, 1)
    assert native.code.sites[status - 1].kind == "bounds"
    assert native.detail[:2].tolist() == [50, 50]


def test_out_of_memory_is_a_status() -> None:
    fn = function(
        'x: T.Buffer(("n",), "float32"), y: T.Buffer(("n",), "float32"), p: T.int64',
        "\n    n = T.int64()" + LARGE,
    )
    native = Native(fn)
    native.limit = 1000
    assert native(np.ones(50, np.float32), np.zeros(50, np.float32), 0) == -2


@pytest.mark.parametrize("kind", ["T.serial", "T.parallel"])
def test_interrupt_ends_long_loops(kind: str) -> None:
    fn = function(
        'x: T.Buffer((500,), "float32"), y: T.Buffer((500,), "float32")',
        f"""
    for i in {kind}(500):
        y[i] = T.float32(0)
        for j, k in T.grid(500, 500):
            y[i] = y[i] + x[j] * x[k]
""",
    )
    native = Native(fn)
    x, y = np.ones(500, np.float32), np.zeros(500, np.float32)
    native.flag[0] = 1
    assert native(x, y) == -1
    native.flag[0] = 0
    assert native(x, y) == 0
    assert y[499] == 250000


def test_interrupt_ends_an_endless_loop() -> None:
    fn = function(
        'y: T.Buffer((1,), "int64")', "\n    while y[0] < 5:\n        y[0] = T.int64(0)\n"
    )
    native = Native(fn)
    native.flag[0] = 1
    assert native(np.zeros(1, np.int64)) == -1


def test_external_calls_are_refused() -> None:
    call = Evaluate(Intrinsic("call_extern", (IntImm(1),), "int32"))
    with pytest.raises(CompileError) as caught:
        emit(TensorFunction((), call), "k", host_target())
    assert caught.value.diagnostics[0].code == "tensor/unsupported-effect"


def test_unknown_functions_are_refused() -> None:
    call = Evaluate(Intrinsic("lgamma_of_nothing", (FloatImm(1.0),), "float32"))
    with pytest.raises(CompileError) as caught:
        emit(TensorFunction((), call), "k", host_target())
    assert caught.value.diagnostics[0].code == "tensor/unknown-intrinsic"


def test_memory_of_a_loop_is_allocated_once() -> None:
    body = """
    for i in {kind}(60):
        with T.sblock("row"):
            vi = T.axis.spatial(60, i)
            t = T.sblock_alloc_buffer((9000,), "float32")
            for j in range(9000):
                t[j] = x[vi] + T.Cast("float32", j)
            y[vi] = t[8999]
"""
    parameters = 'x: T.Buffer((60,), "float32"), y: T.Buffer((60,), "float32")'
    for kind, allocations in (("T.serial", 1), ("T.parallel", 2)):
        native = Native(function(parameters, body.replace("{kind}", kind)))
        x, y = np.arange(60, dtype=np.float32), np.zeros(60, np.float32)
        assert native(x, y) == 0
        assert native.allocations == allocations
        np.testing.assert_array_equal(y, x + 8999)
