"""Symbolic dimensions at run time: solved for, checked, and told the same way by all that runs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench import ops
from workbench.interpret import run
from workbench.ir import IRModule
from workbench.passes import optimize
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError, Diagnostic

OPERATORS = ops  # importing it registers them
Runner = Callable[[IRModule, tuple[Any, ...]], Any]


def last_value(module: IRModule, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """What the function gives, binding by binding."""
    return list(build(module).values(arguments).values())[-1]


RUNNERS: dict[str, Runner] = {
    "interpreter": lambda module, arguments: run(module, *arguments),
    "native": lambda module, arguments: build(module)(*arguments),
    "optimized": lambda module, arguments: build(optimize(module))(*arguments),
    "stepwise": last_value,
}


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> Runner:
    return RUNNERS[request.param]


def function(params: str, symbols: str, *body: str, result: str = "y") -> IRModule:
    declared = "".join(f"        {s} = T.int64()\n" for s in symbols.split())
    lines = "".join(f"            {line}\n" for line in body)
    return parse(
        f"@I.ir_module\nclass Module:\n    @R.function\n    def main({params}):\n{declared}"
        f"        with R.dataflow():\n{lines}            R.output({result})\n"
        f"        return {result}\n"
    )


def fault(runner: Runner, module: IRModule, *arguments: Any) -> Diagnostic:  # noqa: ANN401
    with pytest.raises(CompileError) as caught:
        runner(module, arguments)
    (only,) = caught.value.diagnostics
    return only


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


SHARED = function(
    'x: R.Tensor(("n", 4), "float32"), z: R.Tensor(("n", 4), "float32")', "n", "y = R.add(x, z)"
)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_parameters_share_a_dimension(runner: Runner, n: int) -> None:
    np.testing.assert_array_equal(runner(SHARED, (ones(n, 4), ones(n, 4))), 2 * ones(n, 4))


def test_a_mismatch_names_symbol_values_and_places(runner: Runner) -> None:
    found = fault(runner, SHARED, ones(3, 4), ones(5, 4))
    assert found.code == "run/wrong-argument"
    assert found.message == "dimension 0 of `z` must be `3` (`n`), got `5`"
    assert found.notes[0] == "`n` is `3` by dimension 0 of `x`"


def test_the_other_dimension_is_wrong(runner: Runner) -> None:
    found = fault(runner, SHARED, ones(3, 5), ones(3, 4))
    assert found.message == "dimension 1 of `x` must be `4`, got `5`"


CHECKED = function(
    'd: R.Tensor(("n * 2",), "float32"), h: R.Tensor(("n // 2",), "float32"), '
    'm: R.Tensor(("n + 1",), "float32"), x: R.Tensor(("n",), "float32")',
    "n",
    "y = R.add(R.concat((x, x), axis=0), d)",
)


def test_expressions_are_checked(runner: Runner) -> None:
    good = ones(8), ones(2), ones(5), ones(4)
    np.testing.assert_array_equal(runner(CHECKED, good), 2 * ones(8))


@pytest.mark.parametrize(
    ("position", "extent", "message"),
    [
        (0, 9, "dimension 0 of `d` must be `8` (`n * 2`), got `9`"),
        (1, 3, "dimension 0 of `h` must be `2` (`n // 2`), got `3`"),
        (2, 4, "dimension 0 of `m` must be `5` (`n + 1`), got `4`"),
    ],
)
def test_an_expression_that_does_not_fit_is_told(
    runner: Runner, position: int, extent: int, message: str
) -> None:
    arguments = [ones(8), ones(2), ones(5), ones(4)]
    arguments[position] = ones(extent)
    found = fault(runner, CHECKED, *arguments)
    assert (found.code, found.message) == ("run/wrong-argument", message)
    assert found.notes == ("`n` is `4` by dimension 0 of `x`",)


SOLVED = {
    "n * 2": (
        function('x: R.Tensor(("n * 2",), "float32")', "n", "y = R.zeros(R.shape([n]))"),
        8,
        4,
    ),
    "n + 1": (
        function('x: R.Tensor(("n + 1",), "float32")', "n", "y = R.zeros(R.shape([n]))"),
        8,
        7,
    ),
    "5 + n * 3": (
        function('x: R.Tensor(("5 + n * 3",), "float32")', "n", "y = R.zeros(R.shape([n]))"),
        11,
        2,
    ),
}


@pytest.mark.parametrize("case", SOLVED)
def test_a_symbol_is_solved_for(runner: Runner, case: str) -> None:
    module, given, n = SOLVED[case]
    assert runner(module, (ones(given),)).shape == (n,)
    assert build(module).report.stepwise == ()


@pytest.mark.parametrize(("case", "extent"), [("n * 2", 7), ("n + 1", 0), ("5 + n * 3", 4)])
def test_no_value_of_the_symbol_fits(runner: Runner, case: str, extent: int) -> None:
    found = fault(runner, SOLVED[case][0], ones(extent))
    assert found.code == "run/wrong-argument"
    assert f"must be `{case}`, got `{extent}`" in found.message


def test_a_later_parameter_helps_to_solve(runner: Runner) -> None:
    module = function(
        'a: R.Tensor(("n + m",), "float32"), b: R.Tensor(("m * 2",), "float32")',
        "n m",
        "y = R.zeros(R.shape([n, m]))",
    )
    assert runner(module, (ones(7), ones(6))).shape == (4, 3)


def test_a_symbol_that_cannot_be_told_is_named(runner: Runner) -> None:
    module = function('x: R.Tensor(("n // 2",), "float32")', "n", "y = R.zeros(R.shape([n]))")
    found = fault(runner, module, ones(4))
    assert found.code == "run/unbound-dimension"
    assert found.message == "the value of `n` is needed, and no argument tells it"


def test_an_extent_below_zero_is_refused(runner: Runner) -> None:
    module = function('x: R.Tensor(("n",), "float32")', "n", "y = R.zeros(R.shape([n - 3]))")
    assert runner(module, (ones(3),)).shape == (0,)
    found = fault(runner, module, ones(1))
    assert found.code == "run/negative-dimension"
    assert "`-2` (`n - 3`)" in found.message


CASTS = {
    "(k, 4)": "dimension 1 of `c` must be `4`, got `5`",
    "(n, n)": "dimension 1 of `c` must be `3` (`n`), got `5`",
    "(n, n * 2)": "dimension 1 of `c` must be `6` (`n * 2`), got `5`",
    "(n, k * 2)": "dimension 1 of `c` must be `k * 2`, got `5`",
    "(k * 2, m)": "dimension 0 of `c` must be `k * 2`, got `3`",
    "(k + 4, m)": "dimension 0 of `c` must be `k + 4`, got `3`",
}
FITTING = {
    "(k, 4)": (2, 4),
    "(n, n)": (5, 5),
    "(n, n * 2)": (2, 4),
    "(n, k * 2)": (3, 0),
    "(k * 2, m)": (6, 1),
    "(k + 4, m)": (4, 2),
}


def casting(type_: str) -> IRModule:
    return function(
        'x: R.Tensor(("n", "m"), "float32")',
        "n m k" if "k" in type_ else "n m",
        "e = R.negative(x)",
        f'c = R.match_cast(e, R.Tensor({type_}, "float32"))',
        "y = R.add(c, c)",
    )


@pytest.mark.parametrize("type_", CASTS)
def test_match_cast_is_checked_at_run_time(runner: Runner, type_: str) -> None:
    module = casting(type_)
    good = ones(*FITTING[type_])
    np.testing.assert_array_equal(runner(module, (good,)), -2 * good)
    found = fault(runner, module, ones(3, 5))
    assert (found.code, found.message) == ("run/type-mismatch", CASTS[type_])
    assert found.function == "main"
    assert found.node == module.graph_functions["main"].bindings[1].var.id
    assert build(module).report.stepwise == ()


def test_a_kernel_solves_for_its_symbols() -> None:
    (name,) = (module := parse(PAIRS)).tensor_functions
    out = ones(3)
    build(module)(ones(6), out, function=name)
    np.testing.assert_array_equal(out, [2, 2, 2])
    with pytest.raises(CompileError, match="run/wrong-argument"):
        build(module)(ones(7), out, function=name)


PAIRS = """
@T.prim_func
def pairs(x: T.Buffer(("n * 2",), "float32"), y: T.Buffer(("n",), "float32")):
    n = T.int64()
    for i in range(n):
        with T.sblock("y"):
            vi = T.axis.spatial(n, i)
            y[vi] = x[vi * 2] + x[vi * 2 + 1]
"""
