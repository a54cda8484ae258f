"""What passes say of names that there are not, and what to do about what they refuse."""

from __future__ import annotations

import pytest

from workbench.passes import (
    ChooseImplementations,
    DispatchToLibrary,
    LegalizeOps,
    PartitionByAnnotation,
    PlanMemory,
    TransformLayouts,
)
from workbench.script import parse
from workbench.support import CompileError

MATMUL = """
@R.function
def main(x: R.Tensor((64, 64), "float32"), w: R.Tensor((64, 64), "float32")):
    with R.dataflow():
        first = R.matmul(x, w)
        second = R.matmul(first, w)
        R.output(second)
    return second
"""


def faults(times: tuple[tuple[str, str, float], ...]) -> list[tuple[str, str, str]]:
    with pytest.raises(CompileError) as error:
        ChooseImplementations(times=times)(LegalizeOps()(parse(MATMUL)).module)
    return [(d.code, d.message, d.hint) for d in error.value.diagnostics]


def test_times_of_values_that_there_are_not() -> None:
    assert faults((("frist", "schedule", 1e-6),)) == [
        ("pass/unknown-value", "no value is named `frist`", "did you mean `first`?")
    ]


def test_times_of_implementations_that_a_value_does_not_have() -> None:
    (one, two) = faults((("first", "library numpy.matmull", 1e-6), ("main.second", "tea", 1.0)))
    assert one[:2] == (
        "implement/unavailable",
        "`first` has no implementation `library numpy.matmull`",
    )
    assert one[2].startswith("did you mean `library numpy.matmul`")
    assert two[1] == "`main.second` has no implementation `tea`"


def test_symbols_that_nobody_registered() -> None:
    with pytest.raises(CompileError) as error:
        DispatchToLibrary(("numpy.matmull", "numpy.matmul"))(parse(MATMUL))
    (fault,) = error.value.diagnostics
    assert fault.code == "dispatch/unknown-library-function"
    assert fault.message == "no library function `numpy.matmull` is registered"
    assert fault.hint.startswith("did you mean `numpy.matmul`")


def test_times_that_are_known_choose() -> None:
    module = LegalizeOps()(parse(MATMUL)).module
    times = (("first", "library numpy.matmul", 1e-9), ("first", "schedule", 1.0))
    result = ChooseImplementations(times=times)(module).module
    assert 'first = R.call_dps_packed("numpy.matmul"' in result.script()


IN_ARMS = """
@R.function
def main(x: R.Tensor((64, 64), "float32"), c: R.Tensor((), "bool")):
    if c:
        e = R.matmul(x, x)
        y = R.exp(e)
    else:
        e = R.matmul(x, x)
        y = R.negative(e)
    return y
"""


def test_times_of_a_value_in_one_arm_choose_there() -> None:
    module = LegalizeOps()(parse(IN_ARMS)).module
    times = (("main.y.then.e", "library numpy.matmul", 1e-9),)
    script = ChooseImplementations(times=times)(module).module.script()
    assert script.count('R.call_dps_packed("numpy.matmul"') == 1
    assert script.index("call_dps_packed") < script.index("else:")


INPLACE = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def add(A: T.Buffer((4, 4), "float32"), B: T.Buffer((4, 4), "float32")):
        T.func_attr({"Codegen": "numpy"})
        for i, j in T.grid(4, 4):
            A[i, j] = A[i, j] + B[i, j]

    @R.function
    def main(x: R.Tensor((4, 4), "float32"), y: R.Tensor((4, 4), "float32")):
        cls = Module
        with R.dataflow():
            out = R.call_tir_inplace(
                cls.add, (x, y), inplace_indices=[0], out_ty=R.Tensor((4, 4), "float32")
            )
            R.output(out)
        return out
"""


def test_a_library_says_why_it_does_not_compute_a_call_in_place() -> None:
    (remark,) = PartitionByAnnotation()(parse(INPLACE)).remarks
    assert "`numpy` cannot compute `add`: the call writes its result over an argument" in str(
        remark
    )
    assert "call it by `R.call_tir`" in remark.hint


def test_a_layout_of_a_call_in_place_says_what_to_write() -> None:
    with pytest.raises(CompileError) as error:
        TransformLayouts((("out", "B", "lambda i, j: (j, i)"),))(parse(INPLACE))
    assert "`R.call_tir` of a function with an output of its own" in str(error.value)


def test_notes_of_a_plan_have_the_names_of_their_function() -> None:
    """Equal up to names: what was found for the one is said of the other in its own words."""
    text = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def turn(SOURCE: T.Buffer((4, 4), "float32"), TARGET: T.Buffer((4, 4), "float32")):
        for i, j in T.grid(4, 4):
            TARGET[i, j] = SOURCE[j, i]

    @R.function
    def main(x: R.Tensor((4, 4), "float32")):
        cls = Module
        a = R.call_tir(cls.turn, (x,), out_ty=R.Tensor((4, 4), "float32"))
        b = R.call_tir(cls.turn, (a,), out_ty=R.Tensor((4, 4), "float32"))
        c = R.call_tir(cls.turn, (b,), out_ty=R.Tensor((4, 4), "float32"))
        return c
"""
    for source, target in (("SOURCE", "TARGET"), ("From", "To")):
        named = text.replace("SOURCE", source).replace("TARGET", target)
        told = [r.message for r in PlanMemory()(parse(named)).remarks if "`a`" in r.message]
        assert any(f"`{source}[j, i]`" in message for message in told), told
