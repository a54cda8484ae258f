from __future__ import annotations

import workbench as wb
from tests.schedule import programs
from workbench.passes import LegalizeOps, ScheduleDefault
from workbench.session.interpreter_cost import instances, interpreter_can_run

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


def test_a_session_on_long_loops_gets_its_verdicts() -> None:
    session = wb.open(LegalizeOps()(wb.parse(LARGE)).module)
    session.apply(ScheduleDefault())
    assert session.wait(60)
    assert session.head.verdict.good
