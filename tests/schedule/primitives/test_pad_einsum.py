from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.pad_einsum import PadEinsum
from workbench.schedule.primitives.split import Split
from workbench.script import parse
from workbench.support import CompileError

ROW = """
@T.prim_func
def f(
    A: T.Buffer(("n", 5), "float32"),
    B: T.Buffer((5,), "float32"),
    C: T.Buffer(("n",), "float32"),
):
    n = T.int64()
    for i, k in T.grid(n, 5):
        with T.sblock("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk] * B[vk]
"""

UPDATE = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), C: T.Buffer((6,), "float32")):
    for i, k in T.grid(6, 5):
        with T.sblock("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            C[vi] = C[vi] + A[vi, vk]
"""

OUTER = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), B: T.Buffer((5,), "float32"), C: T.Buffer((6, 5), "float32")):
    for i, j in T.grid(6, 5):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = A[vi] * B[vj]
"""


def test_inputs_are_padded_and_the_output_is_copied_out() -> None:
    after = applied(parse(scripts.MATMUL), PadEinsum(block="C", padding=(4, 1, 4)))
    assert body(after) == (
        "for ax0, ax1 in T.grid(8, 8):\n"
        '    with T.sblock("A_pad"):\n'
        '        v0, v1 = T.axis.remap("SS", [ax0, ax1])\n'
        "        A_pad[v0, v1] = T.if_then_else(v0 < 6 and v1 < 5, A[v0, v1], T.float32(0.0))\n"
        "for ax0_1, ax1_1 in T.grid(8, 8):\n"
        '    with T.sblock("B_pad"):\n'
        '        v0, v1 = T.axis.remap("SS", [ax0_1, ax1_1])\n'
        "        B_pad[v0, v1] = T.if_then_else(v0 < 5, B[v0, v1], T.float32(0.0))\n"
        "for i, j, k in T.grid(8, 8, 8):\n"
        '    with T.sblock("C"):\n'
        '        vi, vj, vk = T.axis.remap("SSR", [i, j, k])\n'
        "        with T.init():\n"
        "            C_pad[vi, vj] = T.float32(0.0)\n"
        "        C_pad[vi, vj] = C_pad[vi, vj] + A_pad[vi, vk] * B_pad[vk, vj]\n"
        "for ax0_2, ax1_2 in T.grid(6, 8):\n"
        '    with T.sblock("C_pad_out"):\n'
        '        v0, v1 = T.axis.remap("SS", [ax0_2, ax1_2])\n'
        "        C[v0, v1] = C_pad[v0, v1]"
    )


@pytest.mark.parametrize("padding", [(1, 1, 3), (1, 3, 1), (4, 16, 16), (7, 1, 1)])
def test_values_stay(padding: tuple[int, ...]) -> None:
    applied(parse(scripts.MATMUL), PadEinsum(block="C", padding=padding))


@pytest.mark.parametrize("n", [0, 1, 8, 9])
def test_symbolic_extents(n: int) -> None:
    after = applied(parse(ROW), PadEinsum(block="C", padding=(8, 4)), n=n)
    assert "A_pad = T.sblock_alloc_buffer(((n + 7) // 8 * 8, 8)" in after.script()


def test_spatial_products_and_updates() -> None:
    applied(parse(OUTER), PadEinsum(block="C", padding=(4, 4)))
    after = applied(parse(UPDATE), PadEinsum(block="C", padding=(4, 1)))
    assert "C_pad_in" in body(after)


def test_integers_need_only_one_padded_factor() -> None:
    module = parse(ROW.replace("A[vi, vk] * B[vk]", "A[vi, vk] * C[vi]"))
    assert not answered(module, PadEinsum(block="C", padding=(1, 4))).applies
    lacking = ROW.replace("A[vi, vk] * B[vk]", "A[vi, 0] * B[vk]").replace("A[vi, 0]", "D[vi]")
    lacking = lacking.replace('A: T.Buffer(("n", 5)', 'D: T.Buffer(("n",)')
    answer = answered(parse(lacking), PadEinsum(block="C", padding=(1, 4)))
    assert answer.kind is AnswerKind.UNPROVED
    assert "`D` is not padded along `vk`, and zero times infinity is not zero" in answer.message
    whole = lacking.replace("float32", "int32")
    applied(parse(whole), PadEinsum(block="C", padding=(1, 4)), n=3)


def test_adding_zero_to_what_is_there_is_not_proved() -> None:
    answer = answered(parse(UPDATE), PadEinsum(block="C", padding=(1, 4)))
    assert answer.kind is AnswerKind.UNPROVED
    assert "`-0.0 + 0.0` is not `-0.0`" in answer.message


def test_what_is_no_einsum_is_inapplicable() -> None:
    def message(text: str, block: str, *padding: int) -> str:
        answer = answered(parse(text), PadEinsum(block=block, padding=padding))
        assert answer.kind is AnswerKind.INAPPLICABLE
        return answer.message

    assert message(scripts.MATMUL, "C", 2, 4, 5).endswith("are such multiples already")
    assert "no product of elements" in message(scripts.PADDED, "B", 8)
    assert "at more than its axes" in message(
        scripts.MATMUL.replace("A[vi, vk]", "A[vi, vk // 2]"), "C", 4, 4, 4
    )
    assert "computes a product" in message(
        scripts.MATMUL.replace("C[vi, vj] + A", "C[vi, vj] * A"), "C", 4, 4, 4
    )
    module = applied(parse(scripts.MATMUL), Split(loop="i", factors=(None, 3)))
    answer = answered(module, PadEinsum(block="C", padding=(4, 4, 4)))
    assert answer.message == "axis `vi` of block `C` is no loop by itself"


@pytest.mark.parametrize("padding", [(4, 4), (4, 0, 4), ()])
def test_factors_that_fit_nowhere(padding: tuple[int, ...]) -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), PadEinsum(block="C", padding=padding))
    assert error.value.diagnostics[0].code == "schedule/bad-factor"
    assert "needs `3` positive factors" in error.value.diagnostics[0].message


