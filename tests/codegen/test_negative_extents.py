"""A loop over a negative extent has no iteration, memory of a negative extent no element."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.random import Generator

from tests.codegen.native import PLAIN, Native, function
from workbench.codegen import host_target
from workbench.codegen.kernel import prepare
from workbench.codegen.target import Target
from workbench.interpret import run_tensor_function
from workbench.ir import BinaryOp, TensorFunction, walk
from workbench.ir.expr import Binary

KINDS = ["T.serial", "T.vectorized", "T.unroll", "T.parallel"]
ROOM = 64
TWO = 'A: T.Buffer(("n", "m"), "float32"), B: T.Buffer(("n", "m"), "float32")'
ONE = 'A: T.Buffer(("n",), "float32"), S: T.Buffer((1,), "float32")'


@pytest.fixture(params=["host", "plain"])
def target(request: pytest.FixtureRequest) -> Target:
    return host_target() if request.param == "host" else PLAIN


@pytest.mark.parametrize("checks", ["auto", "off"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_extent_runs_nothing(
    kind: str, checks: Literal["auto", "off"], target: Target
) -> None:
    fn = function(
        'A: T.Buffer(("n",), "int32"), B: T.Buffer(("n",), "int32")',
        f"""
    n = T.int64()
    for p in {kind}(n - 3):
        B[p] = A[p + 3] + 1
""",
    )
    native = Native(fn, checks, target)
    for n in (0, 1, 2, 3, 4, 12, 40):
        around = np.full(n + 2 * ROOM, -7, np.int32)
        expected = around.copy()
        expected[ROOM : ROOM + max(n - 3, 0)] = np.arange(3, n) + 1
        assert native(np.arange(n, dtype=np.int32), around[ROOM : ROOM + n]) == 0
        np.testing.assert_array_equal(around, expected, str(n))


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", KINDS)
def test_nested_loops_of_negative_extents_run_nothing(
    outer: str, inner: str, rng: Generator
) -> None:
    fn = function(
        TWO,
        f"""
    n = T.int64()
    m = T.int64()
    for p in {outer}(n - 3):
        for q in {inner}(m - 2):
            if q < n - 4:
                B[p, q] = A[p + 3, q + 2] * T.float32(2)
""",
    )
    _agrees(fn, ((0, 0), (2, 1), (1, 9), (9, 1), (3, 2), (20, 30)), rng)


@pytest.mark.parametrize("kind", ["T.serial", "T.vectorized"])
@pytest.mark.parametrize("update", ["S[0] + A[p]", "T.max(S[0], A[p])"])
def test_a_reduction_over_a_negative_extent_keeps_its_element(kind: str, update: str) -> None:
    fn = function(
        ONE, f"\n    n = T.int64()\n    for p in {kind}(n - 3):\n        S[0] = {update}\n"
    )
    native = Native(fn)
    for n in (0, 1, 2, 3, 4, 40):
        result = np.full(1, 0.5, np.float32)
        expected = result.copy()
        a = np.arange(n, dtype=np.float32)
        run_tensor_function(fn, [a, expected])
        assert native(a, result) == 0
        np.testing.assert_array_equal(result, expected, str(n))


@pytest.mark.parametrize("shape", ["n - 3, ", "n - 3, m - 2", "4, n - 3, m - 2"])
def test_memory_of_negative_extents_has_no_elements(shape: str, rng: Generator) -> None:
    place = {1: "p", 2: "p, q", 3: "3, p, q"}[len([d for d in shape.split(",") if d.strip()])]
    fn = function(
        TWO,
        f"""
    n = T.int64()
    m = T.int64()
    t = T.alloc_buffer(({shape}), "float32")
    for p, q in T.grid(n - 3, m - 2):
        t[{place}] = A[p, q]
        B[p, q] = t[{place}] + T.float32(1)
""",
    )
    _agrees(fn, ((0, 0), (2, 1), (1, 9), (9, 1), (3, 2), (20, 30)), rng)


def test_a_loop_over_a_dimension_asks_for_no_sign() -> None:
    fn = function(
        'A: T.Buffer(("n",), "float32"), B: T.Buffer(("n",), "float32")',
        "\n    n = T.int64()\n    for p in T.vectorized(n):\n        B[p] = A[p]\n",
    )
    body, _ = prepare(fn, host_target())
    assert not any(isinstance(node, Binary) and node.op is BinaryOp.MAX for node in walk(body))


def _agrees(fn: TensorFunction, extents: tuple[tuple[int, int], ...], rng: Generator) -> None:
    native = Native(fn)
    for n, m in extents:
        a = rng.standard_normal((n, m)).astype(np.float32)
        found, expected = (np.full((n, m), -7, np.float32) for _ in range(2))
        run_tensor_function(fn, [a, expected])
        assert native(a, found) == 0, (n, m)
        np.testing.assert_array_equal(found, expected, str((n, m)))
