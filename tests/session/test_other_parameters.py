"""Steps that take other parameters than the import are checked against it all the same."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from typing_extensions import override

import workbench as wb
from workbench.ir import Alias, IRModule
from workbench.passes import (
    BindParameters,
    BindSymbolicVariables,
    EliminateDeadCode,
    FoldConstant,
    LiftTransformParams,
    Pass,
    PassResult,
)
from workbench.rewrite import ModuleEditor
from workbench.session import Session

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 3), "float32"), w: R.Tensor((2, 3), "float32"),
             b: R.Tensor((2,), "float32")):
        R.func_attr({"num_input": 1})
        n = T.int64()
        with R.dataflow():
            t = R.permute_dims(w)
            p = R.matmul(x, t)
            y = R.add(p, b)
            R.output(y)
        return y
"""


@pytest.mark.parametrize(
    "steps",
    [
        (BindSymbolicVariables({"n": 5}),),
        (BindParameters({"b": [1, 2]}),),
        (LiftTransformParams(),),
        (BindSymbolicVariables({"n": 5}), BindParameters({"b": [1, 2]}), LiftTransformParams()),
    ],
    ids=["dimension", "parameter", "lifted", "all"],
)
def test_the_step_is_checked(steps: tuple[Pass, ...]) -> None:
    session = Session(wb.parse(TEXT))
    for step in steps:
        session.apply(step)
    session.apply(wb.passes.LegalizeOps())
    assert session.wait(60)
    verdicts = [session.verdict(index) for index in range(1, len(steps) + 2)]
    assert all(verdict.good for verdict in verdicts), [str(verdict) for verdict in verdicts]


@dataclass(frozen=True)
class Subtracts(Pass):
    """A pass that makes a mistake."""

    name: ClassVar[str] = "subtracts"

    @override
    def run(self, module: IRModule) -> PassResult:
        return PassResult(wb.parse(module.script().replace("R.add", "R.subtract"), like=module))


def test_a_wrong_specialisation_is_seen() -> None:
    session = Session(wb.parse(TEXT))
    session.apply(BindSymbolicVariables({"n": 5}))
    session.apply(Subtracts())
    assert session.wait(60)
    assert session.verdict(2).state == "wrong"


TURNED = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 8), "float32"), w: R.Tensor((8, 8), "float32")):
        n = T.int64()
        with R.dataflow():
            v = R.permute_dims(w)
            y = R.matmul(x, v)
            R.output(y)
        return y
"""
W = np.random.default_rng(7).standard_normal((8, 8)).astype("float32")


@pytest.mark.parametrize(
    "steps",
    [wb.default_pipeline(), (FoldConstant(), EliminateDeadCode())],
    ids=["pipeline", "folded"],
)
def test_what_a_parameter_was_bound_to_is_known_when_the_constant_is_gone(
    steps: tuple[Pass, ...],
) -> None:
    session = Session(wb.parse(TURNED))
    session.apply(BindParameters({"w": W}))
    for step in steps:
        session.apply(step)
    assert session.wait(60)
    assert all(b.var.name != "w" for b in session.module.graph_functions["main"].bindings)
    assert all(step.verdict.good for step in session.steps[1:]), session
    assert session.blame() is None


def test_bound_dimensions_are_known_when_their_parameter_is_gone() -> None:
    text = TURNED.replace("(8, 8)", '(8, "n")').replace('("n", 8)', "(3, 8)")
    text = text.replace("R.matmul(x, v)", "R.matmul(w, R.matmul(v, w))")
    session = Session(wb.parse(text))
    session.apply(BindSymbolicVariables({"n": 6}))
    session.apply(BindParameters({"w": W[:, :6]}))
    for step in (FoldConstant(), EliminateDeadCode()):
        session.apply(step)
    assert session.wait(60)
    assert all(step.verdict.good for step in session.steps[1:]), session


@dataclass(frozen=True)
class OtherConstant(Pass):
    """A pass that makes a mistake: it changes a weight."""

    name: ClassVar[str] = "other-constant"

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        (bound,) = (b for b in module.graph_functions["main"].bindings if b.var.name == "w")
        editor.replace_value("main", bound.var.id, Alias(editor.add_constant(W + 1)), self.name)
        return PassResult(editor.commit())


def test_a_bound_weight_that_is_changed_later_is_seen_and_named() -> None:
    session = Session(wb.parse(TURNED))
    session.apply(BindParameters({"w": W}))
    session.apply(OtherConstant())
    session.apply("LegalizeOps")
    assert session.wait(60)
    assert [step.verdict.state for step in session.steps[2:]] == ["wrong", "amber"], session
    blame = session.blame()
    assert blame is not None
    assert (blame.index, blame.value) == (2, "main.w")
