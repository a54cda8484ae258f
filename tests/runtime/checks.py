"""What the tests of the runtime share."""

from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from workbench.ir import (
    TensorType,
    Type,
)
from workbench.support import CompileError


def normal(rng: Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def assert_same(found: Any, expected: Any) -> None:  # noqa: ANN401
    if isinstance(expected, tuple):
        assert isinstance(found, tuple)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape


def fixed_shape(type_: Type) -> tuple[int, ...]:
    assert isinstance(type_, TensorType)
    return tuple(dim for dim in type_.shape or () if isinstance(dim, int))


def code_of(call: object) -> str:
    with pytest.raises(CompileError) as caught:
        call()  # pyright: ignore[reportCallIssue]
    return caught.value.diagnostics[0].code


def text_of(call: object) -> str:
    with pytest.raises(CompileError) as caught:
        call()  # pyright: ignore[reportCallIssue]
    return str(caught.value)
