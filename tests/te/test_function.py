from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench import te
from workbench.interpret import run_tensor_function
from workbench.ir import (
    AxisKind,
    Block,
    BufferType,
    IntImm,
    Load,
    PrimExpr,
    TensorFunction,
    Var,
    free_vars,
    walk,
)
from workbench.ir.verify_tensor import verify_tensor_function
from workbench.support import CompileError


def matmul_relu() -> TensorFunction:
    n = te.var("n")
    a = te.placeholder((n, 8), name="A")
    b = te.placeholder((8, 4), name="B")
    k = te.reduce_axis(8, "k")
    c = te.compute((n, 4), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), "C")
    d = te.compute((n, 4), lambda *i: te.maximum(c[i], 0.0), "D")
    return te.create_tensor_function([a, b], [d])


def blocks(function: TensorFunction) -> list[Block]:
    return [node for node in walk(function.body) if isinstance(node, Block)]


def test_each_compute_is_a_block_with_its_axes() -> None:
    function = matmul_relu()
    found = blocks(function)
    assert [block.name for block in found] == ["C", "D"]
    assert [(axis.var.name, axis.kind) for axis in found[0].axes] == [
        ("v_i", AxisKind.SPATIAL),
        ("v_j", AxisKind.SPATIAL),
        ("v_k", AxisKind.REDUCE),
    ]
    assert [axis.value.name for axis in found[1].axes if isinstance(axis.value, Var)] == [
        "i0",
        "i1",
    ]
    assert found[0].init is not None
    assert found[1].init is None


def test_intermediate_tensors_are_allocations_and_outputs_are_last() -> None:
    function = matmul_relu()
    assert [param.name for param in function.params] == ["A", "B", "D"]
    assert [buffer.name for buffer in function.allocations] == ["C"]
    assert dict(function.attrs) == {"noalias": True}


def test_it_computes() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype("float32") for shape in ((3, 8), (8, 4)))
    d = np.empty((3, 4), "float32")
    run_tensor_function(matmul_relu(), [a, b, d])
    np.testing.assert_allclose(d, np.maximum(a @ b, 0), rtol=1e-5, atol=1e-6)


def test_ids_are_deterministic_and_within_the_function() -> None:
    first, second = matmul_relu(), matmul_relu()
    assert first == second
    ids = [*free_vars(first)] + [block.id for block in blocks(first)]
    assert len(set(ids)) == len(ids)
    assert all(0 <= number < first.next_id for number in ids)
    assert verify_tensor_function("f", first) == ()


def test_scalars_follow_the_outputs() -> None:
    alpha, x = te.var("alpha", "float32"), te.placeholder((3,), name="x")
    y = te.compute((3,), lambda i: x[i] * alpha, "y")
    function = te.create_tensor_function([x], [y], [alpha])
    assert [param.name for param in function.params] == ["x", "y", "alpha"]
    out = np.empty(3, "float32")
    run_tensor_function(function, [np.ones(3, "float32"), out], [2.5])
    np.testing.assert_array_equal(out, [2.5] * 3)


def test_a_scalar_may_be_a_dimension() -> None:
    n = te.var("n")
    y = te.compute((4,), lambda i: te.cast(i + n, "float32"), "y")
    function = te.create_tensor_function([], [y], [n])
    out = np.empty(4, "float32")
    run_tensor_function(function, [out], [10])
    np.testing.assert_array_equal(out, [10, 11, 12, 13])


def test_tensors_without_dimensions() -> None:
    x = te.placeholder((), name="x")
    y = te.compute((), lambda: x() * x[()], "y")
    out = np.empty((), "float32")
    run_tensor_function(te.create_tensor_function([x], [y]), [np.array(3, "float32"), out])
    assert out == 9


def test_an_output_that_is_an_input_is_copied() -> None:
    x = te.placeholder((3,), name="x")
    y = te.compute((3,), lambda i: x[i] + 1.0, "y")
    function = te.create_tensor_function([x], [x, y, y])
    outs = [np.empty(3, "float32") for _ in range(3)]
    run_tensor_function(function, [np.arange(3, dtype="float32"), *outs])
    assert [out.tolist() for out in outs] == [[0, 1, 2], [1, 2, 3], [1, 2, 3]]


