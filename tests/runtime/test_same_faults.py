"""A fault has one code, whether the interpreter, native code or the stepwise runtime finds it."""

import sys
from collections.abc import Callable

import numpy as np
import pytest

from tests.runtime import modules, test_faults
from workbench.interpret import run
from workbench.ir import (
    CallOp,
    CallPacked,
    GraphBuilder,
    GraphExpr,
    IRModule,
    LibraryFunction,
    MatchCast,
    Operator,
    PackedStyle,
    TensorType,
    Var,
    register_library,
    register_operator,
)
from workbench.runtime import build
from workbench.support import CompileError

register_operator(Operator("test.raises", lambda _, types: types[0], lambda _, x: np.linalg.inv(x)))
register_operator(Operator("test.leaves", lambda _, types: types[0], lambda _, x: sys.exit(len(x))))

Case = tuple[IRModule, tuple[object, ...]]

FLOATS, LONGS, ANY = TensorType((3,)), TensorType((3,), "int64"), TensorType(None)
X = np.zeros((4, 6), "f4")


def main(expression: Callable[[Var], GraphExpr], type_: TensorType = FLOATS) -> IRModule:
    """`main(x) = expression(x)` for an `x` of that type."""
    builder = GraphBuilder()
    x = builder.param("x", type_)
    result = builder.emit(expression(x), "result")
    return IRModule((("main", builder.build(result)),))


def reading() -> Case:
    module = test_faults.called("gather", test_faults.gather(), FLOATS, LONGS, FLOATS)
    return module, (np.zeros(3, "f4"), np.array([0, 3, 1]))


def taking() -> Case:
    builder = GraphBuilder()
    x, at = builder.param("x", FLOATS), builder.param("at", LONGS)
    taken = builder.emit(CallOp("take", (x, at)), "taken")
    module = IRModule((("main", builder.build(taken)),))
    return module, (np.zeros(3, "f4"), np.array([0, 3, 1]))


def dividing() -> Case:
    module = test_faults.called("divide", test_faults.divide(), LONGS, LONGS, LONGS)
    return module, (np.ones(3, "i8"), np.array([1, 0, 1]))


def casting() -> Case:
    return main(lambda x: MatchCast(x, TensorType((4,))), ANY), (np.zeros(5, "f4"),)


def library(
    function: Callable[..., object], style: PackedStyle = PackedStyle.PURE, unavailable: str = ""
) -> Case:
    register_library(LibraryFunction("test.same", function, "test", unavailable))
    return main(lambda x: CallPacked("test.same", (x,), (FLOATS,), style)), (np.zeros(3, "f4"),)


def raising(*_: object) -> None:
    message = "no luck"
    raise RuntimeError(message)


def no_output_shape() -> Case:
    _, arguments = library(raising)
    call = CallPacked("test.same", (), (ANY,), PackedStyle.DPS)
    return main(lambda _: call), arguments


def wrong_for_a_kernel() -> Case:
    unknown = TensorType(None, "int64", ndim=1)
    module = test_faults.called("divide", test_faults.divide(), unknown, unknown, LONGS)
    return module, (np.ones(3, "i8"), np.ones(2, "i8"))


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("run/out-of-bounds", reading),
        ("run/out-of-bounds", taking),
        ("run/division-by-zero", dividing),
        ("run/too-deep", lambda: (modules.recursive(ends=False), (False, X[:2, :3]))),
        ("run/type-mismatch", casting),
        ("run/type-mismatch", lambda: (modules.casting(), (np.zeros((5, 6), "f4"),))),
        ("run/wrong-result", lambda: library(lambda x: x[:2])),
        ("run/wrong-result", lambda: library(lambda x: x.astype("f8"))),
        ("run/wrong-result", lambda: library(lambda x: (x, x))),
        ("run/unknown-output", no_output_shape),
        ("run/wrong-argument", wrong_for_a_kernel),
        ("run/wrong-argument", lambda: (modules.chain(), (X,))),
        ("run/wrong-argument", lambda: (modules.chain(), (X, X[:2]))),
        ("run/wrong-argument", lambda: (modules.chain(), (X, X.astype("f8")))),
        ("run/wrong-argument", lambda: (modules.chain(), (X, (X, X)))),
        ("library/raised", lambda: library(raising)),
        ("library/raised", lambda: library(raising, PackedStyle.DPS)),
        ("library/unavailable", lambda: library(raising, unavailable="it is made up")),
        ("op/reference-raised", lambda: (main(lambda x: CallOp("test.raises", (x,))), (X[0, :3],))),
        ("op/reference-raised", lambda: (main(lambda x: CallOp("test.leaves", (x,))), (X[0, :3],))),
    ],
)
def test_the_code_does_not_say_who_found_it(code: str, case: Callable[[], Case]) -> None:
    module, arguments = case()
    assert code_of(lambda: run(module, *arguments)) == code
    assert code_of(lambda: build(module)(*arguments)) == code


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(CompileError) as caught:
        call()
    return caught.value.diagnostics[0].code


class OwnKind(Exception):  # noqa: N818
    pass


def raising_own(*_: object) -> None:
    message = "no luck"
    raise OwnKind(message)


def leaving(*_: object) -> None:
    sys.exit("no more")


def leaving_as_in_a_shell(*_: object) -> None:
    raise SystemExit


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("library/raised", raising),
        ("library/raised", leaving),
        ("library/raised", leaving_as_in_a_shell),
        ("library/raised", raising_own),
        ("library/raised", lambda _: next(iter([]))),
        ("run/wrong-result", lambda x: x[:2]),
        ("run/wrong-result", lambda x: (x, x)),
    ],
)
def test_faults_of_foreign_code_name_callee_binding_and_function(
    code: str, function: Callable[..., object]
) -> None:
    module, arguments = library(function)
    node = module.graph_functions["main"].blocks[0].bindings[0].var.id
    executable = build(module)
    for call in (
        lambda: run(module, *arguments),
        lambda: executable(*arguments),
        lambda: executable.values(arguments),
    ):
        with pytest.raises(CompileError) as caught:
            call()
        (fault,) = caught.value.diagnostics
        assert (fault.code, fault.function, fault.node) == (code, "main", node)
        assert fault.notes[-1] == "`test.same` is called for `result` in `main`"
        assert "`test.same`" in str(fault)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_stays_one() -> None:
    module, arguments = library(interrupted)
    executable = build(module)
    for call in (
        lambda: run(module, *arguments),
        lambda: executable(*arguments),
        lambda: executable.values(arguments),
    ):
        with pytest.raises(KeyboardInterrupt):
            call()
