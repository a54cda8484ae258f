"""Common slips: what stands in the place of what was meant is said, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from onnx import TensorProto, helper

import workbench as wb
from workbench.analysis.patterns import op
from workbench.support import CompileError

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((8, 8), "float32"), w: R.Tensor((8, 8), "float32")):
        with R.dataflow():
            hidden = R.matmul(x, w)
            y = R.nn.relu(hidden)
            R.output(y)
        return y
"""
GRAPH = helper.make_graph(
    [helper.make_node("Relu", ["x"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
)
M = wb.parse(TEXT)
Slip = Callable[[Any], object]


def said(slip: Slip, *before: str) -> str:
    session = wb.open(M)
    for item in before:
        session.apply(item)
    with pytest.raises(CompileError) as caught:
        slip(session)
    return str(caught.value)


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        (lambda _: wb.open(TEXT), "`wb.open(wb.parse(text))`"),
        (lambda _: wb.load(TEXT), "write `wb.parse(text)`"),
        (lambda _: wb.open("long" * 5000), "cannot be the path of a file"),
        (lambda _: wb.open(GRAPH), "onnx.helper.make_model(graph)"),
        (lambda _: wb.load(GRAPH), "onnx.helper.make_model(graph)"),
        (lambda _: wb.parse("models/my.onnx"), '`wb.load("models/my.onnx")`'),
        (lambda _: wb.open(wb.passes.LegalizeOps()(M)), "the `.module` of the `PassResult`"),
        (lambda s: wb.open(s), "the `.module` of the `Session`"),
    ],
)
def test_what_is_opened(slip: Slip, expected: str) -> None:
    assert expected in said(slip)


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        (lambda _: wb.build(wb.passes.LegalizeOps()(M)), "the `.module` of the `PassResult`"),
        (lambda s: wb.build(s), "the `.module` of the `Session`"),
        (lambda s: wb.passes.FuseOps()(s), "the `.module` of the `Session`"),
        (lambda s: s.apply((wb.passes.LegalizeOps(),)), "`for step in steps: session.apply(step)`"),
        (lambda s: s.apply("LegalizeOp"), "did you mean `LegalizeOps`"),
        (lambda s: s.swap("hiden", "generated"), "did you mean `hidden`?"),
        (lambda s: s.measure("main.hiden"), "did you mean `main.hidden`?"),
        (lambda s: s.swap("hidden", "generatd"), "did you mean `generated`?"),
        (lambda s: s.apply(wb.passes.LegalizeOps(only=("hiden",))), "did you mean `hidden`?"),
        (lambda s: s.apply(wb.passes.Implement("hiden", "generated")), "did you mean `hidden`?"),
        (lambda _: wb.passes.LegalizeOps(only="h")(M), "a list of texts as `only`"),
        (lambda _: wb.passes.LegalizeOps(only="h")(M), "write `('h',)`"),
        (lambda s: s.schedule(), "apply `LegalizeOps` first"),
    ],
)
def test_what_is_done_with_a_session(slip: Slip, expected: str) -> None:
    assert expected in said(slip)


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        (lambda s: s.schedule(), 'name one, such as `"matmul"`'),
        (lambda s: s.schedule("mtmul"), "did you mean `matmul`"),
    ],
)
def test_what_is_scheduled(slip: Slip, expected: str) -> None:
    assert expected in said(slip, "LegalizeOps")


SMALL = """
@T.prim_func
def matmul(
    x: T.Buffer((3,), "float32"), w: T.Buffer((8, 8), "float32"), y: T.Buffer((8, 8), "float32")
):
    for i in range(3):
        y[i, i] = x[i]
"""


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        (lambda s: s.edit("main", TEXT), "`main` is a graph function"),
        (lambda s: s.edit("main", TEXT), "there are `matmul`, `relu`"),
        (lambda s: s.edit("matmul", SMALL), 'expected `T.Buffer((8, 8), "float32")`'),
        (lambda s: s.edit("matmul", SMALL), 'found `T.Buffer((3,), "float32")`'),
    ],
)
def test_what_is_edited(slip: Slip, expected: str) -> None:
    assert expected in said(slip, "LegalizeOps")


