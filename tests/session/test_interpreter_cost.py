from __future__ import annotations

import workbench as wb
from tests.schedule import programs
from workbench.passes import LegalizeOps, ScheduleDefault
from workbench.session.interpreter_cost import instances, interpreter_can_run, work_of

LARGE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((256, 256), "float32"), w: R.Tensor((256, 256), "float32")):
        with R.dataflow():
            y = R.matmul(x, w)
            R.output(y)
        return y
"""


def test_instances_are_the_product_of_the_loops() -> None:
    assert instances(programs.matmul(3, 4, 5)) == 60
    assert instances(programs.chain(3, 4)) == 36


def test_operators_do_not_count_and_loops_do() -> None:
    module = wb.parse(LARGE)
    assert interpreter_can_run(module)
    assert not interpreter_can_run(LegalizeOps()(module).module)


def test_work_grows_with_the_symbolic_extents() -> None:
    module = wb.parse(LARGE.replace("(256, 256)", '("n", 256)', 1))
    work, lowered = work_of(module), work_of(LegalizeOps()(module).module)
    assert 0 < 5 * work(3) < work(37)
    assert lowered(3) > work(3), "interpreted loops take longer than numpy"
    assert lowered(37) < lowered(3), "what is too long for the interpreter is compiled"


def test_nobody_knows_how_often_a_while_loop_runs() -> None:
    text = """
@I.ir_module
class Module:
    @T.prim_func
    def count(X: T.Buffer((4,), "int32"), Y: T.Buffer((4,), "int32")):
        for i in range(4):
            Y[i] = X[i]
            while Y[i] > 0:
                Y[i] = Y[i] - 1

    @R.function
    def main(x: R.Tensor((4,), "int32")):
        cls = Module
        y = R.call_tir(cls.count, (x,), out_ty=R.Tensor((4,), "int32"))
        return y
"""
    assert work_of(wb.parse(text))(1) == float("inf")


def test_a_session_on_long_loops_gets_its_verdicts() -> None:
    session = wb.open(LegalizeOps()(wb.parse(LARGE)).module)
    session.apply(ScheduleDefault())
    assert session.wait(60)
    assert session.head.verdict.good
