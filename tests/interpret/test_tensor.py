"""Tensor functions in the interpreter: scalar semantics, blocks, faults."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interpret.programs import Names, load, matmul, pairwise, unary
from workbench.interpret import run_tensor_function
from workbench.interpret.tensor import compile_function, fresh_array
from workbench.ir import (
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferRegion,
    BufferType,
    Cast,
    For,
    If,
    IntImm,
    Intrinsic,
    MatchBuffer,
    Not,
    Range,
    Select,
    Seq,
    Store,
    TensorFunction,
    While,
    as_expr,
)
from workbench.support import CompileError


def apply(function: TensorFunction, *inputs: np.ndarray) -> np.ndarray:
    """The last parameter after a run."""
    out_type = function.params[-1].type
    assert isinstance(out_type, BufferType)
    shape = tuple(d for d in out_type.shape if isinstance(d, int))
    out = fresh_array(shape, out_type.dtype)
    run_tensor_function(function, [*inputs, out])
    return out


def test_float32_rounds_after_each_operation() -> None:
    function = pairwise(lambda x, y: (x + y) - x, "float32")
    x, y = np.full(4, 2**24, "float32"), np.full(4, 1.0, "float32")
    np.testing.assert_array_equal(apply(function, x, y), np.zeros(4, "float32"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arithmetic_is_numpys(dtype: str, rng: np.random.Generator) -> None:
    x, y = (rng.normal(size=4).astype(dtype) for _ in range(2))
    for make in (lambda a, b: a * b + a, lambda a, b: a / b - b):
        np.testing.assert_array_equal(apply(pairwise(make, dtype), x, y), make(x, y))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers_wrap(dtype: str) -> None:
    info = np.iinfo(dtype)
    x = np.array([info.max, info.min, info.max, 3], dtype)
    y = np.array([1, 1, info.max, 2], dtype)
    for make in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b):
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(apply(pairwise(make, dtype), x, y), make(x, y))


def test_divisions_of_integers() -> None:
    x, y = np.array([7, -7, 7, -7], "int32"), np.array([2, 2, -2, -2], "int32")

    def op(kind: BinaryOp) -> np.ndarray:
        return apply(pairwise(lambda a, b: Binary(kind, a, b), "int32"), x, y)

    assert op(BinaryOp.FLOORDIV).tolist() == [3, -4, -4, 3]
    assert op(BinaryOp.FLOORMOD).tolist() == [1, 1, -1, -1]
    assert op(BinaryOp.TRUNCDIV).tolist() == [3, -3, -3, 3]
    assert op(BinaryOp.TRUNCMOD).tolist() == [1, -1, 1, -1]


def test_division_by_zero_is_a_fault_for_integers_only() -> None:
    zero = np.zeros(4, "int32")
    with pytest.raises(CompileError, match="run/division-by-zero"):
        apply(pairwise(lambda a, b: a // b, "int32"), zero, zero)
    result = apply(
        pairwise(lambda a, b: a / b, "float32"), np.ones(4, "float32"), np.zeros(4, "float32")
    )
    assert np.all(np.isinf(result))


def test_extrema_propagate_nan() -> None:
    x, y = np.array([np.nan, 1, 2, np.nan], "float32"), np.array([1, np.nan, 1, np.nan], "float32")
    largest = apply(pairwise(lambda a, b: Binary(BinaryOp.MAX, a, b), "float32"), x, y)
    smallest = apply(pairwise(lambda a, b: Binary(BinaryOp.MIN, a, b), "float32"), x, y)
    np.testing.assert_array_equal(largest, np.maximum(x, y))
    np.testing.assert_array_equal(smallest, np.minimum(x, y))


def test_casts() -> None:
    x = np.array([1.9, -1.9, 300.0, np.nan], "float32")
    assert apply(unary(lambda v: Cast(v, "int8"), "float32", "int8"), x).tolist() == [1, -1, 127, 0]
    n = np.array([300, -1, 0, 7], "int32")
    assert apply(unary(lambda v: Cast(v, "uint8"), "int32", "uint8"), n).tolist() == [44, 255, 0, 7]
    assert apply(unary(lambda v: Cast(v, "bool"), "int32", "bool"), n).tolist() == [1, 1, 0, 1]
    large = np.array([2**53 + 1, 2**24 + 1, -5, 0], "int64")
    np.testing.assert_array_equal(
        apply(unary(lambda v: Cast(v, "float32"), "int64", "float32"), large),
        large.astype("float32"),
    )


@pytest.mark.parametrize(
    ("name", "reference"),
    [("exp", np.exp), ("sqrt", np.sqrt), ("tanh", np.tanh), ("floor", np.floor), ("log", np.log)],
)
def test_intrinsics(name: str, reference: np.ufunc) -> None:
    x = np.array([0.5, 1.5, 2.5, 50.0], "float32")
    got = apply(unary(lambda v: Intrinsic(name, (v,), "float32"), "float32"), x)
    np.testing.assert_allclose(got, reference(x.astype("float64")).astype("float32"), rtol=0)


def test_unknown_intrinsic_is_refused() -> None:
    function = unary(lambda v: Intrinsic("frobnicate", (v,), "float32"), "float32")
    with pytest.raises(CompileError, match=r"tensor/unknown-intrinsic.*\n?.*frobnicate"):
        apply(function, np.zeros(4, "float32"))


def test_lazy_select_guards_a_load_and_eager_select_does_not() -> None:
    def shifted(*, lazy: bool) -> TensorFunction:
        names = Names()
        x, y, i = names.buffer("x", (4,)), names.buffer("y", (4,)), names.scalar("i")
        value = Select(i > 0, load(x, i - 1), as_expr(0.0), lazy=lazy)
        return TensorFunction((x, y), names.elementwise(y, value, [i], [4]), next_id=9)

    x = np.arange(4, dtype="float32")
    assert apply(shifted(lazy=True), x).tolist() == [0, 0, 1, 2]
    with pytest.raises(CompileError, match=r"`x` is read at index `-1` of dimension 0.*`4`"):
        apply(shifted(lazy=False), x)


def test_logic() -> None:
    x, y = np.array([1, 1, 0, 0], "bool"), np.array([1, 0, 1, 0], "bool")
    both = pairwise(lambda a, b: Binary(BinaryOp.AND, a, Not(b)), "bool")
    assert apply(both, x, y).tolist() == [False, True, False, False]


def test_matmul_runs_init_once_per_output(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(7, 3))
    np.testing.assert_allclose(apply(matmul(5, 7, 3, "float64"), a, b), a @ b, rtol=1e-12)


def test_init_runs_where_the_reduction_axes_are_zero_whatever_the_loop_order() -> None:
    names = Names()
    x, y = names.buffer("x", (3, 4)), names.buffer("y", (4,))
    i, r, vi, vr = (names.scalar(s) for s in ("i", "r", "vi", "vr"))
    block = Block(
        names.ids.new(),
        "y",
        (Axis(vr, AxisKind.REDUCE, IntImm(3), r), Axis(vi, AxisKind.SPATIAL, IntImm(4), i)),
        Store(y, (vi,), load(y, vi) + load(x, vr, vi)),
        init=Store(y, (vi,), as_expr(0.0)),
    )
    body = For(r, IntImm(0), IntImm(3), For(i, IntImm(0), IntImm(4), block))
    values = np.arange(12, dtype="float32").reshape(3, 4)
    function = TensorFunction((x, y), body, next_id=names.ids.next)
    np.testing.assert_array_equal(apply(function, values), values.sum(axis=0))


def test_symbolic_extents_are_bound_by_shapes(rng: np.random.Generator) -> None:
    names = Names()
    n = names.scalar("n")
    function = matmul(n, 4, n * 2, "float64", names)
    a, b, c = rng.normal(size=(3, 4)), rng.normal(size=(4, 6)), np.empty((3, 6))
    run_tensor_function(function, [a, b, c])
    np.testing.assert_allclose(c, a @ b, rtol=1e-12)
    with pytest.raises(CompileError, match=r"dimension 1 of `B` must be `6` \(`n \* 2`\), got `5`"):
        run_tensor_function(function, [a, rng.normal(size=(4, 5)), np.empty((3, 5))])


def tiled(extent: int, *, guard: bool) -> TensorFunction:
    """`y[v] = x[v]` with `v = 4 * a + b`, where 4 need not divide the extent."""
    names = Names()
    x, y = names.buffer("x", (extent,)), names.buffer("y", (extent,))
    a, b, v = (names.scalar(s) for s in "abv")
    index = a * 4 + b
    axis = Axis(v, AxisKind.SPATIAL, IntImm(extent), index)
    block = Block(
        names.ids.new(),
        "y",
        (axis,),
        Store(y, (v,), load(x, v)),
        predicate=index < extent if guard else None,
    )
    body = For(a, IntImm(0), IntImm(-(-extent // 4)), For(b, IntImm(0), IntImm(4), block))
    return TensorFunction((x, y), body, next_id=names.ids.next)


def test_predicate_guards_the_tail() -> None:
    x = np.arange(10, dtype="float32")
    np.testing.assert_array_equal(apply(tiled(10, guard=True), x), x)
    with pytest.raises(CompileError, match=r"axis-out-of-range.*`v` of block `y`.*`10`"):
        apply(tiled(10, guard=False), x)


def test_out_of_bounds_names_buffer_index_and_extent() -> None:
    names = Names()
    x, y, i = names.buffer("x", (4,)), names.buffer("y", (5,)), names.scalar("i")
    body = names.elementwise(y, load(x, i), [i], [5])
    function = TensorFunction((x, y), body, next_id=names.ids.next)
    with pytest.raises(CompileError) as caught:
        run_tensor_function(function, [np.zeros(4, "f4"), np.zeros(5, "f4")], name="copy")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "run/out-of-bounds"
    assert diagnostic.function == "copy"
    assert "`x` is read at index `4` of dimension 0, whose extent is `4`" in diagnostic.message


def test_allocations_start_as_nan() -> None:
    names = Names()
    y, t, i = names.buffer("y", (2,)), names.buffer("t", (2,)), names.scalar("i")
    body = Seq((Store(t, (IntImm(0),), as_expr(1.0)), names.elementwise(y, load(t, i), [i], [2])))
    out = apply(TensorFunction((y,), body, (t,), next_id=names.ids.next))
    assert out[0] == 1
    assert np.isnan(out[1])


def test_while_with_a_scalar_buffer() -> None:
    names = Names()
    y, k = names.buffer("y", (5,)), names.buffer("k", (), "int64")
    body = Seq(
        (
            Store(k, (), IntImm(0)),
            While(
                load(k) < 5,
                Seq(
                    (
                        Store(y, (load(k),), Cast(load(k) * load(k), "float32")),
                        Store(k, (), load(k) + 1),
                    )
                ),
            ),
        )
    )
    out = apply(TensorFunction((y,), body, (k,), next_id=names.ids.next))
    assert out.tolist() == [0, 1, 4, 9, 16]


def test_match_buffer_writes_through_and_checks_its_region() -> None:
    def fill(row: int, columns: int) -> TensorFunction:
        names = Names()
        y, part, i = names.buffer("y", (3, 4)), names.buffer("part", (columns,)), names.scalar("i")
        region = BufferRegion(y, (Range(IntImm(row), IntImm(1)), Range(IntImm(0), IntImm(columns))))
        block = Block(
            names.ids.new(),
            "fill",
            (),
            names.elementwise(part, as_expr(7.0), [i], [columns]),
            match_buffers=(MatchBuffer(part, region),),
        )
        return TensorFunction((y,), block, next_id=names.ids.next)

    out = np.zeros((3, 4), "float32")
    run_tensor_function(fill(1, 4), [out])
    assert out.sum(axis=1).tolist() == [0, 28, 0]
    with pytest.raises(CompileError, match=r"`y` is matched at index `4`"):
        run_tensor_function(fill(1, 5), [out])


def test_a_matched_buffer_without_dimensions_is_one_element() -> None:
    names = Names()
    y, one, i = names.buffer("y", (4,)), names.buffer("one", ()), names.scalar("i")
    match = MatchBuffer(one, BufferRegion(y, (Range(i, IntImm(1)),)))
    block = Block(names.ids.new(), "b", (), Store(one, (), as_expr(7.0)), match_buffers=(match,))
    out = np.zeros(4, "float32")
    run_tensor_function(
        TensorFunction((y,), For(i, IntImm(1), IntImm(2), block), next_id=names.ids.next), [out]
    )
    assert out.tolist() == [0, 7, 7, 0]


def test_scalar_parameters_and_branches() -> None:
    names = Names()
    x, limit, y, i = (
        names.buffer("x", (4,)),
        names.scalar("limit"),
        names.buffer("y", (4,)),
        names.scalar("i"),
    )
    body = If(i < limit, Store(y, (i,), load(x, i)), Store(y, (i,), as_expr(-1.0)))
    function = TensorFunction((x, limit, y), For(i, IntImm(0), IntImm(4), body), next_id=9)
    x_array, out = np.arange(4, dtype="float32"), np.empty(4, "float32")
    run_tensor_function(function, [x_array, out], [2])
    assert out.tolist() == [0, 1, -1, -1]


def test_more_loops_than_python_nests() -> None:
    names = Names()
    y = names.buffer("y", (1,) * 30)
    loops = [names.scalar(f"i{k}") for k in range(30)]
    function = TensorFunction((y,), names.elementwise(y, as_expr(3.0), loops, [1] * 30), next_id=40)
    out = np.zeros((1,) * 30, "float32")
    run_tensor_function(function, [out])
    assert out.reshape(()) == 3


def test_too_deep_expressions_are_a_diagnostic() -> None:
    names = Names()
    y, i = names.buffer("y", (1,)), names.scalar("i")
    value = load(y, i)
    for _ in range(5000):
        value = Intrinsic("exp", (value,), "float32")
    function = TensorFunction((y,), names.elementwise(y, value, [i], [1]), next_id=9)
    with pytest.raises(CompileError, match="ir/too-deep"):
        run_tensor_function(function, [np.zeros(1, "float32")])


def test_names_of_the_program_never_become_source() -> None:
    names = Names()
    x, i = names.buffer("x = __import__('os').abort()\n#", (1,)), names.scalar("\n")
    body = names.elementwise(x, as_expr(1.0), [i], [1])
    function = TensorFunction((x,), body, next_id=names.ids.next)
    assert "import" not in compile_function(function).source
    run_tensor_function(function, [out := np.zeros(1, "float32")])
    assert out[0] == 1


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros(4, "float64"), "run/wrong-argument"),
        (np.zeros(3, "float32"), "run/wrong-argument"),
        (np.zeros((4, 1), "float32"), "run/wrong-argument"),
        (3, "run/wrong-argument"),
    ],
)
def test_arguments_that_do_not_fit(array: object, code: str) -> None:
    function = unary(lambda v: v, "float32")
    with pytest.raises(CompileError, match=code):
        run_tensor_function(function, [array, np.zeros(4, "float32")])  # pyright: ignore[reportArgumentType]
    with pytest.raises(CompileError, match="run/wrong-argument"):
        run_tensor_function(function, [np.zeros(4, "float32")])
