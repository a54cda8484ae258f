"""Shape arithmetic: small integer arrays whose elements may be symbolic, evaluated while importing.

What a model computes from `Shape` becomes dimensions in types and arguments, not operators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from workbench.ir import BinaryOp, Dim, PrimExpr, as_dim, as_expr, binary
from workbench.ops.dims import expression, floor_div, polynomial, product, quotient

LARGEST = 1024
"""Integer constants with more elements are data, not shapes."""

Known: TypeAlias = "NDArray[Any] | Symbolic"


@dataclass(frozen=True, slots=True)
class Symbolic:
    """An integer array of dimensions: `elements` is an object array of ints and expressions."""

    elements: NDArray[np.object_]
    dtype: str = "int64"

    @property
    def dims(self) -> tuple[Dim, ...]:
        """All elements in order."""
        return tuple(self.elements.reshape(-1).tolist())


def symbolic(dims: tuple[Dim, ...] | list[Dim], dtype: str = "int64") -> Known:
    """Dimensions as a vector; a plain array where all are numbers."""
    elements = np.empty(len(dims), dtype=object)
    elements[:] = list(dims)
    return settle(elements, dtype)


def settle(elements: NDArray[Any], dtype: str) -> Known:
    """Simplify all elements; a plain array where all are numbers."""
    flat = [_simplified(item) for item in _listed(elements)]
    if all(isinstance(item, int) for item in flat):
        return np.array(flat, dtype=dtype).reshape(elements.shape)
    result = np.empty(len(flat), dtype=object)
    result[:] = flat
    return Symbolic(result.reshape(elements.shape), dtype)


def _listed(elements: NDArray[Any]) -> list[Any]:
    return elements.reshape(-1).tolist()


def _simplified(item: Any) -> Dim:  # noqa: ANN401
    return int(item) if hasattr(item, "__index__") else expression(polynomial(item))


def is_small(value: object) -> bool:
    """Whether a value may take part in shape arithmetic."""
    if isinstance(value, Symbolic):
        return True
    if not isinstance(value, np.ndarray):
        return False
    array = cast("NDArray[Any]", value)
    return array.dtype.kind in "iub" and array.size <= LARGEST and array.ndim <= 1


def elements_of(value: Known) -> NDArray[Any]:
    """The elements as Python ints and expressions."""
    return value.elements if isinstance(value, Symbolic) else value.astype(object)


def shape_binary(op: str, a: Known, b: Known) -> Known | None:
    """An elementwise operation on shape values, None where it cannot be said in dimensions."""
    function = _BINARY.get(op)
    if function is None:
        return None
    left, right = np.broadcast_arrays(elements_of(a), elements_of(b))
    found = [function(x, y) for x, y in zip(left.reshape(-1), right.reshape(-1), strict=True)]
    if any(item is None for item in found):
        return None
    result = np.empty(len(found), dtype=object)
    result[:] = found
    dtype = "bool" if op in _COMPARISONS else str(a.dtype)
    return settle(result.reshape(left.shape), dtype)


def _divide(a: Dim, b: Dim) -> Dim | None:
    """Division of extents; they are not negative, so that truncation and floor agree."""
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else None
    exact = quotient(a, b)
    if exact is not None:
        return exact
    return floor_div(a, b) if isinstance(b, int) and b > 0 else None


def _of(op: BinaryOp) -> Callable[[Dim, Dim], Dim]:
    return lambda a, b: as_dim(binary(op, as_expr(a), as_expr(b)))


def _equal(a: Dim, b: Dim) -> int | None:
    """Whether two extents are equal; a symbolic extent is never negative."""
    if isinstance(a, int) and isinstance(b, int):
        return int(a == b)
    if a == b:
        return 1
    number = next((x for x in (a, b) if isinstance(x, int)), None)
    return 0 if number is not None and number < 0 else None


_BINARY: dict[str, Callable[[Dim, Dim], Dim | None]] = {
    "Add": _of(BinaryOp.ADD),
    "Sub": _of(BinaryOp.SUB),
    "Mul": _of(BinaryOp.MUL),
    "Min": _of(BinaryOp.MIN),
    "Max": _of(BinaryOp.MAX),
    "Mod": _of(BinaryOp.FLOORMOD),
    "Div": _divide,
    "Equal": _equal,
}
_COMPARISONS = frozenset({"Equal"})


def shape_product(value: Known) -> Dim:
    """The product of all elements."""
    return product(elements_of(value).reshape(-1).tolist())


def shape_where(condition: Known, a: Known, b: Known) -> Known | None:
    """A choice between shape values; the condition must be known."""
    if isinstance(condition, Symbolic):
        return None
    chosen = np.where(condition.astype(bool), elements_of(a), elements_of(b))
    return settle(chosen, str(a.dtype))


def as_dims(value: Known) -> tuple[Dim, ...]:
    """The elements as dimensions."""
    if isinstance(value, Symbolic):
        return value.dims
    return tuple(int(item) for item in value.reshape(-1))


def broadcast_dims(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The shape that `Expand` gives: extents of `b`, those of `a` where `b` has 1."""
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    return tuple(x if y == 1 else y for x, y in zip(left, right, strict=True))


def scalar(value: Known) -> int | PrimExpr | None:
    """The only element, None if there are several."""
    dims = as_dims(value)
    return dims[0] if len(dims) == 1 else None