WHOLE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((8,), "float32"), at: R.Tensor((4,), "int8")):
        with R.dataflow():
            y = R.take(x, at, axis=0)
            R.output(y)
        return y
"""


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ({"att": (0, 3)}, "no parameter is named `att`"),
        ({"att": (0, 3)}, "did you mean `at`?"),
        ({"at": (3, 2)}, "begins at `3` and ends before"),
        ({"at": (0, 300)}, "must be within `-128` and `127`"),
        ({"x": (0, 3)}, "`x` is `float32`"),
    ],
)
def test_ranges_that_have_no_values(ranges: dict[str, tuple[int, int]], expected: str) -> None:
    session = wb.open(wb.parse(WHOLE))
    session.inputs(ranges={"at": (0, 3)})
    step = session.apply("LegalizeOps")
    with pytest.raises(CompileError) as caught:
        session.inputs(ranges=ranges)
    assert caught.value.diagnostics[0].code == "session/bad-range"
    assert expected in str(caught.value)
    session.wait()
    assert step.verdict.good, "the inputs are those of before"


def test_extents_of_another_kind_are_named() -> None:
    text = said(lambda s: s.inputs(extents={"N": 3.5}))
    assert "a dictionary from texts to integers" in text


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        (
            lambda s: s.apply(wb.passes.ScheduleDefault(rows=-1)),
            "`rows` of `ScheduleDefault` is a number from 0",
        ),
        (lambda s: s.apply(wb.passes.ScheduleDefault(lanes=0)), "`lanes` of `ScheduleDefault`"),
        (lambda s: s.apply(wb.passes.ChooseImplementations(bandwidth=0)), "a number above 0"),
        (
            lambda s: s.apply(wb.passes.ChooseImplementations(call=float("nan"))),
            "`call` of `ChooseImplementations` is a number from 0 on",
        ),
        (
            lambda s: s.apply(wb.passes.ChooseImplementations(libraries=("nonsense",))),
            "no library `nonsense` is registered",
        ),
        (lambda _: op("add").used("1"), "an integer from 0 on"),  # pyright: ignore[reportArgumentType]
        (lambda s: s.checkout(wb.open(M).apply("LegalizeOps")), "one of another session"),
    ],
)
def test_numbers_and_steps_that_cannot_be(slip: Slip, expected: str) -> None:
    assert expected in said(slip, "LegalizeOps")


IN_PLACE = """
@I.ir_module
class Module:
    @T.prim_func
    def double(A: T.Buffer((4, 4), "float32")):
        for i, j in T.grid(4, 4):
            A[i, j] = A[i, j] * T.float32(2)

    @R.function
    def main(x: R.Tensor((4, 4), "float32")):
        with R.dataflow():
            a = R.nn.relu(x)
            y = R.call_tir_inplace(
                Module.double, (a,), inplace_indices=[0], out_ty=R.Tensor((4, 4), "float32")
            )
            R.output(y)
        return y
"""


@pytest.mark.parametrize("name", ["double", "y", "main.y"])
def test_a_layout_of_a_call_in_place(name: str) -> None:
    layouts = ((name, "A", "lambda i, j: (j, i)"),)
    with pytest.raises(CompileError) as caught:
        wb.passes.TransformLayouts(layouts)(wb.parse(IN_PLACE))
    assert "is a call in place" in str(caught.value)


@pytest.mark.parametrize("parameter", ["x3", "nothing"])
def test_a_layout_of_a_parameter_that_is_not_there(parameter: str) -> None:
    text = said(
        lambda s: s.apply(
            wb.passes.TransformLayouts((("matmul", parameter, "lambda i, j: (j, i)"),))
        ),
        "LegalizeOps",
    )
    assert "`matmul` has the parameters `x1`, `x2`, `matmul`" in text
