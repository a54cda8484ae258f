"""The dtypes there are, and what somebody may have meant who wrote another."""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy as np

from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.spelling import near

DTYPES = frozenset(
    {"bool", "float16", "bfloat16", "float32", "float64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""The dtypes there are."""

_OTHER_NAMES: dict[str, str] = {
    **{
        f"{sign}{bits}": f"{name}{bits}"
        for sign, name in (("i", "int"), ("u", "uint"))
        for bits in (8, 16, 32, 64)
    },
    **{f"{sign}{bits}": f"float{bits}" for sign in ("f", "fp") for bits in (16, 32, 64)},
    **{"bf16": "bfloat16", "half": "float16", "float": "float32", "single": "float32"},
    **{"double": "float64", "int": "int64", "long": "int64", "short": "int16", "byte": "uint8"},
    **{"boolean": "bool"},
}
"""What other languages and libraries call them."""


def is_float(dtype: str) -> bool:
    """Whether `dtype` is a floating point type."""
    return dtype.startswith(("float", "bfloat"))


def dtype_name(dtype: object) -> str | None:
    """The name of a dtype given as text, or as one of numpy or torch; None where it is none."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    name = getattr(dtype, "__name__", None) if name is None else name
    name = str(dtype).removeprefix("torch.") if name is None else name
    return str(name) if isinstance(name, str) and name in DTYPES else None


@functools.cache
def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy dtype of that name; `bfloat16` is the one of `ml_dtypes`."""
    return np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)


def as_dtype(dtype: object) -> str | None:
    """The name of a dtype; None for one that is not known.

    Raises:
        CompileError: `type/unknown-dtype`.
    """
    name = dtype_name(dtype)
    if name is None and dtype is not None:
        raise CompileError(unknown_dtype(dtype))
    return name


def dtype_hint(dtype: object) -> str:
    """What somebody may have meant who wrote `dtype`; empty where nothing is near."""
    name = getattr(dtype, "__name__", dtype)
    word = str(name).lower()
    meant = _OTHER_NAMES.get(word)
    return f"did you mean `{meant}`?" if meant else near(word, DTYPES)


def unknown_dtype(dtype: object) -> Diagnostic:
    """The fault of what is no dtype."""
    return Diagnostic(
        "type/unknown-dtype",
        f"expected a dtype, found {found(dtype)}",
        notes=() if dtype_hint(dtype) else ("there are " + ", ".join(sorted(DTYPES)),),
        hint=dtype_hint(dtype),
    )


def negative_extent(extent: object) -> Diagnostic:
    """The fault of a dimension below 0."""
    return Diagnostic(
        "type/negative-extent",
        f"a dimension is 0 or more, found `{extent}`",
        hint="a dimension that is not known is a symbol, such as `te.var('n')`",
    )
