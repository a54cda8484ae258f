"""Any callable is a library function: what it gives is taken, or refused at its call."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from workbench.interpret import run
from workbench.ir import CallPacked, IRModule, find_library, operators
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

Array = np.ndarray[Any, np.dtype[Any]]

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 6), "float32")):
        with R.dataflow():
            a = R.add(x, x)
            b = R.{call}
            R.output(b)
        return b
"""
TENSOR = 'R.Tensor((4, 6), "float32")'
SCALAR = 'R.Tensor((), "float32")'
ROWS = 'R.Tensor((4,), "float32")'
PAIR = f"R.Tuple({TENSOR}, {ROWS})"
X = np.arange(24, dtype=np.float32).reshape(4, 6)
A = 2 * X


def returning(function: object, out: str = TENSOR) -> IRModule:
    text = TEXT.format(call=f"call_pure_packed(f, a, ty_args={out})")
    return parse(text, namespace={"f": function})


def filling(function: object, out: str = TENSOR) -> IRModule:
    text = TEXT.format(call=f"call_dps_packed(f, (a,), out_ty={out})")
    return parse(text, namespace={"f": function})


class Adds:
    def __init__(self, number: float) -> None:
        self.number = np.float32(number)

    def __call__(self, a: Array) -> Array:
        return a + self.number

    def method(self, a: Array, out: Array) -> None:
        np.add(a, self.number, out=out)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        pytest.param(returning(lambda a: a * 2), A * 2, id="lambda"),
        pytest.param(returning(np.tanh), np.tanh(A), id="numpy"),
        pytest.param(returning(functools.partial(np.add, np.float32(1))), A + 1, id="partial"),
        pytest.param(returning(Adds(3)), A + 3, id="object"),
        pytest.param(returning(np.asfortranarray), A, id="column-major"),
        pytest.param(returning(lambda a: a[::-1, ::-1]), A[::-1, ::-1], id="view"),
        pytest.param(returning(lambda a: a.sum(), SCALAR), A.sum(), id="number of numpy"),
        pytest.param(filling(lambda a, out: np.multiply(a, 2, out=out)), A * 2, id="filling"),
        pytest.param(filling(Adds(3).method), A + 3, id="method"),
        pytest.param(filling(np.exp), np.exp(A), id="numpy filling"),
        pytest.param(filling(lambda a, out: out.__setitem__(..., a)), A, id="assigning"),
    ],
)
def test_any_callable_is_called(module: IRModule, expected: Array) -> None:
    for result in (build(module)(X), run(module, X)):
        assert isinstance(result, np.ndarray | np.generic)
        found: Any = result
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(returning(lambda a: (a, a.sum(1)), PAIR), id="tuple"),
        pytest.param(returning(lambda a: [a, a.sum(1)], PAIR), id="list"),
        pytest.param(
            filling(
                lambda a, p, q: (np.copyto(p, a), np.sum(a, axis=1, out=q)), f"[{TENSOR}, {ROWS}]"
            ),
            id="filling two",
        ),
    ],
)
def test_several_results(module: IRModule) -> None:
    for result in (build(module)(X), run(module, X)):
        assert isinstance(result, tuple)
        np.testing.assert_array_equal(result[0], A)
        np.testing.assert_array_equal(result[1], A.sum(1))


WRONG = [
    pytest.param(returning(lambda a: a.tolist()), "run/wrong-result", "`list`", id="list"),
    pytest.param(returning(lambda a: (a, a)), "run/wrong-result", "`tuple`", id="tuple"),
    pytest.param(returning(lambda _: None), "run/wrong-result", "`NoneType`", id="nothing"),
    pytest.param(returning(lambda _: "text"), "run/wrong-result", "`str`", id="text"),
    pytest.param(returning(lambda a: iter(a)), "run/wrong-result", "an array", id="iterator"),
    pytest.param(returning(lambda _: 3.0), "run/wrong-result", "`float32`", id="number"),
    pytest.param(returning(lambda a: a.T), "run/wrong-result", "`(6, 4)`", id="shape"),
    pytest.param(returning(lambda a: a[None]), "run/wrong-result", "`(1, 4, 6)`", id="rank"),
    pytest.param(returning(lambda a: a.astype("f8")), "run/wrong-result", "`float64`", id="dtype"),
    pytest.param(returning(lambda a: a.astype(object)), "run/wrong-result", "`object`", id="boxes"),
    pytest.param(returning(lambda a: (a,), PAIR), "run/wrong-result", "a tuple of 2", id="few"),
    pytest.param(returning(lambda a: a, PAIR), "run/wrong-result", "a tuple of 2", id="no tuple"),
    pytest.param(returning(lambda _: [][0]), "library/raised", "`IndexError`", id="raises"),
    pytest.param(returning(lambda a, _: a), "library/raised", "`TypeError`", id="parameters"),
    pytest.param(filling(lambda a: a), "library/raised", "`TypeError`", id="no destination"),
    pytest.param(filling(lambda a, _: a * 2), "run/returned-value", "must fill", id="returns"),
    pytest.param(filling(lambda a, _: [a * 2]), "run/returned-value", "must fill", id="in list"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "code", "said"), WRONG)
def test_what_does_not_fit_is_told_at_the_call(module: IRModule, code: str, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        build(module)(X)
    (fault,) = caught.value.diagnostics
    main = module.graph_functions["main"]
    assert (fault.code, fault.function) == (code, "main")
    assert said in fault.message
    assert fault.node == main.bindings[-1].var.id


@pytest.mark.parametrize(("module", "code", "said"), WRONG)
def test_the_interpreter_says_the_same(module: IRModule, code: str, said: str) -> None:
    del said
    with pytest.raises(CompileError) as caught:
        run(module, X)
    assert caught.value.diagnostics[0].code == code


def test_a_function_may_return_what_it_filled() -> None:
    def both(_: Array, p: Array, q: Array) -> tuple[Array, Array]:
        p[...], q[...] = 1, 2
        return p[1:], q

    p, q = build(filling(both, f"[{TENSOR}, {ROWS}]"))(X)
    assert (p == 1).all()
    assert (q == 2).all()


def test_after_a_fault_the_executable_goes_on() -> None:
    wrong = [True]

    def sometimes(a: Array) -> Array:
        return a.T if wrong[0] else a

    executable = build(returning(sometimes))
    with pytest.raises(CompileError):
        executable(X)
    wrong[0] = False
    np.testing.assert_array_equal(executable(X), A)


def test_it_needs_no_place_in_the_tables() -> None:
    before = operators()
    module = returning(lambda a: a * 3)
    np.testing.assert_array_equal(build(module)(X), A * 3)
    (call,) = [b.value for b in module.graph_functions["main"].bindings[1:]]
    assert isinstance(call, CallPacked)
    assert find_library(call.symbol) is None
    assert operators() == before


def test_the_dialects_alone_know_the_operators() -> None:
    """The first line of every printed script brings all that the script needs."""
    program = (
        "from workbench.script import I, R, T, parse\n"
        f"parse({TEXT.format(call='exp(a)')!r})\n"
        "from workbench.ir import find_library\n"
        "assert find_library('numpy.matmul')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
