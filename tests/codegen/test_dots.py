"""Short dot products: the same value everywhere, one instruction where the processor has it."""

from __future__ import annotations

import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.codegen.native import PLAIN, Native, function
from workbench.codegen import Target, assembly, emit, host_target
from workbench.interpret import run_tensor_function
from workbench.ir import BufferType, IRModule, TensorFunction, structurally_equal
from workbench.ir.verify import check
from workbench.script import parse, print_module
from workbench.support import CompileError

BRAIN = ml_dtypes.bfloat16
LINUX = "x86_64-unknown-linux-gnu"
_AVX2 = "+avx,+avx2,+fma,+f16c"
_AVX512 = f"{_AVX2},+avx512f,+avx512vl,+avx512bw"
AVX2 = Target(LINUX, "haswell", _AVX2, 256)
AVX_VNNI = Target(LINUX, "alderlake", f"{_AVX2},+avxvnni", 256)
VNNI = Target(LINUX, "icelake-server", f"{_AVX512},+avx512vnni", 512)
BF16 = Target(LINUX, "sapphirerapids", f"{_AVX512},+avx512vnni,+avx512bf16", 512)
BYTES = [(a, b) for a in ("int8", "uint8") for b in ("int8", "uint8")]

x86 = pytest.mark.skipif(not host_target().is_x86, reason="needs LLVM's x86 back end")


def dots(
    name: str, a: str, b: str, total: str, lanes: int = 16, form: str = "B[k, j, {}]"
) -> TensorFunction:
    """`lanes` dot products beside each other, one after the other along `k`."""
    count = int(name[-1])
    left = ", ".join(f"A[k, {n}]" for n in range(count))
    right = ", ".join(form.format(n) for n in range(count))
    return function(
        f'A: T.Buffer((8, {count}), "{a}"), B: T.Buffer((8, {lanes}, {count}), "{b}"), '
        f'C: T.Buffer(({lanes},), "{total}")',
        f"""
    for k in range(8):
        for j in T.vectorized({lanes}):
            C[j] = T.{name}(C[j], {left}, {right})
""",
    )


