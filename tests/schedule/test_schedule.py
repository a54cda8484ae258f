"""What a person does with `wb.Schedule`, and the mistakes that can be made."""

import inspect
from collections.abc import Callable

import pytest

from tests.schedule import programs
from workbench.ir import IRModule, module_digest
from workbench.schedule import PRIMITIVES, Schedule, Trace
from workbench.schedule.primitive import Primitive
from workbench.schedule.primitives.split import Split
from workbench.schedule.trace import Decision
from workbench.script import parse
from workbench.support import CompileError

TWO_NESTS = """
@T.prim_func
def f(A: T.Buffer((8, 4), "int8"), B: T.Buffer((8, 4), "int8"), C: T.Buffer((8, 4), "int8")):
    for i, j in T.grid(8, 4):
        with T.sblock("first"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] + T.int8(1)
    for i, j in T.grid(8, 4):
        with T.sblock("second"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] * T.int8(2)
"""


def matmul() -> IRModule:
    return IRModule((("matmul", programs.matmul(16, 16, 16)),))


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(CompileError) as caught:
        work()
    return caught.value.diagnostics[0].code


def two_nests() -> Schedule:
    return Schedule(parse(TWO_NESTS))


def test_loops_are_found_by_name_by_block_and_by_number() -> None:
    schedule = two_nests()
    assert code_of(lambda: schedule.get_loop("i")) == "schedule/ambiguous-name"
    second = schedule.get_loops("second")[0]
    assert schedule.get_loop("second.i") == second
    assert schedule.get_loop("i#2") == second
    assert schedule.get_loop("i#1") != second
    assert code_of(lambda: schedule.get_loop("i#3")) == "schedule/no-such-loop"
    assert [b.name for b in schedule.get_blocks()] == ["first", "second"]
    assert [b.name for b in schedule.get_child_blocks(second)] == ["second"]


def test_an_ambiguous_name_says_what_to_write_instead() -> None:
    with pytest.raises(CompileError) as caught:
        two_nests().get_loop("i")
    assert caught.value.diagnostics[0].notes == ("there are `first.i`, `second.i`",)


def test_a_loop_that_was_replaced_is_gone() -> None:
    schedule = Schedule(matmul())
    i, *_ = schedule.get_loops("matmul")
    schedule.split(i, factors=[None, 4])
    before = schedule.module
    assert code_of(lambda: schedule.split(i, factors=[None, 2])) == "schedule/no-such-loop"
    assert code_of(lambda: schedule.split("i", factors=[None, 2])) == "schedule/no-such-loop"
    assert schedule.module is before


def test_a_block_that_was_inlined_is_gone() -> None:
    schedule = Schedule(
        parse(
            TWO_NESTS.replace('B: T.Buffer((8, 4), "int8"), ', "").replace(
                "    for i, j", '    B = T.alloc_buffer((8, 4), "int8")\n    for i, j', 1
            )
        )
    )
    first = schedule.get_block("first")
    schedule.compute_inline(first)
    before = schedule.module
    assert code_of(lambda: schedule.get_loops(first)) == "schedule/no-such-block"
    assert code_of(lambda: schedule.get_block("first")) == "schedule/no-such-block"
    assert schedule.module is before


def test_a_reference_of_another_schedule_is_refused() -> None:
    mine, other = Schedule(matmul()), Schedule(matmul())
    i = other.get_loops("matmul")[0]
    assert code_of(lambda: mine.split(i, factors=[None, 4])) == "schedule/foreign-reference"
    assert mine.copy().split(mine.get_loops("matmul")[0], factors=[None, 4])


@pytest.mark.parametrize("loop", [3, None, 1.5])
def test_something_that_is_no_place_is_refused(loop: object) -> None:
    schedule = Schedule(matmul())
    work = lambda: schedule.split(loop, factors=[None, 4])  # noqa: E731  # pyright: ignore[reportArgumentType]
    assert code_of(work) == "schedule/not-a-place"


@pytest.mark.parametrize("module", [None, "text", 3])
def test_what_is_no_module_is_refused(module: object) -> None:
    work = lambda: Schedule(module)  # noqa: E731  # pyright: ignore[reportArgumentType]
    assert code_of(work) == "schedule/which-function"


@pytest.mark.parametrize("factors", [4, None, "8", [2**32, 2**32], [None, 2**70]])
def test_factors_that_are_no_list_or_too_large_are_refused(factors: object) -> None:
    schedule = Schedule(matmul())
    work = lambda: schedule.split("i", factors)  # noqa: E731  # pyright: ignore[reportArgumentType]
    assert code_of(work) == "schedule/bad-factor"


