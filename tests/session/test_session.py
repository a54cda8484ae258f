from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import Identity, Raises, small
from workbench.ir import GraphFunction, IRModule, LibraryFunction, register_library
from workbench.rewrite import Pass, PassResult
from workbench.session import Session, tree
from workbench.support import Diagnostic

LIBRARY = """
@R.function
def main(x: R.Tensor((4,), "float32")):
    y = R.call_dps_packed("test.session.twice", (x,), out_ty=R.Tensor((4,), dtype="float32"))
    return y
"""


@pytest.fixture
def session() -> Session:
    return wb.open(small())


def test_applying_moves_the_head_and_keeps_what_was_there(session: Session) -> None:
    before = session.head
    step = session.apply(wb.passes.LegalizeOps())
    assert step.index == 1
    assert session.head.index == 1
    assert session.steps[0].module is before.module
    assert step.parent == 0
    assert step.label == "LegalizeOps ~3"


def test_the_same_pass_on_the_same_step_adds_nothing(session: Session) -> None:
    first = session.apply("LegalizeOps")
    session.apply("FuseOps")
    session.checkout(0)
    again = session.apply(wb.passes.LegalizeOps())
    assert again.index == first.index
    assert len(session.steps) == 3
    assert session.head.index == first.index


def test_another_pass_on_an_older_step_makes_a_branch(session: Session) -> None:
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    session.checkout(1)
    branch = session.apply("DispatchToLibrary")
    assert branch.parent == 1
    assert [step.index for step in session.path] == [0, 1, 3]


def test_a_users_pass_that_changed_runs_again(session: Session) -> None:
    amount = {"value": 0}

    class Counts(Pass):
        name = "counts"

        def run(self, module: IRModule) -> PassResult:
            amount["value"] += 1
            return PassResult(module)

    session.apply(Counts())
    session.checkout(0)
    session.apply(Counts())
    assert amount["value"] == 2
    assert len(session.steps) == 2


def test_a_pass_that_raises_is_named_and_loses_nothing(session: Session) -> None:
    with pytest.raises(wb.CompileError) as caught:
        session.apply(Raises())
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.code == "session/pass-raised"
    assert "Raises" in diagnostic.message
    assert "KeyError: 'missing'" in diagnostic.message
    assert len(session.steps) == 1
    assert session.apply("LegalizeOps").index == 1


def test_an_ill_formed_result_is_refused(session: Session) -> None:
    class Drops(Pass):
        name = "drops"

        def run(self, module: IRModule) -> PassResult:
            main = module.graph_functions["main"]
            return PassResult(module.with_function("main", _without_first(main)))

    with pytest.raises(wb.CompileError) as caught:
        session.apply(Drops())
    assert caught.value.diagnostics[0].code == "session/ill-formed-result"
    assert len(session.steps) == 1


def _without_first(main: GraphFunction) -> GraphFunction:
    block = main.blocks[0]
    return replace(main, blocks=(replace(block, bindings=block.bindings[1:]),))


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("NoSuchPass", "session/unknown-pass"),
        ("Implement", "session/pass-parameters"),
        (int, "session/not-a-pass"),
    ],
)
def test_what_is_no_pass_is_said(session: Session, item: object, code: str) -> None:
    with pytest.raises(wb.CompileError) as caught:
        session.apply(item)  # pyright: ignore[reportArgumentType]
    assert caught.value.diagnostics[0].code == code


def test_a_pass_that_gives_no_result_is_named(session: Session) -> None:
    class GivesModule(Pass):
        name = "gives-module"

        def run(self, module: IRModule) -> PassResult:
            return module  # pyright: ignore[reportReturnType]

    with pytest.raises(wb.CompileError, match=r"pass/result.*`GivesModule` gave `IRModule`"):
        session.apply(GivesModule())
    assert len(session.steps) == 1


@pytest.mark.parametrize("name", ["h", "main.h", "matmul"])
def test_a_value_that_was_fused_stands_for_its_kernel(session: Session, name: str) -> None:
    for step in wb.default_pipeline():
        session.apply(step)
    assert session.implementations(name) == session.implementations("y")
    session.swap(name, "library numpy.matmul")
    session.wait()
    assert session.verdict(session.head).state in {"exact", "within"}
    with pytest.raises(wb.CompileError, match="session/unknown-value"):
        session.swap("nowhere", "generated")


def test_unknown_steps_are_refused(session: Session) -> None:
    with pytest.raises(wb.CompileError, match="only 0 to 0"):
        session.checkout(7)


