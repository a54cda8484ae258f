"""Dtypes that do not fit are told where they are written; powers are those of the language."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench import te as typed
from workbench.ir import GraphBuilder, IRModule, TensorFunction, TensorType, structurally_equal
from workbench.ir.verify import verify
from workbench.support import CompileError, Diagnostic

te: Any = typed
A = te.placeholder((4,), "float32", "A")
B = te.placeholder((4,), "int32", "B")
K = te.reduce_axis(4, "k")


def function(element: Callable[..., object]) -> TensorFunction:
    return te.create_tensor_function([A, B], [te.compute((4,), element, "C")])


def refused(element: Callable[..., object]) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        te.compute((4,), element, "C")
    return caught.value.diagnostics[0]


@pytest.mark.parametrize(
    ("element", "code", "hint"),
    [
        (lambda i: A[i] + B[i], "te/mixed-dtypes", "`te.cast(B[i], 'float32')`"),
        (lambda i: B[i] * A[i], "te/mixed-dtypes", "`te.cast(B[i], 'float32')`"),
        (lambda i: B[i] + i, "te/mixed-dtypes", "`te.cast(i, 'int32')`"),
        (lambda i: te.minimum(A[i], B[i]), "te/mixed-dtypes", "te.cast"),
        (lambda i: te.if_then_else(A[i] < B[i], 1.0, 2.0), "te/mixed-dtypes", "te.cast"),
        (lambda i: te.power(A[i], B[i]), "te/mixed-dtypes", "te.cast"),
        (lambda i: B[i] ** i, "te/mixed-dtypes", "`te.cast(i, 'int32')`"),
        (lambda i: te.sum(A[i] * B[K], axis=K), "te/mixed-dtypes", "`te.cast(B[k], 'float32')`"),
        (lambda i: B[i] / B[i], "te/integer-division", "`//` rounds down"),
        (lambda i: B[i] / 2, "te/integer-division", "`te.truncdiv` toward zero"),
        (lambda i: A[i // 2] + te.cast(i / 2, "float32"), "te/integer-division", "fractions"),
        (lambda i: te.if_then_else(i < 2, A[i], B[i]), "type/dtype-mismatch", "cast one"),
        (lambda i: (A[i] < 1) + (A[i] < 2), "type/bool-arithmetic", "cast to an integer"),
        (lambda i: -(A[i] < 1), "type/bool-arithmetic", "cast to an integer"),
        (lambda i: ~(A[i] < 1), "expr/function-raised", "`te.logical_not(condition)`"),
        (lambda i: (A[i] < 1) & (A[i] < 2), "expr/function-raised", "`te.all(a, b)`"),
        (lambda i: abs(A[i]), "expr/function-raised", "`te.abs(x)`"),
        (lambda i: round(A[i]), "expr/function-raised", "`te.floor(x + 0.5)`"),
        (lambda i: np.exp(A[i]), "expr/function-raised", "`te.exp`"),
        (lambda i: sum(A[j] for j in range(i)), "expr/function-raised", "`te.reduce_axis(n)`"),
        (lambda _: A @ A, "expr/function-raised", "axis=k)`"),
        (lambda i: [1, 2, 3, 4][i], "expr/function-raised", "`te.placeholder`"),
    ],
)
def test_what_does_not_fit_is_said_where_it_is_written(
    element: Callable[..., object], code: str, hint: str
) -> None:
    found = refused(element)
    assert found.code == code
    assert hint in found.hint
    if code.startswith(("te/", "type/")):
        assert "in the function of `C`" in found.notes


def test_all_mixed_operations_of_an_element_are_told() -> None:
    with pytest.raises(CompileError) as caught:
        te.compute((4,), lambda i: te.exp(A[i] * B[i]) + te.exp(A[i] - B[i]))
    assert len(caught.value.diagnostics) == 2
    assert "`A[i]` is `float32`, `B[i]` is `int32`" in str(caught.value)


def test_python_numbers_take_the_dtype_beside_them() -> None:
    for element in (lambda i: A[i] + 1, lambda i: 2 * B[i], lambda i: A[i] / 2):
        assert verify(IRModule((("f", function(element)),))) == ()


X = np.array([0.5, -2.0, 3.0, 1.25], "float32")
Y = np.array([0, -2, 3, 5], "int32")


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (lambda i: A[i] ** 2, X**2),
        (lambda i: A[i] ** 3, X**3),
        (lambda i: te.abs(A[i]) ** 2.5, np.abs(X) ** np.float32(2.5)),
        (lambda i: 2 ** A[i], np.float32(2) ** X),
        (lambda i: te.abs(A[i]) ** A[i], np.abs(X) ** X),
        (lambda i: A[i] ** 0, np.ones(4, "float32")),
        (lambda i: A[i] ** -1, 1 / X),
        (lambda i: te.cast(B[i] ** 0, "float32"), np.ones(4, "float32")),
        (lambda i: te.cast(B[i] ** 3, "float32"), (Y**3).astype("float32")),
        (lambda i: te.cast(B[i] ** 22, "float32"), (Y**22).astype("float32")),
        (lambda i: te.cast(B[i] ** -1, "float32"), np.zeros(4, "float32")),
        (lambda i: te.cast(i**2, "float32"), np.arange(4, dtype="float32") ** 2),
    ],
)
def test_powers_are_computed_and_print_as_they_parse(
    element: Callable[..., object], expected: np.ndarray
) -> None:
    module = IRModule((("f", function(element)),))
    parsed = wb.parse(module.script())
    assert structurally_equal(parsed["f"], module["f"])
    out = np.zeros(4, "float32")
    wb.build(module)(X, Y, out, function="f")
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_a_power_in_te_is_the_power_of_a_script() -> None:
    text = IRModule((("f", function(lambda i: A[i] ** 2)),)).script()
    assert "T.pow(A[v_i], T.float32(2.0))" in text
    assert wb.parse(text.replace("T.pow(A[v_i], T.float32(2.0))", "A[v_i] ** 2")) == wb.parse(text)


def emit(given: Any, **keywords: object) -> Diagnostic:  # noqa: ANN401
    builder = GraphBuilder()
    x = builder.param("x", TensorType((4,)))
    with pytest.raises(CompileError) as caught:
        te.emit_te(builder, given, x, **keywords)
    assert builder.bindings == []
    assert builder.module.functions == ()
    return caught.value.diagnostics[0]


def named(x: object) -> object:
    return x.nothing  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (lambda: None, "call/arguments", "too many positional arguments"),
        (lambda x, y: x, "call/arguments", "missing a required argument: 'y'"),  # noqa: ARG005
        (lambda _: 1 / 0, "expr/function-raised", "ZeroDivisionError"),
        (lambda _: sys.exit(3), "expr/function-raised", "raised `SystemExit: 3`"),
        (named, "expr/function-raised", "the function `named` raised `AttributeError"),
        (lambda x: x[0, 1], "te/rank", "`1` dimensions"),
        (lambda x: te.compute((4,), lambda i: x[i] + i), "te/mixed-dtypes", "`x[i]` is `float32`"),
        (lambda _: None, "te/no-tensor", "`NoneType`"),
        (max, "te/iteration", "tensor of the program"),
        (3, "call/wrong-kind", "a function"),
    ],
)
def test_functions_that_emit_te_cannot_use(given: object, code: str, words: str) -> None:
    found = emit(given)
    assert found.code == code
    assert words in found.render()


def test_keywords_that_a_function_does_not_take_are_told_with_its_signature() -> None:
    found = emit(lambda x, scale=1: x, scaled=2)  # noqa: ARG005
    assert found.code == "call/arguments"
    assert "`(x, scale=1)`" in found.render()
    assert "did you mean `scale`?" in found.hint
