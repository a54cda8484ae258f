import struct

import numpy as np
import pytest

from tests.runtime import modules
from workbench import te
from workbench.ir import TensorFunction
from workbench.runtime.signature import KernelSignature, signature_of, slot_of
from workbench.support import CompileError


def square(extra: int = 0) -> TensorFunction:
    n = te.var("n")
    x = te.placeholder((n, n + extra), "float32", "x")
    out = te.compute((n, n + extra), lambda i, j: x[i, j] + 1.0, "out")
    return te.create_tensor_function([x], [out])


def scaled() -> TensorFunction:
    n, by, count = te.var("n"), te.var("by", "float32"), te.var("count", "int32")
    x = te.placeholder((n,), "float32", "x")
    out = te.compute((n,), lambda i: x[i] * by + te.cast(count, "float32"), "out")
    return te.create_tensor_function([x], [out], [by, count])


def error_of(signature: KernelSignature, *arguments: object) -> str:
    with pytest.raises(CompileError) as caught:
        signature.bind(arguments)  # pyright: ignore[reportArgumentType]
    assert caught.value.diagnostics[0].code == "run/wrong-argument"
    return caught.value.diagnostics[0].message


def test_symbols_are_bound_by_shapes() -> None:
    n, m = te.var("n"), te.var("m")
    signature = signature_of("add", modules.add_function((n, m)))
    assert [var.name for var in signature.symbols] == ["n", "m"]
    assert signature.bind([((3, 5), "float32")] * 3) == (3, 5)


def test_parameters_that_are_written() -> None:
    assert signature_of("add", modules.add_function((4,))).written == {2}
    assert signature_of("scaled", scaled()).written == {1}


@pytest.mark.parametrize(
    ("function", "shape", "words"),
    [
        (square(), (4, 5), "extent `4` in dimension 1 of `x`, got `5`"),
        (square(2), (4, 5), "extent `6` in dimension 1 of `x`, got `5`"),
        (modules.double_function((4, 6)), (4, 5), "extent `6` in dimension 1 of `a`, got `5`"),
        (modules.double_function((4, 6)), (4,), "with shape `(4, 6)`, got `float32`"),
    ],
)
def test_shapes_that_disagree(function: TensorFunction, shape: tuple[int, ...], words: str) -> None:
    assert words in error_of(signature_of("f", function), (shape, "float32"), (shape, "float32"))


def test_other_misfits() -> None:
    signature = signature_of("scaled", scaled())
    array = ((3,), "float32")
    assert signature.bind([array, array, 2.0, 1]) == (3,)
    assert "takes 4 arguments, got 2" in error_of(signature, array, array)
    assert "needs an array for `x`" in error_of(signature, 1.0, array, 2.0, 1)
    assert "needs a number for `by`" in error_of(signature, array, array, array, 1)
    assert "`float64`" in error_of(signature, ((3,), "float64"), array, 2.0, 1)


def test_remembered_bindings_do_not_mix_shapes() -> None:
    signature = signature_of("square", square())
    for rows in (2, 3, 2, 5):
        array = np.zeros((rows, rows), np.float32)
        assert signature.bind_values([array, array]) == (rows,)
    wrong = np.zeros((2, 3), np.float32)
    for _ in range(2):
        with pytest.raises(CompileError):
            signature.bind_values([wrong, wrong])


def test_slots_of_numbers() -> None:
    by, count = scaled().params[2:]
    assert slot_of(by, 0.5) == struct.unpack("<q", struct.pack("<d", 0.5))[0]
    assert slot_of(count, -1) == -1
    assert slot_of(count, True) == 1
