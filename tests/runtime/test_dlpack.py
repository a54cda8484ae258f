"""Arrays of torch and numpy in and out without copies, told by their addresses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from workbench.interpret import run
from workbench.ir import IRModule
from workbench.runtime import CopiedArgumentWarning, build
from workbench.script import parse
from workbench.support import CompileError

torch = pytest.importorskip("torch")

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 6), "{dtype}")):
        with R.dataflow():
            a = R.call_dps_packed(first, (x,), out_ty=R.Tensor((4, 6), "{dtype}"))
            b = R.add(a, a)
            y = R.{call}
            R.output(y)
        return y
"""
RETURNING = 'call_pure_packed(second, b, ty_args=R.Tensor((4, 6), "{dtype}"))'
FILLING = 'call_dps_packed(second, (b,), out_ty=R.Tensor((4, 6), "{dtype}"))'


def module(
    first: object, second: object, call: str = RETURNING, dtype: str = "float32"
) -> IRModule:
    text = TEXT.format(dtype=dtype, call=call.format(dtype=dtype))
    return parse(text, namespace={"first": first, "second": second})


def copying(seen: list[int]) -> Callable[..., None]:
    """A numpy function that notes where its arguments are."""

    def copy(x: np.ndarray, out: np.ndarray) -> None:
        seen.extend((x.ctypes.data, out.ctypes.data))
        out[...] = x

    return copy


def identity(x: np.ndarray) -> np.ndarray:
    return x.copy()


def test_a_tensor_goes_in_where_it_is() -> None:
    seen: list[int] = []
    x = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    result = build(module(copying(seen), identity))(x)
    assert seen[0] == x.data_ptr()
    np.testing.assert_array_equal(result, x.numpy() * 2)


def test_torch_takes_the_result_where_it_is() -> None:
    result = build(module(copying([]), identity))(np.ones((4, 6), np.float32))
    for taken in (torch.from_dlpack(result), torch.from_numpy(result)):
        assert taken.data_ptr() == result.ctypes.data
    taken += 1
    assert result[0, 0] == 3


def test_results_of_compiled_code_too() -> None:
    call = 'R.call_dps_packed(first, (x,), out_ty=R.Tensor((4, 6), "float32"))'
    text = TEXT.format(dtype="float32", call="exp(b)").replace(call, "R.tanh(x)")
    executable = build(parse(text))
    x = torch.zeros(4, 6)
    first, second = executable(x), executable(x)
    assert torch.from_dlpack(first).data_ptr() == first.ctypes.data
    assert first.ctypes.data != second.ctypes.data


def test_a_torch_function_gets_our_buffers_as_tensors() -> None:
    ours: list[int] = []
    theirs: list[tuple[type, int]] = []

    def relu(x: torch.Tensor, out: torch.Tensor) -> None:  # pyright: ignore[reportInvalidTypeForm]
        theirs.append((type(x), x.data_ptr()))
        torch.clamp(x, min=0, out=out)

    between = 'R.call_dps_packed(relu, (a,), out_ty=R.Tensor((4, 6), "float32"))'
    text = TEXT.replace("R.add(a, a)", between)
    call = FILLING.format(dtype="float32")
    made = parse(
        text.format(dtype="float32", call=call),
        namespace={"first": copying(ours), "relu": relu, "second": copying(ours)},
    )
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    result = build(made)(x)
    assert theirs == [(torch.Tensor, ours[1])]
    assert ours[0] == x.ctypes.data
    np.testing.assert_array_equal(result, np.maximum(x, 0))


