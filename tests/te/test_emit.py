"""Tensor expressions as calls, in a builder and in a script."""

# ruff: noqa: ANN202, N805
# pyright: reportInvalidTypeForm=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from workbench import te
from workbench.ir import (
    CallTIR,
    Constant,
    GraphBuilder,
    IRModule,
    ScalarType,
    ScalarValue,
    TensorType,
    TupleType,
    TupleValue,
    Var,
    registry_version,
    structurally_equal,
)
from workbench.ir.verify import verify
from workbench.runtime import build
from workbench.script import I, R, T, parse
from workbench.support import CompileError


def centered(x: te.Tensor) -> te.Tensor:
    n, m = x.shape
    k = te.reduce_axis(m, "k")
    total = te.compute((n,), lambda i: te.sum(x[i, k], axis=k), "total")
    return te.compute((n, m), lambda i, j: x[i, j] - total[i] / te.cast(m, "float32"), "centered")


def scaled(x: te.Tensor, by: float = 1.0) -> te.Tensor:
    return te.compute(x.shape, lambda *i: x[i] * by, "scaled")


def sum_and_difference(pair: Sequence[te.Tensor]) -> list[te.Tensor]:
    a, b = pair
    return [
        te.compute(a.shape, lambda *i: a[i] + b[i], "plus"),
        te.compute(a.shape, lambda *i: a[i] - b[i], "minus"),
    ]


def shifted(x: te.Tensor, n: Any, by: int) -> te.Tensor:  # noqa: ANN401
    return te.compute(
        (n + by, x.shape[1]),
        lambda i, j: te.if_then_else(i < by, 0.0, x[te.maximum(i - by, 0), j]),
        "shifted",
    )


def repeated(x: te.Tensor, times: Any) -> te.Tensor:  # noqa: ANN401
    return te.compute(x.shape, lambda *i: x[i] * te.cast(times, "float32"), "repeated")


def builder(*shape: int | str) -> tuple[GraphBuilder, Var]:
    made = GraphBuilder()
    symbols: dict[str, Var] = {}
    dims = [symbols.setdefault(d, made.symbol(d)) if isinstance(d, str) else d for d in shape]
    return made, made.param("x", TensorType(tuple(dims), "float32"))


def finished(made: GraphBuilder, result: Var | TupleValue) -> IRModule:
    module = made.module.with_function("main", made.build(result))
    assert verify(module) == ()
    return module


def calls(module: IRModule) -> list[CallTIR]:
    main = module.graph_functions["main"]
    return [b.value for b in main.bindings if isinstance(b.value, CallTIR)]


def test_a_symbolic_expression_is_right_for_every_shape() -> None:
    made, x = builder("n", "m")
    module = finished(made, te.emit_te(made, centered, x, name="y"))
    executable = build(module)
    for shape in ((1, 1), (3, 8), (5, 2)):
        array = np.random.default_rng(0).normal(size=shape).astype("float32")
        expected = array - array.mean(1, keepdims=True)
        np.testing.assert_allclose(executable(array), expected, rtol=1e-5, atol=1e-6)


def test_the_value_has_the_name_and_the_function_that_of_the_expression() -> None:
    made, x = builder(2, 3)
    y = te.emit_te(made, centered, x, name="y")
    assert (y.name, y.type) == ("y", TensorType((2, 3), "float32"))
    function = made.module.tensor_functions["centered"]
    assert function.private
    assert [p.name for p in function.params] == ["x", "centered"]


def test_a_lambda_is_called_after_its_tensor() -> None:
    made, x = builder(2, 3)
    te.emit_te(made, lambda a: te.compute(a.shape, lambda *i: -a[i], "minus"), x)
    assert list(made.module.tensor_functions) == ["minus"]


def test_equal_calls_share_a_function_and_others_get_a_number() -> None:
    made, x = builder(2, 3)
    a = te.emit_te(made, scaled, x, by=2.0)
    b = te.emit_te(made, scaled, a, by=2.0)
    c = te.emit_te(made, scaled, b, by=3.0)
    module = finished(made, c)
    assert [call.callee for call in calls(module)] == ["scaled", "scaled", "scaled1"]
    array = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(build(module)(array), array * 12)


