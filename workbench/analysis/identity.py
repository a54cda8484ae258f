"""Identity: calls that give back what they take, read off attributes, types and code."""

from __future__ import annotations

from workbench.analysis.stages import stages
from workbench.ir import (
    BufferType,
    CallOp,
    Dim,
    IntImm,
    Load,
    PrimExpr,
    TensorFunction,
    TensorType,
    Type,
    Var,
    as_dim,
    fingerprint,
)
from workbench.ir.dims import same_dim, same_shape
from workbench.ir.numbers import int_bits
from workbench.support import NodeId

MANTISSA = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
"""Bits of the significand, the implicit one included."""
EXPONENT = {"float16": 5, "bfloat16": 8, "float32": 8, "float64": 11}

_COPIES: dict[str, bool] = {}


def is_copy(function: TensorFunction | None) -> bool:
    """Whether a tensor function stores each element of its only input at the same place."""
    if function is None or len(function.params) != 2:
        return False
    key = fingerprint(function)
    if key not in _COPIES:
        _COPIES[key] = _copies(function)
    return _COPIES[key]


def _copies(function: TensorFunction) -> bool:
    found = stages(function)
    source, target = (param.type for param in function.params)
    if found is None or len(found) != 1 or not isinstance(source, BufferType):
        return False
    (stage,) = found
    load = stage.store.value
    if not isinstance(target, BufferType) or stage.init is not None or stage.reduce:
        return False
    if not isinstance(load, Load) or load.indices != stage.store.indices:
        return False
    buffers = (load.buffer.id, stage.buffer.id)
    if buffers != tuple(param.id for param in function.params) or source.dtype != target.dtype:
        return False
    return same_shape(source.shape, target.shape) is True and all(
        _covers(index, extent, stage.extents)
        for index, extent in zip(stage.store.indices, target.shape, strict=True)
    )


def _covers(index: PrimExpr, extent: Dim, extents: dict[NodeId, PrimExpr]) -> bool:
    if isinstance(index, Var):
        return index.id in extents and same_dim(as_dim(extents[index.id]), extent) is True
    return index == IntImm(0) and extent == 1


def permutation(call: CallOp, rank: int) -> tuple[int, ...] | None:
    """The order of dimensions of a `permute_dims`, counted from the front; None if it has none."""
    axes = dict(call.attrs).get("axes")
    if axes is None:
        return tuple(reversed(range(rank)))
    if not isinstance(axes, tuple) or len(axes) != rank:
        return None
    return tuple(axis % rank for axis in axes if isinstance(axis, int))


def exact_cast(source: Type, target: Type) -> bool:
    """Whether every value of the first dtype is one of the second: casting back gives it again."""
    if not isinstance(source, TensorType) or not isinstance(target, TensorType):
        return False
    a, b = source.dtype, target.dtype
    if a is None or b is None:
        return False
    if a in {b, "bool"}:
        return True
    if a in MANTISSA:
        return b in MANTISSA and MANTISSA[a] <= MANTISSA[b] and EXPONENT[a] <= EXPONENT[b]
    signed, bits = not a.startswith("u"), int_bits(a)
    if b in MANTISSA:
        return bits - signed <= MANTISSA[b] and bits < 1 << (EXPONENT[b] - 1)
    if b == "bool":
        return False
    wide = int_bits(b)
    if signed == (not b.startswith("u")):
        return bits <= wide
    return not signed and bits < wide
