"""Each ONNX operator against the reference implementation of the `onnx` package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

from tests.frontend.test_importer import model_of
from workbench.frontend import load
from workbench.frontend.node import CONVERTERS
from workbench.interpret import run
from workbench.ir.verify import verify

Array = NDArray[Any]
RNG = np.random.default_rng(20260401)


def normal(*shape: int) -> Array:
    return RNG.normal(size=shape).astype("float32")


def positive(*shape: int) -> Array:
    return RNG.uniform(0.1, 0.9, size=shape).astype("float32")


def whole(*shape: int, low: int = -5, high: int = 6, dtype: str = "int32") -> Array:
    return RNG.integers(low, high, size=shape).astype(dtype)


def flags(*shape: int) -> Array:
    return RNG.integers(0, 2, size=shape).astype("bool")


def i64(*values: int) -> Array:
    return np.array(values, "int64")


@dataclass(frozen=True)
class Case:
    """One node; inputs in `constants` are initializers."""

    op: str
    inputs: tuple[Array | None, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    constants: tuple[int, ...] = ()
    opset: int = 20
    outputs: int = 1
    label: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.opset}{self.label}"


def case(
    op: str,
    *inputs: Array | None,
    constants: tuple[int, ...] = (),
    opset: int = 20,
    outputs: int = 1,
    label: str = "",
    **attrs: object,
) -> Case:
    return Case(op, inputs, attrs, constants, opset, outputs, label)


CASES = [
    *(case(op, normal(2, 3)) for op in ("Abs", "Atan", "Asinh", "Ceil", "Cos", "Cosh", "Erf", "Exp",
        "Floor", "Neg", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Tan", "Tanh",
        "Softsign", "Softplus", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "Mish", "Gelu",
        "LeakyRelu",
        "IsNaN", "IsInf", "Identity", "Reciprocal")),
    *(case(op, positive(2, 3)) for op in ("Acos", "Asin", "Atanh", "Log", "Sqrt")),
    case("Acosh", positive(2, 3) + 1),
    case("Gelu", normal(2, 3), approximate="tanh", label="-tanh"),
    case("Elu", normal(2, 3), alpha=0.5, label="-alpha"),
    case("HardSigmoid", normal(2, 3), alpha=0.3, beta=0.4, label="-alpha"),
    case("Not", flags(2, 3)),
    case("BitwiseNot", whole(2, 3)),
    *(case(op, normal(2, 3), normal(3)) for op in ("Add", "Sub", "Mul", "Div", "Less", "Greater",
        "LessOrEqual", "GreaterOrEqual")),
    *(case(op, whole(2, 3), whole(2, 3)) for op in ("Add", "Equal", "BitwiseAnd", "BitwiseOr",
        "BitwiseXor")),
    *(case(op, flags(2, 3), flags(3)) for op in ("And", "Or", "Xor")),
    case("BitShift", whole(4, low=0, dtype="uint8"), np.array([1, 2, 3, 0], "uint8"),
         direction="LEFT"),
    case("Pow", positive(2, 3), normal(3)),
    case("Pow", normal(2, 3), np.array(2.0, "float32"), constants=(1,), label="-square"),
    case("Pow", positive(2, 3), np.array(3, "int64"), constants=(1,), label="-int"),
    case("Mod", whole(6), whole(6, low=1)),
    case("Mod", normal(6), positive(6), fmod=1, label="-fmod"),
    *(case(op, normal(2, 3), normal(3), normal(2, 1)) for op in ("Max", "Min", "Sum", "Mean")),
    case("Max", normal(2, 3), label="-one"),
    case("Where", flags(2, 3), normal(3), normal(2, 1)),
    case("Clip", normal(8), np.array(-0.5, "float32"), np.array(0.5, "float32"), constants=(1, 2)),
    case("Clip", normal(8), None, np.array(0.5, "float32"), constants=(2,), label="-upper"),
    case("Clip", normal(8), np.array(0.1, "float32"), constants=(1,), label="-lower"),
    case("Clip", normal(8), min=-0.25, max=0.5, opset=6),
    case("PRelu", normal(2, 3), normal(3)),
    case("Cast", normal(2, 3) * 5, to=TensorProto.INT32),
    case("Cast", whole(2, 3), to=TensorProto.BOOL, label="-bool"),
    case("Cast", whole(2, 3), to=TensorProto.DOUBLE, label="-double"),
    case("CastLike", whole(2, 3), normal(1)),
    # shapes
    case("Reshape", normal(2, 6), i64(3, -1), constants=(1,)),
    case("Reshape", normal(2, 6), i64(0, 2, 3), constants=(1,), label="-keep"),
    case("Flatten", normal(2, 3, 4)),
    case("Flatten", normal(2, 3, 4), axis=-1, label="-last"),
    case("Flatten", normal(2, 3, 4), axis=0, label="-first"),
    case("Expand", normal(3, 1), i64(2, 1, 4), constants=(1,)),
    case("Transpose", normal(2, 3, 4)),
    case("Transpose", normal(2, 3, 4), perm=[1, 0, 2], label="-perm"),
    case("Squeeze", normal(1, 3, 1), i64(0), constants=(1,)),
    case("Squeeze", normal(1, 3, 1), axes=[2], opset=11),
    case("Squeeze", normal(1, 3, 1), label="-all"),
    case("Unsqueeze", normal(3), i64(0, 2), constants=(1,)),
    case("Unsqueeze", normal(3), axes=[-1], opset=11),
    case("Concat", normal(2, 3), normal(1, 3), axis=0),
    case("Concat", normal(2, 3), normal(2, 1), axis=-1, label="-last"),
    case("Slice", normal(5, 6), i64(1, -3), i64(4, 1000), i64(0, 1), i64(2, 1),
         constants=(1, 2, 3, 4)),
    case("Slice", normal(5, 6), i64(-1), i64(-1000000), i64(0), i64(-1), constants=(1, 2, 3, 4),
         label="-backward"),
    case("Slice", normal(5, 6), starts=[1], ends=[3], axes=[-1], opset=9),
    case("Split", normal(6, 2), outputs=3, num_outputs=3),
    case("Split", normal(6, 2), i64(1, 5), constants=(1,), outputs=2, label="-sizes"),
    case("Split", normal(2, 6), axis=-1, split=[2, 4], opset=11, outputs=2),
    case("Tile", normal(2, 3), i64(2, 1), constants=(1,)),
    case("Pad", normal(2, 3), i64(1, 0, 0, 2), np.array(1.5, "float32"), constants=(1, 2)),
    case("Pad", normal(4, 3), i64(1, 0, 2, 1), constants=(1,), mode="reflect", label="-reflect"),
    case("Pad", normal(4, 3), i64(1, 0, 2, 1), constants=(1,), mode="edge", label="-edge"),
    case("Pad", normal(4, 3), i64(1, 2), None, i64(-1), constants=(1, 3), label="-axes"),
    case("Gather", normal(5, 3), i64(4, 0, -1), constants=(1,)),
    case("Gather", normal(2, 5), np.array(-2, "int64"), constants=(1,), axis=1, label="-scalar"),
    case("Gather", normal(5, 3), whole(2, 2, low=0, high=5, dtype="int64"), label="-data"),
    case("Gather", normal(5, 3), whole(2, 2, low=-5, high=5, dtype="int64"), label="-negative"),
    case("Gather", normal(2, 5), i64(-1, -5, 4, -3), axis=-1, label="-negative-last"),
    case(
        "GatherElements",
        normal(3, 4),
        whole(3, 4, low=-3, high=3, dtype="int64"),
        axis=0,
        label="-negative",
    ),
    case("GatherElements", normal(3, 4), whole(3, 4, low=0, high=3, dtype="int64"), axis=0),
    case("Trilu", normal(4, 4)),
    case("Trilu", normal(3, 4), np.array(-1, "int64"), constants=(1,), upper=0, label="-lower"),
    case("OneHot", whole(3, low=0, high=4, dtype="int64"), np.array(4, "int64"),
         np.array([0.5, 2.0], "float32"), constants=(1, 2)),
    # reductions
    *(case(op, positive(2, 3, 4), i64(1), constants=(1,), opset=18) for op in ("ReduceSum",
        "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
        "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")),
    case("ReduceMax", normal(2, 3, 4), axes=[0, -1], keepdims=0, opset=13),
    case("ReduceSum", normal(2, 3), opset=13),
    case("ReduceSum", normal(2, 3), noop_with_empty_axes=1, opset=13, label="-noop"),
    case("ArgMax", normal(3, 5), axis=1, keepdims=0),
    case("ArgMin", normal(3, 5)),
    case("CumSum", normal(3, 5), np.array(1, "int64"), constants=(1,)),
    # neural networks
    case("MatMul", normal(2, 3, 4), normal(4, 5)),
    case("Gemm", normal(3, 2), normal(4, 3), normal(4), transA=1, transB=1, alpha=0.5, beta=2.0),
    case("Gemm", normal(2, 3), normal(3, 4), label="-plain"),
    case("Conv", normal(1, 2, 6, 5), normal(3, 2, 3, 2), normal(3), pads=[1, 0, 2, 1],
         strides=[2, 1]),
    case("Conv", normal(1, 4, 8), normal(4, 2, 3), group=2, dilations=[2], label="-1d"),
    case("Conv", normal(1, 2, 7, 5), normal(2, 2, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2],
         label="-same"),
    case("MaxPool", normal(1, 2, 7, 7), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    case("MaxPool", normal(1, 2, 7), kernel_shape=[2], strides=[2], ceil_mode=1, label="-ceil"),
    case("AveragePool", normal(1, 2, 6, 6), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("AveragePool", normal(1, 2, 6, 6), kernel_shape=[3, 3], pads=[1, 1, 1, 1],
         count_include_pad=1, label="-padded"),
    case("GlobalAveragePool", normal(2, 3, 4, 5)),
    case("Softmax", normal(2, 3, 4)),
    case("Softmax", normal(2, 3, 4), axis=1, label="-axis"),
    case("LogSoftmax", normal(2, 3, 4), axis=1),
    case("BatchNormalization", normal(2, 3, 4), normal(3), normal(3), normal(3), positive(3)),
    case("LayerNormalization", normal(2, 3, 4), normal(4), normal(4)),
    case("LayerNormalization", normal(2, 3, 4), normal(3, 4), axis=1, label="-axis"),
    case("InstanceNormalization", normal(2, 3, 4, 4), normal(3), normal(3)),
    case("Dropout", normal(4)),
]  # fmt: skip


def value_info(name: str, array: Array) -> ValueInfoProto:
    code = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, code, array.shape)


@pytest.mark.parametrize("item", CASES, ids=str)
def test_operator_agrees_with_the_reference(item: Case) -> None:
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(item.inputs)]
    given = {n: a for n, a in zip(names, item.inputs, strict=True) if a is not None}
    fixed = {names[i]: given[names[i]] for i in item.constants}
    free = {n: a for n, a in given.items() if n not in fixed}
    outputs = [f"y{i}" for i in range(item.outputs)]
    node = helper.make_node(item.op, names, outputs, **item.attrs)
    unknown = [helper.make_empty_tensor_value_info(name) for name in outputs]
    inputs = [value_info(n, a) for n, a in free.items()]
    model = model_of([node], inputs, unknown, fixed, item.opset)
    expected = cast("list[Array]", ReferenceEvaluator(model).run(None, free))
    module = load(model)
    assert verify(module) == ()
    got = run(module, *free.values())
    results = got if isinstance(got, tuple) else (got,)
    for a, b in zip(results, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_softmax_of_old_operator_sets_flattens() -> None:
    x = normal(2, 3, 4)
    node = helper.make_node("Softmax", ["x"], ["y"])
    unknown = helper.make_empty_tensor_value_info("y")
    module = load(model_of([node], [value_info("x", x)], [unknown], opset=9))
    rows = np.exp(x.reshape(2, 12))
    expected = (rows / rows.sum(axis=1, keepdims=True)).reshape(2, 3, 4)
    np.testing.assert_allclose(run(module, x), expected, rtol=1e-5)


def test_global_max_pool_of_any_rank() -> None:
    """The reference implementation mistakes the channels for a spatial dimension."""
    for x in (normal(2, 3, 4), normal(2, 3, 4, 5)):
        node = helper.make_node("GlobalMaxPool", ["x"], ["y"])
        unknown = helper.make_empty_tensor_value_info("y")
        module = load(model_of([node], [value_info("x", x)], [unknown]))
        axes = tuple(range(2, x.ndim))
        np.testing.assert_array_equal(run(module, x), x.max(axis=axes, keepdims=True))


@pytest.mark.parametrize(("size", "before", "after"), [(3, 1, 1), (4, 1, 2), (1, 0, 0)])
def test_local_response_normalization(size: int, before: int, after: int) -> None:
    """The reference implementation takes the batch for the channels."""
    x = normal(2, 7, 3, 4)
    node = helper.make_node("LRN", ["x"], ["y"], size=size, alpha=0.1, beta=0.5, bias=2.0)
    unknown = helper.make_empty_tensor_value_info("y")
    module = load(model_of([node], [value_info("x", x)], [unknown]))
    sums = [(x[:, max(0, c - before) : c + after + 1] ** 2).sum(axis=1) for c in range(7)]
    expected = x / np.sqrt(2.0 + 0.1 / size * np.stack(sums, axis=1))
    np.testing.assert_allclose(run(module, x), expected, rtol=1e-5)


def test_constants_of_every_form() -> None:
    forms: dict[str, Any] = {
        "value": helper.make_tensor("t", TensorProto.INT32, [2], [1, 2]),
        "value_float": 1.5,
        "value_floats": [1.0, 2.0],
        "value_int": 3,
        "value_ints": [3, 4],
    }
    for name, value in forms.items():
        node = helper.make_node("Constant", [], ["y"], **{name: value})
        model = model_of([node], [], [helper.make_empty_tensor_value_info("y")])
        (expected,) = ReferenceEvaluator(model).run(None, {})
        got = run(load(model))
        np.testing.assert_array_equal(got, expected)


def test_shape_operators_are_folded() -> None:
    x = normal(2, 3)
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["y"]),
        helper.make_node("Size", ["x"], ["z"]),
        helper.make_node("Range", ["a", "b", "c"], ["r"]),
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in "yzr"]
    fixed = {n: np.array(v, "int64") for n, v in (("a", 1), ("b", 9), ("c", 3))}
    module = load(model_of(nodes, [value_info("x", x)], outputs, fixed))
    zeros, size, steps = run(module, x)
    np.testing.assert_array_equal(zeros, np.zeros((2, 3), "float32"))
    assert size == 6
    assert steps.tolist() == [1, 4, 7]


def test_every_converter_is_tested() -> None:
    tested = {item.op for item in CASES} | {"Constant", "ConstantOfShape", "GlobalMaxPool", "LRN"}
    tested |= {"Range", "Shape", "Size"}
    assert set(CONVERTERS) - tested == set()
