"""Shapes that depend on values (U7): the reference decides, `match_cast` names, then code again."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from workbench import ops
from workbench.interpret import run
from workbench.ir import CallTIR, IRModule, MatchCast, walk
from workbench.ir.verify import verify
from workbench.passes import (
    CanonicalizeBindings,
    EliminateCommonSubexpressions,
    EliminateDeadCode,
    FoldConstant,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    Pass,
    ScheduleDefault,
    default_pipeline,
)
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

OPERATORS = ops  # importing it registers them


@dataclass(frozen=True)
class Program:
    """A program whose inner shape depends on values, the formula, and arguments to try."""

    params: str
    symbols: str
    body: tuple[str, ...]
    formula: Any
    arguments: tuple[tuple[np.ndarray, ...], ...]
    compiled: int
    """Calls that run as native code after the default pipeline."""

    @property
    def module(self) -> IRModule:
        declared = "".join(f"        {s} = T.int64()\n" for s in self.symbols.split())
        lines = "".join(f"            {line}\n" for line in self.body)
        return parse(
            "@I.ir_module\nclass Module:\n    @R.function\n"
            f"    def main({self.params}):\n{declared}        with R.dataflow():\n"
            f"{lines}            R.output(y)\n        return y\n"
        )


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def index(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def twice(x: np.ndarray) -> np.ndarray:
    """What each program computes behind the unknown shape."""
    return np.maximum(x + x, 0)


TWICE = ("s = R.add(c, c)", "y = R.nn.relu(s)")
PROGRAMS = {
    "nonzero": Program(
        'x: R.Tensor(("n",), "float32")',
        "n k",
        (
            "e = R.negative(x)",
            'p = R.greater(e, R.const(0.0, "float32"))',
            "found = R.nonzero(p)",
            'named = R.match_cast(found, R.Tensor((1, k), "int64"))',
            "row = R.reshape(named, R.shape([k]))",
            "c = R.take(e, row, axis=0)",
            *TWICE,
        ),
        lambda x: twice(-x[x < 0]),
        ((numbers(9),), (numbers(0),), (np.ones(4, np.float32),), (-np.ones(31, np.float32),)),
        3,
    ),
    "unique": Program(
        'x: R.Tensor(("n", "m"), "int64")',
        "n m k",
        (
            "e = R.multiply(x, x)",
            "found = R.unique(e)",
            'c = R.match_cast(found, R.Tensor((k,), "int64"))',
            *TWICE,
        ),
        lambda x: twice(np.unique(x * x)),
        ((index(3, -3, 1, 1).reshape(2, 2),), (index().reshape(0, 3),)),
        2,
    ),
    "dynamic reshape": Program(
        'x: R.Tensor(("n",), "float32"), shape: R.Tensor((2,), "int64")',
        "n a b",
        (
            "e = R.negative(x)",
            "t = R.tensor_to_shape(shape)",
            "r = R.reshape(e, t)",
            'c = R.match_cast(r, R.Tensor((a, b), "float32"))',
            *TWICE,
        ),
        lambda x, shape: twice(-x.reshape(tuple(shape))),
        ((numbers(12), index(3, 4)), (numbers(12), index(12, 1)), (numbers(0), index(0, 7))),
        2,
    ),
    "dynamic slice": Program(
        'x: R.Tensor(("n", 4), "float32"), low: R.Tensor((2,), "int64"), '
        'high: R.Tensor((2,), "int64"), step: R.Tensor((2,), "int64")',
        "n a b",
        (
            "e = R.negative(x)",
            "r = R.dynamic_strided_slice(e, low, high, step)",
            'c = R.match_cast(r, R.Tensor((a, b), "float32"))',
            *TWICE,
        ),
        lambda x, low, high, step: twice(
            -x[low[0] : high[0] : step[0], low[1] : high[1] : step[1]]
        ),
        (
            (numbers(9, 4), index(1, 0), index(8, 4), index(2, 1)),
            (numbers(3, 4), index(2, 0), index(2, 4), index(1, 3)),
        ),
        2,
    ),
    "gather_nd": Program(
        'x: R.Tensor(("n", 4), "float32"), p: R.Tensor(("n", 4), "bool")',
        "n k",
        (
            "e = R.negative(x)",
            "found = R.nonzero(p)",
            "rows = R.permute_dims(found)",
            "g = R.gather_nd(e, rows)",
            'c = R.match_cast(g, R.Tensor((k,), "float32"))',
            *TWICE,
        ),
        lambda x, p: twice(-x[p]),
        (
            (numbers(3, 4), numbers(3, 4) > 0),
            (numbers(5, 4), numbers(5, 4) > 9),
            (numbers(0, 4), numbers(0, 4) > 0),
        ),
        2,
    ),
}


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Program:
    return PROGRAMS[request.param]


def check(module: IRModule, program: Program) -> None:
    assert verify(module) == ()
    executable = build(module)
    for arguments in program.arguments:
        expected = program.formula(*arguments)
        for found in (executable(*arguments), run(module, *arguments)):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_as_it_is(program: Program) -> None:
    check(program.module, program)


def test_behind_the_default_pipeline_the_rest_is_compiled(program: Program) -> None:
    module = program.module
    for step in default_pipeline():
        module = step(module).module
    check(module, program)
    report = build(module).report
    assert report.compiled == program.compiled
    assert report.reference >= 1
    assert report.stepwise == ("main",)
    assert f"{report.compiled} compiled, 0 library, {report.reference} reference" in str(report)


def test_no_fusion_goes_across(program: Program) -> None:
    module = program.module
    for step in (LegalizeOps(), FuseOps(), FuseTensorFunctions()):
        module = step(module).module
    main = module.graph_functions["main"]
    values = [b.value for b in main.bindings]
    (cast,) = [n for n, value in enumerate(values) if isinstance(value, MatchCast)]
    before = {v.callee for v in values[:cast] if isinstance(v, CallTIR)}
    after = {v.callee for v in values[cast:] if isinstance(v, CallTIR)}
    assert before.isdisjoint(after)
    assert any("add_relu" in name for name in after)
    for function in module.graph_functions.values():
        if dict(function.attrs).get("Primitive"):
            assert not any(isinstance(node, MatchCast) for node in walk(function))


PASSES: tuple[Pass, ...] = (
    CanonicalizeBindings(),
    EliminateCommonSubexpressions(),
    FoldConstant(),
    LegalizeOps(),
    FuseOps(),
    FuseTensorFunctions(),
    ScheduleDefault(),
    EliminateDeadCode(),
)


@pytest.mark.parametrize("seed", range(6))
def test_passes_in_any_order_keep_the_values(program: Program, seed: int) -> None:
    order = np.random.default_rng(seed).integers(0, len(PASSES), 8)
    module = program.module
    for number in order:
        module = PASSES[number](module).module
    check(module, program)


@pytest.mark.parametrize("passes", list(itertools.permutations(PASSES[3:6])))
def test_fusion_before_and_after_legalization(program: Program, passes: tuple[Pass, ...]) -> None:
    module = program.module
    for step in passes:
        module = step(module).module
    check(module, program)


def test_a_wrong_extent_is_found_where_it_is_named() -> None:
    program = PROGRAMS["nonzero"]
    body = tuple(
        line.replace("(1, k)", "(2, k)").replace("[k]", "[2 * k]") for line in program.body
    )
    wrong = replace(program, body=body).module
    for runner in (run, lambda m, x: build(m)(x)):
        with pytest.raises(CompileError) as caught:
            runner(wrong, numbers(9))
        (only,) = caught.value.diagnostics
        assert only.code == "run/type-mismatch"
        assert only.message == "dimension 0 of `named` must be `2`, got `1`"
