"""Graph functions in the interpreter: each kind of right side, shapes, faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.interpret.programs import Names, matmul
from workbench.interpret import run, values
from workbench.ir import (
    Alias,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    Cast,
    GraphBuilder,
    GraphFunction,
    IfThenElse,
    IRModule,
    LibraryFunction,
    MatchCast,
    Operator,
    PackedStyle,
    ScalarType,
    ShapeValue,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleValue,
    Var,
    register_library,
    register_operator,
)
from workbench.support import CompileError

register_operator(
    Operator("test.twice", lambda _, types: types[0], lambda _, x: x + x, parameters=("x",))
)
register_operator(
    Operator("test.broken", lambda _, types: types[0], lambda _, x: np.linalg.cholesky(x))
)
register_operator(
    Operator("test.wrong", lambda _, types: types[0], lambda _, x: x.astype("float64"))
)
register_operator(
    Operator(
        "test.fill",
        lambda call, _: TensorType(call.args[0].dims),  # pyright: ignore[reportAttributeAccessIssue]
        lambda _, shape: np.full(shape, 2.0, "float32"),
    )
)
register_library(LibraryFunction("test.matmul", lambda a, b, out: np.matmul(a, b, out=out), "test"))
register_library(LibraryFunction("test.missing", lambda: None, "test", unavailable="no such card"))


def finish(builder: GraphBuilder, result: Var | TupleValue) -> IRModule:
    return builder.module.with_function("main", builder.build(result))


def test_call_tir_and_library_and_operator_agree(rng: np.random.Generator) -> None:
    builder = GraphBuilder(IRModule((("mm", matmul(2, 3, 4)),)))
    a, b = builder.param("a", TensorType((2, 3))), builder.param("b", TensorType((3, 4)))
    out = (TensorType((2, 4)),)
    first = builder.emit(CallTIR("mm", (a, b), out))
    second = builder.emit(CallPacked("test.matmul", (a, b), out))
    twice = builder.emit(CallOp("test.twice", (second,)))
    module = finish(builder, TupleValue((first, twice)))
    x, y = rng.normal(size=(2, 3)).astype("f4"), rng.normal(size=(3, 4)).astype("f4")
    got, doubled = run(module, x, y)
    np.testing.assert_allclose(got, x @ y, rtol=1e-5)
    np.testing.assert_allclose(doubled, 2 * (x @ y), rtol=1e-5)
    seen = values(module, (x, y))
    assert set(seen) == {a.id, b.id, first.id, second.id, twice.id}
    np.testing.assert_array_equal(seen[twice.id], doubled)


def test_symbolic_dimensions_flow_into_calls(rng: np.random.Generator) -> None:
    names = Names()
    rows = names.scalar("n")
    builder = GraphBuilder(IRModule((("mm", matmul(rows, 3, 4, names=names)),)))
    n = builder.symbol("n")
    a, b = builder.param("a", TensorType((n, 3))), builder.param("b", TensorType((3, 4)))
    product = builder.emit(CallTIR("mm", (a, b), (TensorType((n, 4)),)))
    filled = builder.emit(CallOp("test.fill", (ShapeValue((n * 2, n)),)))
    module = finish(builder, TupleValue((product, filled)))
    for size in (1, 5):
        x, y = rng.normal(size=(size, 3)).astype("f4"), rng.normal(size=(3, 4)).astype("f4")
        got, shape = run(module, x, y)
        np.testing.assert_allclose(got, x @ y, rtol=1e-5)
        assert shape.shape == (2 * size, size)


def test_arguments_must_agree_on_a_dimension() -> None:
    builder = GraphBuilder()
    n = builder.symbol("n")
    a, b = builder.param("a", TensorType((n,))), builder.param("b", TensorType((n,)))
    module = finish(builder, TupleValue((a, b)))
    with pytest.raises(CompileError, match=r"dimension 0 of `b` must be `2` \(`n`\), got `3`"):
        run(module, np.zeros(2, "f4"), np.zeros(3, "f4"))


def test_dimensions_computed_from_later_parameters_are_checked() -> None:
    builder = GraphBuilder()
    n = builder.symbol("n")
    a, _ = builder.param("a", TensorType((n + 1,))), builder.param("b", TensorType((n,)))
    module = finish(builder, a)
    assert run(module, np.zeros(3, "f4"), np.zeros(2, "f4")).shape == (3,)
    with pytest.raises(CompileError, match="run/wrong-argument"):
        run(module, np.zeros(4, "f4"), np.zeros(2, "f4"))


def test_tuples_constants_and_aliases() -> None:
    builder = GraphBuilder()
    x = builder.param("x", TensorType((2,)))
    w = builder.constant(np.array([1, 2], "float32"), "w")
    pair = builder.emit(Alias(TupleValue((x, w))))
    item = builder.emit(TupleItem(pair, 1))
    result = run(finish(builder, item), np.zeros(2, "f4"))
    assert result.tolist() == [1, 2]


def test_missing_constant_is_named() -> None:
    builder = GraphBuilder()
    w = builder.constant(np.zeros(2, "float32"), "w")
    module = replace(finish(builder, w), pool=IRModule().pool)
    with pytest.raises(CompileError, match="module/missing-constant"):
        run(module)


def branch(value: Var, result: Var) -> Body:
    block = BindingBlock((Binding(result, CallOp("test.twice", (value,))),), True, (result.id,))
    return Body((block,), result)


def test_only_the_chosen_branch_runs() -> None:
    builder = GraphBuilder()
    c, x = builder.param("c", TensorType((), "bool")), builder.param("x", TensorType((2,)))
    y = Var(builder.ids.new(), "y", x.type)
    z = Var(builder.ids.new(), "z", x.type)
    chosen = IfThenElse(c, branch(x, y), Body((BindingBlock((Binding(z, Alias(x)),)),), z))
    module = finish(builder, builder.emit(chosen, type_=x.type))
    ones = np.ones(2, "f4")
    assert run(module, np.array(True), ones).tolist() == [2, 2]
    assert run(module, False, ones).tolist() == [1, 1]
    assert y.id not in values(module, (False, ones))


def test_match_cast_binds_and_checks() -> None:
    builder = GraphBuilder()
    x = builder.param("x", TensorType(None, "float32", 2))
    m = builder.symbol("m")
    seen = builder.emit(MatchCast(x, TensorType((m, m))))
    filled = builder.emit(CallOp("test.fill", (ShapeValue((m,)),)))
    module = finish(builder, TupleValue((seen, filled)))
    assert run(module, np.zeros((3, 3), "f4"))[1].shape == (3,)
    with pytest.raises(CompileError) as caught:
        run(module, np.zeros((3, 4), "f4"))
    assert caught.value.diagnostics[0].node == seen.id
    assert caught.value.diagnostics[0].function == "main"


def test_calls_of_graph_functions_have_their_own_symbols() -> None:
    inner = GraphBuilder()
    n = inner.symbol("n")
    p = inner.param("p", TensorType((n,)))
    callee = inner.build(inner.emit(CallOp("test.twice", (p,))))
    builder = GraphBuilder(IRModule((("double", callee),)))
    k = builder.symbol("k")
    x = builder.param("x", TensorType((k,)))
    y = builder.emit(CallFunction("double", (x,)), type_=x.type)
    assert run(finish(builder, y), np.ones(3, "f4")).tolist() == [2, 2, 2]


def test_endless_recursion_is_a_diagnostic() -> None:
    x = Var(Names().ids.new(), "x", TensorType((1,)))
    y = replace(x, id=type(x.id)(1), name="y")
    block = BindingBlock((Binding(y, CallFunction("main", (x,))),))
    main = GraphFunction((x,), (block,), y, y.type, next_id=2)
    with pytest.raises(CompileError, match="run/too-deep"):
        run(IRModule((("main", main),)), np.zeros(1, "f4"))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (CallOp("test.broken", ()), "op/reference-raised"),
        (CallOp("test.nowhere", ()), "op/unknown"),
        (CallOp("test.wrong", ()), "run/wrong-result"),
        (CallPacked("test.missing", (), (TensorType((2, 2)),)), "library/unavailable"),
        (CallPacked("nobody.knows", (), (TensorType((2, 2)),)), "library/unavailable"),
        (CallPacked("test.matmul", (), (TensorType((2, 2)),)), "library/raised"),
        (CallTIR("nothing", (), (TensorType((2, 2)),)), "module/unknown-function"),
        (CallTIR("main", (), (TensorType((2, 2)),)), "type/wrong-callee"),
    ],
)
def test_faults_name_function_and_binding(call: CallOp | CallPacked | CallTIR, code: str) -> None:
    builder = GraphBuilder()
    x = builder.param("x", TensorType((2, 2)))
    y = builder.emit(replace(call, args=(x,)), "y", type_=x.type)
    with pytest.raises(CompileError) as caught:
        run(finish(builder, y), np.array([[0, 1], [1, 0]], "f4"))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.function, diagnostic.node) == (code, "main", y.id)


def test_library_that_returns_its_value() -> None:
    register_library(LibraryFunction("test.flip", lambda x: x[::-1].copy(), "test"))
    builder = GraphBuilder()
    x = builder.param("x", TensorType((3,)))
    y = builder.emit(CallPacked("test.flip", (x,), (x.type,), PackedStyle.PURE))
    assert run(finish(builder, y), np.arange(3, dtype="f4")).tolist() == [2, 1, 0]


def test_scalars_follow_the_outputs() -> None:
    names = Names()
    y, count, i = names.buffer("y", (4,)), names.scalar("count"), names.scalar("i")
    function_body = names.elementwise(y, Cast(count, "float32"), [i], [4])
    fill = TensorFunction((y, count), function_body, next_id=names.ids.next)
    builder = GraphBuilder(IRModule((("fill", fill),)))
    n = builder.symbol("n")
    builder.param("x", TensorType((n,)))
    out = builder.emit(CallTIR("fill", (), (TensorType((4,)),), (n,)))
    assert run(finish(builder, out), np.zeros(6, "f4")).tolist() == [6, 6, 6, 6]


def test_scalar_parameters_bind_dimensions() -> None:
    builder = GraphBuilder()
    n = builder.param("n", ScalarType())
    filled = builder.emit(CallOp("test.fill", (ShapeValue((n,)),)))
    assert run(finish(builder, filled), 3).shape == (3,)


def test_wrong_number_of_arguments() -> None:
    builder = GraphBuilder()
    x = builder.param("x", TensorType((3,)))
    with pytest.raises(CompileError, match="run/wrong-argument"):
        run(finish(builder, x))
