"""Blame looks into fused functions, callees, branches, recursion, layouts and effects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.session.blaming import (
    BRANCHES,
    CALLS,
    EFFECTS,
    IMAGE,
    IN_PLACE,
    MATRIX,
    SYMBOLIC,
    Case,
    blamed,
    check,
)
from tests.session.faulty import (
    Both,
    Change,
    InKernel,
    Rebind,
    another_op,
    first_operand,
    scaled_constant,
    swapped,
)
from tests.session.wrong_kernels import Node, one_further, operator_in_stores
from workbench.ir import (
    BinaryOp,
    Binding,
    CallOp,
    CallPacked,
    For,
    GraphExpr,
    Load,
    LoopKind,
    PackedStyle,
    Store,
    TensorType,
)
from workbench.passes import (
    BindParameters,
    BindSymbolicVariables,
    CanonicalizeBindings,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    MoveLayoutConversions,
    Pass,
    ScheduleDefault,
    Simplify,
    TransformLayouts,
)
from workbench.rewrite import ModuleEditor
from workbench.support import NodeId

LEGAL = (LegalizeOps(),)
FUSED = (LegalizeOps(), FuseOps())
ROWS = "lambda i, j: (i // 2, j, i % 2)"
OTHER_ROWS = "lambda i, j: (i % 3, j, i // 3)"


def library(symbol: str, *, swap: bool = False, style: PackedStyle = PackedStyle.DPS) -> Change:
    """The operation by a library function."""

    def change(_: ModuleEditor, binding: Binding) -> GraphExpr:
        value: Any = binding.value
        assert isinstance(binding.var.type, TensorType)
        args = value.args[::-1] if swap else value.args
        return CallPacked(symbol, args, (binding.var.type,), style)

    return change


def another_map(_: ModuleEditor, binding: Binding) -> GraphExpr:
    """A conversion that puts rows elsewhere."""
    assert isinstance(binding.value, CallOp)
    return replace(binding.value, attrs=(("index_map", OTHER_ROWS),))


def unstable(_: ModuleEditor, binding: Binding) -> GraphExpr:
    """A softmax that subtracts no maximum."""
    value: Any = binding.value
    return CallPacked("test.faulty.unstable_softmax", value.args, value.out_types)


CHAIN = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def add(x: T.Buffer((8, 6), "float32"), y: T.Buffer((8, 6), "float32")):
        for i, j in T.grid(8, 6):
            with T.sblock("y"):
                vi, vj = T.axis.remap("SS", [i, j])
                y[vi, vj] = x[vi, vj] + T.float32(1)

    @T.prim_func(private=True)
    def exp(x: T.Buffer((8, 6), "float32"), y: T.Buffer((8, 6), "float32")):
        for i, j in T.grid(8, 6):
            with T.sblock("y"):
                vi, vj = T.axis.remap("SS", [i, j])
                y[vi, vj] = x[vi, vj] + T.exp(x[vi, vj])

    @R.function
    def main(x: R.Tensor((8, 6), "float32")):
        cls = Module
        with R.dataflow():
            a = R.call_tir(cls.add, (x,), out_ty=R.Tensor((8, 6), "float32"))
            b = R.call_tir(cls.exp, (a,), out_ty=R.Tensor((8, 6), "float32"))
            y = R.sum(b, axis=[1])
            R.output(y)
        return y
"""

ZEROS = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            zero = R.const(0.0, "float32")
            one = R.const(1.0, "float32")
            a = R.add(x, zero)
            b = R.divide(one, a)
            m = R.maximum(x, zero)
            y = R.add(b, m)
            R.output(y)
        return y
