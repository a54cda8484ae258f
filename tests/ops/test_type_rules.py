from __future__ import annotations

import numpy as np
import pytest

from tests.ops.cases import Case, bools, floats, ints, symbol
from workbench.ir import (
    Arg,
    Attr,
    Binary,
    Block,
    CallOp,
    Dim,
    ScalarType,
    ScalarValue,
    Shape,
    ShapeValue,
    TensorFunction,
    TensorType,
    TupleType,
    TupleValue,
    Var,
    infer_type,
    operator,
    type_of,
    walk,
)
from workbench.ops import scalar_arguments, tensor_arguments
from workbench.support import CompileError, NodeId

N, M = symbol("n", 0), symbol("m", 1)


def tensor(*dims: Dim, dtype: str = "float32", number: int = 9) -> Var:
    return Var(NodeId(number), "x", TensorType(dims, dtype))


def call(op: str, *args: Arg, **attrs: Attr) -> CallOp:
    return CallOp(op, args, tuple(sorted(attrs.items())))


def shape_of(result: object) -> tuple[Dim, ...] | None:
    assert isinstance(result, TensorType)
    return result.shape


def legalized(found: CallOp) -> TensorFunction | None:
    legalize = operator(found.op).legalize
    assert legalize is not None
    return legalize(found, tuple(map(type_of, found.args)), infer_type(found))


CONV = (floats(1, 3, 8, 8), floats(4, 3, 3, 3))
IMAGE = (floats(1, 1, 8, 8),)
FAULTS = [
    ("type/shape-mismatch", Case("add", (floats(2, 3), floats(4)))),
    ("type/shape-mismatch", Case("matmul", (floats(2, 3), floats(4, 3)))),
    ("type/shape-mismatch", Case("matmul", (floats(2, 2, 3), floats(3, 3, 3)))),
    ("type/shape-mismatch", Case("reshape", (floats(2, 3), (4, 2)))),
    ("type/shape-mismatch", Case("reshape", (floats(2, 3), (4, -1)))),
    ("type/shape-mismatch", Case("reshape", (floats(2, 3), (-1, -1)))),
    ("type/shape-mismatch", Case("broadcast_to", (floats(2, 3), (2, 4)))),
    ("type/shape-mismatch", Case("broadcast_to", (floats(2, 3), (3,)))),
    ("type/shape-mismatch", Case("concat", ((floats(2, 3), floats(3, 3)),), {"axis": 1})),
    ("type/shape-mismatch", Case("stack", ((floats(2), floats(3)),))),
    ("type/shape-mismatch", Case("squeeze", (floats(2, 3),), {"axis": 0})),
    ("type/shape-mismatch", Case("split", (floats(4),), {"indices_or_sections": 0})),
    ("type/shape-mismatch", Case("split", (floats(4),), {"indices_or_sections": (3, 2)})),
    ("type/shape-mismatch", Case("nn.conv2d", (floats(1, 3, 8, 8), floats(4, 2, 3, 3)))),
    ("type/shape-mismatch", Case("nn.conv2d", (floats(1, 3, 2, 2), floats(4, 3, 3, 3)))),
    ("type/shape-mismatch", Case("nn.max_pool2d", (floats(1, 1, 2, 2),), {"pool_size": 3})),
    ("type/shape-mismatch", Case("nn.layer_norm", (floats(2, 3), floats(4), floats(4)))),
    ("type/shape-mismatch", Case("linear", (floats(2, 3), floats(4, 3), floats(3)))),
    ("type/shape-mismatch", Case("gather_elements", (floats(2, 3), ints(3, 3)), {"axis": 1})),
    ("type/dtype-mismatch", Case("add", (floats(2), ints(2)))),
    ("type/dtype-mismatch", Case("matmul", (floats(2, 3), ints(3, 2)))),
    ("type/dtype-mismatch", Case("where", (bools(2), floats(2), ints(2)))),
    ("type/dtype-mismatch", Case("concat", ((floats(2), ints(2)),))),
    ("type/dtype", Case("exp", (ints(2),))),
    ("type/dtype", Case("add", (bools(2), bools(2)))),
    ("type/dtype", Case("logical_and", (ints(2), ints(2)))),
    ("type/dtype", Case("logical_not", (ints(2),))),
    ("type/dtype", Case("bitwise_and", (floats(2), floats(2)))),
    ("type/dtype", Case("where", (ints(2), floats(2), floats(2)))),
    ("type/dtype", Case("mean", (ints(2),))),
    ("type/dtype", Case("take", (floats(2), floats(2)))),
    ("type/dtype", Case("sum", (bools(2),))),
    ("type/unknown-dtype", Case("astype", (floats(2),), {"dtype": "float31"})),
    ("type/unknown-dtype", Case("zeros", ((2,),), {"dtype": "double"})),
    ("type/axis", Case("sum", (floats(2, 3),), {"axis": 2})),
    ("type/axis", Case("sum", (floats(2, 3),), {"axis": (0, -2)})),
    ("type/axis", Case("nn.softmax", (floats(2, 3),), {"axis": 5})),
    ("type/axis", Case("permute_dims", (floats(2, 3),), {"axes": (0,)})),
    ("type/axis", Case("take", (floats(2, 3), ints(2)))),
    ("type/rank", Case("matmul", (floats(), floats(3)))),
    ("type/rank", Case("nn.conv2d", (floats(3, 8, 8), floats(4, 3, 3, 3)))),
    ("type/rank", Case("tril", (floats(3),))),
    ("type/rank", Case("full", ((2,), floats(2)))),
    ("type/empty-reduction", Case("max", (floats(2, 0),), {"axis": 1})),
    ("type/empty-reduction", Case("argmax", (floats(0),), {"axis": 0})),
    ("type/attribute", Case("nn.conv2d", CONV, {"strides": 0})),
    ("type/attribute", Case("nn.conv2d", CONV, {"padding": (1, 2, 3)})),
    ("type/attribute", Case("nn.conv2d", CONV, {"data_layout": "NCHW4c"})),
    ("type/attribute", Case("nn.conv2d", (floats(1, 4, 8, 8), floats(5, 2, 3, 3)), {"groups": 2})),
    ("type/attribute", Case("nn.max_pool2d", IMAGE, {"pool_size": 2, "padding": 2})),
    ("type/attribute", Case("topk", (floats(3),), {"k": 4})),
    ("type/not-a-shape", Case("reshape", (floats(2), floats(2)))),
    ("type/not-a-tuple", Case("concat", (floats(2),))),
    ("type/not-a-tensor", Case("exp", ((2, 3),))),
    ("type/argument-count", Case("add", (floats(2),))),
    ("type/argument-count", Case("exp", (floats(2), floats(2)))),
    ("type/argument-count", Case("nn.pad", (floats(2, 2),), {"pad_width": (1, 1)})),
    ("op/unknown-attribute", Case("exp", (floats(2),), {"axis": 1})),
    ("op/unknown", Case("nn.rellu", (floats(2),))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "case"), FAULTS, ids=lambda value: str(value))
