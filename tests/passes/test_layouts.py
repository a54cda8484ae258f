"""Layouts across the layers: values are kept, conversions meet, weights are folded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.generate import Generated, modules
from workbench.frontend.networks import mobilenet_v2, resnet18
from workbench.interpret import run, values
from workbench.ir import (
    Arg,
    Attr,
    BufferType,
    CallOp,
    CallTIR,
    GraphBuilder,
    IRModule,
    TensorFunction,
    TensorType,
    TupleValue,
    Var,
)
from workbench.ir.verify import verify
from workbench.passes import (
    CancelLayoutConversions,
    ChooseLayouts,
    EliminateDeadCode,
    FoldConstant,
    LegalizeOps,
    MoveLayoutConversions,
    ScheduleDefault,
    TransformLayouts,
    optimize,
)
from workbench.passes.layout_conversions import conversions
from workbench.rewrite import PassResult
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError


def leaves(value: object) -> list[np.ndarray]:
    if isinstance(value, tuple):
        return [leaf for field in cast("tuple[object, ...]", value) for leaf in leaves(field)]
    assert isinstance(value, np.ndarray)
    return [value]


def close(expected: object, got: object) -> None:
    for a, b in zip(leaves(expected), leaves(got), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        scale = max(1.0, float(np.abs(a).max(initial=0)))
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=2e-5 * scale)


def keeps_values(before: IRModule, result: PassResult, inputs: list[np.ndarray]) -> None:
    """Values with an id that both have, and the result."""
    assert verify(result.module) == ()
    old, new = values(before, inputs), values(result.module, inputs)
    for node, value in new.items():
        if isinstance(value, np.ndarray) and node in old:
            close(old[node], value)
    close(run(before, *inputs), run(result.module, *inputs))


# --- random networks ----------------------------------------------------------------------------


class Network:
    """Layers drawn one after the other; batch is symbolic."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        self.builder = GraphBuilder()
        self.size = 5
        channels = data.draw(st.sampled_from((3, 8, 16)))
        shape = (self.builder.symbol("n"), channels, self.size, self.size)
        self.input = self.builder.param("x", TensorType(shape))

    def weight(self, *shape: int) -> Var:
        array = (self.rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        return self.builder.constant(array, "w")

    def op(self, name: str, *args: Arg, **attrs: Attr) -> Var:
        return self.builder.emit(CallOp(name, args, tuple(sorted(attrs.items()))))

    def layer(self, x: Var, others: list[Var]) -> Var:
        channels = shape_of(x)[1]
        assert isinstance(channels, int)
        same = [v for v in others if shape_of(v) == shape_of(x)]
        kind = self.data.draw(
            st.sampled_from(
                ("conv", "conv", "relu", "bias", "depthwise", "pool", "add", "concat", "mean")
            )
        )
        match kind:
            case "conv":
                filters = self.data.draw(st.sampled_from((5, 8, 16, 24)))
                kernel = self.data.draw(st.sampled_from((1, 3)))
                weight = self.weight(filters, channels, kernel, kernel)
                return self.op("nn.conv2d", x, weight, padding=(kernel // 2,) * 4)
            case "bias":
                return self.op("add", x, self.weight(1, channels, 1, 1))
            case "depthwise":
                weight = self.weight(channels, 1, 3, 3)
                return self.op("nn.conv2d", x, weight, padding=(1,) * 4, groups=channels)
            case "pool":
                return self.op("nn.max_pool2d", x, pool_size=(3, 3), padding=(1,) * 4)
            case "add":
                return self.op("add", x, self.data.draw(st.sampled_from(same)))
            case "concat":
                from_same = self.data.draw(st.sampled_from(same))
                return self.builder.emit(
                    CallOp("concat", (tuple_of(x, from_same),), (("axis", 1),))
                )
            case "mean":
                return self.op("subtract", x, self.op("mean", x, axis=(1,), keepdims=True))
            case _:
                return self.op("nn.relu", x)

    def module(self, layers: int) -> IRModule:
        found = [self.input]
        for _ in range(layers):
            found.append(self.layer(self.data.draw(st.sampled_from(found[-2:])), found))
        result = tuple_of(found[-1], found[-2])
        function = self.builder.build(result)
        return self.builder.module.with_function("main", function)


def tuple_of(*fields: Var) -> TupleValue:
    return TupleValue(fields)


def shape_of(var: Var) -> tuple[Any, ...]:
    assert isinstance(var.type, TensorType)
    assert var.type.shape is not None
    return var.type.shape


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_random_networks_keep_their_values(data: st.DataObject) -> None:
    network = Network(data)
    module = LegalizeOps()(network.module(data.draw(st.integers(2, 6)))).module
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((2, *shape_of(network.input)[1:])).astype(np.float32)]
    chosen = ChooseLayouts(lanes=4, bytes_per_cycle=1e9)(module)
    keeps_values(module, chosen, inputs)
    folded = FoldConstant()(chosen.module)
    keeps_values(chosen.module, folded, inputs)
    close(run(module, *inputs), build(optimize(folded.module))(*inputs))


# --- random maps --------------------------------------------------------------------------------


def digit_map(data: st.DataObject, shape: tuple[Any, ...]) -> str:
    """A map that splits dimensions of numbers and permutes what comes of it."""
    parts: list[str] = []
    for n, extent in enumerate(shape):
        sizes = [f for f in (2, 3, 4) if isinstance(extent, int) and extent % f == 0 and extent > f]
        size = data.draw(st.sampled_from([1, *sizes]))
        parts += [f"i{n}"] if size == 1 else [f"i{n} // {size}", f"i{n} % {size}"]
    order = data.draw(st.permutations(parts))
    names = ", ".join(f"i{n}" for n in range(len(shape)))
    return f"lambda {names}: ({', '.join(order)},)"


def places(module: IRModule) -> list[tuple[str, Var]]:
    """Parameters of tensor functions that are called, by the name of a value."""
    found: list[tuple[str, Var]] = []
    for block in module.graph_functions["main"].blocks:
        for binding in block.bindings if block.dataflow else ():
            call = binding.value
            if isinstance(call, CallTIR) and len(call.out_types) == 1:
                callee = module[call.callee]
                assert isinstance(callee, TensorFunction)
                params = callee.params[: len(call.args) + 1]
                found += [(f"main.{binding.var.name}", p) for p in params]
    return [(name, p) for name, p in found if isinstance(p.type, BufferType) and p.type.shape]


@settings(max_examples=30, deadline=None)
@given(modules(steps=8), st.data())
def test_random_layouts_of_random_functions_keep_values(
    generated: Generated, data: st.DataObject
) -> None:
    module = LegalizeOps()(generated.module).module
    there = places(module)
    if not there:
        return
    entries: dict[tuple[str, str], str] = {}
    for name, param in data.draw(st.lists(st.sampled_from(there), min_size=1, max_size=3)):
        assert isinstance(param.type, BufferType)
        entries[name, param.name] = digit_map(data, param.type.shape)
    layouts = tuple((*place, text) for place, text in entries.items())
    inputs = generated.inputs()
    result = TransformLayouts(layouts)(module)
    keeps_values(module, result, inputs)
    for step in (MoveLayoutConversions(), CancelLayoutConversions(), FoldConstant()):
        after = step(result.module)
        keeps_values(result.module, after, inputs)
        result = after


# --- networks that people know ------------------------------------------------------------------


@pytest.mark.parametrize("network", [resnet18, mobilenet_v2], ids=lambda f: f.__name__)
@pytest.mark.parametrize("batch", [1, None], ids=["one", "any"])
def test_few_conversions_are_left(network: Callable[..., IRModule], batch: int | None) -> None:
    module = LegalizeOps()(network(batch, 48, width=0.25)).module
    result = ChooseLayouts(lanes=4, bytes_per_cycle=1e9)(module)
    folded = EliminateDeadCode()(FoldConstant()(result.module).module).module
    convolutions = sum(
        isinstance(b.value, CallTIR) and "conv2d" in b.value.callee
        for b in folded.graph_functions["main"].bindings
    )
    left = len(list(conversions(folded)))
    assert 1 <= left <= convolutions // 4
    x = np.random.default_rng(0).standard_normal((2 if batch is None else 1, 3, 48, 48))
    x = x.astype(np.float32)
    plain, blocked = build(optimize(module)), build(optimize(folded))
    close(plain(x), blocked(x))


@pytest.mark.parametrize(
    ("network", "count"), [(resnet18, 20), (mobilenet_v2, 52)], ids=["resnet18", "mobilenet_v2"]
)
def test_stated_costs_choose_blocks_for_whole_networks(
    network: Callable[..., IRModule], count: int
) -> None:
    """Full size and width with the default costs: all convolutions, one conversion at the end."""
    module = LegalizeOps()(network(1)).module
    result = ChooseLayouts()(module)
    codes = [d.code for d in result.remarks]
    assert codes.count("layout/chosen") >= 1
    assert "layout/not-chosen" not in codes
    folded = EliminateDeadCode()(FoldConstant()(result.module).module).module
    assert len(convolutions(folded)) == count
    assert all("_layout" in name for name in convolutions(folded))
    assert len(list(conversions(folded))) == 1


def test_stated_costs_keep_the_values_of_a_network() -> None:
    """On small images, so that it builds fast; the operators say what is right."""
    network = resnet18(1, 32, width=0.5)
    result = ChooseLayouts()(LegalizeOps()(network).module)
    assert [d.code for d in result.remarks].count("layout/chosen") == 1
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    blocked = build(optimize(FoldConstant()(result.module).module))
    close(run(network, x), blocked(x))


def convolutions(module: IRModule) -> list[str]:
    """The functions that convolutions call, in program order."""
    calls = [b.value for b in module.graph_functions["main"].bindings]
    return [c.callee for c in calls if isinstance(c, CallTIR) and "conv2d" in c.callee]


@pytest.mark.parametrize("batch", [1, None], ids=["one", "any"])
def test_functions_on_blocks_are_fused_and_scheduled_as_before(batch: int | None) -> None:
    module = FoldConstant()(LegalizeOps()(resnet18(batch, 32, width=0.25)).module).module
    result = FoldConstant()(ChooseLayouts(lanes=4, bytes_per_cycle=1e9)(module).module)
    plain, blocked = (called(optimize(m)) for m in (module, result.module))
    assert len(blocked) <= len(plain) + 1
    assert all(dict(function.attrs).get("scheduled") for function in blocked)


def called(module: IRModule) -> list[TensorFunction]:
    calls = [b.value for b in module.graph_functions["main"].bindings]
    return [module.tensor_functions[c.callee] for c in calls if isinstance(c, CallTIR)]


def test_a_region_is_left_alone_where_its_conversions_cost_more() -> None:
    module = LegalizeOps()(resnet18(1, 32, width=0.125)).module
    result = ChooseLayouts(bytes_per_cycle=1e-6)(module)
    assert result.module is module
    assert {d.code for d in result.remarks} >= {"layout/not-chosen"}


USERS = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2, 8, 4), "float32"), y: R.Tensor((8, 8), "float32")):
        cls = Module
        with R.dataflow():
            a = R.layout_transform(x, index_map="lambda i, j, k: (j, i * 4 + k)")
            b = R.call_tir(cls.mine, (a, y), out_ty=R.Tensor((8, 8), "float32"))
            c = R.layout_transform(b, index_map="lambda j, i: (i // 4, j, i % 4)")
            R.output(c)
        return c

    @T.prim_func(private=True)
    def mine(p: T.Buffer((8, 8), "float32"), q: T.Buffer((8, 8), "float32"), out: T.Buffer((8, 8), "float32")):
        for i, j in T.grid(8, 8):
            with T.sblock("mine"):
                vi, vj = T.axis.remap("SS", [i, j])
                out[vi, vj] = T.max(p[vi, vj] * INDEX, q[vi, vj])
