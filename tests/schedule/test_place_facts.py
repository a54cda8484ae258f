from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.schedule import scripts
from tests.schedule.programs import matmul, symbolic_scale
from workbench import te
from workbench.analysis import AnswerKind, Interval
from workbench.schedule import Schedule
from workbench.script import parse
from workbench.support import CompileError


def test_a_loop_says_what_it_touches_carries_and_costs() -> None:
    at = Schedule(matmul(16, 8, 4)).facts("r")
    assert at.regions.text == "reads matmul[i, j], A[i, 0:4], B[0:4, j]; writes matmul[i, j]"
    assert at.cost.operations == 8
    assert at.cost.working_set == 36
    assert {item.kind for item in at.carried if item.reduction} == {"flow", "anti", "output"}
    assert at.independent is not None
    assert at.independent.kind is AnswerKind.ILLEGAL
    text = repr(at)
    for part in ("loop `r`", "reads matmul[i, j]", "r from 0 to 3", "(r +) (reduction)", "=36"):
        assert part in text


def test_a_reference_and_a_name_give_the_same() -> None:
    sch = Schedule(matmul(16, 8, 4))
    i, *_ = sch.get_loops("matmul")
    assert repr(sch.facts(i)) == repr(sch.facts("i"))
    block = sch.facts(sch.get_block("matmul"))
    assert block.carried == ()
    assert block.independent is None
    assert block.bounds("v_i * 8 + v_j") == Interval(0, 127)


def test_questions_are_in_the_names_of_the_place() -> None:
    sch = Schedule(symbolic_scale(te.var("n"), 4))
    _, inner = sch.split("i", [None, 8])
    at = sch.facts(inner)
    assert at.names == ("n", "i_0", "i_1")
    assert at.proves("i_0 * 8 + i_1 < n") is None
    assert at.proves("i_0 * 8 < n") is True
    assert at.simplify("(i_0 * 8 + i_1) % 8") == "i_1"
    block = sch.facts("scale")
    assert block.proves("i_0 * 8 + i_1 < n") is True
    assert block.ranges == ("v_i from 0 to n - 1", "v_j from 0 to 3")
    with pytest.raises(CompileError) as refused:
        at.bounds("v_i")
    assert refused.value.diagnostics[0].code == "analysis/not-an-index"


def test_a_place_of_another_schedule_is_refused() -> None:
    i, *_ = Schedule(matmul(16, 8, 4)).get_loops("matmul")
    with pytest.raises(CompileError) as refused:
        Schedule(matmul(16, 8, 4)).facts(i)
    assert refused.value.diagnostics[0].code == "schedule/foreign-reference"


def test_what_is_neither_block_nor_loop_is_answered_by_those_that_exist() -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    calls: list[Callable[[], object]] = [
        lambda: schedule.facts("kk"),
        lambda: schedule.cache_read("kk", 0),
        lambda: schedule.add_unit_loop("kk"),
    ]
    for call in calls:
        with pytest.raises(CompileError) as caught:
            call()
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.message == "no block or loop `kk`"
        assert diagnostic.notes == ("there are blocks `C`", "there are loops `i`, `j`, `k`")
        assert diagnostic.hint == "did you mean `k`?"
    with pytest.raises(CompileError, match="did you mean `k`"):
        schedule.get_loop("kk")
    with pytest.raises(CompileError, match="no block or loop `q`") as caught:
        schedule.facts("q")
    assert not caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 - vi", "7 - vi"),
        ("0 - vi - 2 * vj + 7", "7 - vi - vj * 2"),
        ("0 - vi - 3", "-3 - vi"),
        ("vj - vi + 7", "vj - vi + 7"),
        ("vi - 3", "vi - 3"),
    ],
)
def test_sums_are_written_as_people_write_them(text: str, expected: str) -> None:
    at = Schedule(parse(scripts.MATMUL)).facts("C")
    assert at.simplify(text) == expected
    assert at.simplify(expected) == expected


def test_regions_are_written_as_people_write_them() -> None:
    text = scripts.MATMUL.replace("A[vi, vk]", "A[vi, 4 - vk]")
    assert text != scripts.MATMUL
    assert "A[i, 4 - k]" in repr(Schedule(parse(text)).facts("C"))


GUARDED = """
@T.prim_func
def f(A: T.Buffer((80,), "float32"), B: T.Buffer((80,), "float32")):
    for i, j in T.grid(5, 16):
        with T.sblock("B"):
            v = T.axis.spatial(80, i * 16 + j)
            T.where(PREDICATE)
            B[v] = A[v]
"""


@pytest.mark.parametrize("predicate", ["i * 16 + j < 60", "v < 60"])
def test_what_a_predicate_says_holds_for_axes_and_for_loops(predicate: str) -> None:
    at = Schedule(parse(GUARDED.replace("PREDICATE", predicate))).facts("B")
    for text in ("v", "i * 16 + j"):
        assert at.proves(f"{text} < 60") is True
        assert at.proves(f"{text} < 59") is None
        assert at.proves(f"{text} >= 60") is False
        assert at.bounds(text) == Interval(0, 59)
        assert at.bounds(f"3 - ({text}) * 2") == Interval(-115, 3)
    assert at.ranges == ("v from 0 to 59",)
    assert at.bounds("v + 4 - i * 16") == Interval(4, 19)


def test_lower_bounds_come_from_predicates_too() -> None:
    at = Schedule(parse(GUARDED.replace("PREDICATE", "i * 16 + j > 20"))).facts("B")
    assert at.bounds("v") == at.bounds("i * 16 + j") == Interval(21, 79)
    assert at.proves("v > 20") is True
    assert at.ranges == ("v from 21 to 79",)
