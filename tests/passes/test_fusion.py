"""Fusion as decoupled passes: by hand, by a user's pattern, by analysis, then merged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from typing_extensions import override

import workbench as wb
from workbench.analysis.patterns import Match, Pattern, anything, op
from workbench.interpret import run
from workbench.ir import (
    BufferType,
    CallFunction,
    CallOp,
    CallTIR,
    For,
    GraphBuilder,
    GraphFunction,
    IRModule,
    Seq,
    TensorFunction,
    TensorType,
    Var,
    walk,
)
from workbench.ir.verify import verify
from workbench.passes import (
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    PassResult,
    ScheduleDefault,
    TransformLayouts,
)
from workbench.rewrite import FUSED, ModuleEditor, PatternRule, outline


@dataclass(frozen=True)
class FuseTwoConvolutions(PatternRule):
    """A user's pass: a convolution of a convolution becomes one function."""

    name: ClassVar[str] = "fuse-two-convolutions"
    pattern: ClassVar[Pattern] = op(
        "nn.conv2d", op("nn.conv2d", anything(), anything()).used(1), anything()
    )

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        outline(editor, match.function, match.members, "two_convolutions", rule=self.name)


def tensor(*shape: int) -> TensorType:
    return TensorType(shape, "float32")


def finished(builder: GraphBuilder, result: Var) -> IRModule:
    return builder.module.with_function("main", builder.build(result))


def two_convolutions() -> IRModule:
    """conv, conv, + bias, relu, + residual."""
    b = GraphBuilder()
    x, w = b.param("x", tensor(1, 4, 8, 8)), b.param("w", tensor(6, 4, 3, 3))
    v, bias = b.param("v", tensor(5, 6, 1, 1)), b.param("b", tensor(1, 5, 1, 1))
    r = b.param("r", tensor(1, 5, 8, 8))
    padded = (("padding", (1, 1, 1, 1)),)
    y = b.emit(CallOp("nn.conv2d", (x, w), padded), "first")
    y = b.emit(CallOp("nn.conv2d", (y, v)), "second")
    y = b.emit(CallOp("add", (y, bias)), "biased")
    y = b.emit(CallOp("nn.relu", (y,)), "positive")
    return finished(b, b.emit(CallOp("add", (y, r)), "y"))


def arguments(module: IRModule) -> list[Any]:
    rng = np.random.default_rng(0)
    types = [p.type for p in module.graph_functions["main"].params]
    return [
        rng.normal(size=[d for d in t.shape or () if isinstance(d, int)]).astype("float32")
        for t in types
        if isinstance(t, TensorType)
    ]