def test_a_tensor_may_be_used_before_and_after() -> None:
    """A computed tensor can stand as an input: the function starts there."""
    x = te.placeholder((3,), name="x")
    y = te.compute((3,), lambda i: x[i] + 1.0, "y")
    z = te.compute((3,), lambda i: y[i] * 2.0, "z")
    function = te.create_tensor_function([y], [z])
    assert [block.name for block in blocks(function)] == ["z"]


@pytest.mark.parametrize(
    ("reduce", "numeric"),
    [(te.sum, np.sum), (te.prod, np.prod), (te.max, np.max), (te.min, np.min)],
)
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_reductions(reduce: Callable[..., Any], numeric: Callable[..., Any], dtype: str) -> None:
    x = te.placeholder((2, 3, 4), dtype, "x")
    k, r = te.reduce_axis(3, "k"), te.reduce_axis((0, 4), "r")
    y = te.compute((2,), lambda i: reduce(x[i, k, r], axis=[k, r]), "y")
    data = np.random.default_rng(1).integers(1, 4, (2, 3, 4)).astype(dtype)
    out = np.empty(2, dtype)
    run_tensor_function(te.create_tensor_function([x], [y]), [data, out])
    np.testing.assert_array_equal(out, numeric(data, axis=(1, 2)).astype(dtype))


def test_a_reduction_of_nothing_gives_the_identity() -> None:
    x = te.placeholder((2, 0), name="x")
    k = te.reduce_axis(0, "k")
    y = te.compute((2,), lambda i: te.max(x[i, k], axis=k), "y")
    out = np.zeros(2, "float32")
    run_tensor_function(te.create_tensor_function([x], [y]), [np.empty((2, 0), "float32"), out])
    assert np.isneginf(out).all()


def test_a_condition_selects_what_is_reduced() -> None:
    x = te.placeholder((5,), name="x")
    k = te.reduce_axis(5, "k")
    y = te.compute((), lambda: te.sum(x[k], axis=k, where=k >= 3), "y")
    out = np.empty((), "float32")
    run_tensor_function(te.create_tensor_function([x], [y]), [np.arange(5, dtype="float32"), out])
    assert out == 7


X = te.placeholder((3,), name="x")
K = te.reduce_axis(3, "k")


def read_of_unknown_symbol(i: Var) -> PrimExpr:
    return X[i] * te.cast(te.var("m"), "float32")


FAULTS: list[tuple[str, Callable[[], object]]] = [
    ("te/rank", lambda: X[0, 0]),
    ("te/rank", lambda: te.compute((3,), lambda i, j: X[i] + X[j], "y")),
    ("te/rank", lambda: te.compute((3, 3), lambda i: X[i], "y")),
    ("te/axis", lambda: te.sum(X[0], axis=[te.var("i")])),  # pyright: ignore[reportArgumentType]
    ("te/axis-start", lambda: te.reduce_axis((1, 3))),
    ("te/nested-reduction", lambda: te.sum(X[K], axis=K) + 1.0),
    (
        "te/unbound-input",
        lambda: te.create_tensor_function([], [te.compute((3,), lambda i: X[i])]),
    ),
    (
        "te/unbound-symbol",
        lambda: te.create_tensor_function([X], [te.compute((3,), read_of_unknown_symbol)]),
    ),
    (
        "te/unbound-symbol",
        lambda: te.create_tensor_function([X], [te.compute((3,), lambda i: X[i] + X[K])]),
    ),
]


@pytest.mark.parametrize(("code", "build"), FAULTS)
def test_mistakes_have_diagnostics(code: str, build: Callable[[], object]) -> None:
    with pytest.raises(CompileError) as caught:
        build()
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [code]


def test_max_and_min_of_two_scalars() -> None:
    y = te.compute((3,), lambda i: te.max(te.min(X[i], 2.0), 1.0), "y")
    out = np.empty(3, "float32")
    run_tensor_function(
        te.create_tensor_function([X], [y]), [np.array([0, 1.5, 3], "float32"), out]
    )
    assert out.tolist() == [1, 1.5, 2]


def test_numbers_take_the_dtype_of_the_other_operand() -> None:
    x = te.placeholder((3,), "int8", "x")
    y = te.compute((3,), lambda i: te.if_then_else(x[i] > 1, x[i] * 2, 0), "y")
    assert isinstance(y.type, BufferType)
    assert y.dtype == "int8"


def test_elements_are_loads_of_the_tensor() -> None:
    x = te.placeholder((3,), name="x")
    assert x[1] == Load(x, (IntImm(1),))