def test_faults_have_diagnostics(code: str, case: Case) -> None:
    with pytest.raises(CompileError) as caught:
        infer_type(case.call())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert "Var(" not in str(diagnostic)
    assert len(str(diagnostic).split("\n")) <= 12


def test_a_fault_says_what_was_expected_and_found() -> None:
    with pytest.raises(CompileError) as caught:
        infer_type(call("matmul", tensor(N, 8), tensor(4, M)))
    assert str(caught.value) == (
        "error[type/shape-mismatch]: `matmul` needs equal inner extents, got `8` and `4`\n"
        "  note: argument 0 is `(n, 8)`\n"
        "  note: argument 1 is `(4, m)`"
    )


# --- symbolic extents -------------------------------------------------------------------------


def test_equal_symbols_broadcast() -> None:
    assert shape_of(infer_type(call("add", tensor(N, 1), tensor(N, 4)))) == (N, 4)
    assert shape_of(infer_type(call("add", tensor(N * 2), tensor(2 * N)))) == (N * 2,)


def test_symbols_that_may_differ_have_no_shape_and_no_tensor_form() -> None:
    found = call("add", tensor(N, 4), tensor(M, 4))
    assert infer_type(found) == TensorType(None, "float32", 2)
    assert legalized(found) is None


def test_extents_that_may_differ_are_left_to_the_reference() -> None:
    found = call("matmul", tensor(2, N), tensor(M, 3))
    assert shape_of(infer_type(found)) == (2, 3)
    assert legalized(found) is None


def test_extents_that_always_differ_are_a_fault() -> None:
    with pytest.raises(CompileError):
        infer_type(call("matmul", tensor(2, N), tensor(N + 1, 3)))


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [
        ((N, 8, 4), (N, 32), (N, 32)),
        ((N, 8, 4), (-1, 4), (N * 8, 4)),
        ((N, 8, 4), (N, -1), (N, 32)),
        ((N * 6,), (N, -1), (N, 6)),
        ((N, M), (M * N,), (M * N,)),
        ((N, 2048, 64), (N, 512, 256), (N, 512, 256)),
    ],
)
def test_reshape_with_symbols(source: Shape, target: Shape, wanted: Shape) -> None:
    found = call("reshape", tensor(*source), ShapeValue(target))
    assert shape_of(infer_type(found)) == wanted
    assert legalized(found) is not None


