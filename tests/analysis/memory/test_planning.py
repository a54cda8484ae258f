from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.analysis.memory.paths import spots_of, stale_reads
from tests.generate import Generated, modules
from workbench.analysis.memory import (
    MemoryPlan,
    Planned,
    plan_memory,
    values_of,
    why_not_in_place,
)
from workbench.ir import GraphFunction, IRModule, TensorFunction
from workbench.passes import LegalizeOps, PlanMemory, ScheduleDefault
from workbench.script import parse


def legalized(lines: str, params: str = "x, w", result: str = "z", extent: str = "4") -> IRModule:
    """A module whose `main` has these bindings, on square matrices."""
    square = f'R.Tensor(({extent}, {extent}), dtype="float32")'
    given = ", ".join(f"{name}: {square}" for name in params.split(", "))
    body = "".join(f"        {line.strip()}\n" for line in lines.strip().splitlines())
    text = f"@R.function\ndef main({given}):\n    with R.dataflow():\n{body}"
    text += f"        R.output({result})\n    return {result}\n"
    return LegalizeOps()(parse(text)).module


def planned(plan: MemoryPlan, name: str) -> Planned:
    return next(value for value in plan.values if value.name == name)


def function_of(call: str, extent: str = "4") -> TensorFunction:
    """The tensor function of an operator call on `x` and `w`."""
    return next(iter(legalized(f"z = {call}", extent=extent).tensor_functions.values()))


@pytest.mark.parametrize("call", ["R.nn.relu(x)", "R.add(x, w)", "R.nn.softmax(x)", "R.tanh(x)"])
@pytest.mark.parametrize("extent", ["4", '"n"'])
def test_elements_that_are_read_before_they_are_written_allow_in_place(
    call: str, extent: str
) -> None:
    function = function_of(call, extent)
    assert why_not_in_place(function, 0, len(function.params) - 1) == ""


@pytest.mark.parametrize("call", ["R.permute_dims(x)", "R.matmul(x, w)", "R.flip(x, axis=0)"])
def test_elements_that_are_read_after_they_are_written_do_not(call: str) -> None:
    function = function_of(call)
    why = why_not_in_place(function, 0, len(function.params) - 1)
    assert "is read after" in why


def test_schedules_stay_in_place() -> None:
    module = ScheduleDefault()(legalized("z = R.exp(x)", "x", extent="256")).module
    scheduled = [f for f in module.tensor_functions.values() if dict(f.attrs).get("scheduled")]
    assert scheduled
    assert all(why_not_in_place(f, 0, 1) == "" for f in scheduled)


LOOPS = """
@T.prim_func
def f(X: T.Buffer((8,), "float32"), Y: T.Buffer((8,), "float32")):
    for i in T.{kind}({extent}):
        with T.sblock("f"):
            vi = T.axis.spatial({extent}, i)
            Y[vi] = X[{index}]
"""


@pytest.mark.parametrize(
    ("kind", "extent", "index", "allowed"),
    [
        ("serial", 7, "vi", True),
        ("serial", 7, "vi + 1", True),  # the element before was written, this one was not
        ("parallel", 7, "vi + 1", False),
        ("vectorized", 7, "vi + 1", False),
        ("parallel", 8, "vi", True),
        ("serial", 8, "7 - vi", False),
    ],
)
def test_loops_that_run_at_once_have_no_order(
    kind: str, extent: int, index: str, allowed: bool
) -> None:
    function = parse(LOOPS.format(kind=kind, extent=extent, index=index))["f"]
    assert isinstance(function, TensorFunction)
    assert (why_not_in_place(function, 0, 1) == "") is allowed


def test_a_value_that_is_read_later_keeps_its_memory() -> None:
    plan = plan_memory(legalized("a = R.exp(x)\nb = R.tanh(a)\nc = R.matmul(b, a)\nz = R.exp(c)"))
    b = planned(plan, "b")
    assert b.reuse == "fresh"
    assert [(m.value, m.reason) for m in b.missed] == [("a", "`c` reads it later")]
    assert planned(plan, "z").reuse == "in-place"


def test_reuse_names_who_lay_there() -> None:
    plan = plan_memory(
        legalized("a = R.matmul(x, w)\nb = R.matmul(a, w)\nc = R.matmul(b, w)\nz = R.matmul(c, w)")
    )
    c = planned(plan, "c")
    assert (c.reuse, plan.values[c.source or 0].name) == ("reuse", "a")
    assert (plan.peak, plan.live, plan.unshared) == (128, 128, 192)


def test_symbolic_sizes_are_shared_in_units() -> None:
    lines = "a = R.matmul(x, w)\nb = R.exp(a)\nc = R.matmul(b, w)\nz = R.matmul(c, w)"
    plan = plan_memory(legalized(lines, extent='"n"'))
    assert plan.at(plan.peak, {"n": 16}) == 2 * 16 * 16 * 4
    assert plan.at(plan.unshared, {"n": 16}) == 3 * 16 * 16 * 4
    assert plan.live is None


def overlapping(a: Planned, b: Planned) -> bool:
    """Whether two values are needed at one time and share bytes, and do not follow in place."""
    if a.storage != b.storage or a.first > b.last or b.first > a.last:
        return False
    in_place = b.reuse == "in-place" and b.first == a.last and b.offset == a.offset
    apart = a.offset + a.size.count <= b.offset or b.offset + b.size.count <= a.offset
    return not apart and not in_place


@settings(max_examples=60, deadline=None)
@given(modules(steps=10))
def test_values_that_live_together_are_apart(generated: Generated) -> None:
    module = LegalizeOps()(generated.module).module
    for name in module.graph_functions:
        plan = plan_memory(module, name)
        found = values_of(module, name)
        assert stale_reads(found, spots_of(plan)) == []
        for a, b in combinations(plan.values, 2):
            assert found.joins or not overlapping(a, b), (a, b)
        for value in plan.values:
            assert value.offset + value.size.count <= plan.storages[value.storage].count


@given(modules(steps=10))
def test_planning_twice_plans_the_same(generated: Generated) -> None:
    module = LegalizeOps()(generated.module).module
    once = PlanMemory()(module).module
    assert PlanMemory()(once).module is once
    assert plan_memory(module) == plan_memory(once)


def test_a_plan_survives_other_names(rng: np.random.Generator) -> None:
    del rng
    module = PlanMemory()(legalized("a = R.exp(x)\nz = R.matmul(a, w)")).module
    assert isinstance(module["main"], GraphFunction)
    text = module.script().replace(" a:", " other:").replace("(a,", "(other,")
    text = text.replace(" a = ", " other = ")
    assert PlanMemory()(parse(text)).module == parse(text)


def test_a_plan_is_never_worse_than_memory_of_its_own_for_each_value() -> None:
    lines = "a = R.sum(x, axis=[1])\nb = R.exp(x)\nc = R.add(a, a)\nz = R.add(b, c)"
    plan = plan_memory(legalized(lines, extent="3"))
    assert isinstance(plan.peak, int)
    assert isinstance(plan.unshared, int)
    assert plan.peak <= plan.unshared
    assert plan.unshared % 64 == 0
