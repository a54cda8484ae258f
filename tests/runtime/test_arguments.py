from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator

from tests.runtime import modules
from tests.runtime.checks import assert_same, code_of, normal, text_of
from workbench import te
from workbench.ir import (
    CallTIR,
    Cast,
    FloatImm,
    GraphBuilder,
    IntImm,
    IRModule,
    Seq,
    Store,
    TensorFunction,
    TensorType,
)
from workbench.runtime import build
from workbench.support import CompileError, NodeId

# --- arguments ----------------------------------------------------------------------------------


def test_arrays_that_are_not_row_major_are_copied(rng: Generator) -> None:
    executable = build(modules.chain())
    x, y = normal(rng, 6, 4).T, normal(rng, 8, 12)[::2, ::2]
    assert_same(executable(x, y), 2 * (x + y) + x)


def test_unaligned_arrays_are_copied(rng: Generator) -> None:
    raw = np.zeros(4 * 6 * 4 + 1, np.uint8)
    x = raw[1:].view(np.float32).reshape(4, 6)
    x[:] = normal(rng, 4, 6)
    assert_same(build(modules.chain())(x, x), 5 * x)


class Foreign:
    """Something with DLPack that is no numpy array."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: object) -> object:
        return self._array.__dlpack__(**options)  # pyright: ignore[reportArgumentType]

    def __dlpack_device__(self) -> object:
        return self._array.__dlpack_device__()


def test_dlpack(rng: Generator) -> None:
    executable = build(modules.chain())
    x = normal(rng, 4, 6)
    out = np.zeros((4, 6), np.float32)
    assert_same(executable(Foreign(x), x), 5 * x)
    executable(Foreign(x), x, out, function="add")
    assert_same(out, 2 * x)


def test_memory_that_numpy_cannot_read_is_named(rng: Generator) -> None:
    class Elsewhere(Foreign):
        def __dlpack__(self, **_: object) -> object:
            raise BufferError("on another device")

    x = normal(rng, 4, 6)
    with pytest.raises(CompileError, match=r"run/foreign-array.*`Elsewhere`.*another device"):
        build(modules.chain())(Elsewhere(x), x)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.astype(np.float64), ["`x`", "float32", "(4, 6)", "float64"]),
        (lambda x: x[:3], ["`x`", "(4, 6)", "(3, 6)"]),
        (lambda x: x[0], ["`x`", "(4, 6)", "(6,)"]),
        (lambda x: x.byteswap().view(x.dtype.newbyteorder()), ["`x`", "float32"]),
        (lambda _: "words", ["`x`", "str"]),
        (lambda _: None, ["`x`", "NoneType"]),
    ],
)
def test_wrong_arguments_are_named(rng: Generator, change: object, words: list[str]) -> None:
    executable = build(modules.chain())
    x = normal(rng, 4, 6)
    text = text_of(lambda: executable(change(x), x))  # pyright: ignore[reportCallIssue]
    assert "run/wrong-argument" in text
    for word in words:
        assert word in text
    assert_same(executable(x, x), 5 * x)


def test_all_wrong_arguments_are_reported(rng: Generator) -> None:
    executable = build(modules.chain())
    with pytest.raises(CompileError) as caught:
        executable(normal(rng, 3, 6), normal(rng, 4, 6).astype(np.int32))
    assert [d.node for d in caught.value.diagnostics] == [NodeId(0), NodeId(1)]
    assert code_of(lambda: executable(normal(rng, 4, 6))) == "run/wrong-argument"


# --- tensor functions ---------------------------------------------------------------------------


def test_tensor_functions_write_their_outputs(rng: Generator) -> None:
    executable = build(modules.symbolic_chain())
    x, y = normal(rng, 5, 3), normal(rng, 5, 3)
    out = np.zeros((5, 3), np.float32)
    assert executable(x, y, out, function="add") is None
    assert_same(out, x + y)
    wide = np.zeros((5, 6), np.float32)
    executable(x, y, wide[:, ::2], function="add")
    assert_same(wide[:, ::2], x + y)
    assert not wide[:, 1::2].any()


def test_tensor_functions_refuse_what_does_not_fit(rng: Generator) -> None:
    executable = build(modules.symbolic_chain())
    x = normal(rng, 5, 3)
    out = np.zeros((5, 3), np.float32)
    frozen = out.copy()
    frozen.flags.writeable = False

    def code(*arrays: object) -> str:
        return code_of(lambda: executable(*arrays, function="add"))

    assert code(x, x, x) == "run/overlapping-arguments"
    big = np.zeros((10, 3), np.float32)
    assert code(big[:5], x, big[4:9]) == "run/overlapping-arguments"
    assert code(x, x) == "run/wrong-argument"
    assert code(x, x, frozen) == "run/wrong-argument"
    assert code(x, x[:4], out) == "run/wrong-argument"
    assert code(x, x, out.astype(np.float64)) == "run/wrong-argument"
    assert code(x, 1.0, out) == "run/wrong-argument"
    assert code_of(lambda: executable(x, function="nobody")) == "module/unknown-function"
    executable(big[:5], x, big[5:], function="add")


def scaled() -> TensorFunction:
    """`out = x * by + count` for `x (n,) float32`, `by float32`, `count int32`."""
    n, by, count = te.var("n"), te.var("by", "float32"), te.var("count", "int32")
    x = te.placeholder((n,), "float32", "x")
    out = te.compute((n,), lambda i: x[i] * by + te.cast(count, "float32"), "out")
    return te.create_tensor_function([x], [out], [by, count])


def test_numbers_are_passed(rng: Generator) -> None:
    module = IRModule((("scaled", scaled()),))
    builder = GraphBuilder(module)
    n = builder.symbol("n")
    type_ = TensorType((n,), "float32")
    x = builder.param("x", type_)
    scalars = (FloatImm(0.5, "float32"), Cast(n, "int32"))
    y = builder.emit(CallTIR("scaled", (x,), (type_,), scalars), "y")
    module = module.with_function("main", builder.build(y))
    executable = build(module)
    for extent in (3, 8):
        x = normal(rng, extent)
        assert_same(executable(x), x * np.float32(0.5) + np.float32(extent))
        assert_same(tuple(executable.values([x]).values())[-1], executable(x))
        out = np.zeros_like(x)
        executable(x, out, 0.25, np.int32(-7), function="scaled")
        assert_same(out, x * np.float32(0.25) - np.float32(7))
    assert code_of(lambda: executable(x, out, "a", 1, function="scaled")) == ("run/wrong-argument")


def test_a_call_that_would_write_its_input_is_refused() -> None:
    double = modules.double_function((4, 6))
    a = double.params[0]
    zero = (IntImm(0), IntImm(0))
    spoiler = replace(double, body=Seq((double.body, Store(a, zero, FloatImm(0.0)))))
    type_ = modules.matrix(4, 6)
    module = IRModule((("spoil", spoiler),))
    builder = GraphBuilder(module)
    x = builder.param("x", type_)
    y = builder.emit(CallTIR("spoil", (x,), (type_,)), "y")
    text = text_of(lambda: build(module.with_function("main", builder.build(y))))
    assert "build/writes-input" in text
    assert "`a`" in text


def test_malformed_modules_are_refused() -> None:
    module = modules.chain()
    builder = GraphBuilder(module)
    x = builder.param("x", modules.matrix(8, 6))
    y = builder.emit(CallTIR("double", (x,), (modules.matrix(8, 6),)), "y")
    broken = module.with_function("main", builder.build(y))
    assert code_of(lambda: build(broken)) == "type/shape-mismatch"
