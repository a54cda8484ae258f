"""Extents of symbolic dimensions that nobody gave: what equal and even ones hide is seen."""

import time

import pytest

import workbench as wb
from workbench.interpret import run as interpreted
from workbench.session import Session
from workbench.session.extents import MOST_WORK, Extents, distinct, fitting, largest, runs
from workbench.session.inputs import seeded_inputs
from workbench.session.interpreter_cost import work_of
from workbench.support import CompileError

TURN = """
@T.prim_func
def turn(x: T.handle, y: T.handle):
    n = T.int64()
    m = T.int64()
    X = T.match_buffer(x, (n, m), "float32")
    Y = T.match_buffer(y, (m, n), "float32")
    for i, j in T.grid({rows}, {columns}):
        with T.block("turn"):
            a, b = T.axis.remap("SS", [i, j])
            Y[{place}] = {value}
"""
RIGHT = {"rows": "m", "columns": "n", "place": "a, b", "value": "X[b, a]"}
FAULTS = {
    "exchanged extents": {"rows": "T.min(n, m)", "columns": "T.min(n, m)"},
    "a lost tail": {"columns": "n // 4 * 4"},
    "a lost row": {"rows": "m // 2 * 2"},
    "long rows": {"value": "T.if_then_else(n > 16, X[b, a] + T.float32(1), X[b, a])"},
    "the second tile": {"value": "T.if_then_else(b >= 32, T.float32(0), X[b, a])"},
}
MODULE = """
@I.ir_module
class Module:
{turn}
    @R.function
    def main(x: R.Tensor(("n", "m"), "float32")):
        n = T.int64()
        m = T.int64()
        cls = Module
        with R.dataflow():
            y = R.call_tir(cls.turn, (x,), out_sinfo=R.Tensor((m, n), "float32"))
            R.output(y)
        return y
"""
ALONE = """
@I.ir_module
class Module:
{turn}
"""


def turn(**fault: str) -> str:
    return TURN.format(**{**RIGHT, **fault})


def session_on(module: str) -> Session:
    lines = turn().strip().splitlines()
    return wb.open(wb.parse(module.format(turn="\n".join(f"    {line}" for line in lines))))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("module", [MODULE, ALONE], ids=["called", "alone"])
def test_faults_that_equal_and_even_extents_hide_are_found(module: str, fault: str) -> None:
    session = session_on(module)
    step = session.edit("turn", turn(**FAULTS[fault]))
    assert session.wait()
    assert step.verdict.state == "wrong", step.verdict.inputs


@pytest.mark.parametrize("fault", FAULTS)
def test_equal_and_even_extents_hide_these_faults(fault: str) -> None:
    session = session_on(MODULE)
    session.inputs(extents={"n": 4, "m": 4})
    step = session.edit("turn", turn(**FAULTS[fault]))
    assert session.wait()
    assert step.verdict.state == "exact"


@pytest.mark.parametrize("module", [MODULE, ALONE], ids=["called", "alone"])
def test_a_right_step_is_checked_on_two_sets_of_extents(module: str) -> None:
    session = session_on(module)
    step = session.edit("turn", turn(value="X[b, a] * T.float32(1)"))
    assert session.wait()
    assert step.verdict.state == "exact"
    assert "n = 3, m = 5" in step.verdict.inputs
    assert "n = 37, m = 41" in step.verdict.inputs


def test_blame_runs_on_the_extents_that_show_the_fault() -> None:
    session = session_on(MODULE)
    step = session.edit("turn", turn(**FAULTS["the second tile"]))
    assert session.wait()
    assert "n = 37, m = 41" in step.verdict.inputs
    assert "n = 3," not in step.verdict.inputs
    blame = session.blame()
    assert blame is not None
    assert blame.path == ("main.y",)
    assert blame.difference is not None
    assert max(blame.difference.index) >= 32


def test_a_step_that_needs_divisible_extents_is_wrong() -> None:
    session = session_on(MODULE)
    step = session.edit("turn", turn(rows="(m + 3) // 4 * 4"))
    assert session.wait()
    assert step.verdict.state == "wrong"
    assert "does not run" in step.verdict.text


PAIRS = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("a", "b"), "float32"),
        y: R.Tensor(("c", "d"), "float32"),
        z: R.Tensor(("e",), "float32"),
    ):
        a = T.int64()
        b = T.int64()
        c = T.int64()
        d = T.int64()
        e = T.int64()
        with R.dataflow():
            u = R.match_cast(y, R.Tensor((a, b), "float32"))
            v = R.add(x, u)
            w = R.nn.relu(z)
            o = (v, w)
            R.output(o)
        return o