def values(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers of a dtype, the smallest and the largest integers often among them."""
    rng = np.random.default_rng(3)
    if dtype in {"bfloat16", "float32"}:
        return rng.standard_normal(shape).astype(dtype if dtype == "float32" else BRAIN)
    limits = np.iinfo(dtype)
    found = rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
    chance = rng.random(shape)
    found[chance < 0.3] = limits.min
    found[chance > 0.7] = limits.max
    return found


def arguments(fn: TensorFunction) -> list[NDArray[Any]]:
    a, b, c = (param.type for param in fn.params)
    assert isinstance(a, BufferType)
    assert isinstance(b, BufferType)
    assert isinstance(c, BufferType)
    (_, lanes, count) = (int(str(extent)) for extent in b.shape)
    total = (np.arange(lanes) - 3).astype(c.dtype)
    return [values(a.dtype, (8, count)), values(b.dtype, (8, lanes, count)), total]


def expected(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    a, b, c = arrays
    if a.dtype == BRAIN:
        a, b = a.astype(np.float64), b.astype(np.float64)
    wide = np.int64 if a.dtype.kind in "iu" else np.float64
    exact = c + (a.astype(wide)[:, None, :] * b.astype(wide)).sum((0, 2))
    return exact.astype(c.dtype)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 8, 16, 19])
@pytest.mark.parametrize(("a", "b"), BYTES)
@pytest.mark.parametrize("target", [host_target(), pytest.param(PLAIN, marks=x86)])
def test_bytes_are_exact(target: Target, a: str, b: str, lanes: int) -> None:
    fn = dots("dot4", a, b, "int32", lanes)
    arrays = arguments(fn)
    interpreted, native = arrays[2].copy(), arrays[2].copy()
    run_tensor_function(fn, [*arrays[:2], interpreted])
    assert Native(fn, target=target)(*arrays[:2], native) == 0
    assert np.array_equal(interpreted, expected(arrays))
    assert np.array_equal(native, interpreted)


@pytest.mark.parametrize("target", [host_target(), pytest.param(PLAIN, marks=x86)])
def test_shorts_wrap_around(target: Target) -> None:
    fn = dots("dot2", "int16", "int16", "int32")
    arrays = arguments(fn)
    native = arrays[2].copy()
    assert Native(fn, target=target)(*arrays[:2], native) == 0
    assert np.array_equal(native, expected(arrays))


@pytest.mark.parametrize("target", [host_target(), pytest.param(PLAIN, marks=x86)])
def test_brain_floats_round_as_the_interpreter(target: Target) -> None:
    fn = dots("dot2", "bfloat16", "bfloat16", "float32")
    arrays = arguments(fn)
    interpreted, native = arrays[2].copy(), arrays[2].copy()
    run_tensor_function(fn, [*arrays[:2], interpreted])
    bits = [array.view(np.uint16) for array in arrays[:2]]
    assert Native(fn, target=target)(*bits, native) == 0
    assert np.array_equal(native, interpreted)
    assert np.allclose(interpreted, expected(arrays), rtol=1e-5)


def test_a_fused_sum_is_rounded_once() -> None:
    """The exact sum lies just above the middle of two float32 values; twice rounded it is lower."""
    fn = function(
        'A: T.Buffer((4,), "bfloat16"), C: T.Buffer((1,), "float32")',
        "    C[0] = T.dot2(C[0], A[0], A[1], A[2], A[3])\n",
    )
    factors = np.array([0.0, 2.0**-24, 0.0, 1.0 + 2.0**-7], BRAIN)
    total = np.array([1.0], np.float32)
    run_tensor_function(fn, [factors, total])
    assert total[0] == np.float32(1.0 + 2.0**-23)


def test_operands_that_are_not_adjacent() -> None:
    """Factors from anywhere, constants and sums among them."""
    for form in ("B[7 - k, j, {}]", "B[k, 15 - j, 3 - {}]", "B[k, j, {}] + T.int8(1)"):
        fn = dots("dot4", "uint8", "int8", "int32", form=form)
        arrays = arguments(fn)
        interpreted, native = arrays[2].copy(), arrays[2].copy()
        run_tensor_function(fn, [*arrays[:2], interpreted])
        assert Native(fn)(*arrays[:2], native) == 0
        assert np.array_equal(native, interpreted)


def operations(fn: TensorFunction, target: Target) -> set[str]:
    text = assembly(emit(fn, "kernel", target).llvm, target)
    found = re.findall(r"v?(pdpbusd|pmaddwd|pdpwssd|dpbf16ps|fmadd\d+ps|pmulld)\b.*([xyz]mm)", text)
    return {f"{name} {register}" for name, register in found}


@x86
@pytest.mark.parametrize(
    ("target", "kinds", "found"),
    [
        (VNNI, ("uint8", "int8"), "pdpbusd zmm"),
        (VNNI, ("int8", "uint8"), "pdpbusd zmm"),
        (VNNI, ("int8", "int8"), "pdpbusd zmm"),
        (AVX_VNNI, ("uint8", "int8"), "pdpbusd ymm"),
        (AVX2, ("uint8", "int8"), "pmaddwd ymm"),
        (PLAIN, ("uint8", "int8"), "pmaddwd xmm"),
    ],
)
def test_bytes_become_one_instruction(target: Target, kinds: tuple[str, str], found: str) -> None:
    assert operations(dots("dot4", *kinds, "int32"), target) == {found}


@x86
def test_halves_become_one_instruction() -> None:
    brain = dots("dot2", "bfloat16", "bfloat16", "float32")
    assert operations(brain, BF16) == {"dpbf16ps zmm"}
    assert {name[:5] for name in operations(brain, AVX2)} == {"fmadd"}
    short = dots("dot2", "int16", "int16", "int32")
    assert operations(short, VNNI) == {"pdpwssd zmm"}
    assert operations(short, AVX2) == {"pmaddwd ymm"}


def test_an_access_beyond_the_end_is_reported() -> None:
    fn = function(
        'A: T.Buffer((6,), "uint8"), B: T.Buffer((8,), "int8"), C: T.Buffer((1,), "int32"), '
        "n: T.int64",
        "    C[0] = T.dot4(C[0], A[n], A[n + 1], A[n + 2], A[n + 3], B[0], B[1], B[2], B[3])\n",
    )
    arrays = [np.ones(6, np.uint8), np.ones(8, np.int8), np.zeros(1, np.int32)]
    kernel = Native(fn)
    assert kernel(*arrays, 2) == 0
    assert arrays[2][0] == 4
    assert kernel(*arrays, 3) > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("T.dot4(C[0], A[0], B[0])", "`T.dot4` takes 9 arguments, got 3"),
        ("T.dot2(C[0], A[0], A[1], B[0], B[1])", "multiplies `int16`, got `uint8`"),
        ("T.Cast('int32', T.dot2(A[0], A[1], A[2], B[0], B[1]))", "accumulates in"),
    ],
)
def test_operands_that_do_not_fit(call: str, message: str) -> None:
    text = f"""
@T.prim_func
def f(A: T.Buffer((4,), "uint8"), B: T.Buffer((4,), "int8"), C: T.Buffer((4,), "int32")):
    C[0] = {call}
"""
    with pytest.raises(CompileError, match=re.escape(message)) as caught:
        check(parse(text))
    assert caught.value.diagnostics[0].code == "type/dot-operands"


def test_scripts_keep_them() -> None:
    fn = dots("dot4", "uint8", "int8", "int32")
    module = IRModule((("f", fn),))
    text = print_module(module)
    assert "C[j] = T.dot4(C[j], A[k, 0], " in text
    assert structurally_equal(parse(text), module)
