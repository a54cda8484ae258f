"""Powers of integers with an exponent that is computed: by squares, wrapping, no jumps."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.interpret import run_tensor_function
from workbench.script import parse

DTYPES = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")
BASES = (0, 1, 2, 3, -1, -2, 7, 10, -128, 127)
EXPONENTS = (0, 1, 2, 3, 5, 7, 8, 31, 63, 64, 127, -1, -5)
SCRIPT = """
@T.prim_func
def f(X: T.Buffer((N,), "D"), Y: T.Buffer((N,), "D"), Z: T.Buffer((N,), "D")):
    for i in LOOP(N):
        Z[i] = T.pow(X[i], Y[i])
"""


def cases(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(b, e) for b in BASES for e in EXPONENTS]
    bases, exponents = (
        np.array(column, "int64").astype(dtype) for column in zip(*pairs, strict=True)
    )
    return bases, exponents


def expected(base: int, exponent: int, dtype: str) -> int:
    bits = np.iinfo(dtype).bits
    value = pow(base, exponent, 1 << bits) if exponent >= 0 else 0
    signed = np.iinfo(dtype).min < 0 and value >> (bits - 1)
    return value - (1 << bits) if signed else value


@pytest.mark.parametrize("loop", ["range", "T.vectorized"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_native_code_and_interpreter_agree_with_python(dtype: str, loop: str) -> None:
    x, y = cases(dtype)
    script = SCRIPT.replace("N", str(len(x))).replace('"D"', f'"{dtype}"').replace("LOOP", loop)
    module = parse(script)
    wanted = [expected(int(a), int(b), dtype) for a, b in zip(x, y, strict=True)]
    found = np.zeros_like(x)
    wb.build(module)(x, y, found, function="f")
    assert found.tolist() == wanted
    interpreted = np.zeros_like(x)
    run_tensor_function(module.tensor_functions["f"], [x, y, interpreted])
    assert interpreted.tolist() == wanted


def test_a_power_of_a_scalar_loop_variable() -> None:
    module = parse("""
@T.prim_func
def f(Z: T.Buffer((6, 5), "int64")):
    for i, j in T.grid(6, 5):
        Z[i, j] = T.pow(T.cast(i, "int64") - T.int64(3), T.cast(j, "int64"))
""")
    found = np.zeros((6, 5), "int64")
    wb.build(module)(found, function="f")
    base, exponent = np.mgrid[-3:3, 0:5]
    np.testing.assert_array_equal(found, base**exponent)