def test_run_gives_what_the_import_gives(session: Session) -> None:
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype("float32") for s in ((3, 8), (8, 4), (4,)))
    before = session.run(x, w, b)
    for step in wb.default_pipeline():
        session.apply(step)
    np.testing.assert_allclose(session.run(x, w, b), before, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(before, np.maximum(x @ w + b, 0), rtol=1e-5, atol=1e-6)


def test_a_step_that_changes_nothing_says_so(session: Session) -> None:
    step = session.apply(Identity())
    assert not step.changed
    assert step.label == "Identity no change"
    assert step.verdict.state == "exact"


def test_swap_is_a_step_and_a_branch(session: Session) -> None:
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    session.checkout(1)
    names = {item.name: item for item in session.implementations("h")}
    assert names["library numpy.matmul"].kind == "library"
    assert names["generated"].current
    step = session.swap("h", "library numpy.matmul")
    assert step.parent == 1
    assert step.label == "matmul → library numpy.matmul ~1"
    session.wait()
    assert step.verdict.good
    current = [item.name for item in session.implementations("h") if item.current]
    assert current == ["library numpy.matmul"]


def test_a_value_can_be_named_by_its_operator(session: Session) -> None:
    assert session.implementations("matmul") == session.implementations("h")
    with pytest.raises(wb.CompileError, match="no value is named `nothing`"):
        session.swap("nothing", "generated")


def test_edit_replaces_the_text_of_a_tensor_function(session: Session) -> None:
    session.apply("LegalizeOps")
    text = _function_text(session, "relu").replace("T.max(", "T.min(")
    step = session.edit("y", text)
    assert step.index == 2
    session.wait()
    assert step.verdict.state == "wrong"
    assert "y" in step.verdict.text
    with pytest.raises(wb.CompileError):
        session.edit("y", "this is no script")
    assert len(session.steps) == 3


def test_a_text_that_defines_another_function_is_refused(session: Session) -> None:
    session.apply("LegalizeOps")
    text = _function_text(session, "relu").replace("T.max(", "T.min(")
    for name in ("relu", "y"):
        with pytest.raises(wb.CompileError, match=r"define `relu`.*defines `mine`") as caught:
            session.edit(name, text.replace("def relu", "def mine"))
        assert caught.value.diagnostics[0].code == "edit/other-name"
    with pytest.raises(wb.CompileError, match="or edit `relu`"):
        session.edit("add", text)
    assert len(session.steps) == 2


def test_an_edited_function_is_the_one_that_runs(session: Session) -> None:
    session.apply("LegalizeOps")
    text = _function_text(session, "relu").replace("T.max(", "T.min(")
    session.apply("ScheduleDefault")
    assert session.edit("relu", text).label == "ReplaceFunction ~1"
    arrays = (np.ones((3, 8), "f4"), np.ones((8, 4), "f4"), np.ones(4, "f4"))
    np.testing.assert_array_equal(session.run(*arrays), np.zeros((3, 4), "f4"))


def test_a_library_function_that_is_registered_anew_is_the_one_that_runs() -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("broken")

    def fills(x: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, 2 * x)

    register_library(LibraryFunction("test.session.twice", fails, "tests"))
    session = wb.open(wb.parse(LIBRARY))
    with pytest.raises(wb.CompileError, match="library/raised"):
        session.run(np.ones(4, "f4"))
    register_library(LibraryFunction("test.session.twice", fills, "tests"))
    np.testing.assert_array_equal(session.run(np.ones(4, "f4")), np.full(4, 2, "f4"))


def _function_text(session: Session, name: str) -> str:
    from workbench.script import print_function

    return print_function(name, session.module[name], session.module)


def test_diff_names_values_and_lines(session: Session) -> None:
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    diff = session.diff(0, 1)
    assert {diff.names[key] for key in diff.rewritten} == {"h", "a", "y"}
    assert any(line.startswith("-") and "R.matmul" in line for line in diff.lines)
    assert {session.diff(1, 2).names[key] for key in session.diff(1, 2).fused} == {"h", "a", "y"}
    assert session.diff(1, 1).lines == ()


def test_listeners_hear_of_steps_and_selection(session: Session) -> None:
    heard: list[str] = []
    stop = session.subscribe(lambda event: heard.append(type(event).__name__))
    session.apply("LegalizeOps")
    session.select("main/4")
    session.wait()
    assert heard.count("Changed") >= 2
    assert "Selected" in heard
    stop()
    count = len(heard)
    session.checkout(0)
    assert len(heard) == count


LOOP = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = A[vi] + T.float32(1)
"""


def test_a_step_that_the_session_refuses_leaves_the_schedule_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(module: IRModule) -> None:
        raise wb.CompileError(Diagnostic("ir/planted", f"{len(module.functions)} are too many"))

    session = wb.open(wb.parse(LOOP))
    schedule = session.schedule()
    (i,) = schedule.get_loops("C")
    before = schedule.module
    with monkeypatch.context() as patch:
        patch.setattr(tree, "check_module", refuse)
        with pytest.raises(wb.CompileError) as caught:
            schedule.split(i, factors=[None, 4])
    assert caught.value.diagnostics[0].code == "session/ill-formed-result"
    assert schedule.module is before
    assert schedule.trace.instructions == ()
    assert schedule.step.index == session.head.index == 0
    schedule.split(i, factors=[None, 4])
    assert schedule.step.index == session.head.index == 1
    assert schedule.step.module == schedule.module


def test_a_seed_decides_what_the_schedule_of_a_session_draws() -> None:
    def drawn(seed: int) -> list[int]:
        schedule = wb.open(wb.parse(LOOP)).schedule(seed=seed)
        return [schedule.sample_categorical(list(range(100))) for _ in range(4)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
