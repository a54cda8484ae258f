"""Reductions of nothing: the interpreter and native code initialise the same elements."""

from __future__ import annotations

import numpy as np
import pytest

from tests.codegen.native import Native, function
from workbench.interpret import run_tensor_function
from workbench.ir import TensorFunction

PARAMS = 'n: T.int64, A: T.Buffer((6, n), "float32"), C: T.Buffer((6,), "float32")'

INNERMOST = """
    for i, k in T.grid(6, n):
        with T.block("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""
OUTERMOST = INNERMOST.replace("for i, k in T.grid(6, n)", "for k, i in T.grid(n, 6)")
SPLIT = """
    for k0 in range((n + 3) // 4):
        for i, k1 in T.grid(6, 4):
            with T.block("C"):
                vi = T.axis.spatial(6, i)
                vk = T.axis.reduce(n, k0 * 4 + k1)
                T.where(k0 * 4 + k1 < n)
                with T.init():
                    C[vi] = T.float32(0)
                C[vi] = C[vi] + A[vi, vk]
"""
GUARDED = """
    for i, k in T.grid(6, 8):
        with T.block("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            T.where(i < 4 and k < n)
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""
TRIANGLE = """
    for i in range(6):
        for k in range(T.min(i, n)):
            with T.block("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    C[vi] = T.float32(0)
                C[vi] = C[vi] + A[vi, vk]
"""
NESTED = """
    for i0, k0 in T.grid(3, (n + 1) // 2):
        with T.block("outer"):
            wi = T.axis.spatial(3, i0)
            wk = T.axis.reduce((n + 1) // 2, k0)
            for i1, k1 in T.grid(2, 2):
                with T.block("C"):
                    vi = T.axis.spatial(6, wi * 2 + i1)
                    vk = T.axis.reduce(n, wk * 2 + k1)
                    T.where(wk * 2 + k1 < n)
                    with T.init():
                        C[vi] = T.float32(0)
                    C[vi] = C[vi] + A[vi, vk]
"""
EVERY = 6
SIMPLE = {
    "innermost": (INNERMOST, EVERY, None),
    "outermost": (OUTERMOST, EVERY, None),
    "split": (SPLIT, EVERY, None),
    "guarded": (GUARDED, 4, None),
    "triangle": (TRIANGLE, EVERY, lambda i, n: min(i, n)),
    "nested": (NESTED, EVERY, None),
}


def results(found: TensorFunction, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.arange(1, 6 * n + 1, dtype=np.float32).reshape(6, n)
    one, other = np.full(6, 7, np.float32), np.full(6, 7, np.float32)
    run_tensor_function(found, [data, one], [n])
    assert Native(found)(n, data, other) == 0
    return data, one, other


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("name", SIMPLE)
def test_simple_nests_initialise_what_they_would_reduce(name: str, n: int) -> None:
    body, rows, length = SIMPLE[name]
    data, one, other = results(function(PARAMS, body), n)
    expected = np.full(6, 7, np.float32)
    for i in range(rows):
        expected[i] = data[i, : n if length is None else length(i, n)].sum()
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(other, expected)


FUSED = """
    for f in range(6 * n):
        with T.block("C"):
            vi = T.axis.spatial(6, f // n)
            vk = T.axis.reduce(n, f % n)
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""
BETWEEN = """
    for i in range(6):
        for k in range(n):
            C[i] = T.float32(3)
            with T.block("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    C[vi] = T.float32(0)
                C[vi] = C[vi] + A[vi, vk]
"""
SEVERAL = """
    for i in range(6):
        for k in range(n):
            if k >= 0:
                with T.block("C"):
                    vi, vk = T.axis.remap("SR", [i, k])
                    with T.init():
                        C[vi] = T.float32(0)
                    C[vi] = C[vi] + A[vi, vk]
"""


@pytest.mark.parametrize("body", [FUSED, BETWEEN, SEVERAL])
def test_other_nests_initialise_in_instances_alone(body: str) -> None:
    found = function(PARAMS, body)
    _, one, other = results(found, 0)
    np.testing.assert_array_equal(one, np.full(6, 7, np.float32))
    np.testing.assert_array_equal(other, one)
    _, one, other = results(found, 5)
    np.testing.assert_array_equal(other, one)


def test_elements_that_are_initialised_again_are_not_initialised_early() -> None:
    again = """
    for k, i, j in T.grid(n, 6, 2):
        with T.block("C"):
            vi, vk, vj = T.axis.remap("SRS", [i, k, j])
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""
    data, one, other = results(function(PARAMS, again), 3)
    np.testing.assert_array_equal(one, data[:, 0] + 2 * data[:, 1:].sum(1))
    np.testing.assert_array_equal(other, one)


def test_loops_around_without_iterations_initialise_nothing() -> None:
    empty = """
    for k, i, j in T.grid(4, 6, n):
        with T.block("C"):
            vi, vk, vj = T.axis.remap("SRS", [i, k, j])
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + T.float32(1)
"""
    _, one, other = results(function(PARAMS, empty), 0)
    np.testing.assert_array_equal(one, np.full(6, 7, np.float32))
    np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("n", [2, 3])
def test_a_block_without_loops_initialises_where_its_predicate_holds(n: int) -> None:
    body = """
    with T.block("C"):
        vi = T.axis.spatial(6, n)
        vk = T.axis.reduce(6, 0)
        T.where(n < 3)
        with T.init():
            C[vi] = T.float32(1)
        C[vi] = C[vi] + A[vi, vk]
"""
    data, one, other = results(function(PARAMS, body), n)
    np.testing.assert_array_equal(one, other)
    assert one[n] == (1 + data[n, 0] if n < 3 else 7)


def test_an_init_with_memory_of_its_block_stays_in_it() -> None:
    body = """
    for k_0 in range(1):
        with T.block("outer"):
            vk_o = T.axis.reduce(1, k_0)
            first = T.alloc_buffer((6,), "float32")
            with T.init():
                for i in range(6):
                    first[i] = T.float32(2)
                for i in range(6):
                    C[i] = first[i]
            for i, k_1 in T.grid(6, 5):
                with T.block("C"):
                    vi = T.axis.spatial(6, i)
                    vk = T.axis.reduce(5, vk_o * 5 + k_1)
                    C[vi] = C[vi] + A[vi, vk]
"""
    data, one, other = results(function(PARAMS, body), 5)
    np.testing.assert_array_equal(one, data.sum(axis=1) + 2)
    np.testing.assert_array_equal(other, one)


def test_an_axis_that_never_begins_initialises_nothing() -> None:
    body = """
    for i in range(6):
        with T.block("C"):
            vi = T.axis.spatial(6, i)
            vk = T.axis.reduce(2, 1)
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""
    data, one, other = results(function(PARAMS, body), 5)
    np.testing.assert_array_equal(one, 7 + data[:, 1])
    np.testing.assert_array_equal(other, one)
