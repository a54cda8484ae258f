from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body
from workbench.schedule import Primitive, Schedule
from workbench.schedule.primitives.add_unit_loop import AddUnitLoop
from workbench.schedule.primitives.annotate import Annotate, Unannotate
from workbench.script import parse
from workbench.support import CompileError


def test_a_loop_and_a_block_are_annotated_and_not_any_more() -> None:
    module = parse(scripts.MATMUL)
    noted = applied(
        module,
        Annotate(loop="i", ann_key="tile", ann_val=(2, 4)),
        Annotate(block="C", ann_key="mark", ann_val="x"),
        Annotate(block="C", ann_key="mark", ann_val="y"),
    )
    assert 'for i in T.serial(6, annotations={"tile": [2, 4]}):' in body(noted)
    assert 'T.sblock_attr({"mark": "y"})' in body(noted)
    left = applied(
        noted, Unannotate(loop="i", ann_key="tile"), Unannotate(block="C", ann_key="mark")
    )
    assert left == module


def test_a_loop_of_one_iteration() -> None:
    module = parse(scripts.MATMUL)
    after = applied(module, AddUnitLoop(loop="i"), AddUnitLoop(block="C"))
    assert body(after).startswith("for u, i, j, k, u_1 in T.grid(1, 6, 8, 5, 1):")


def test_the_familiar_form() -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    block = schedule.get_block("C")
    unit = schedule.add_unit_loop(block)
    assert unit.name == "u"
    outer = schedule.add_unit_loop(schedule.get_loops(block)[0])
    assert schedule.get_loops(block)[0] == outer
    schedule.annotate(block, "mark", [1, 2])
    schedule.annotate("i", "mark", True)
    schedule.unannotate(block, "mark")
    assert schedule.trace.python().splitlines()[-2:] == [
        "sch.annotate(loop='i', ann_key='mark', ann_val=True)",
        "sch.unannotate(block='C', ann_key='mark')",
    ]


def test_a_name_of_a_loop_and_of_a_block() -> None:
    schedule = Schedule(parse(scripts.MATMUL.replace('T.sblock("C")', 'T.sblock("i")')))
    with pytest.raises(CompileError) as error:
        schedule.annotate("i", "mark", 1)
    assert error.value.diagnostics[0].code == "schedule/ambiguous-name"
    assert 'loop="i"' in error.value.diagnostics[0].hint
    schedule.annotate(ann_key="mark", ann_val=1, loop="i")
    schedule.add_unit_loop(block="i")
    assert 'for i in T.serial(6, annotations={"mark": 1})' in body(schedule.module)


@pytest.mark.parametrize(
    ("primitive", "code"),
    [
        (Annotate(loop="i", ann_key="", ann_val=1), "schedule/bad-annotation"),
        (Annotate(loop="i", ann_key="a", ann_val={}), "schedule/bad-annotation"),
        (Annotate(ann_key="a", ann_val=1), "schedule/not-a-place"),
        (AddUnitLoop(loop="i", block="C"), "schedule/not-a-place"),
        (Unannotate(loop="i", ann_key="a"), "schedule/bad-annotation"),
        (AddUnitLoop(block="D"), "schedule/no-such-block"),
    ],
)
def test_what_is_no_annotation(primitive: Primitive, code: str) -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), primitive)
    assert error.value.diagnostics[0].code == code