def test_the_method_and_its_trace() -> None:
    module = parse(scripts.MATMUL)
    schedule = Schedule(module)
    schedule.pad_einsum(schedule.get_block("C"), [4, 1, 4])
    assert [loop.name for loop in schedule.get_loops("C")] == ["i", "j", "k"]
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()


@pytest.mark.parametrize(
    "value", ["B[7 - vi * 2]", "A[vi, 0]", 'T.Cast("float32", 12 // (4 - vi))']
)
def test_an_init_is_not_run_beyond_its_axes(value: str) -> None:
    text = f"""
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), B: T.Buffer((8,), "float32"), C: T.Buffer((4,), "float32")):
    for i, k in T.grid(4, 6):
        with T.sblock("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                C[vi] = {value}
            C[vi] = C[vi] + A[vi, vk]
"""
    answer = answered(parse(text), PadEinsum(block="C", padding=(8, 1)))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "the init of block `C` depends on `vi`, which would grow"


def test_extents_that_may_be_negative_are_not_proved() -> None:
    answer = answered(parse(scripts.SHORT_SUM), PadEinsum(block="C", padding=(4, 1)))
    assert answer.kind is AnswerKind.UNPROVED
    assert "the extent of axis `vi` is not negative" in answer.message


def test_an_init_of_another_element_is_inapplicable() -> None:
    text = scripts.MATMUL.replace("C[vi, vj] = T.float32(0)", "C[5 - vi, vj] = T.float32(0)")
    answer = answered(parse(text), PadEinsum(block="C", padding=(4, 4, 4)))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `C` initialises another element than it updates"


@pytest.mark.parametrize("init", ["", "with T.init():\n                C[vi] = 0\n            "])
def test_an_axis_along_which_the_result_has_no_elements(init: str) -> None:
    module = parse(f"""
@T.prim_func
def f(A: T.Buffer((1, 6), "int32"), C: T.Buffer((6,), "int32")):
    for o, i in T.grid(1, 6):
        with T.sblock("C"):
            vo, vi = T.axis.remap("SS", [o, i])
            {init}C[vi] = C[vi] + A[vo, vi]
""")
    answer = answered(module, PadEinsum(block="C", padding=(4, 1)))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`C` has no elements of its own along `vo`"
    assert answered(module, PadEinsum(block="C", padding=(1, 4))).applies
