"""One or more calls of every operator, on small arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.ir import (
    Arg,
    CallOp,
    Dim,
    FloatImm,
    IntImm,
    ScalarType,
    ScalarValue,
    ShapeValue,
    TensorType,
    TupleValue,
    Var,
)
from workbench.support import NodeId

Array = NDArray[Any]


def _is_shape(value: object) -> bool:
    items = cast("tuple[object, ...]", value)
    return isinstance(value, tuple) and all(isinstance(item, int) for item in items)


@dataclass(frozen=True)
class Case:
    """`values` are arrays, tuples of arrays, tuples of ints (shapes), or Python numbers."""

    op: str
    values: tuple[Any, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-5

    def __str__(self) -> str:
        shapes = "-".join(
            "x".join(map(str, v.shape)) or "scalar" if isinstance(v, np.ndarray) else str(v)
            for v in self.values
            if isinstance(v, np.ndarray) or _is_shape(v)
        )
        attrs = ",".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{self.op}[{shapes}]{attrs}".replace(" ", "")

    def call(self, symbols: dict[int, Var] | None = None) -> CallOp:
        """The call; with `symbols`, an extent that it names becomes symbolic."""
        ids = iter(range(100, 200))
        args = tuple(_arg(value, ids, symbols or {}) for value in self.values)
        return CallOp(self.op, args, tuple(sorted(self.attrs.items())))

    def arrays(self) -> list[NDArray[Any]]:
        """The tensors among the values, tuples flattened."""
        return list(_arrays(self.values))


def _arrays(value: object) -> Sequence[NDArray[Any]]:
    if isinstance(value, np.ndarray):
        return [value]
    return [a for item in value for a in _arrays(item)] if isinstance(value, tuple) else []


def symbol(name: str, number: int) -> Var:
    return Var(NodeId(number), name, ScalarType())


def _arg(value: object, ids: Iterator[int], symbols: dict[int, Var]) -> Arg:
    match value:
        case np.ndarray():
            return Var(
                NodeId(next(ids)), "v", TensorType(_dims(value.shape, symbols), str(value.dtype))
            )
        case tuple() if value and isinstance(value[0], np.ndarray):
            return TupleValue(tuple(_arg(item, ids, symbols) for item in value))
        case tuple():
            return ShapeValue(_dims(value, symbols))
        case int():
            return ScalarValue(IntImm(value))
        case float():
            return ScalarValue(FloatImm(value))
        case _:
            raise TypeError(type(value))


def _dims(shape: tuple[int, ...], symbols: dict[int, Var]) -> tuple[Dim, ...]:
    known: dict[int, Dim] = dict(symbols)
    return tuple(known.get(extent, extent) for extent in shape)


_rng = np.random.default_rng(7)


def floats(*shape: int, low: float = -2.0, high: float = 2.0, dtype: str = "float32") -> Array:
    return _rng.uniform(low, high, shape).astype(dtype)


def ints(*shape: int, low: int = -9, high: int = 9, dtype: str = "int64") -> Array:
    return _rng.integers(low, high, shape).astype(dtype)


def bools(*shape: int) -> Array:
    return _rng.integers(0, 2, shape).astype(bool)


NAN = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0, 1.5, -2.5, 0.5], dtype="float32")
NO_NAN = NAN[1:]

elementwise_cases = [
    Case(op, (floats(2, 3, low=low, high=high),))
    for op, low, high in [
        ("acos", -1, 1), ("acosh", 1, 3), ("asin", -1, 1), ("asinh", -3, 3), ("atan", -3, 3),
        ("atanh", -0.9, 0.9), ("cos", -3, 3), ("cosh", -3, 3), ("erf", -3, 3), ("exp", -3, 3),
        ("log", 0.1, 3), ("rsqrt", 0.1, 3), ("sigmoid", -9, 9), ("sin", -3, 3), ("sinh", -3, 3),
        ("sqrt", 0, 3), ("tan", -1, 1), ("tanh", -3, 3), ("abs", -3, 3), ("ceil", -3, 3),
        ("floor", -3, 3), ("round", -3, 3), ("trunc", -3, 3), ("negative", -3, 3),
        ("sign", -3, 3), ("square", -3, 3), ("nn.relu", -3, 3), ("nn.relu6", -9, 9),
        ("nn.gelu", -3, 3), ("nn.gelu_tanh", -3, 3), ("nn.silu", -3, 3), ("nn.leakyrelu", -3, 3),
        ("nn.softplus", -30, 30),
    ]
]  # fmt: skip
elementwise_cases += [
    Case(op, (NAN,))
    for op in (
        "abs", "ceil", "erf", "exp", "floor", "isfinite", "isinf", "isnan", "log", "negative",
        "nn.relu", "nn.relu6", "round", "sign", "sqrt", "tanh", "trunc", "nn.leakyrelu", "sigmoid",
    )
]  # fmt: skip
elementwise_cases += [
    Case(op, (ints(5, dtype="int32"),))
    for op in ("abs", "ceil", "negative", "sign", "square", "bitwise_not", "nn.relu", "round")
]
elementwise_cases += [
    Case("logical_not", (bools(4),)),
    Case("exp", (floats(0, 3),)),
    Case("exp", (floats(),)),
    Case("exp", (floats(3, dtype="float16"),), tolerance=1e-2),
    Case("tanh", (floats(3, dtype="float64"),), tolerance=1e-12),
    Case("clip", (NAN, -1.0, 1.0)),
    Case("clip", (ints(3, 4, dtype="int32"), np.array(-2, "int32"), np.array(3, "int32"))),
    Case("tril", (floats(2, 3, 4),), {"k": -1}),
    Case("triu", (floats(3, 3),), {"k": 1}),
    *(
        Case("astype", (x,), {"dtype": dtype})
        for x in (NAN, ints(4, low=-300, high=300), bools(3), floats(2, 2) * 1e12)
        for dtype in ("float16", "bfloat16", "float64", "int8", "uint8", "int32", "int64", "bool")
    ),
]

_PAIRS = ("add", "subtract", "multiply", "divide", "floor_divide", "mod", "floor_mod")
_PAIRS_OF_ALL = (*_PAIRS, "maximum", "minimum")
_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_POSITIVE = ints(2, 3, low=1)
arithmetic_cases = [
    case
    for op in (*_PAIRS_OF_ALL, *_COMPARISONS)
    for case in (
        Case(op, (floats(2, 3), floats(2, 3))),
        Case(op, (floats(2, 1, 3), floats(4, 1))),
        Case(op, (floats(), floats(3))),
        Case(op, (ints(2, 3), ints(2, 3, low=1))),
        Case(op, (ints(2, 3), ints(2, 3, high=-1, low=-5))),
    )
]
arithmetic_cases += [
    Case(op, (NAN[:, None], NAN)) for op in ("add", "divide", "maximum", "minimum", *_COMPARISONS)
]
arithmetic_cases += [
    Case("power", (floats(2, 3, low=0.1), floats(3))),
    Case("power", (floats(2), 3.0)),
    Case("atan2", (floats(4), floats(4))),
    *(Case(op, (bools(4, 1), bools(4))) for op in ("logical_and", "logical_or", "logical_xor")),
    *(Case(op, (ints(4), ints(4))) for op in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    *(Case(op, (ints(6), ints(6, low=0, high=5))) for op in ("left_shift", "right_shift")),
    Case("where", (bools(2, 1), floats(2, 3), floats(3))),
    Case("where", (bools(3), NAN[:3], floats())),
]

reduce_cases = [
    Case(op, (floats(2, 3, 4),), attrs)
    for op in ("sum", "prod", "max", "min", "mean", "variance", "std")
    for attrs in (
        {},
        {"axis": 1},
        {"axis": (-1, 0), "keepdims": True},
        {"axis": (), "keepdims": False},
    )
]
reduce_cases += [
    Case(op, (np.stack([NAN, NAN[::-1]]),), {"axis": 1}) for op in ("max", "min", "sum")
]
reduce_cases += [
    Case("sum", (ints(3, 4, dtype="int32"),), {"axis": 0}),
    Case("max", (ints(3, 4, dtype="int8"),)),
    Case("max", (bools(3, 4),), {"axis": 0}),
    Case("min", (bools(3, 4),), {"axis": 0}),
    Case("sum", (floats(0, 3),), {"axis": 0}),
    Case("prod", (floats(2, 0),), {"axis": 1}),
    *(
        Case(op, (x,), attrs)
        for op in ("argmax", "argmin")
        for x, attrs in (
            (floats(3, 4), {"axis": 1}),
            (floats(3, 4), {"axis": 0, "keepdims": True}),
            (floats(3, 4), {}),
            (np.array([1.0, 3.0, 3.0, 1.0], dtype="float32"), {"axis": 0}),
            (np.array([[1.0, np.nan], [np.nan, 2.0]], dtype="float32"), {"axis": 1}),
        )
    ),
    *(
        Case(op, (floats(3, 4),), attrs)
        for op in ("cumsum", "cumprod")
        for attrs in ({}, {"axis": 1}, {"axis": 0, "exclusive": True}, {"dtype": "float64"})
    ),
]

matmul_cases = [
    Case("matmul", (floats(*a), floats(*b)))
    for a, b in [
        ((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((5, 2, 3), (3, 4)),
        ((5, 1, 2, 3), (6, 3, 4)), ((2, 1), (1, 4)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)),
        ((2, 0), (0, 3)),
    ]
]  # fmt: skip
matmul_cases += [
    Case("matmul", (ints(2, 3, dtype="int8"), ints(3, 2, dtype="int8")), {"out_dtype": "int32"}),
    Case("linear", (floats(2, 5, 3), floats(4, 3), floats(4))),
    Case("linear", (floats(5, 3), floats(4, 3))),
]

reshape_cases = [
    Case("reshape", (floats(*source), target))
    for source, target in [
        ((2, 3, 4), (6, 4)), ((2, 3, 4), (2, 12)), ((2, 3, 4), (4, 3, 2)), ((2, 3), (1, 2, 1, 3)),
        ((1, 6), (2, 3)), ((2, 3, 4), (-1,)), ((2, 3, 4), (3, -1, 2)), ((), (1, 1)), ((1, 1), ()),
        ((0, 3), (3, 0)), ((2, 6, 5), (2, 2, 3, 5)),
    ]
]  # fmt: skip
reshape_cases += [
    Case("flatten", (floats(2, 3, 4),)),
    Case("expand_dims", (floats(2, 3),), {"axis": (0, -1)}),
    Case("expand_dims", (floats(),), {"axis": 0}),
    Case("squeeze", (floats(1, 2, 1, 3),), {}),
    Case("squeeze", (floats(1, 2, 1, 3),), {"axis": (0,)}),
    Case("squeeze", (floats(1, 2, 1, 3),), {"axis": -2}),
    Case("permute_dims", (floats(2, 3, 4),), {}),
    Case("permute_dims", (floats(2, 3, 4),), {"axes": (1, -1, 0)}),
    Case("broadcast_to", (floats(3, 1), (2, 3, 4))),
    Case("broadcast_to", (floats(), (2, 2))),
]

_SLICE = ("axes", "begin", "end", "strides")
join_cases = [
    Case("concat", ((floats(2, 3), floats(2, 1), floats(2, 4)),), {"axis": 1}),
    Case("concat", ((floats(2), floats(3)),), {"axis": -1}),
    Case("concat", ((floats(2, 0), floats(2, 2)),), {"axis": 1}),
    Case("stack", ((floats(2, 3), floats(2, 3), floats(2, 3)),), {"axis": 1}),
    Case("stack", ((floats(2, 3), floats(2, 3)),), {"axis": -1}),
    Case("split", (floats(7, 2),), {"indices_or_sections": 3}),
    Case("split", (floats(2, 7),), {"indices_or_sections": (2, 5), "axis": -1}),
    Case("split", (floats(2, 7),), {"indices_or_sections": 1, "axis": 1}),
    *(
        Case("strided_slice", (floats(5, 6),), dict(zip(_SLICE, s, strict=False)))
        for s in [
            ((0,), (1,), (4,)), ((1,), (0,), (2**31 - 1,)), ((0, 1), (-3, 1), (-1, 99), (1, 2)),
            ((1,), (-1,), (-(2**31),), (-1,)), ((1,), (4,), (1,), (-2,)), ((0,), (3,), (2,)),
            ((0,), (-99,), (2,)), ((0,), (2,), (2**63 - 1,), (2,)),
        ]
    ),
    Case("flip", (floats(2, 3),), {"axis": 1}),
    Case("flip", (floats(2, 3),), {"axis": (0, 1)}),
    Case("repeat", (floats(2, 3),), {"repeats": 2, "axis": 1}),
    Case("tile", (floats(2, 3),), {"repeats": (2, 1, 2)}),
    Case("tile", (floats(2, 3),), {"repeats": 2}),
    *(
        Case("nn.pad", (floats(3, 4),), {"pad_width": (1, 2, 0, 1), "pad_mode": mode})
        for mode in ("constant", "reflect", "edge")
    ),
    Case("nn.pad", (floats(2, 2),), {"pad_width": (0, 0, 0, 0)}),
    Case("nn.pad", (floats(2, 2),), {"pad_width": (1, 0, 0, 1), "pad_value": 2.5}),
]  # fmt: skip

indexing_cases = [
    Case("take", (floats(4, 5), ints(2, 3, low=0, high=4)), {"axis": 0}),
    Case("take", (floats(4, 5), ints(3, low=0, high=5, dtype="int32")), {"axis": -1}),
    Case("take", (floats(6), ints(2, low=0, high=5)), {}),
    Case("take", (floats(3, 4), ints(low=0, high=3)), {"axis": 1}),
    Case("take", (floats(4, 5), ints(3)), {"axis": 0, "mode": "wrap"}),
    Case("take", (floats(4, 5), ints(3)), {"axis": 0, "mode": "clip"}),
    Case("gather_elements", (floats(3, 4), ints(3, 2, low=0, high=4)), {"axis": 1}),
    Case("gather_nd", (floats(3, 4, 5), ints(2, 6, 2, low=0, high=3)), {}),
    Case("gather_nd", (floats(2, 4, 5), ints(2, 3, 1, low=0, high=4)), {"batch_dims": 1}),
    Case("one_hot", (ints(2, 3, low=0, high=4), 1.0, 0.0), {"depth": 4}),
    Case("one_hot", (ints(2, 3, low=-1, high=5), 2.5, -1.0), {"depth": 3, "axis": 1}),
    Case("one_hot", (ints(low=0, high=3), floats(), floats()), {"depth": 3, "axis": 0}),
    *(
        Case(
            "scatter_elements",
            (floats(3, 4), ints(2, 4, low=0, high=3), floats(2, 4)),
            {"reduction": mode},
        )
        for mode in ("update", "add", "mul", "max", "min")
    ),
    Case("scatter_nd", (floats(3, 4), np.array([[0, 1], [2, 3]]), floats(2)), {}),
    Case("scatter_nd", (floats(3, 4), np.array([[0], [2]]), floats(2, 4)), {"reduction": "add"}),
    Case("sort", (floats(3, 4),), {"axis": 0}),
    Case("sort", (floats(3, 4),), {"descending": True}),
    Case("argsort", (ints(3, 6, high=0, low=-4),), {"descending": True}),
    Case("argsort", (ints(3, 6, high=0, low=-4),), {"dtype": "int64"}),
    Case("topk", (floats(3, 5),), {"k": 2}),
    Case("topk", (floats(3, 5),), {"k": 2, "axis": 0, "largest": False, "ret_type": "values"}),
    Case("topk", (floats(3, 5),), {"k": -1, "ret_type": "indices", "dtype": "int64"}),
    Case("nonzero", (bools(3, 4),)),
]

creation_cases = [
    Case("full", ((2, 3), 1.5)),
    Case("full", ((2, 3), floats()), {"dtype": "float64"}),
    Case("full", ((), 2)),
    Case("zeros", ((2, 0),), {"dtype": "int32"}),
    Case("ones", ((2, 3),), {"dtype": "bool"}),
    Case("ones", ((4,),)),
    Case("zeros_like", (floats(2, 3),), {"dtype": "int8"}),
    Case("ones_like", (ints(2, 3),), {}),
    Case("full_like", (floats(2, 3), ints(low=3)), {}),
    Case("arange", (5,)),
    Case("arange", (2, 11, 3), {"dtype": "int32"}),
    Case("arange", (5, 0, -2)),
    Case("arange", (0.0, 1.0, 0.25), {"dtype": "float32"}),
    Case("shape_of", (floats(2, 3),)),
    Case("shape_to_tensor", ((2, 3),)),
    Case("tensor_to_shape", (ints(3, low=0),)),
]

nn_cases = [
    *(
        Case(op, (x,), {"axis": axis})
        for op in ("nn.softmax", "nn.log_softmax")
        for x in (floats(2, 3, 4), floats(2, 3, 4) * 100)
        for axis in (-1, 1, 0)
    ),
    Case("nn.prelu", (floats(2, 3, 4), floats(3))),
    Case("nn.prelu", (floats(2, 3, 4), floats(1)), {"axis": 2}),
    Case("nn.layer_norm", (floats(2, 3, 4), floats(4), floats(4))),
    Case("nn.layer_norm", (floats(2, 3, 4), floats(3, 4), floats(3, 4)), {"axes": (1, 2)}),
    Case("nn.layer_norm", (floats(2, 3, 4), floats(3), floats(3)), {"axes": 1, "center": False}),
    Case("nn.rms_norm", (floats(2, 3, 4), floats(4))),
    Case("nn.group_norm", (floats(2, 6, 3), floats(6), floats(6)), {"num_groups": 3}),
    Case("nn.instance_norm", (floats(2, 3, 4, 2), floats(3), floats(3))),
    Case("nn.batch_norm", (floats(2, 3, 4), *(floats(3, low=0.5) for _ in range(4)))),
    Case(
        "nn.batch_norm",
        (floats(2, 4, 3), *(floats(3, low=0.5) for _ in range(4))),
        {"axis": -1, "training": True, "momentum": 0.25},
    ),
    Case("nn.dropout", (floats(2, 3),), {"rate": 0.1}),
]

_UNEVEN = {"padding": (1, 0, 2, 1), "strides": (2, 1)}
_IMAGES = {rank: floats(1, 2, *(7, 6, 5)[:rank]) for rank in (1, 2, 3)}
windows_cases = [
    Case("nn.conv2d", (floats(2, 3, 5, 6), floats(4, 3, 3, 2)), {}),
    Case("nn.conv2d", (floats(1, 2, 5, 6), floats(3, 2, 1, 1)), {}),
    Case("nn.conv2d", (floats(1, 2, 6, 6), floats(3, 2, 3, 3)), {"padding": 1, "strides": 2}),
    Case("nn.conv2d", (floats(1, 2, 6, 6), floats(3, 2, 3, 3)), _UNEVEN),
    Case("nn.conv2d", (floats(1, 2, 7, 7), floats(3, 2, 3, 3)), {"dilation": (2, 3)}),
    Case("nn.conv2d", (floats(1, 4, 5, 5), floats(6, 2, 3, 3)), {"groups": 2, "padding": 1}),
    Case("nn.conv2d", (floats(1, 3, 5, 5), floats(3, 1, 3, 3)), {"groups": 3}),
    Case(
        "nn.conv2d",
        (floats(1, 5, 6, 3), floats(3, 3, 3, 4)),
        {"data_layout": "NHWC", "kernel_layout": "HWIO", "padding": (1, 1)},
    ),
    Case(
        "nn.conv2d",
        (floats(1, 5, 6, 3), floats(4, 3, 3, 3)),
        {"data_layout": "NHWC", "kernel_layout": "OHWI", "out_layout": "NCHW"},
    ),
    Case(
        "nn.conv2d",
        (ints(1, 2, 4, 4, dtype="int8"), ints(2, 2, 3, 3, dtype="int8")),
        {"out_dtype": "int32", "padding": 1},
    ),
    Case("nn.conv1d", (floats(2, 3, 8), floats(4, 3, 3)), {"padding": 1, "strides": 2}),
    Case(
        "nn.conv1d",
        (floats(2, 8, 3), floats(3, 3, 4)),
        {"data_layout": "NWC", "kernel_layout": "WIO"},
    ),
    Case("nn.conv3d", (floats(1, 2, 3, 4, 3), floats(2, 2, 2, 2, 2)), {"padding": 1}),
    *(
        Case(f"nn.{kind}_pool{rank}d", (_IMAGES[rank],), {"pool_size": (3,) * rank, **attrs})
        for kind in ("max", "avg")
        for rank in (1, 2, 3)
        for attrs in (
            {},
            {"strides": 2, "padding": 1},
            {"strides": 2, "ceil_mode": True},
            {"strides": 3, "padding": 1, "ceil_mode": True, "count_include_pad": True},
            {"dilation": 2, "padding": 1},
        )
    ),
    Case("nn.max_pool2d", (ints(1, 1, 4, 4, dtype="int8"),), {"pool_size": 2, "strides": 2}),
    Case("nn.max_pool2d", (floats(1, 5, 5, 2),), {"pool_size": 3, "padding": 1, "layout": "NHWC"}),
    Case(
        "nn.avg_pool2d",
        (floats(1, 5, 5, 2),),
        {"pool_size": (2, 3), "padding": (0, 1), "layout": "NHWC"},
    ),
    *(
        Case(f"nn.adaptive_avg_pool{rank}d", (_IMAGES[rank],), {"output_size": size})
        for rank in (1, 2, 3)
        for size in (1, 3, None)
    ),
]  # fmt: skip

CASES = [
    *elementwise_cases,
    *arithmetic_cases,
    *reduce_cases,
    *matmul_cases,
    *reshape_cases,
    *join_cases,
    *indexing_cases,
    *creation_cases,
    *nn_cases,
    *windows_cases,
    Case("layout_transform", (floats(4, 6),), {"index_map": "lambda i, j: (j // 3, i, j % 3)"}),
    Case(
        "layout_transform",
        (floats(5, 2),),
        {"index_map": "lambda i, j: (i // 4, j, i % 4)", "pad_value": 1.5},
    ),
    Case("unique", (ints(4, 5, low=0, high=3),)),
    Case("unique", (ints(6, 2, low=0, high=2),), {"axis": 0}),
    Case(
        "unique",
        (ints(3, 4, low=0, high=3),),
        {"return_index": True, "return_inverse": True, "return_counts": True},
    ),
    Case(
        "dynamic_strided_slice",
        (floats(5, 6), np.array([1, -1]), np.array([4, -(2**31)]), np.array([1, -2])),
    ),
    Case("gather_nd", (floats(3, 4), ints(5, 2, low=0, high=3))),
]
