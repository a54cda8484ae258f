"""Batch normalisation in the weights: any rank, layout and number of groups; imported models."""

from itertools import product

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from workbench.frontend import load
from workbench.interpret import run
from workbench.ir import Alias, CallOp, GraphBuilder, IRModule, TensorType, TupleItem, Var
from workbench.ir.verify import verify
from workbench.passes import CombineParallelMatmuls, FoldBatchNormIntoConv, FoldConstant
from workbench.runtime import build

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


def convolution(
    rng: np.random.Generator,
    rank: int,
    data_layout: str,
    kernel_layout: str,
    out_layout: str,
    groups: int,
    bias: str,
) -> IRModule:
    """A convolution, a bias by channel where wanted, and its normalisation."""
    builder = GraphBuilder()
    extents = dict(zip(SPATIAL[rank], (5, 6, 4), strict=False))
    x = builder.param(
        "x", TensorType(tuple({"N": 2, "C": 4, **extents}[a] for a in data_layout), "float32")
    )
    kernel = {"O": 6, "I": 4 // groups, **dict.fromkeys(SPATIAL[rank], 3)}
    w = builder.constant(rng.normal(size=[kernel[a] for a in kernel_layout]).astype("float32"), "w")
    attrs = {
        "data_layout": data_layout,
        "groups": groups,
        "kernel_layout": kernel_layout,
        "out_layout": out_layout,
        "padding": (1,) * (2 * rank),
    }
    value = builder.emit(CallOp(f"nn.conv{rank}d", (x, w), tuple(attrs.items())))
    layout = out_layout or data_layout
    if bias:
        shape = [6 if a == "C" else 1 for a in layout]
        array = rng.normal(size=shape if bias == "channel" else []).astype("float32")
        b = builder.constant(array, "b")
        value = builder.emit(CallOp("add", (b, value) if groups > 1 else (value, b)))
    return normalised(builder, value, layout.index("C"), rng)


def normalised(builder: GraphBuilder, value: Var, axis: int, rng: np.random.Generator) -> IRModule:
    moments = [
        builder.constant(array.astype("float32"), name)
        for name, array in (
            ("gamma", rng.normal(size=6)),
            ("beta", rng.normal(size=6)),
            ("mean", rng.normal(size=6)),
            ("variance", rng.uniform(0.1, 2, size=6)),
        )
    ]
    norm = CallOp("nn.batch_norm", (value, *moments), (("axis", axis), ("epsilon", 1e-3)))
    y = builder.emit(TupleItem(builder.emit(norm), 0))
    return builder.module.with_function("main", builder.build(y))


LAYOUTS = {
    1: [("NCW", "OIW", ""), ("NWC", "WIO", "NCW")],
    2: [("NCHW", "OIHW", ""), ("NHWC", "HWIO", ""), ("NHWC", "OIHW", "NCHW")],
    3: [("NCDHW", "OIDHW", ""), ("NDHWC", "DHWIO", "")],
}
CASES = [
    (rank, *layouts, groups, bias)
    for rank, known in LAYOUTS.items()
    for layouts, groups, bias in product(known, (1, 2), ("", "channel", "one"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(map(str, c)))
def test_the_weights_take_the_scale(
    case: tuple[int, str, str, str, int, str], rng: np.random.Generator
) -> None:
    module = convolution(rng, *case)
    result = FoldBatchNormIntoConv()(module)
    assert verify(result.module) == ()
    calls = [b.value for b in result.module.graph_functions["main"].bindings]
    ops = [call.op for call in calls if isinstance(call, CallOp)]
    assert ops == [f"nn.conv{case[0]}d", "add"]
    (param,) = module.graph_functions["main"].params
    assert isinstance(param.type, TensorType)
    x = rng.normal(size=[n for n in param.type.shape or () if isinstance(n, int)]).astype("f4")
    expected = run(module, x)
    np.testing.assert_allclose(run(result.module, x), expected, rtol=1e-4, atol=1e-4)
    sources = {str(ref) for d in result.derivations for ref in d.sources}
    assert len(sources) >= 3


def test_an_imported_model(rng: np.random.Generator) -> None:
    arrays = {
        "w": rng.normal(size=(6, 3, 3, 3)),
        "b": rng.normal(size=6),
        "gamma": rng.normal(size=6),
        "beta": rng.normal(size=6),
        "mean": rng.normal(size=6),
        "var": rng.uniform(0.1, 2, size=6),
    }
    tensors = [numpy_helper.from_array(a.astype("float32"), n) for n, a in arrays.items()]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="Conv_0", pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization", ["c", "gamma", "beta", "mean", "var"], ["n"], name="BN_0"
        ),
        helper.make_node("Relu", ["n"], ["y"], name="Relu_0"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 6, 8, 8])],
        tensors,
    )
    opset = [helper.make_opsetid("", 17)]
    module = load(helper.make_model(graph, opset_imports=opset))
    assert isinstance(onnx.__version__, str)
    result = FoldBatchNormIntoConv()(FoldConstant()(module).module)
    assert "batch_norm" not in result.module.script()
    x = rng.normal(size=(2, 3, 8, 8)).astype("f4")
    expected = run(module, x)
    np.testing.assert_allclose(build(result.module)(x), expected, rtol=1e-4, atol=1e-4)


def test_products_of_one_value(rng: np.random.Generator) -> None:
    builder = GraphBuilder()
    x = builder.param("x", TensorType((2, 5, 8), "float32"))
    widths = (4, 1, 7)
    weights = [builder.constant(rng.normal(size=(8, n)).astype("f4"), "w") for n in widths]
    y = [builder.emit(CallOp("matmul", (x, w))) for w in weights]
    total = [builder.emit(CallOp("sum", (v,), (("axis", (2,)), ("keepdims", True)))) for v in y]
    result = builder.emit(CallOp("add", (total[0], builder.emit(CallOp("add", tuple(total[1:]))))))
    module = builder.module.with_function("main", builder.build(result))
    combined = CombineParallelMatmuls()(module)
    assert verify(combined.module) == ()
    values = [b.value for b in combined.module.graph_functions["main"].bindings]
    assert sum(isinstance(v, CallOp) and v.op == "matmul" for v in values) == 1
    assert sum(isinstance(v, Alias) for v in values) == 4
    array = rng.normal(size=(2, 5, 8)).astype("f4")
    np.testing.assert_allclose(
        build(combined.module)(array), run(module, array), rtol=1e-4, atol=1e-5
    )
    assert CombineParallelMatmuls(least=4)(module).module is module