@pytest.mark.parametrize("factors", [[None, 0], [0, 4], [None, -2], [None, None], [4], [2, 4]])
def test_factors_that_fit_nowhere_are_refused(factors: list[int | None]) -> None:
    schedule = Schedule(matmul())
    before = schedule.module
    assert code_of(lambda: schedule.split("i", factors=factors)) == "schedule/bad-factor"
    assert schedule.module is before
    assert len(schedule.trace) == 0


def test_which_function_must_be_clear() -> None:
    two = IRModule((("a", programs.matmul(4, 4, 4)), ("b", programs.matmul(8, 8, 8))))
    assert code_of(lambda: Schedule(two)) == "schedule/which-function"
    assert code_of(lambda: Schedule(two, "c")) == "module/unknown-function"
    assert Schedule(two, "b").function == "b"


def scheduled() -> Schedule:
    schedule = Schedule(matmul())
    _, j, r = schedule.get_loops("matmul")
    outer, inner = schedule.split(j, factors=[None, 4])
    schedule.reorder("i", outer, r, inner)
    schedule.vectorize(inner)
    schedule.parallel("i")
    return schedule


def test_a_trace_replays_to_the_same_module() -> None:
    schedule = scheduled()
    again = schedule.trace.apply(matmul()).module
    assert module_digest(again) == module_digest(schedule.module)
    assert len(schedule.trace.passes) == 4


def test_the_text_of_a_trace_runs_as_python() -> None:
    schedule = scheduled()
    again = Schedule(matmul())
    exec(schedule.trace.python("sch"), {"sch": again})
    assert module_digest(again.module) == module_digest(schedule.module)


def test_a_trace_for_another_function_names_the_step_that_does_not_fit() -> None:
    trace = scheduled().trace
    module = IRModule((("g", programs.conv2d(2, 2, 6)),))
    with pytest.raises(CompileError) as caught:
        trace.apply(module, "g")
    first = caught.value.diagnostics[0]
    assert first.notes[0].startswith("in step 0 of the trace, `split(")
    assert code_of(lambda: trace.apply(module)) == "module/unknown-function"


def test_a_trace_that_no_longer_fits_names_the_step() -> None:
    small = IRModule((("matmul", programs.matmul(16, 16, 16)),))
    trace = Trace("matmul", (Split("matmul", "j", (4, 4)),))
    assert trace.apply(small).module != small
    large = IRModule((("matmul", programs.matmul(16, 32, 16)),))
    with pytest.raises(CompileError) as caught:
        trace.apply(large)
    assert caught.value.diagnostics[0].code == "schedule/bad-factor"
    assert "in step 0 of the trace" in caught.value.diagnostics[0].notes[0]


def test_decisions_are_parameters() -> None:
    schedule = Schedule(matmul(), seed=1)
    outer, inner = schedule.sample_perfect_tile("i", n=2, decision=(4, 4))
    schedule.split("i", factors=[outer, inner])
    assert isinstance(schedule.trace.instructions[0], Decision)
    other = schedule.trace.with_decisions({0: (2, 8)})
    made = Schedule(other.apply(matmul()).module)
    assert [loop.name for loop in made.get_loops("matmul")] == ["i_0", "i_1", "j", "r"]
    assert "for i_0" in made.module.script()
    assert made.module != schedule.module
    assert (
        code_of(lambda: schedule.trace.with_decisions({1: (2, 8)})) == "schedule/no-such-decision"
    )
    assert code_of(lambda: schedule.trace.with_decisions({0: (2,)})) == "schedule/no-such-decision"


@pytest.mark.parametrize("kind", PRIMITIVES, ids=lambda kind: kind.name)
def test_every_primitive_explains_itself(kind: type[Primitive]) -> None:
    doc = kind.__doc__ or ""
    assert "Rewrite::" in doc, "shows the loops before and after"
    assert "=>" in doc.partition("Rewrite::")[2]
    known = {"Halide": kind.halide, "TVM": kind.tvm, "Exo": kind.exo}
    assert any(known.values())
    for system, name in known.items():
        assert system in doc, f"says what {system} calls it, or that it has none"
        assert not name or f"`{name}`" in doc, f"says that {system} has `{name}`"
    assert hasattr(Schedule, kind.name.replace("-", "_"))


@pytest.mark.parametrize(
    "name",
    [
        *(kind.name.replace("-", "_") for kind in PRIMITIVES),
        "sample_perfect_tile",
        "sample_categorical",
        "sample_compute_location",
    ],
)
def test_the_help_of_a_method_shows_loops_and_the_names_that_others_have(name: str) -> None:
    text = inspect.getdoc(getattr(Schedule, name)) or ""
    before, arrow, after = text.partition("\n    =>  ")
    assert arrow
    assert before.splitlines()[-1].startswith("    ")
    assert after.splitlines()[1].startswith("    ")
    assert all(word in text for word in ("TVM", "Halide", "Exo"))
