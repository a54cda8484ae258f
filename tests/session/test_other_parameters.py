"""Steps that take other parameters than the import are checked against it all the same."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from typing_extensions import override

import workbench as wb
from workbench.ir import IRModule
from workbench.passes import (
    BindParameters,
    BindSymbolicVariables,
    LiftTransformParams,
    Pass,
    PassResult,
)
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