"""

TWO_BUFFERS = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def twice(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32")):
        s = T.alloc_buffer((8,), "float32")
        t = T.alloc_buffer((8,), "float32")
        for i in range(8):
            with T.sblock("s"):
                vi = T.axis.spatial(8, i)
                s[vi] = x[vi] + T.float32(1)
        for i in range(8):
            with T.sblock("t"):
                vi = T.axis.spatial(8, i)
                t[vi] = s[vi] * s[vi]
        for i in range(8):
            with T.sblock("y"):
                vi = T.axis.spatial(8, i)
                y[vi] = s[vi] + t[7 - vi]

    @R.function
    def main(x: R.Tensor((8,), "float32")):
        cls = Module
        with R.dataflow():
            h = R.negative(x)
            y = R.call_tir(cls.twice, (h,), out_ty=R.Tensor((8,), "float32"))
            R.output(y)
        return y
"""

LAID = TransformLayouts((("softmax", "x", ROWS),))
CHAIN_LAID = TransformLayouts((("add", "y", ROWS),))


def one_buffer(node: Node) -> Node:
    """Buffer `t` stands where `s` does, which is still read."""
    if isinstance(node, Load | Store) and node.buffer.name == "t":
        return replace(node, buffer=replace(node.buffer, id=NodeId(2), name="s"))
    return node


CASES = {
    "a member of a fused function": Case(
        IMAGE, FUSED, Rebind("h", first_operand), (ScheduleDefault(),),
        ("main.r", "fused_conv2d_add_relu.h"), "`rebind` of `fused_conv2d_add_relu.h`",
    ),
    "a kernel inside a fused function": Case(
        IMAGE, FUSED, InKernel("add", operator_in_stores(BinaryOp.ADD, BinaryOp.SUB)),
        (FuseTensorFunctions(),), ("main.r", "fused_conv2d_add_relu.h"),
        "`in-kernel` of tensor function `add`",
    ),
    "fused wrongly": Case(
        IMAGE, LEGAL, Both(FuseOps(), Rebind("h", first_operand)), (FuseTensorFunctions(),),
        ("main.r", "fused_conv2d_add_relu.h"), "`fuse-ops` of `main.h`",
    ),
    "a merged kernel": Case(
        IMAGE, FUSED,
        Both(
            FuseTensorFunctions(),
            InKernel("fused_conv2d", operator_in_stores(BinaryOp.MAX, BinaryOp.MIN)),
        ),
        (ScheduleDefault(),), ("main.r",), "`fuse-tensor-functions` of `main.r`",
    ),
    "a callee shared by two calls": Case(
        CALLS, (CanonicalizeBindings(),), Rebind("f", another_op("add")), LEGAL,
        ("main.a", "layer.f"), "`rebind` of `layer.f`",
    ),
    "a callee that is right for the first call": Case(
        CALLS, LEGAL, Rebind("f", first_operand), FUSED[1:],
        ("main.a", "layer.f"), "`rebind` of `layer.f`",
    ),
    "the operands of a call": Case(
        CALLS.replace("R.abs(f)", "R.exp(f)"), LEGAL, Rebind("b", swapped), (FuseOps(),),
        ("main.b",), "`rebind` of `main.b`",
    ),
    "a branch": Case(
        BRANCHES, (CanonicalizeBindings(),), Rebind("t", another_op("abs")), LEGAL,
        ("main.t",), "`rebind` of `main.t`",
        (np.ones(4, "float32"), np.array(2, "float32"), np.array(True)),
    ),
    "the other branch": Case(
        BRANCHES, LEGAL, Rebind("v", lambda _e, b: replace(b.value, callee="exp1")), (),
        ("main.v",), "`rebind` of `main.v`",
        (-np.ones(4, "float32"), np.array(2, "float32"), np.array(False)),
    ),
    "recursion": Case(
        BRANCHES, (CanonicalizeBindings(),), Rebind("low", another_op("abs")), LEGAL,
        ("main.k", "down.r", "down.r", "down.low"), "`rebind` of `down.low`",
        (np.ones(4, "float32"), np.array(2, "float32"), np.array(True)),
    ),
    "a library with operands swapped": Case(
        MATRIX, (CanonicalizeBindings(),), Rebind("h", library("numpy.matmul", swap=True)),
        (*FUSED, FuseTensorFunctions()), ("main.h",), "`rebind` of `main.h`",
    ),
    "overflow": Case(
        MATRIX, LEGAL, Rebind("t", unstable), (FuseOps(),), ("main.t",), "`rebind` of `main.t`",
        tuple(np.full(s, 40, "float32") for s in ((6, 6), (6, 6), (6,))),
    ),
    "an effect done twice": Case(
        EFFECTS, LEGAL, Rebind("s", lambda e, b: twice(e, b)), (FuseOps(),),
        ("main.s",), "`rebind` of `main.s`",
    ),
    "a stale buffer after in-place reuse": Case(
        IN_PLACE, LEGAL,
        Rebind("r", library("test.faulty.relu_in_place", style=PackedStyle.EFFECT)),
        (EliminateDeadCode(),), ("main.h",), "`rebind` of `main.r`",
    ),
    "another index map": Case(
        MATRIX, (*LEGAL, LAID), Rebind("a_layout", another_map), (FuseOps(),),
        ("main.a_layout",), "`rebind` of `main.a_layout`",
    ),
    "a pass that converts by another map than it says": Case(
        MATRIX, LEGAL, Both(LAID, Rebind("a_layout", another_map)), (FuseOps(),),
        ("main.a_layout",), "`transform-layouts` of `main.a`",
    ),
    "a kernel in a layout": Case(
        CHAIN, (*LEGAL, CHAIN_LAID),
        Both(
            MoveLayoutConversions(),
            InKernel("exp_layout", operator_in_stores(BinaryOp.ADD, BinaryOp.SUB)),
        ),
        (FuseOps(),), ("main.b_layout",), "`move-layout-conversions` of `main.b`",
    ),
    "off by one in a layout": Case(
        CHAIN, (*LEGAL, CHAIN_LAID),
        Both(MoveLayoutConversions(), InKernel("exp_layout", one_further("x", 2))),
        (FuseOps(),), ("main.b_layout",), "`move-layout-conversions` of `main.b`",
    ),
    "a fault that only a negative zero shows": Case(
        ZEROS, (CanonicalizeBindings(),), Rebind("a", first_operand), LEGAL,
        ("main.a",), "`rebind` of `main.a`", (np.array([1, -0.0, 2, 0], "float32"),),
    ),
    "a fault that only NaN shows": Case(
        ZEROS, (CanonicalizeBindings(),), Rebind("m", library("test.faulty.where_positive")),
        LEGAL, ("main.m",), "`rebind` of `main.m`", (np.array([1, np.nan, 2, 3], "float32"),),
    ),
    "storage of a live buffer used again": Case(
        TWO_BUFFERS, (CanonicalizeBindings(),), InKernel("twice", one_buffer), (Simplify(),),
        ("main.y",), "`in-kernel` of tensor function `twice`",
    ),
}  # fmt: skip


