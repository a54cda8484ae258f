"""Executables that follow memory plans."""

import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.generate import Generated, modules
from workbench.analysis.memory import ATTRIBUTE, Fitted, plan_memory
from workbench.ir import Attr, GraphFunction, IRModule
from workbench.ir.verify import verify
from workbench.passes import FuseOps, FuseTensorFunctions, LegalizeOps, PlanMemory, ScheduleDefault
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

BUILD = sys.modules["workbench.runtime.build"]
CHAIN = """
@R.function
def main(x: R.Tensor((N, 64), "float32"), w: R.Tensor((64, 64), "float32")):
    with R.dataflow():
        a = R.matmul(x, w)
        b = R.add(a, x)
        c = R.nn.relu(b)
        d = R.matmul(c, w)
        e = R.nn.softmax(d)
        f = R.add(e, c)
        g = R.matmul(f, w)
        z = R.tanh(g)
        R.output(z)
    return z
"""


def chain(rows: str = "64") -> IRModule:
    return LegalizeOps()(parse(CHAIN.replace("N", rows))).module


def inputs(rows: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(rows)
    return [rng.normal(size=(n, 64)).astype("float32") for n in (rows, 64)]


def with_attribute(module: IRModule, value: Attr) -> IRModule:
    main = module["main"]
    assert isinstance(main, GraphFunction)
    return module.with_function("main", replace(main, attrs=((ATTRIBUTE, value),)))


def attribute(module: IRModule) -> Any:  # noqa: ANN401
    main = module["main"]
    assert isinstance(main, GraphFunction)
    return dict(main.attrs)[ATTRIBUTE]


def test_the_arena_is_as_large_as_planned() -> None:
    module = chain()
    plan = plan_memory(module)
    executable = build(PlanMemory()(module).module)
    assert executable.report.notes == ()
    assert executable.intermediate_bytes(inputs()) == plan.peak == 2 * 64 * 64 * 4
    assert build(module).intermediate_bytes(inputs()) == 3 * 64 * 64 * 4
    np.testing.assert_array_equal(executable(*inputs()), build(module)(*inputs()))


def test_results_stay_as_they_are_when_it_runs_again() -> None:
    executable = build(PlanMemory()(chain()).module)
    x, w = inputs()
    first = executable(x, w)
    kept = first.copy()
    second = executable(x + 1, w)
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(x, inputs()[0])


@pytest.mark.parametrize("passes", [(), (FuseOps(), FuseTensorFunctions(), ScheduleDefault())])
def test_symbolic_sizes_are_computed_when_it_runs(passes: tuple[Any, ...]) -> None:
    module = chain('"n"')
    for step in passes:
        module = step(module).module
    plan = plan_memory(module)
    executable, other = build(PlanMemory()(module).module), build(module)
    assert executable.report.notes == ()
    for rows in (1, 3, 16, 64, 100, 0):
        arrays = inputs(rows)
        found, peak = executable.intermediate_bytes(arrays), plan.at(plan.peak, {"n": rows})
        assert peak <= found < peak + 64
        np.testing.assert_array_equal(executable(*arrays), other(*arrays))


def test_threads_have_arenas_of_their_own() -> None:
    executable = build(PlanMemory()(chain('"n"')).module)
    expected = [build(chain('"n"'))(*inputs(64 + n)) for n in range(4)]
    right: list[bool] = []

    def work(number: int) -> None:
        found = [executable(*inputs(64 + number)) for _ in range(30)]
        right.extend(np.array_equal(one, expected[number]) for one in found)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 120


def test_values_are_seen_as_they_were() -> None:
    module = PlanMemory()(chain()).module
    found, expected = build(module).values(inputs()), build(chain()).values(inputs())
    assert found.keys() == expected.keys()
    for node, value in found.items():
        np.testing.assert_array_equal(value, expected[node])


def codes(module: IRModule) -> set[str]:
    return {fault.code for fault in verify(module)}


def test_values_that_live_together_are_refused() -> None:
    module = PlanMemory()(chain()).module
    key, code, storages, entries = attribute(module)
    wrong = with_attribute(
        module, (key, code, storages, tuple((n, s, 0, before) for n, s, _, before in entries))
    )
    assert codes(wrong) == {"memory/overlap"}
    with pytest.raises(CompileError, match="needed at the same time and share memory"):
        build(wrong)


def test_a_value_that_is_still_read_is_not_overwritten() -> None:
    """A stale buffer: `d` over `c`, which `f` reads later."""
    module = PlanMemory()(chain()).module
    key, code, storages, entries = attribute(module)
    where = {name: number for number, (name, *_) in enumerate(entries)}
    _, storage, offset, _ = entries[where["2"]]
    stale = tuple(
        (n, storage, offset, where["2"]) if n == "3" else (n, s, o, before)
        for n, s, o, before in entries
    )
    assert "memory/not-in-place" in codes(with_attribute(module, (key, code, storages, stale)))


@pytest.mark.parametrize(
    "value",
    [
        3,
        None,
        ("key",),
        ("KEY", "CODE", (("arena", 1),), ()),
        ("KEY", "CODE", (("arena", 1),), "ENTRIES"),
        ("KEY", "CODE", (("arena", 1 << 20), ("arena", 1 << 20)), "ENTRIES"),
    ],
)
def test_what_is_no_plan_is_refused(value: Attr) -> None:
    module = PlanMemory()(chain()).module
    key, code, _, entries = attribute(module)
    if isinstance(value, tuple):
        known: dict[object, Attr] = {"KEY": key, "CODE": code, "ENTRIES": entries}
        value = tuple(known.get(part, part) for part in value)
    assert codes(with_attribute(module, value)) == {"memory/malformed"}


@pytest.mark.parametrize(
    ("scope", "more", "shift", "why"),
    [
        ("heap", 0, 0, "a storage is `arena` or `returned`, not `heap`"),
        ("arena", 10**16, 0, "units, its values take at most `"),
        ("arena", 64, 2, "begins inside of an element, at `2`"),
    ],
)
def test_storages_are_what_the_planner_writes(scope: str, more: int, shift: int, why: str) -> None:
    module = PlanMemory()(chain()).module
    key, code, ((_, count), *storages), entries = attribute(module)
    moved = tuple((n, s, o if s else o + shift, before) for n, s, o, before in entries)
    changed = ((scope, count + more), *storages)
    with pytest.raises(CompileError, match=why):
        build(with_attribute(module, (key, code, changed, moved)))


def test_why_a_plan_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier lets no such plan through; the report must not say something else."""
    nothing = Fitted((), {}, {})
    monkeypatch.setattr(BUILD, "plans_of", lambda *_: ({"main": nothing}, []))
    executable = build(chain())
    assert not executable.follows_plan()
    assert "values that the plan does not place in the arena" in executable.report.notes[0]


def test_a_pass_that_changes_bindings_drops_the_plan() -> None:
    module = FuseOps()(PlanMemory()(chain()).module).module
    main = module["main"]
    assert isinstance(main, GraphFunction)
    assert ATTRIBUTE not in dict(main.attrs)


def test_a_plan_from_before_legalizing_is_not_followed() -> None:
    once = LegalizeOps(only=("a", "b"))(parse(CHAIN.replace("N", "64"))).module
    executable = build(PlanMemory()(once).module)
    assert "before all operators were legalized" in executable.report.notes[0]
    np.testing.assert_array_equal(executable(*inputs()), build(chain())(*inputs()))


def test_a_stale_plan_is_not_followed() -> None:
    planned, other = PlanMemory()(chain()).module, chain()
    text = planned.script().replace("R.call_tir(cls.add, (e, c)", "R.call_tir(cls.add, (a, c)")
    module = parse(text)
    assert verify(module) == ()
    executable = build(module)
    assert "made for other bindings" in executable.report.notes[0]
    expected = build(
        parse(other.script().replace("R.call_tir(cls.add, (e, c)", "R.call_tir(cls.add, (a, c)"))
    )
    np.testing.assert_array_equal(executable(*inputs()), expected(*inputs()))


def test_code_that_changed_under_a_plan_is_not_run_in_place() -> None:
    """The plan has `relu` in place; one that reads other elements makes it stale."""
    text = PlanMemory()(chain()).module.script()
    backwards = text.replace("T.max(x[v_i0, v_i1]", "T.max(x[63 - v_i0, v_i1]")
    assert backwards != text
    module = parse(backwards)
    executable = build(module)
    assert "the function that computes `c` is another one" in executable.report.notes[0]
    plain = chain().script().replace("T.max(x[v_i0, v_i1]", "T.max(x[63 - v_i0, v_i1]")
    np.testing.assert_array_equal(executable(*inputs()), build(parse(plain))(*inputs()))


@settings(max_examples=25, deadline=None)
@given(modules(steps=10))
def test_plans_keep_all_results(generated: Generated) -> None:
    module = LegalizeOps()(generated.module).module
    planned = PlanMemory()(module).module
    assert verify(planned) == ()
    arrays = generated.inputs()
    executable, other = build(planned), build(module)
    expected = other(*arrays)
    for _ in range(2):
        found = executable(*arrays)
        pairs = (
            zip(expected, found, strict=True) if isinstance(found, tuple) else [(expected, found)]
        )
        for a, b in pairs:
            np.testing.assert_array_equal(a, b)
