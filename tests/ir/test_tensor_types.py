"""Tensor types refuse what no tensor has, where they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workbench.ir import ScalarType, TensorType, Var
from workbench.ir.dtypes import DTYPES, dtype_hint
from workbench.support import CompileError, NodeId

make: Any = TensorType


@pytest.mark.parametrize(
    ("shape", "dtype", "code", "words"),
    [
        ((-1,), "float32", "type/negative-extent", "found `-1`"),
        ((2, -3), "float32", "type/negative-extent", "found `-3`"),
        ((2,), "f32", "type/unknown-dtype", "did you mean `float32`?"),
        ((2,), "double", "type/unknown-dtype", "did you mean `float64`?"),
        ((2,), "flaot32", "type/unknown-dtype", "did you mean `float32`"),
        ((2,), "ab", "type/unknown-dtype", "there are bfloat16, bool"),
        ((2,), float, "type/unknown-dtype", "did you mean `float32`?"),
        ((2,), [], "type/unknown-dtype", "`[]`, a `list`"),
        (3, "float32", "expr/not-a-dimension", "`(n,)`"),
        ("ab", "float32", "expr/not-a-dimension", "`'ab'`"),
        ((2.5,), "float32", "expr/not-a-dimension", "`2.5`"),
        ((None,), "float32", "expr/not-a-dimension", "`None`"),
    ],
)
def test_a_type_that_no_tensor_has_is_refused(
    shape: object, dtype: object, code: str, words: str
) -> None:
    with pytest.raises(CompileError) as caught:
        make(shape, dtype)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert words in diagnostic.render()


def test_lists_and_numpy_become_ours() -> None:
    made = make([np.int64(3), 4], np.dtype("int8"))
    assert made == TensorType((3, 4), "int8")
    assert [type(part) for part in (*made.shape, made.dtype)] == [int, int, str]
    assert make((2,), np.float16) == TensorType((2,), "float16")


def test_what_is_not_known_stays_open() -> None:
    n = Var(NodeId(0), "n", ScalarType())
    assert TensorType((n, 4)).shape == (n, 4)
    assert TensorType(None, None).rank is None


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_each_dtype_is_its_own_hint_at_most(dtype: str) -> None:
    assert TensorType((), dtype).dtype == dtype
    assert f"`{dtype}`" in dtype_hint(dtype.upper())


@pytest.mark.parametrize("ndim", [-1, True, "2", 2.0])
def test_what_is_no_number_of_dimensions(ndim: object) -> None:
    with pytest.raises(CompileError) as error:
        make(None, ndim=ndim)
    assert error.value.diagnostics[0].code == "type/rank"


def test_the_number_of_dimensions_of_a_shape() -> None:
    assert TensorType((4, 4), "float32", 2) == TensorType((4, 4), "float32")
    assert TensorType(None, "float32", np.int64(2)).ndim == 2  # pyright: ignore[reportArgumentType]
    with pytest.raises(CompileError, match=r"`ndim` is `3`, and the shape has `2` dimensions"):
        TensorType((4, 4), "float32", 3)