def twice(editor: ModuleEditor, binding: Binding) -> GraphExpr:
    """A call that is made once more before."""
    var = editor.new_var("main", "again", binding.var.type)
    editor.insert_before("main", binding.var.id, Binding(var, binding.value))
    return binding.value


@pytest.mark.parametrize("name", CASES)
def test_blame_names_the_value_inside(name: str) -> None:
    found = check(CASES[name])
    assert found.value.split(".")[1] in str(found)


def test_of_two_faults_the_first_is_blamed() -> None:
    session = wb.open(wb.parse(MATRIX))
    session.apply(LegalizeOps())
    first = session.apply(Rebind("u", first_operand))
    session.apply(Rebind("h", first_operand))
    session.apply(FuseOps())
    found = session.blame(timeout=300)
    assert found is not None
    assert (found.index, found.path) == (first.index, ("main.u",))


def test_of_two_faults_of_one_step_the_first_in_program_order_is_blamed() -> None:
    case = Case(
        MATRIX, LEGAL, Both(Rebind("y", first_operand), Rebind("h", first_operand)), (),
        ("main.h",), "`rebind` of `main.h`",
    )  # fmt: skip
    check(case)


def test_only_the_path_to_the_head_is_searched() -> None:
    session = wb.open(wb.parse(MATRIX))
    session.apply(LegalizeOps())
    wrong = session.apply(Rebind("u", first_operand))
    session.checkout(1)
    session.apply(FuseOps())
    assert session.blame(timeout=300) is None
    session.checkout(wrong)
    found = session.blame(timeout=300)
    assert found is not None
    assert found.index == wrong.index