def test_several_results_are_a_tuple_and_arguments_may_be_tuples() -> None:
    made, x = builder(2, 3)
    pair = te.emit_te(made, sum_and_difference, (x, x))
    assert isinstance(pair.type, TupleType)
    plus, minus = build(finished(made, pair))(np.full((2, 3), 4, "float32"))
    assert plus.tolist() == [[8] * 3] * 2
    assert minus.tolist() == [[0] * 3] * 2


def symbol_of(x: Var) -> Var:
    assert isinstance(x.type, TensorType)
    assert x.type.shape is not None
    assert isinstance(x.type.shape[0], Var)
    return x.type.shape[0]


def test_a_symbol_that_a_shape_gives_is_not_passed() -> None:
    made, x = builder("n", 2)
    module = finished(made, te.emit_te(made, shifted, x, symbol_of(x), by=2))
    assert calls(module)[0].scalars == ()
    array = np.arange(6, dtype="float32").reshape(3, 2)
    np.testing.assert_array_equal(build(module)(array), [[0, 0], [0, 0], *array.tolist()])


def test_a_symbol_that_no_shape_gives_is_passed() -> None:
    made, x = builder("n", 2)
    other = made.param("other", TensorType((2, 2), "float32"))
    module = finished(made, te.emit_te(made, repeated, other, symbol_of(x)))
    assert calls(module)[0].scalars == (symbol_of(x),)
    array = np.ones((2, 2), "float32")
    np.testing.assert_array_equal(build(module)(np.ones((7, 2), "float32"), array), 7 * array)


def test_a_scalar_of_the_graph_function_is_passed() -> None:
    made, x = builder(2, 2)
    times = made.param("times", ScalarType("int64"))
    module = finished(made, te.emit_te(made, repeated, x, times))
    array = np.ones((2, 2), "float32")
    np.testing.assert_array_equal(build(module)(array, 5), array * 5)


def test_constants_are_tensors() -> None:
    made, x = builder(2, 2)
    constant = made.constant(np.full((2, 2), 3, "float32"), "c")
    pair = te.emit_te(made, sum_and_difference, [x, constant])
    plus, _ = build(finished(made, pair))(np.ones((2, 2), "float32"))
    assert plus.tolist() == [[4, 4], [4, 4]]


def test_a_scalar_value_is_a_number_for_the_expression() -> None:
    made, x = builder(2, 2)
    seen: list[object] = []

    def looks(x: te.Tensor, *rest: object) -> te.Tensor:
        seen.extend(rest)
        return scaled(x, 2.0)

    te.emit_te(made, looks, x, ScalarValue(te.const(3, "int64")), "text", None)
    assert seen == [te.const(3, "int64"), "text", None]


def test_nothing_is_registered() -> None:
    before = registry_version()
    made, x = builder("n", 3)
    build(finished(made, te.emit_te(made, centered, x)))
    assert registry_version() == before


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda _: 3, "`int`"),
        (lambda _: np.ones(2), "`ndarray`"),
        (lambda _: None, "`NoneType`"),
        (lambda _: [], "`list`"),
        (lambda x: te.sum(x[0, 0], axis=te.reduce_axis(3)), "`reduction`"),
        (lambda x: [scaled(x), 1], "`int`"),
    ],
)
def test_what_is_no_expression_is_refused(function: Callable[..., Any], found: str) -> None:
    made, x = builder(2, 3)
    with pytest.raises(CompileError) as caught:
        te.emit_te(made, function, x)
    (fault,) = caught.value.diagnostics
    assert fault.code == "te/no-tensor"
    assert found in fault.message
    assert made.bindings == []


@pytest.mark.parametrize(
    "type_", [TensorType(None, "float32", 2), TensorType((2, 3), None), TupleType(())]
)
def test_what_has_no_known_type_is_refused(type_: TensorType | TupleType) -> None:
    made = GraphBuilder()
    x = made.param("x", type_)
    with pytest.raises(CompileError) as caught:
        te.emit_te(made, scaled, x)
    assert caught.value.diagnostics[0].code == "te/unknown-type"
    assert "`x`" in caught.value.diagnostics[0].message


