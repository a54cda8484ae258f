from __future__ import annotations

from dataclasses import replace

from workbench.analysis.dependence.comparison import Comparison, Group
from workbench.analysis.dependence.reaching import Reaching
from workbench.analysis.dependence.versions import Version
from workbench.ir import (
    Block,
    For,
    IntImm,
    IRModule,
    ScalarType,
    Seq,
    TensorFunction,
    Var,
    walk,
)
from workbench.script import parse
from workbench.support import NodeId

BEFORE = """
@T.prim_func
def f(A: T.Buffer((4,), "float32"), C: T.Buffer((4,), "float32")):
    B = T.sblock_alloc_buffer((4,), "float32")
    for i in range(4):
        with T.sblock("B"):
            vi = T.axis.spatial(4, i)
            B[vi] = A[vi]
    for i in range(4):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            C[vi] = B[vi]
"""


def version(text: str) -> Version:
    return Version(function(parse(text)))


def function(module: IRModule) -> TensorFunction:
    (found,) = module.tensor_functions.values()
    return found


def block(made: Version, name: str) -> Block:
    return next(b for b in walk(made.function.body) if isinstance(b, Block) and b.name == name)


def compared(text: str, name: str = "B") -> Comparison:
    one, other = version(BEFORE), version(text)
    return Comparison(Group.of(one, block(one, name).id), Group.of(other, block(other, name).id))


def test_nothing_changes() -> None:
    found = compared(BEFORE)
    assert found.extra_instance() is None
    assert found.lost_instance() is None
    assert found.repeated_instance(found.after) is None
    assert found.reordered() is None


def test_instances_that_are_gone_or_new() -> None:
    fewer = compared(BEFORE.replace("range(4)", "range(3)", 1))
    lost = fewer.lost_instance()
    assert lost is not None
    assert lost.text == "i = 3, vi = 3"
    assert not lost.inexact
    assert fewer.extra_instance() is None
    other = Comparison(fewer.after, fewer.before)
    extra = other.extra_instance()
    assert extra is not None
    assert extra.text == "i = 3, vi = 3"


def test_instances_that_run_again() -> None:
    one = version(BEFORE)
    assert isinstance(one.function.body, Seq)
    first, *rest = one.function.body.body
    var = Var(NodeId(one.function.next_id), "t", ScalarType())
    again = Seq((For(var, IntImm(0), IntImm(2), first), *rest))
    other = Version(replace(one.function, body=again, next_id=one.function.next_id + 1))
    mine = block(one, "B").id
    found = Comparison(Group.of(one, mine), Group.of(other, mine))
    repeated = found.repeated_instance(found.after)
    assert repeated is not None
    assert repeated.text == "t = 0, i = 0"


def test_another_order_of_reads_and_writes() -> None:
    first, second = BEFORE.split('    for i in range(4):\n        with T.sblock("C"):')
    head, body = first.split("    for i in range(4):\n", 1)
    consumer = f'    for i in range(4):\n        with T.sblock("C"):{second}'
    swapped = f"{head}{consumer}    for i in range(4):\n{body}"
    found = compared(swapped)
    clash = found.reordered()
    assert clash is not None
    assert clash.first
    assert clash.mine.access.write
    buffer = clash.mine.access.buffer.id
    assert found.lost_value(buffer) is not None
    assert found.gained_value(buffer) is None


def test_reads_of_what_was_written() -> None:
    made = version(BEFORE)
    writer = block(made, "B")
    buffer = next(e.access.buffer.id for e in made.within(writer.id) if e.access.write)
    assert Reaching(made, writer.id, buffer, fixed=False).unwritten() is None
    short = version(BEFORE.replace("range(4)", "range(3)", 1))
    gap = Reaching(short, block(short, "B").id, buffer, fixed=False).unwritten()
    assert gap is not None
    assert gap.reader.loops_at(gap.point, "r") == "i=3"


def test_inputs_that_are_written_in_between() -> None:
    between = BEFORE.replace(
        '    for i in range(4):\n        with T.sblock("C"):',
        '    A[2] = T.float32(0)\n    for i in range(4):\n        with T.sblock("C"):',
    )
    made = version(between)
    writer = block(made, "B")
    buffer = next(e.access.buffer.id for e in made.within(writer.id) if e.access.write)
    gap = Reaching(made, writer.id, buffer, fixed=False).changed_input()
    assert gap is not None
    assert gap.between is not None
    assert gap.between.access.write
    assert gap.reader.loops_at(gap.point, "r") == "i=2"