def test_reshape_that_symbols_do_not_decide_runs_on_the_reference() -> None:
    found = call("reshape", tensor(N, 4), ShapeValue((2, -1)))
    assert shape_of(infer_type(found)) == (2, (N * 4) // 2) or legalized(found) is not None
    assert legalized(call("reshape", tensor(N, 3), ShapeValue((2, -1)))) is None


def test_concat_and_slices_add_up() -> None:
    pair = CallOp("concat", (TupleValue((tensor(N, 2), tensor(M, 2))),), (("axis", 0),))
    assert shape_of(infer_type(pair)) == (N + M, 2)
    same = CallOp("concat", (TupleValue((tensor(N), tensor(N))),), (("axis", 0),))
    assert shape_of(infer_type(same)) == (N * 2,)


def test_a_compound_extent_without_its_symbol_becomes_a_symbol_of_the_function() -> None:
    """No buffer has extent `n` alone, so the function cannot solve for `n`."""
    function = legalized(call("exp", tensor(N + 1, 4)))
    assert function is not None
    extents = [param.type.shape[0] for param in function.params]  # pyright: ignore
    assert all(isinstance(extent, Var) for extent in extents)
    assert extents[0] == extents[1]


# --- scalars ----------------------------------------------------------------------------------


def test_constants_are_part_of_the_form_and_other_scalars_are_parameters() -> None:
    high = Var(NodeId(4), "high", ScalarType("float32"))
    found = call("clip", tensor(3), Case("clip", (-1.0,)).call().args[0], high)
    function = legalized(found)
    assert function is not None
    assert [param.name for param in function.params] == ["x", "compute", "high"]
    assert tensor_arguments(found) == (found.args[0],)
    assert scalar_arguments(found) == (high,)


def test_a_range_to_a_symbol_has_its_extent() -> None:
    found = call("arange", ScalarValue(N))
    assert shape_of(infer_type(found)) == (N,)
    function = legalized(found)
    assert function is not None
    assert len(function.params) == 1 + len(scalar_arguments(found))


# --- unknown shapes ---------------------------------------------------------------------------


def test_ranks_survive_unknown_extents() -> None:
    unknown = Var(NodeId(3), "x", TensorType(None, "float32", 3))
    assert infer_type(call("exp", unknown)) == TensorType(None, "float32", 3)
    assert infer_type(call("sum", unknown, axis=1)) == TensorType(None, "float32", 2)
    assert infer_type(call("equal", unknown, unknown)) == TensorType(None, "bool", 3)
    assert infer_type(call("matmul", unknown, tensor(4, 5))) == TensorType(None, "float32", 3)
    assert infer_type(call("nn.dropout", unknown)) == TupleType((unknown.type, unknown.type))


def test_dtypes_survive_unknown_ranks() -> None:
    unknown = Var(NodeId(3), "x", TensorType(None, "float32"))
    assert infer_type(call("exp", unknown)) == TensorType(None, "float32")
    assert infer_type(call("less", unknown, unknown)) == TensorType(None, "bool")
    assert infer_type(call("astype", unknown, dtype="int8")) == TensorType(None, "int8")
    assert legalized(call("exp", unknown)) is None


# --- forms that schedules rely on -------------------------------------------------------------


def block_axes(function: TensorFunction | None) -> dict[str, str]:
    assert function is not None
    return {
        node.name: " ".join(f"{axis.var.name}{axis.kind.value[0]}" for axis in node.axes)
        for node in walk(function.body)
        if isinstance(node, Block)
    }


def test_blocks_and_their_axes() -> None:
    conv = Case("nn.conv2d", (floats(1, 2, 8, 8), floats(3, 2, 3, 3)), {"padding": 1}).call()
    axes = "v_ns v_fs v_ys v_xs v_rcr v_ryr v_rxr"
    assert block_axes(legalized(conv)) == {
        "pad_temp": "v_i0s v_i1s v_i2s v_i3s",
        "conv2d_nchw": axes,
    }
    plain = Case("nn.conv2d", (floats(1, 2, 8, 8), floats(3, 2, 1, 1))).call()
    assert block_axes(legalized(plain)) == {"conv2d_nchw": axes}
    product = Case("matmul", (floats(2, 4, 3), floats(3, 5))).call()
    assert block_axes(legalized(product)) == {"matmul": "v_bs v_is v_js v_kr"}
    softmax = Case("nn.softmax", (floats(4, 8),)).call()
    assert list(block_axes(legalized(softmax))) == [
        "T_softmax_maxelem",
        "T_softmax_exp",
        "T_softmax_expsum",
        "T_softmax_norm",
    ]


def test_reshape_of_unit_extents_needs_no_arithmetic() -> None:
    for source, target in (((4, 5), (4, 1, 5)), ((1, 4, 1, 5), (4, 5)), ((N, 6, 5), (N, 6, 5, 1))):
        function = legalized(call("reshape", tensor(*source), ShapeValue(target)))
        assert function is not None
        assert not [node for node in walk(function.body) if isinstance(node, Binary)]


def test_indices_out_of_range_are_refused_by_the_reference() -> None:
    case = Case("take", (floats(4), np.array([4])), {"axis": 0})
    with pytest.raises(CompileError) as caught:
        operator("take").reference(case.call(), *case.values)
    assert caught.value.diagnostics[0].code == "run/out-of-bounds"