"""
QUARTERS = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", "m"), "float32")):
        n = T.int64()
        m = T.int64()
        with R.dataflow():
            y = R.reshape(x, R.shape([4, n // 4, m]))
            z = R.nn.relu(y)
            R.output(z)
        return z
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PAIRS, "a = 3, b = 3, c = 3, d = 3, e = 5"),
        (QUARTERS, "n = 4, m = 3"),
    ],
    ids=["equal", "divisible"],
)
def test_dimensions_that_depend_on_each_other_get_what_comes_nearest(
    text: str, expected: str
) -> None:
    session = wb.open(wb.parse(text))
    step = session.apply("LegalizeOps")
    assert session.wait()
    assert step.verdict.good, step.verdict
    assert f"{expected} (" in step.verdict.inputs
    assert "does not fit)" in step.verdict.inputs


def test_what_somebody_chose_is_kept() -> None:
    session = wb.open(wb.parse(QUARTERS))
    session.inputs(extents={"n": 8})
    step = session.apply("LegalizeOps")
    assert session.wait()
    assert step.verdict.good
    assert "n = 8, m = 3" in step.verdict.inputs
    assert "n = 8, m = 37" not in step.verdict.inputs
    assert step.verdict.inputs.endswith("; m = 37")


def test_distinct_extents_leave_out_given_ones() -> None:
    assert distinct(["a", "b", "c"], {"b": 3}) == {"a": 5, "b": 3, "c": 7}
    assert len(set(distinct([f"d{i}" for i in range(8)]).values())) == 8


def test_large_arguments_keep_extents_small() -> None:
    module = wb.parse(
        """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", "m", 1024, 1024), "float32")):
        with R.dataflow():
            y = R.nn.relu(x)
            R.output(y)
        return y
"""
    )
    params = module.graph_functions["main"].params
    found = fitting(params, {}, dict)
    assert found is not None
    assert dict(found[0]) == {"n": 2, "m": 3}


@pytest.mark.parametrize(
    ("work", "second"),
    [(1.0, {"n": 37, "m": 41}), (1000.0, {"n": 17, "m": 19}), (1e5, None)],
)
def test_the_second_extents_are_the_larger_the_less_they_compute(
    work: float, second: dict[str, int] | None
) -> None:
    params = session_on(MODULE).module.graph_functions["main"].params

    def count(given: Extents) -> float:
        return work * given["n"] * given["m"]

    found = [dict(chosen) for chosen, _ in runs(params, {}, dict, count)]
    assert found == [{"n": 3, "m": 5}] + ([second] if second else [])


def test_a_slow_machine_tries_the_same_extents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at a clock finds an hour later."""
    hours = iter(range(0, 10**9, 3600))
    for clock in ("perf_counter", "monotonic"):
        monkeypatch.setattr(time, clock, lambda: float(next(hours)))
    params = wb.parse(PAIRS).graph_functions["main"].params
    module = wb.parse(PAIRS)

    def run(given: Extents) -> object:
        inputs = seeded_inputs(module, "main", extents=given)
        return interpreted(module, *inputs.arrays)

    work = work_of(module)
    found = runs(params, {}, run, lambda given: work(largest(given)))
    assert [dict(chosen) for chosen, _ in found] == [
        {"a": 3, "b": 3, "c": 3, "d": 3, "e": 5},
        {"a": 37, "b": 37, "c": 37, "d": 37, "e": 41},
    ]


def test_what_is_looked_for_is_bounded() -> None:
    """Many extents are tried where they cost nothing, one where it costs too much."""
    params = wb.parse(PAIRS).graph_functions["main"].params
    tried: list[Extents] = []

    def never(given: Extents) -> None:
        tried.append(given)
        raise CompileError(())

    assert runs(params, {}, never, lambda _: 0.0) == []
    many = len(tried)
    tried.clear()
    assert runs(params, {}, never, lambda _: MOST_WORK * 0.6) == []
    assert many > len(tried) == 2


def test_a_program_that_never_runs_has_no_extents() -> None:
    tried: list[Extents] = []

    def never(given: Extents) -> None:
        tried.append(given)
        raise CompileError(())

    assert runs(session_on(MODULE).module.graph_functions["main"].params, {}, never) == []
    assert tried[0] == {"n": 3, "m": 5}
    assert {"n": 3, "m": 3} in tried
    assert {"n": 1, "m": 1} in tried
    assert all(tried.count(guess) == 1 for guess in tried)
