"""Random loop nests: native code does what the interpreter does, faults included."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.codegen.native import Native, function
from workbench.interpret import run_tensor_function
from workbench.support import CompileError

KINDS = st.sampled_from(["T.serial", "T.serial", "T.vectorized", "T.unroll", "T.parallel"])
TERMS = st.sampled_from(["i", "j", "k", "i * 2", "j * 3", "k // 2", "i % 3", "4 - j", "i + j"])
NUMBERS = st.integers(-2, 5).map(str)


@st.composite
def indices(draw: st.DrawFn) -> str:
    """An index that may leave the buffer, sometimes guarded by a modulo."""
    text = f"{draw(TERMS)} + {draw(st.one_of(TERMS, NUMBERS))}"
    return f"({text}) % 9" if draw(st.booleans()) else text


@st.composite
def conditions(draw: st.DrawFn) -> str:
    relation = draw(st.sampled_from(["<", "<=", "==", "!=", ">"]))
    simple = f"{draw(TERMS)} {relation} {draw(st.one_of(TERMS, NUMBERS))}"
    return f"{simple} and 1 <= {draw(TERMS)}" if draw(st.booleans()) else simple


@st.composite
def values(draw: st.DrawFn) -> str:
    """A value of float32."""
    loads = [f"x[{draw(indices())}]", f"w[{draw(indices())}, {draw(indices())}]"]
    a, b = draw(st.permutations(loads))
    operator = draw(st.sampled_from(["+", "*", "-"]))
    return draw(
        st.sampled_from(
            [
                f"{a} {operator} T.float32(3)",
                f"T.max({a}, {b})",
                f"T.if_then_else({draw(conditions())}, {a}, T.float32(1))",
                f"T.Select({draw(conditions())}, x[i % 3], x[j % 3])",
                f'T.Cast("float32", {draw(TERMS)}) * {a}',
            ]
        )
    )


@st.composite
def programs(draw: st.DrawFn) -> str:
    extents = draw(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 4)))
    kinds = [draw(KINDS) for _ in range(3)]
    update = draw(st.booleans())
    store = f"y[i, j] = {'y[i, j] + ' if update else ''}{draw(values())}"
    lines = [
        f"for i in {kinds[0]}({extents[0]}):",
        f"    for j in {kinds[1]}({extents[1]}):",
        f"        for k in T.serial({extents[2]}):",
    ]
    if draw(st.booleans()):
        lines += [f"            if {draw(conditions())}:", "                " + store]
    else:
        lines.append("            " + store)
    return "\n".join("    " + line for line in lines) + "\n"


def outcome(run: object, arrays: list[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """What a run leaves in `y`, None for a fault."""
    y = np.zeros((10, 10), np.float32)
    if isinstance(run, Native):
        return y if run(*arrays, y) == 0 else None
    try:
        run_tensor_function(run, [*arrays, y])  # pyright: ignore[reportArgumentType]
    except CompileError:
        return None
    return y


@given(programs())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_native_code_does_what_the_interpreter_does(body: str) -> None:
    parameters = ", ".join(
        [
            'x: T.Buffer((9,), "float32")',
            'w: T.Buffer((9, 6), "float32")',
            'y: T.Buffer((10, 10), "float32")',
        ]
    )
    fn = function(parameters, body)
    generator = np.random.default_rng(5)
    arrays = [generator.integers(-9, 9, shape).astype(np.float32) for shape in ((9,), (9, 6))]
    expected, got = outcome(fn, arrays), outcome(Native(fn), arrays)
    assert (expected is None) == (got is None)
    if expected is not None:
        np.testing.assert_array_equal(got, expected)
