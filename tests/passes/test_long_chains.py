"""Long chains: fusing and inlining stay within a size that can be compiled and read."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.analysis.memory import reading, values_of
from workbench.interpret import run
from workbench.ir import (
    CallFunction,
    CallOp,
    GraphBuilder,
    GraphFunction,
    IRModule,
    TensorType,
)
from workbench.ir.digest import function_digest
from workbench.ir.verify import verify
from workbench.passes import LegalizeOps, PlanMemory, optimize
from workbench.runtime import build, lowering
from workbench.script import parse
from workbench.support import CompileError


def chain(length: int, *, doubling: bool) -> IRModule:
    """`tanh(x) + x` over and over, or a value that each step reads twice."""
    builder = GraphBuilder()
    x = builder.param("x", TensorType((8, 8), "float64"))
    y = x
    for step in range(length):
        if doubling:
            call = CallOp("multiply" if step % 2 else "maximum", (y, y))
        else:
            call = CallOp("tanh", (y,)) if step % 2 else CallOp("add", (y, x))
        y = builder.emit(call)
    return builder.module.with_function("main", builder.build(y))


@pytest.mark.parametrize(("length", "doubling"), [(300, False), (30, True)])
def test_the_pipeline_survives_long_chains(
    length: int, doubling: bool, rng: np.random.Generator
) -> None:
    module = chain(length, doubling=doubling)
    optimized = optimize(module)
    assert verify(optimized) == ()
    assert len(optimized.tensor_functions) < length
    x = rng.uniform(0.9, 1.0, (8, 8))
    np.testing.assert_allclose(run(optimized, x), run(module, x), rtol=1e-12)


def branches(depth: int) -> IRModule:
    """An `if` in an `if` in an `if`, with a value of its own in each last arm."""
    text = "@R.function\ndef main(x: R.Tensor((3,), 'float32'), c: R.Tensor((), 'bool')):\n"
    for level in range(1, depth + 1):
        text += f"{'    ' * level}if c:\n"
    text += f"{'    ' * (depth + 1)}r = R.exp(x)\n"
    for level in range(depth, 0, -1):
        text += f"{'    ' * level}else:\n{'    ' * (level + 1)}r = R.tanh(x)\n"
    return parse(text + "    return r\n")


@pytest.mark.parametrize("truth", [True, False])
def test_branches_in_branches_take_time_by_their_number(truth: bool) -> None:
    module = optimize(branches(24))  # by their possible paths it would be minutes
    x = np.array([0.5, 1, 2], np.float32)
    expected = np.exp(x) if truth else np.tanh(x)
    np.testing.assert_allclose(run(module, x, np.array(truth)), expected, rtol=1e-6)


def test_branches_nested_too_deeply_are_a_diagnostic() -> None:
    module = branches(90)
    with pytest.raises(CompileError, match="nested too deeply"):
        function_digest(module["main"])


@pytest.mark.parametrize("op", ["concat", "stack"])
def test_many_operands_are_chosen_between_by_halves(op: str) -> None:
    count = 400
    items = ", ".join(["x", "y"] * (count // 2))
    module = parse(f"""
@R.function
def main(x: R.Tensor((2, 3), "float32"), y: R.Tensor((2, 3), "float32")):
    with R.dataflow():
        s = R.{op}(({items}), axis=0)
        R.output(s)
    return s
""")
    x, y = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    expected = run(module, x, y)
    np.testing.assert_array_equal(run(LegalizeOps()(module).module, x, y), expected)
    np.testing.assert_array_equal(build(module)(x, y), expected)


def calls(depth: int, times: int) -> IRModule:
    """Functions that negate, of which each calls the next one so many times."""
    type_ = TensorType((2,), "float32")
    functions: list[tuple[str, GraphFunction]] = []
    for number in range(depth):
        builder = GraphBuilder()
        y = builder.emit(CallOp("negative", (builder.param("x", type_),)))
        for _ in range(times if number + 1 < depth else 0):
            y = builder.emit(CallFunction(f"f{number + 1}", (y,)), type_=type_)
        name = f"f{number}" if number else "main"
        functions.append((name, builder.build(y, private=number > 0)))
    return LegalizeOps()(IRModule(tuple(functions))).module


def test_deep_calls_are_planned_as_far_as_one_looks() -> None:
    depth = 150
    module = calls(depth, 1)
    result = PlanMemory()(module)
    assert verify(result.module) == ()
    assert any("nested more than 80 deep" in r.message for r in result.remarks)
    sign = (-1.0) ** depth
    for each in (module, result.module):
        np.testing.assert_array_equal(build(each)(np.ones(2, "f4")), np.full(2, sign, "f4"))


def test_functions_that_call_others_twice_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_STEPS", 200)
    monkeypatch.setattr(lowering, "MOST_STEPS", 200)
    depth = 13
    module = calls(depth, 2)
    result = PlanMemory()(module)
    assert any("200 steps before it" in r.message for r in result.remarks)
    assert len(values_of(module, "main").steps) < 300
    for each in (module, result.module):
        sign = (-1.0) ** (2**depth - 1)
        np.testing.assert_array_equal(build(each)(np.ones(2, "f4")), np.full(2, sign, "f4"))
