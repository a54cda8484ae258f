from __future__ import annotations

from tests.analysis.dependence.test_comparison import BEFORE, block, compared, version
from workbench.analysis.dependence.comparison import Comparison, Group
from workbench.analysis.dependence.gains import all_ahead, changed_value
from workbench.analysis.dependence.versions import Version
from workbench.schedule import Schedule
from workbench.script import parse
from workbench.support import NodeId

AGAIN = BEFORE.replace("    for i in range(4):", "    for t, i in T.grid(2, 4):")
INSIDE = """
@T.prim_func
def f(A: T.Buffer((4,), "float32"), C: T.Buffer((4,), "float32")):
    B = T.sblock_alloc_buffer((4,), "float32")
    for t in range(2):
        for i in range(4):
            with T.sblock("B"):
                vi = T.axis.spatial(4, i)
                B[vi] = A[vi]
        for i in range(4):
            with T.sblock("C"):
                vi = T.axis.spatial(4, i)
                C[vi] = B[vi]
"""
LATE = """
@T.prim_func
def f(A: T.Buffer((4,), "float32"), C: T.Buffer((4,), "float32")):
    B = T.sblock_alloc_buffer((4,), "float32")
    for i in range(4):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            C[vi] = B[vi]
    for i in range(4):
        with T.sblock("B"):
            vi = T.axis.spatial(4, i)
            B[vi] = A[vi]
"""


def written(found: Comparison) -> NodeId:
    return next(e.access.buffer.id for e in found.before.events if e.access.write)


def moved(script: str, consumer: str = "C") -> Comparison:
    """The block `B` at the innermost loop of its consumer."""
    schedule = Schedule(parse(script), "f")
    before = schedule.tensor_function
    schedule.compute_at("B", schedule.get_loops(consumer)[-1])
    old, new = Version(before), Version(schedule.tensor_function)
    ident = block(old, "B").id
    return Comparison(Group.of(old, ident), Group.of(new, ident))


def test_a_nest_before_its_readers_gains_nothing() -> None:
    found = moved(BEFORE)
    buffer = written(found)
    assert all_ahead(found, buffer)
    assert found.gained_value(buffer) is None
    assert changed_value(found, buffer) is None


def test_loops_around_both_are_looked_through() -> None:
    found = moved(INSIDE)
    assert all_ahead(found, written(found))
    assert found.gained_value(written(found)) is None


def test_a_reader_ahead_of_the_nest_may_gain_a_value() -> None:
    late = version(LATE)
    early = version(BEFORE)
    one, other = block(late, "B").id, block(early, "B").id
    found = Comparison(Group.of(late, one), Group.of(early, other))
    buffer = written(found)
    assert not all_ahead(found, buffer)


def test_an_element_that_the_axes_do_not_say_is_left_to_sets() -> None:
    loop = AGAIN.replace("B[vi] = A[vi]", "B[vi + t * 0] = A[vi]")
    found = compared(BEFORE)
    assert all_ahead(found, written(found))
    same = version(loop)
    ident = block(same, "B").id
    other = Comparison(Group.of(same, ident), Group.of(same, ident))
    assert not all_ahead(other, written(other))