def same(module: IRModule, original: IRModule) -> None:
    assert verify(module) == ()
    given = arguments(original)
    expected = run(original, *given)
    np.testing.assert_allclose(run(module, *given), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(wb.build(module)(*given), expected, rtol=1e-4, atol=1e-4)


def calls(module: IRModule) -> list[str]:
    values = [b.value for b in module.graph_functions["main"].bindings]
    return [v.callee for v in values if isinstance(v, CallTIR | CallFunction)]


def remarks(result: PassResult) -> list[str]:
    return [d.message for d in result.remarks]


# --- by a pattern, then by analysis -----------------------------------------------------------


def test_what_a_pattern_fused_is_taken_as_it_is_and_what_follows_joins() -> None:
    module = two_convolutions()
    grouped = FuseTwoConvolutions()(module).module
    assert sum(isinstance(b.value, CallOp) for b in grouped.graph_functions["main"].bindings) == 3
    fused = FuseOps()(LegalizeOps()(grouped).module)
    assert calls(fused.module) == ["fused_two_convolutions_add_relu_add"]
    assert "two_convolutions" not in fused.module
    members = fused.module.graph_functions["fused_two_convolutions_add_relu_add"].bindings
    assert len(members) == 5
    assert all(isinstance(b.value, CallTIR) for b in members)
    same(fused.module, module)
    merged = FuseTensorFunctions()(fused.module)
    assert merged.remarks == ()
    same(merged.module, module)
    same(ScheduleDefault()(merged.module).module, module)


def test_without_the_pattern_pass_each_convolution_is_a_group_of_its_own() -> None:
    fused = FuseOps()(LegalizeOps()(two_convolutions()).module)
    assert calls(fused.module) == ["conv2d", "fused_conv2d_add_relu_add"]
    assert remarks(fused) == [
        "`first` -> `second`: `second` is a contraction: "
        "it would compute what it reads again for each use"
    ]


def test_operators_in_a_group_are_said() -> None:
    grouped = FuseTwoConvolutions()(two_convolutions()).module
    (kept, *_) = remarks(FuseOps()(LegalizeOps(only=("biased", "positive"))(grouped).module))
    assert kept == (
        "`second` -> `biased`: `second` calls the group `two_convolutions`, "
        "in which `first` is no such call"
    )


# --- by hand ----------------------------------------------------------------------------------


def by_hand(*, private: bool = True) -> IRModule:
    """A group of two calls, called twice; relu follows one, both are added."""
    inner = GraphBuilder()
    p, q = inner.param("p", tensor(4, 8)), inner.param("q", tensor(8, 6))
    h = inner.emit(CallOp("matmul", (p, q)))
    group = inner.build(inner.emit(CallOp("nn.relu", (h,))), attrs=FUSED, private=private)
    b = GraphBuilder()
    x, w, z = (b.param(n, tensor(*s)) for n, s in (("x", (4, 8)), ("w", (8, 6)), ("z", (6, 6))))
    g = b.emit(CallFunction("by_hand", (x, w)), "g", tensor(4, 6))
    n = b.emit(CallOp("negative", (g,)), "n")
    m = b.emit(CallOp("matmul", (n, z)), "m")
    k = b.emit(CallFunction("by_hand", (x, w)), "k", tensor(4, 6))
    main = b.build(b.emit(CallOp("add", (m, b.emit(CallOp("matmul", (k, z)), "o"))), "y"))
    return b.module.with_function("by_hand", group).with_function("main", main)


def test_a_group_by_hand_keeps_its_members_and_stays_for_its_other_callers() -> None:
    module = LegalizeOps()(by_hand()).module
    fused = FuseOps()(module)
    assert calls(fused.module) == [
        "fused_by_hand_negative",
        "by_hand",
        "matmul1",
        "fused_matmul_add",
    ]
    assert fused.module["by_hand"] == module["by_hand"]
    inside = fused.module.graph_functions["fused_by_hand_negative"].bindings
    assert [b.value.callee for b in inside if isinstance(b.value, CallTIR)] == [
        "matmul",
        "relu",
        "negative",
    ]
    assert remarks(fused) == [
        "`n` -> `m`: `m` is a contraction: it would compute what it reads again for each use",
        "`k` -> `o`: `o` is a contraction: it would compute what it reads again for each use",
        "`o` -> `y`: `y` belongs to the group of `m`",
    ]
    same(FuseTensorFunctions()(fused.module).module, by_hand())


def test_a_group_that_others_may_call_stays() -> None:
    module = by_hand(private=False)
    merged = FuseTensorFunctions()(LegalizeOps()(module).module).module
    assert isinstance(merged["by_hand"], GraphFunction)
    same(merged, module)


BUMPED = """
@I.ir_module
class Module:
    @T.prim_func
    def NAME(A: T.Buffer((8,), "float32")):
        for i in range(8):
            with T.sblock("bump"):
                vi = T.axis.spatial(8, i)
                A[vi] = A[vi] + T.float32(1)

    @R.function
    def main(x: R.Tensor((8,), "float32")):
        cls = Module
        with R.dataflow():
            a = R.exp(x)
            b = R.nn.relu(a)
            c = R.call_tir_inplace(cls.NAME, (b,), [0], R.Tensor((8,), "float32"))
            R.output(c)
        return c
"""


@pytest.mark.parametrize("name", ["bump_tir", "fused_exp_relu_tir", "fused_exp_relu"])
def test_functions_of_the_user_keep_their_names(name: str) -> None:
    module = wb.parse(BUMPED.replace("NAME", name))
    fused = FuseOps()(LegalizeOps()(module).module).module
    merged = FuseTensorFunctions()(fused).module
    assert name in merged.tensor_functions
    assert len(merged.tensor_functions) == len(module.tensor_functions) + 3
    same(merged, module)


def test_equal_groups_share_what_they_become() -> None:
    b = GraphBuilder()
    first = by_hand()
    x, w = b.param("x", tensor(4, 8)), b.param("w", tensor(8, 6))
    ys = [
        b.emit(CallOp("negative", (b.emit(CallFunction("by_hand", (x, w)), "g", tensor(4, 6)),)))
        for _ in range(2)
    ]
    main = b.build(b.emit(CallOp("matmul", (b.emit(CallOp("permute_dims", (ys[0],))), ys[1]))))
    module = first.with_function("main", main)
    fused = FuseOps()(LegalizeOps()(module).module).module
    assert calls(fused).count("fused_by_hand_negative") == 2
    assert len(fused.graph_functions["fused_by_hand_negative"].bindings) == 3
    same(FuseTensorFunctions()(fused).module, module)


# --- merged -----------------------------------------------------------------------------------


def matmul_gelu() -> IRModule:
    b = GraphBuilder()
    x, w, c = (b.param(n, tensor(*s)) for n, s in (("x", (16, 8)), ("w", (8, 32)), ("c", (32,))))
    y = b.emit(CallOp("add", (b.emit(CallOp("matmul", (x, w))), c)))
    return finished(b, b.emit(CallOp("nn.gelu", (y,))))


def chain() -> IRModule:
    b = GraphBuilder()
    x, z = b.param("x", tensor(16, 32)), b.param("z", tensor(16, 32))
    y = b.emit(CallOp("add", (x, z)))
    for name in ("exp", "negative", "nn.relu", "abs"):
        y = b.emit(CallOp(name, (y,)))
    return finished(b, b.emit(CallOp("multiply", (y, z))))


def convolution() -> IRModule:
    b = GraphBuilder()
    x, w = b.param("x", tensor(1, 4, 8, 8)), b.param("w", tensor(6, 4, 3, 3))
    bias, r = b.param("b", tensor(1, 6, 1, 1)), b.param("r", tensor(1, 6, 6, 6))
    y = b.emit(CallOp("add", (b.emit(CallOp("nn.conv2d", (x, w))), bias)))
    return finished(b, b.emit(CallOp("add", (b.emit(CallOp("nn.relu", (y,))), r))))


def twice() -> IRModule:
    """An expensive value that is read twice: computed once, kept in the tile."""
    b = GraphBuilder()
    x, z = b.param("x", tensor(16, 40)), b.param("z", tensor(16, 40))
    t = b.emit(CallOp("tanh", (x,)))
    a, c = b.emit(CallOp("multiply", (t, z))), b.emit(CallOp("subtract", (t, z)))
    return finished(b, b.emit(CallOp("add", (a, c))))


PIPELINE = (LegalizeOps(), FuseOps(), FuseTensorFunctions(), ScheduleDefault(), EliminateDeadCode())


@pytest.mark.parametrize("make", [matmul_gelu, chain, convolution, twice])
def test_a_fused_group_is_one_loop_nest_with_nothing_between_in_memory(make: Any) -> None:  # noqa: ANN401
    original = module = make()
    for step in PIPELINE:
        module = step(module).module
    (callee,) = calls(module)
    function = module[callee]
    assert isinstance(function, TensorFunction)
    assert isinstance(function.body, For)
    assert function.allocations == ()
    out = function.params[-1].type
    for buffer in inner_buffers(function):
        assert buffer.scope == "local", "kept in registers"
        assert 2 * elements(buffer) <= elements(out), "no full intermediate value"
    same(module, original)


def inner_buffers(function: TensorFunction) -> list[BufferType]:
    found = {node.id: node.type for node in walk(function.body) if isinstance(node, Var)}
    own = {param.id for param in function.params}
    return [t for i, t in found.items() if isinstance(t, BufferType) and i not in own]


def elements(type_: object) -> int:
    assert isinstance(type_, BufferType)
    return math.prod(dim for dim in type_.shape if isinstance(dim, int))


def test_an_unfused_program_has_each_value_in_memory() -> None:
    module = convolution()
    for step in (LegalizeOps(), ScheduleDefault(), EliminateDeadCode()):
        module = step(module).module
    outs = [
        v.out_types
        for b in module.graph_functions["main"].bindings
        if isinstance(v := b.value, CallTIR)
    ]
    assert len(outs) == 4


def test_a_value_that_is_read_outside_of_the_tile_stays_in_memory() -> None:
    b = GraphBuilder()
    x, w = b.param("x", tensor(16, 16)), b.param("w", tensor(16, 16))
    inner = GraphBuilder()
    p, q = inner.param("p", tensor(16, 16)), inner.param("q", tensor(16, 16))
    h = inner.emit(CallOp("matmul", (p, q)))
    turned = inner.emit(CallOp("permute_dims", (h,)))
    group = inner.build(inner.emit(CallOp("add", (h, turned))), attrs=FUSED, private=True)
    y = b.emit(CallFunction("group", (x, w)), "y", tensor(16, 16))
    original = b.module.with_function("group", group).with_function("main", b.build(y))
    module = original
    for step in PIPELINE:
        module = step(module).module
    function = module[calls(module)[0]]
    assert isinstance(function, TensorFunction)
    assert isinstance(function.body, Seq)
    assert len(function.allocations) == 1
    same(module, original)


# --- why not ----------------------------------------------------------------------------------


def test_an_expensive_value_is_not_computed_again_for_each_element_that_reads_it() -> None:
    b = GraphBuilder()
    x, z = b.param("x", tensor(1, 32)), b.param("z", tensor(16, 32))
    t = b.emit(CallOp("exp", (x,)), "t")
    module = finished(b, b.emit(CallOp("multiply", (t, z)), "y"))
    fused = FuseOps()(LegalizeOps()(module).module)
    assert remarks(fused) == [
        "`t` -> `y`: `y` has another number of elements than `t`, "
        "which would be computed again for each"
    ]


IN_A_BRANCH = """
@I.ir_module
class Module:
    @R.function(private=True)
    def group(x: R.Tensor(("n", 4), "float32")):
        R.func_attr({"Primitive": 1})
        n = T.int64()
        with R.dataflow():
            a = R.exp(x)
            b = R.negative(a)
            R.output(b)
        return b

    @R.function
    def main(x: R.Tensor(("m", 4), "float32"), c: R.Tensor((), "bool")):
        m = T.int64()
        cls = Module
        if c:
            y = cls.group(x)
        else:
            y = R.negative(x)
        with R.dataflow():
            s = R.nn.relu(y)
            t = R.multiply(s, x)
            z = R.add(t, y)
            R.output(z)
        return z
"""


@pytest.mark.parametrize("rows", [1, 5, 17])
def test_groups_in_branches_and_of_symbolic_shape_are_merged(rows: int) -> None:
    original = module = wb.parse(IN_A_BRANCH)
    for step in PIPELINE:
        module = step(module).module
    assert verify(module) == ()
    assert not any(dict(f.attrs).get("Primitive") for f in module.graph_functions.values())
    assert calls(module) == ["fused_relu_multiply_add_scheduled"]
    x = np.random.default_rng(rows).normal(size=(rows, 4)).astype("float32")
    for condition in (np.array(True), np.array(False)):
        expected = run(original, x, condition)
        np.testing.assert_allclose(wb.build(module)(x, condition), expected, rtol=1e-5, atol=1e-6)


NO_ARGUMENT_SAYS_N = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n",), "float32")):
        n = T.int64()
        with R.dataflow():
            a = R.concat((x, x), axis=0)
            b = R.nn.relu(a)
            c = R.max(a, axis=[0])
            d = R.tanh(c)
            y = R.add(b, d)
            R.output(y)
        return y
"""


def test_a_group_whose_arguments_do_not_say_a_dimension_is_none() -> None:
    original = module = wb.parse(NO_ARGUMENT_SAYS_N)
    fused = FuseOps()(LegalizeOps()(module).module)
    assert "`c` -> `d`: a function of the group would not know `n`" in remarks(fused)
    for step in PIPELINE:
        module = step(module).module
    x = np.random.default_rng(0).normal(size=7).astype("float32")
    np.testing.assert_allclose(wb.build(module)(x), run(original, x), rtol=1e-6)


ROWS_IN_BLOCKS = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("n", 8), "float32"), w: R.Tensor((8, 8), "float32"),
        b: R.Tensor((8,), "float32")
    ):
        n = T.int64()
        with R.dataflow():
            h = R.matmul(x, w)
            hb = R.add(h, b)
            y = R.nn.relu(hb)
            R.output(y)
        return y
"""


def test_why_a_group_could_not_grow_comes_before_the_group_that_the_reader_is_in() -> None:
    blocks = TransformLayouts((("h", "x1", "lambda i, j: (i // 4, j, i % 4)"),))
    fused = FuseOps()(blocks(LegalizeOps()(wb.parse(ROWS_IN_BLOCKS)).module).module)
    assert calls(fused.module) == ["matmul_layout", "fused_add_relu"]
    assert "`h` -> `hb`: a function of the group would not know `n`" in remarks(fused)
