"""An init stays in its block where iterations share elements: native code as the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.codegen.native import PLAIN, Native, function
from workbench.codegen.kernel import prepare
from workbench.interpret import run_tensor_function
from workbench.ir import If, walk

PARAMS = 'A: T.Buffer((4, 3), "float32"), C: T.Buffer((16,), "float32")'
NEST = """
    for k, i in T.grid(3, 4):
        with T.block("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                {init}
            {update}
"""
ZERO = "C[vi] = T.float32(0)"
SUM = "C[vi] = C[vi] + A[vi, vk]"
SHARED = {
    "another element": ("C[3 - vi] = T.float32(0)", SUM),
    "another is read": (ZERO, "C[vi] = C[vi] + C[3 - vi] + A[vi, vk]"),
    "two elements": (
        f"{ZERO}; C[vi + 1] = T.float32(0)",
        "C[vi + 1] = C[vi + 1] + A[vi, vk]",
    ),
    "a wide init": (
        "for j in range(8): C[vi + j] = T.float32(0)",
        "C[vi + 7] = C[vi + 7] + A[vi, vk]",
    ),
    "a wide update": (
        "for j in range(2): C[vi * 2 + j] = T.float32(0)",
        "for j in range(3): C[vi * 2 + j] = C[vi * 2 + j] + A[vi, vk]",
    ),
}
OWN = {
    "the same element": (ZERO, SUM),
    "a row": (
        "for j in range(4): C[vi * 4 + j] = T.float32(0)",
        "for j in range(3): C[vi * 4 + j + 1] = C[vi * 4 + j] + A[vi, vk]",
    ),
}


@pytest.mark.parametrize("name", [*SHARED, *OWN])
def test_native_code_initialises_in_the_order_of_the_program(name: str) -> None:
    init, update = (SHARED | OWN)[name]
    fn = function(PARAMS, _nest(init, update))
    a = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    expected, found = np.full((2, 16), 7, np.float32)
    run_tensor_function(fn, [a, expected])
    assert Native(fn)(a, found) == 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", OWN)
def test_an_init_of_own_elements_runs_before_the_loops(name: str) -> None:
    body, _ = prepare(function(PARAMS, _nest(*OWN[name])), PLAIN)
    assert not any(isinstance(node, If) for node in walk(body))


def _nest(init: str, update: str) -> str:
    def lines(text: str, indent: int) -> str:
        text = text.replace(": C[", ":\n    C[").replace("; ", "\n")
        return text.replace("\n", "\n" + " " * indent)

    return NEST.format(init=lines(init, 16), update=lines(update, 12))


MEMORY = (
    'A: T.Buffer((4, 3), "float32"), C: T.Buffer((4,), "float32"), '
    'E: T.Buffer((4,), "float32"), L: T.Buffer((4,), "int64")'
)
KEPT = {
    "the update writes what init reads": """
    for k, i in T.grid(3, 4):
        with T.block("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                C[vi] = E[vi]
            C[vi] = C[vi] + A[vi, vk]
            E[3 - vi] = T.float32(7)
""",
    "another statement writes what init reads": """
    for k in range(3):
        for j in range(4):
            E[j] = T.float32(7)
        for i in range(4):
            with T.block("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    C[vi] = E[vi]
                C[vi] = C[vi] + A[vi, vk]
""",
    "another block reads what is initialised by another name": """
    for k in range(3):
        for j in range(4):
            with T.block("E"):
                vj = T.axis.spatial(4, j)
                W = T.match_buffer(C[vj], (), "float32")
                E[vj] = E[vj] * T.float32(2) + W[()]
        for i in range(4):
            with T.block("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    C[vi] = T.float32(0)
                C[vi] = C[vi] + A[vi, vk]
""",
    "the block around gives the buffer another name": """
    with T.block("all"):
        W = T.match_buffer(C[0:4], (4,), "float32")
        for k in range(3):
            for j in range(4):
                E[j] = E[j] * T.float32(2) + W[j]
            for i in range(4):
                with T.block("C"):
                    vi, vk = T.axis.remap("SR", [i, k])
                    with T.init():
                        C[vi] = T.float32(0)
                    C[vi] = C[vi] + A[vi, vk]
""",
    "the update writes what the predicate reads": """
    for k, i in T.grid(3, 4):
        with T.block("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            T.where(L[vi] > T.int64(0))
            with T.init():
                C[vi] = T.float32(1)
            C[vi] = C[vi] + A[vi, vk]
            L[3 - vi] = T.int64(1) - L[3 - vi]
""",
    "another statement writes an extent": """
    for k in range(3):
        L[0] = T.int64(2)
        for i in range(L[0]):
            with T.block("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    C[vi] = T.float32(1)
                C[vi] = C[vi] + A[vi, vk]
""",
}


@pytest.mark.parametrize("name", KEPT)
def test_an_init_stays_where_what_it_reads_is_written(name: str) -> None:
    fn = function(MEMORY, KEPT[name])
    expected, found = _memory(), _memory()
    run_tensor_function(fn, expected)
    assert Native(fn)(*found) == 0
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(b, a)


def _memory() -> list[NDArray[Any]]:
    return [
        np.arange(1, 13, dtype=np.float32).reshape(4, 3),
        np.full(4, 9, np.float32),
        np.arange(4, dtype=np.float32) * 10,
        np.array([0, 1, 1, 0], np.int64),
    ]