def test_a_symbol_of_nobody_is_refused() -> None:
    made, x = builder(2, 3)
    lost = te.var("lost")
    with pytest.raises(CompileError) as caught:
        te.emit_te(made, repeated, x, lost)
    assert caught.value.diagnostics[0].code == "te/unbound-symbol"


# --- in a script --------------------------------------------------------------------------------

n = te.var("n")
"""A value of the surroundings with the name of a dimension: the dimension is meant."""


def module_of_a_class() -> IRModule:
    @I.ir_module
    class Written:
        @R.function
        def main(x: R.Tensor(("n", 2), "float32")):
            n = T.int64()
            with R.dataflow():
                a = R.emit_te(scaled, x, 2.0)
                b = R.emit_te(scaled, a, by=2.0)
                c = R.emit_te(shifted, b, n, 1)
                d = R.emit_te(sum_and_difference, (a, b))
                R.output(c, d)
            return (c, d)

    return Written


def test_a_script_in_code_may_call_expressions() -> None:
    module = module_of_a_class()
    assert verify(module) == ()
    callees = [call.callee for call in calls(module)]
    assert callees[0] == "scaled"
    assert callees[2:] == ["shifted", "sum_and_difference"]
    array = np.arange(4, dtype="float32").reshape(2, 2)
    c, (plus, minus) = build(module)(array)
    np.testing.assert_array_equal(c, [[0, 0], *(4 * array).tolist()])
    np.testing.assert_array_equal(plus, 6 * array)
    np.testing.assert_array_equal(minus, -2 * array)


def test_the_text_of_it_reads_back() -> None:
    module = module_of_a_class()
    text = module.script()
    assert "emit_te" not in text
    assert structurally_equal(parse(text), module)


TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2, 2), "float32")):
        with R.dataflow():
            y = R.emit_te(scaled, x)
            R.output(y)
        return y
"""


def test_a_text_calls_nothing() -> None:
    called: list[int] = []

    def notes(x: te.Tensor) -> te.Tensor:
        called.append(1)
        return scaled(x)

    with pytest.raises(CompileError) as caught:
        parse(TEXT, namespace={"scaled": notes})
    (fault,) = caught.value.diagnostics
    assert fault.code == "script/expression"
    assert "@I.ir_module" in fault.hint
    assert called == []


def test_faults_of_expressions_are_told_together_with_their_places() -> None:
    def broken(x: te.Tensor) -> te.Tensor:
        return x.nothing  # pyright: ignore[reportAttributeAccessIssue]

    with pytest.raises(CompileError) as caught:

        @I.ir_module
        class Faulty:
            @R.function
            def main(x: R.Tensor((2, 2), "float32"), w: R.Tensor(ndim=2)):
                with R.dataflow():
                    a = R.emit_te(broken, x)
                    b = R.emit_te(scaled, w)
                    c = R.emit_te(3, x)
                    R.output(a, b, c)
                return (a, b, c)

    faults = caught.value.diagnostics
    assert [f.code for f in faults] == ["script/expression", "te/unknown-type", "script/call"]
    assert "raised `AttributeError`" in faults[0].message
    assert "R.emit_te(broken, x)" in faults[0].source_line


def test_constants_in_scripts_are_tensors() -> None:
    weights = np.full((2, 2), 3, "float32")

    @I.ir_module
    class WithConstant:
        @R.function
        def main(x: R.Tensor((2, 2), "float32")):
            with R.dataflow():
                y = R.emit_te(sum_and_difference, [x, R.const(weights)])
                R.output(y)
            return y

    (call,) = calls(WithConstant)
    assert isinstance(call.args[1], Constant)
    plus, _ = build(WithConstant)(np.ones((2, 2), "float32"))
    assert plus.tolist() == [[4, 4], [4, 4]]
