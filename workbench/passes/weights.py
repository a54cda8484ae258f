"""Weights: arrays as parameters of passes, by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from workbench.interpret.graph import as_argument
from workbench.ir import ConstantPool, content_digest
from workbench.ir.dtypes import as_dtype
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import methods_check_kinds
from workbench.support.masked import unmasked

SHOWN = 64
"""Elements that stand in the code of a pass; larger arrays are named by their digest."""


@methods_check_kinds()
@dataclass(frozen=True, slots=True, repr=False)
class Weights:
    """An array, equal to another where dtype, shape and bits are.

    Without `array`, the digest names a constant of the module. `exact` where somebody chose the
    dtype; numbers and lists take the dtype that they are for. Prints as code that makes it again:
    the elements of small arrays, the digest of others.
    """

    digest: str
    array: NDArray[Any] | None = field(default=None, compare=False)
    exact: bool = True

    @override
    def __repr__(self) -> str:
        array = self.array
        if array is None or array.size > SHOWN or not np.isfinite(array.astype("f8")).all():
            return f"wb.passes.Weights({self.digest!r})"
        dtype = f", {str(array.dtype)!r}" if self.exact else ""
        return f"wb.passes.weights({array.tolist()!r}{dtype})"

    def found(self, pool: ConstantPool) -> NDArray[Any]:
        """The array, or the constant of the module that the digest names.

        Raises:
            CompileError: `pass/unknown-constant`.
        """
        if self.array is not None:
            return self.array
        if self.digest not in pool:
            raise CompileError(
                Diagnostic(
                    "pass/unknown-constant",
                    f"the module has no constant `{self.digest}`",
                    hint="give the array itself",
                )
            )
        return pool[self.digest]


def weights(value: object, dtype: str | None = None) -> Weights:
    """An array, a tensor of another library, a number or a list as `Weights`.

    Raises:
        CompileError: `pass/parameter-type` for what holds no numbers, `type/unknown-dtype`,
            `call/masked-array`.
    """
    if isinstance(value, Weights):
        return value
    if dtype is not None:
        try:
            array = np.asarray(unmasked(value), dtype=as_dtype(dtype))
        except (TypeError, ValueError):
            raise CompileError(_no_numbers(value)) from None
        return Weights(content_digest(array), array)
    array = np.asarray(as_argument(value))
    if array.dtype.kind in "OSU":
        raise CompileError(_no_numbers(value))
    return Weights(content_digest(array), array, exact=hasattr(value, "dtype"))


def _no_numbers(value: object) -> Diagnostic:
    message = f"a parameter is bound to an array of numbers, got `{type(value).__name__}`"
    return Diagnostic("pass/parameter-type", message)


def named_weights(
    values: Mapping[str, object] | tuple[tuple[str, object], ...],
) -> tuple[tuple[str, Weights], ...]:
    """Arrays by name, sorted by name."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return tuple(sorted(((name, weights(value)) for name, value in pairs), key=lambda p: p[0]))
