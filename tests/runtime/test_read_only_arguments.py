"""Library functions that are called as pure ones get arguments that they cannot write."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

Array = np.ndarray[Any, Any]


def called(style: str, function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """`exp(x)` and what the library function makes of it."""
    call = {
        "dps": 'R.call_dps_packed(f, (a,), out_ty=R.Tensor((4,), "float32"))',
        "pure": 'R.call_pure_packed(f, a, sinfo_args=R.Tensor((4,), "float32"))',
    }[style]
    text = f"""
@R.function
def main(x: R.Tensor((4,), "float32")):
    with R.dataflow():
        a = R.add(x, x)
        y = {call}
        z = R.add(a, y)
        R.output(y, z)
    return (y, z)
"""
    return build(parse(text, namespace={"f": function}))


def overwrites(x: Array, out: Array) -> None:
    out[...] = x
    x[...] = 0


def overwrites_and_returns(x: Array) -> Array:
    np.multiply(x, 2, out=x)
    return x + 1


@pytest.mark.parametrize(
    ("style", "function"), [("dps", overwrites), ("pure", overwrites_and_returns)]
)
def test_writing_into_an_argument_is_refused_by_name(
    style: str, function: Callable[..., Any]
) -> None:
    executable = called(style, function)
    with pytest.raises(CompileError) as caught:
        executable(np.ones(4, np.float32))
    (fault,) = caught.value.diagnostics
    assert fault.code == "library/writes-argument"
    assert fault.function == "main"
    assert "writes into an argument" in fault.message


def test_the_array_of_the_caller_stays_as_it_was() -> None:
    text = """
@R.function
def main(x: R.Tensor((4,), "float32")):
    y = R.call_dps_packed(f, (x,), out_ty=R.Tensor((4,), "float32"))
    return y
"""
    x = np.ones(4, np.float32)
    with pytest.raises(CompileError, match="library/writes-argument"):
        build(parse(text, namespace={"f": overwrites}))(x)
    assert (x == 1).all()
    assert x.flags.writeable


@pytest.mark.parametrize("function", [lambda x: x, lambda x: x[::-1][::-1], lambda x: x.view()])
def test_arguments_that_are_returned_are_as_writable_as_before(
    function: Callable[[Array], Array],
) -> None:
    y, z = called("pure", function)(np.ones(4, np.float32))
    np.testing.assert_array_equal(z, np.full(4, 4, np.float32))
    assert y.flags.writeable


def through_ctypes(x: Array) -> Array:
    whole = memoryview(cast("Any", x)).cast("B")
    memory = (ctypes.c_float * x.size).from_buffer(whole)  # refuses what is not writable
    return np.array(memory, np.float32)


def test_compiled_code_that_takes_writable_memory_only_gets_copies() -> None:
    y, z = called("pure", through_ctypes)(np.ones(4, np.float32))
    np.testing.assert_array_equal(y, np.full(4, 2, np.float32))
    np.testing.assert_array_equal(z, np.full(4, 4, np.float32))
