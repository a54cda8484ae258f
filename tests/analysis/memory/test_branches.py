"""Plans of functions with branches, checked path by path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.memory.paths import spots_of, stale_reads
from tests.generate import Drawn, Seeded
from tests.generate.branches import random_branches
from workbench.analysis.memory import (
    ATTRIBUTE,
    Fitted,
    MemoryPlan,
    Planned,
    fitted_plan,
    plan_memory,
    values_of,
)
from workbench.ir import GraphFunction, IRModule
from workbench.ir.verify import verify
from workbench.passes import LegalizeOps, PlanMemory
from workbench.script import parse

HEAD = """
@R.function
def main(x: T4, w: T4, p: R.Tensor((), "bool")):
"""


def legalized(body: str, head: str = HEAD) -> IRModule:
    text = (head + body).replace("T4", 'R.Tensor((4, 4), "float32")')
    return LegalizeOps()(parse(text)).module


def planned(plan: MemoryPlan, name: str) -> Planned:
    return next(value for value in plan.values if value.name == name)


def place(plan: MemoryPlan, name: str) -> tuple[int, int]:
    value = planned(plan, name)
    return value.storage, value.offset


@pytest.mark.parametrize("seed", range(60))
def test_no_path_reads_what_was_overwritten(seed: int) -> None:
    module = random_branches(Seeded(seed))
    found = values_of(module, "main")
    assert stale_reads(found, spots_of(plan_memory(module))) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_plan_that_overwrites_something_too_early_is_refused(data: st.DataObject) -> None:
    """One value is moved: what a path then reads stale, the verifier finds."""
    module = PlanMemory()(random_branches(Drawn(data))).module
    main = module["main"]
    assert isinstance(main, GraphFunction)
    if ATTRIBUTE not in dict(main.attrs):
        return
    assert verify(module) == ()
    plan: Any = dict(main.attrs)[ATTRIBUTE]
    key, code, storages, entries = plan
    number = data.draw(st.integers(0, len(entries) - 1))
    name, storage, offset, _ = entries[number]
    others = [entry for entry in entries if entry[1] == storage and entry[2] != offset]
    if not others:
        return
    other = data.draw(st.sampled_from(others))
    moved = (*entries[:number], (name, storage, other[2], -1), *entries[number + 1 :])
    attrs = ((ATTRIBUTE, (key, code, storages, moved)),)
    changed = module.with_function("main", replace(main, attrs=attrs))
    fitted = fitted_plan(changed, "main")
    assert isinstance(fitted, Fitted)
    assert fitted.spots is not None
    spots = {
        key: (spot.storage, spot.offset, spot.offset + spot.size.count)
        for key, spot in fitted.spots.items()
    }
    if stale_reads(values_of(changed, "main"), spots):
        assert verify(changed) != ()


TWO_ARMS = """
    a = R.matmul(x, w)
    if p:
        b = R.matmul(a, w)
        c = R.matmul(b, w)
        y = c
    else:
        d = R.nn.relu(x)
        e = R.matmul(d, w)
        y = e
    z = R.matmul(y, w)
    return z
"""


def test_both_branches_share_memory_and_give_their_result_where_they_compute_it() -> None:
    plan = plan_memory(legalized(TWO_ARMS))
    assert plan.unplanned == ()
    assert plan.peak == plan.live == 2 * 64
    assert place(plan, "d") in {place(plan, "a"), place(plan, "b")}
    assert place(plan, "c") == place(plan, "y") == place(plan, "e")
    assert planned(plan, "y").reuse == "in-place"


def test_a_value_that_only_the_other_branch_needs_is_overwritten() -> None:
    plan = plan_memory(
        legalized("""
    a = R.matmul(x, w)
    if p:
        b = R.nn.relu(a)
        y = b
    else:
        c = R.tanh(a)
        y = c
    z = R.matmul(y, w)
    return z
""")
    )
    assert len({place(plan, name) for name in "abcy"}) == 1
    assert plan.peak == 64


def test_a_value_that_lives_across_is_kept() -> None:
    body = TWO_ARMS.replace("R.matmul(y, w)", "R.add(y, a)").replace("relu(x)", "relu(a)")
    plan = plan_memory(legalized(body))
    assert place(plan, "a") not in {place(plan, name) for name in "bcdey"}
    missed = [(one.value, one.reason) for one in planned(plan, "d").missed]
    assert missed == [("a", "`z` reads it later")]


SWAP = """
    a = R.matmul(x, w)
    b = R.matmul(a, x)
    if p:
        y = (a, b)
    else:
        y = (b, a)
    c = y[0]
    d = y[1]
    e = R.matmul(c, w)
    z = R.add(e, d)
    return z
"""


def test_what_branches_give_the_other_way_round_is_copied() -> None:
    module = legalized(SWAP)
    plan = plan_memory(module)
    assert stale_reads(values_of(module, "main"), spots_of(plan)) == []
    assert {place(plan, "y[0]"), place(plan, "y[1]")}.isdisjoint({place(plan, n) for n in "ab"})
    assert "the other branch gives" in planned(plan, "y[0]").missed[0].reason


def test_a_parameter_that_a_branch_gives_is_copied() -> None:
    plan = plan_memory(
        legalized("""
    if p:
        a = R.nn.relu(x)
        y = a
    else:
        y = x
    z = R.matmul(y, w)
    return z
""")
    )
    assert place(plan, "a") == place(plan, "y")
    assert [(m.value, m.reason) for m in planned(plan, "y").missed] == [
        ("x", "its memory is the caller's")
    ]


def test_branches_that_only_name_values_need_no_memory() -> None:
    plan = plan_memory(
        legalized("""
    if p:
        y = x
    else:
        y = w
    z = R.matmul(y, w)
    return z
""")
    )
    assert [value.name for value in plan.values] == ["z"]
    assert [one.reason for one in plan.unplanned] == [
        "no branch computes it in memory of this function"
    ]


def test_a_branch_whose_shapes_are_not_known_says_so() -> None:
    plan = plan_memory(
        legalized(
            """
    a = R.matmul(x, w)
    if p:
        u = R.unique(a)
        n = R.match_cast(u, R.Tensor(("k",), "float32"))
        m = R.exp(n)
        s = R.sum(m)
        t = R.add(a, s)
        y = t
    else:
        v = R.tanh(a)
        y = v
    b = R.nn.relu(a)
    return (b, y)
"""
        )
    )
    (one,) = [one for one in plan.unplanned if one.value == "y"]
    assert one.reason == (
        "its branches run binding by binding: the extent `k` is only known when it runs"
    )
    assert place(plan, "b") == place(plan, "a")


def test_a_plan_with_branches_prints_and_parses() -> None:
    module = PlanMemory()(legalized(TWO_ARMS)).module
    assert verify(module) == ()
    assert parse(module.script()) == module
    assert PlanMemory()(module).module is module