"""  # noqa: E501


def test_functions_of_users_follow_and_conversions_meet() -> None:
    module = parse(USERS.replace("INDEX", "T.float32(2.0)"))
    result = MoveLayoutConversions()(module)
    assert [found.source for _, found in conversions(result.module)] == [
        module.graph_functions["main"].params[1]
    ]
    assert result.remarks == ()


def test_what_reads_along_the_blocks_does_not_follow() -> None:
    module = parse(USERS.replace("INDEX", "p[vi, 7 - vj]"))
    result = MoveLayoutConversions()(module)
    assert len(list(conversions(result.module))) == 2
    assert [d.code for d in result.remarks] == ["layout/not-followed"]


def test_dimensions_of_one_element_do_not_hide_that_conversions_meet() -> None:
    builder = GraphBuilder()
    x = builder.param("x", TensorType((1, 1, 4, 4, 8)))
    there = (("index_map", "lambda n, c, y, x, b: (n, c * 8 + b, y, x)"),)
    value = builder.emit(CallOp("layout_transform", (x,), there))
    value = builder.emit(CallOp("nn.relu", (value,)))
    back = (("index_map", "lambda n, c, y, x: (n, c // 8, y, x, c % 8)"),)
    value = builder.emit(CallOp("layout_transform", (value,), back))
    module = builder.module.with_function("main", builder.build(value))
    result = MoveLayoutConversions()(LegalizeOps(only=("lv1",))(module).module)
    assert list(conversions(result.module)) == []


def test_an_unknown_place_is_said() -> None:
    module = parse(USERS.replace("INDEX", "T.float32(2.0)"))
    with pytest.raises(CompileError) as caught:
        TransformLayouts((("mine", "nobody", "lambda i, j: (j, i)"),))(module)
    assert [d.code for d in caught.value.diagnostics] == ["layout/unknown-place"]


@pytest.mark.parametrize(
    ("place", "legalized", "hint"),
    [
        (("matmul", "x1"), False, "`matmul` is an operator: apply `LegalizeOps` first"),
        (("main.lv0", "x1"), False, "`main.lv0` is an operator: apply `LegalizeOps` first"),
        (("nobody", "x1"), False, "apply `LegalizeOps` first"),
        (("matmul", "w"), True, "`matmul` has the parameters `x1`, `x2`, `matmul`"),
        (("lv0", "x11"), True, "did you mean `x1`"),
        (("matmull", "x1"), True, "did you mean `matmul`?"),
    ],
)
def test_an_unknown_place_is_said_with_what_was_meant(
    place: tuple[str, str], legalized: bool, hint: str
) -> None:
    builder = GraphBuilder()
    x, w = (builder.param(name, TensorType((8, 8))) for name in "xw")
    y = builder.emit(CallOp("matmul", (x, w)))
    module = builder.module.with_function("main", builder.build(y))
    module = LegalizeOps()(module).module if legalized else module
    with pytest.raises(CompileError) as caught:
        TransformLayouts(((*place, "lambda i, j: (j, i)"),))(module)
    assert hint in caught.value.diagnostics[0].hint


def test_what_has_a_schedule_keeps_its_layout() -> None:
    module = ScheduleDefault()(parse(USERS.replace("INDEX", "T.float32(2.0)"))).module
    result = TransformLayouts((("b", "q", "lambda i, j: (j, i)"),))(module)
    assert result.module is module
    assert [d.code for d in result.remarks] == ["layout/not-transformed"]


def test_padding_of_what_is_read_changes_nothing() -> None:
    module = parse(USERS.replace("INDEX", "T.float32(2.0)"))
    layouts = (("mine", "q", "lambda i, j: (i // 3, j, i % 3)"),)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(s).astype(np.float32) for s in ((2, 8, 4), (8, 8))]
    keeps_values(module, TransformLayouts(layouts)(module), inputs)


def chain(calls: int) -> IRModule:
    """Elementwise calls between a conversion and the one that undoes it."""
    builder = GraphBuilder()
    x = builder.param("x", TensorType((4, 8, 2)))
    there = (("index_map", "lambda i, j, k: (j, i * 2 + k)"),)
    value = builder.emit(CallOp("layout_transform", (x,), there))
    for _ in range(calls):
        value = builder.emit(CallOp("nn.relu", (value,)))
    back = (("index_map", "lambda j, i: (i // 2, j, i % 2)"),)
    value = builder.emit(CallOp("layout_transform", (value,), back))
    return builder.module.with_function("main", builder.build(value))


def test_a_long_chain_is_swept_in_linear_time() -> None:
    taken: list[float] = []
    for calls in (150, 600):
        module = LegalizeOps(only=tuple(f"lv{n + 1}" for n in range(calls)))(chain(calls)).module
        taken.append(min(sweep_seconds(module) for _ in range(5)))
    assert taken[1] < 12 * taken[0] + 0.05


def sweep_seconds(module: IRModule) -> float:
    start = time.process_time()
    result = MoveLayoutConversions()(module)
    taken = time.process_time() - start
    assert list(conversions(result.module)) == []
    return taken