@pytest.mark.parametrize(
    "function", [torch.sigmoid, torch.nn.functional.silu, torch.nn.Sequential(torch.nn.SiLU())]
)
def test_functions_of_torch_are_implementations(function: Callable[..., Any]) -> None:
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    result = build(module(copying([]), function))(x)
    np.testing.assert_allclose(result, function(torch.from_numpy(2 * x)).numpy(), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_interpreter_takes_what_torch_returns_wherever_it_lies(dtype: str) -> None:
    def turned(x: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportInvalidTypeForm]
        return torch.as_tensor(x).flip(0).t()

    text = f"""
@R.function
def main(x: R.Tensor((4, 6), "{dtype}")):
    a = R.add(x, x)
    b = R.call_pure_packed(turned, a, ty_args=(R.Tensor((6, 4), "{dtype}"),))
    c = R.add(b, b)
    return (b, c)
"""
    made = parse(text, namespace={"turned": turned})
    x = torch.arange(24, dtype=getattr(torch, dtype)).reshape(4, 6)
    for found in (run(made, x), build(made)(x)):
        for factor, result in zip((2, 4), found, strict=True):
            np.testing.assert_array_equal(
                result.astype("f"), factor * x.flip(0).t().float().numpy()
            )


def test_what_torch_returns_is_not_copied() -> None:
    theirs: list[int] = []
    ours: list[int] = []

    def doubled(x: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportInvalidTypeForm]
        found = x * 2
        theirs.append(found.data_ptr())
        return found

    between = 'R.call_pure_packed(doubled, a, ty_args=R.Tensor((4, 6), "float32"))'
    text = TEXT.format(dtype="float32", call=FILLING.format(dtype="float32"))
    names = {"first": copying([]), "second": copying(ours), "doubled": doubled}
    made = parse(text.replace("R.add(a, a)", between), namespace=names)
    build(made)(np.ones((4, 6), np.float32))
    assert ours[0] == theirs[0]


def test_bfloat16_goes_in_and_through_torch() -> None:
    seen: list[int] = []
    x = torch.linspace(-1, 1, 24, dtype=torch.bfloat16).reshape(4, 6)
    result = build(module(copying(seen), torch.nn.functional.relu, dtype="bfloat16"))(x)
    assert seen[0] == x.data_ptr()
    assert result.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(result.astype("f"), (x * 2).relu().float().numpy())


@pytest.mark.parametrize("kind", ["torch", "numpy"])
def test_what_is_not_row_major_is_copied_and_that_is_said(kind: str) -> None:
    seen: list[int] = []
    whole = np.arange(24, dtype=np.float32).reshape(6, 4)
    executable = build(module(copying(seen), identity))
    x = torch.from_numpy(whole).T if kind == "torch" else whole.T
    said = "argument `x` of `main` is not row-major"
    with pytest.warns(CopiedArgumentWarning, match=said) as told:
        result = executable(x)
    assert told[0].filename == __file__
    assert seen[0] != whole.ctypes.data
    np.testing.assert_array_equal(result, whole.T * 2)


def test_row_major_arguments_warn_of_nothing() -> None:
    executable = build(module(copying([]), identity))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        executable(torch.zeros(4, 6))
        executable(np.zeros((4, 6), np.float32))


def test_a_tensor_that_learns_is_refused_with_the_way_out() -> None:
    executable = build(module(copying([]), identity))
    with pytest.raises(CompileError) as caught:
        executable(torch.zeros(4, 6, requires_grad=True))
    assert caught.value.diagnostics[0].code == "run/foreign-array"
    assert "detach()" in caught.value.diagnostics[0].hint


def test_a_tensor_with_a_lazy_sign_has_it_here_too() -> None:
    x = torch.tensor([[1j, 2j, 3j, 4j, 5j, 6j]] * 4).conj().imag
    assert x.is_neg()
    result = build(module(copying([]), identity))(x)
    np.testing.assert_array_equal(result, x.resolve_neg().numpy() * 2)


def test_bfloat16_goes_out_to_torch_by_its_bits() -> None:
    x = torch.linspace(-1, 1, 24, dtype=torch.bfloat16).reshape(4, 6)
    result = build(module(copying([]), identity, dtype="bfloat16"))(x)
    taken = torch.from_dlpack(result.view("uint16")).view(torch.bfloat16)
    assert taken.data_ptr() == result.ctypes.data
    np.testing.assert_array_equal(taken.float().numpy(), result.astype(np.float32))


def test_sparse_tensors_are_refused_with_the_way_out() -> None:
    with pytest.raises(CompileError) as caught:
        build(module(copying([]), identity))(torch.zeros(4, 6).to_sparse())
    assert "to_dense()" in caught.value.diagnostics[0].hint


def test_what_is_not_aligned_is_copied_and_that_is_said() -> None:
    whole = np.zeros(4 * 24 + 1, np.uint8)[1:].view(np.float32).reshape(4, 6)
    with pytest.warns(CopiedArgumentWarning, match="is not aligned and was copied; `copy"):
        build(module(copying([]), identity))(whole)