def test_a_step_that_does_not_run_is_blamed_at_its_node() -> None:
    session = wb.open(wb.parse(MATRIX))
    session.apply(LegalizeOps())
    wrong = session.apply(Rebind("t", library("test.faulty.nobody_registered_this")))
    found = session.blame(timeout=300)
    assert found is not None
    assert (found.index, found.path) == (wrong.index, ("main.t",))
    assert "nobody_registered_this" in str(found)
    assert "`rebind` of `main.t`" in str(found.rewrite)


def test_a_fault_of_a_tensor_function_alone_names_function_and_buffer() -> None:
    text = TWO_BUFFERS.replace("(private=True)", "").split("    @R.function")[0]
    session = wb.open(wb.parse(text))
    wrong = session.apply(InKernel("twice", one_further("x", 8)))
    found = session.blame(timeout=300)
    assert found is not None
    assert (found.index, found.path) == (wrong.index, ("twice.y",))
    assert "tensor function `twice`" in str(found.rewrite)


@pytest.mark.parametrize("kind", ["shape", "race"])
def test_what_does_not_verify_is_refused_before_anybody_is_blamed(kind: str) -> None:
    session = wb.open(wb.parse(MATRIX))
    session.apply(LegalizeOps())

    def race(node: Node) -> Node:
        inner = isinstance(node, For) and node.var.name == "k"
        return replace(node, kind=LoopKind.PARALLEL) if inner else node

    fault = InKernel("matmul", race) if kind == "race" else Rebind("s", first_operand)
    with pytest.raises(wb.CompileError, match="session/ill-formed-result") as caught:
        session.apply(fault)
    assert type(fault).__name__ in caught.value.diagnostics[0].message
    assert session.head.index == 1
    assert session.blame(timeout=300) is None


def test_blame_selects_the_value_in_the_views() -> None:
    session, wrong, found = blamed(CASES["a member of a fused function"])
    assert session.lineage(wrong).value(session.selection) is not None
    assert session.selection == found.key


def test_a_step_that_is_still_checked_is_no_verdict() -> None:
    session = wb.open(wb.parse(MATRIX))
    session.submit("wait", lambda job: job.token.wait(20))
    session.apply(LegalizeOps())
    with pytest.raises(wb.CompileError, match="session/still-checking"):
        session.blame(timeout=0.05)
    session.cancel()


@pytest.mark.parametrize(
    ("text", "binding", "name"),
    [
        (MATRIX, BindParameters({"b": np.ones(6, "float32")}), "u"),
        (SYMBOLIC, BindSymbolicVariables({"n": 3}), "a"),
    ],
)
def test_faults_after_parameters_were_bound_are_found(text: str, binding: Pass, name: str) -> None:
    session = wb.open(wb.parse(text))
    for step in (binding, LegalizeOps()):
        session.apply(step)
    wrong = session.apply(Rebind(name, first_operand))
    session.apply(FuseOps())
    found = session.blame(timeout=300)
    assert found is not None
    assert (found.index, found.path) == (wrong.index, (f"main.{name}",))


def test_where_nothing_is_red_the_first_doubtful_step_is_blamed() -> None:
    session = wb.open(wb.parse(IMAGE))
    session.apply(LegalizeOps())
    doubtful = session.apply(Rebind("scale", scaled_constant(1.00002)))
    session.apply(FuseOps())
    found = session.blame(timeout=300)
    assert [step.verdict.state for step in session.steps[1:]][1] == "amber"
    assert found is not None
    assert (found.index, found.path) == (doubtful.index, ("main.scale",))
