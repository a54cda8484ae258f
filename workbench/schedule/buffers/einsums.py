"""Einsums: blocks that add up products of elements at their axes."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from workbench.analysis.dependence import Answer, inapplicable, unproved
from workbench.analysis.dependence.reductions import update_of
from workbench.ir import (
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    Cast,
    FloatImm,
    IntImm,
    Load,
    PrimExpr,
    Store,
    Var,
    dtype_of,
    free_vars,
    is_float,
)
from workbench.schedule.buffers.operands import plain_buffer
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Einsum:
    """`store` adds the product of `factors` to an element, or stores it where `adds` is not set.

    All indices are axes of `block`.
    """

    block: Block
    store: Store
    factors: tuple[Load, ...]
    adds: bool


def einsum_of(block: Block) -> Einsum | Answer:
    """The einsum that a block computes, or why it is none."""
    store, name = block.body, block.name
    if not isinstance(store, Store) or not isinstance(block.init, Store | None):
        return inapplicable(f"block `{name}` does more than one store", block.id)
    init = block.init
    if init is not None and (init.buffer.id, init.indices) != (store.buffer.id, store.indices):
        message = f"block `{name}` initialises another element than it updates"
        return inapplicable(message, block.id)
    update = update_of(store)
    value = store.value
    if update is not None:
        if not isinstance(value, Binary) or value.op is not BinaryOp.ADD:
            message = f"block `{name}` computes a {update.word}, expected a sum of products"
            return inapplicable(message, block.id)
        value = value.b if value.a == update.own else value.a
    factors = _factors(value)
    if factors is None:
        message = f"what block `{name}` adds or stores is no product of elements"
        return inapplicable(message, block.id)
    for access in (Load(store.buffer, store.indices), *factors):
        if not _at_axes(block, access):
            message = f"block `{name}` accesses `{access.buffer.name}` at more than its axes"
            return inapplicable(message, block.id, hint="`reindex` first")
    if any(load.buffer.id == store.buffer.id for load in factors):
        message = f"block `{name}` reads `{store.buffer.name}`, which it writes"
        return inapplicable(message, block.id)
    return Einsum(block, store, factors, update is not None)


def _factors(value: PrimExpr) -> tuple[Load, ...] | None:
    match value:
        case Load():
            return (value,)
        case Cast(value=inner, dtype=dtype) if dtype != "bool":
            return _factors(inner)
        case Binary(op=BinaryOp.MUL, a=a, b=b):
            left, right = _factors(a), _factors(b)
            return None if left is None or right is None else (*left, *right)
        case _:
            return None


def _at_axes(block: Block, access: Load) -> bool:
    axes = {axis.var.id for axis in block.axes}
    found = [i.id for i in access.indices if isinstance(i, Var) and i.id in axes]
    return len(found) == len(access.indices) == len(set(found))


def zeros_vanish(einsum: Einsum, padded: AbstractSet[NodeId]) -> Answer | None:
    """Whether products at padded reduction axes add nothing; None where that is so.

    An init runs at padded elements too, so it must not depend on the axes that grow. Instances
    along a spatial axis that is no index of the result would write what others have written.
    """
    block = einsum.block
    refused = _grown(einsum, padded)
    if refused is not None:
        return refused
    reduce = [a for a in block.axes if a.kind is not AxisKind.SPATIAL and a.var.id in padded]
    if not reduce:
        return None
    if not einsum.adds:
        message = f"block `{block.name}` stores products along reduction axes, it does not add them"
        return inapplicable(message, block.id)
    inexact = is_float(plain_buffer(einsum.store.buffer).dtype)
    for axis in reduce:
        for load in einsum.factors:
            if axis.var not in load.indices and (inexact or is_float(dtype_of(load))):
                return unproved(
                    f"`{load.buffer.name}` is not padded along `{axis.var.name}`, and zero times "
                    "infinity is not zero",
                    block.id,
                )
        if not any(axis.var in load.indices for load in einsum.factors):
            message = f"nothing that is added depends on `{axis.var.name}`"
            return inapplicable(message, block.id)
    if inexact and not _never_minus_zero(block):
        return unproved(
            f"block `{block.name}` adds to what is there already, and `-0.0 + 0.0` is not `-0.0`",
            block.id,
        )
    return None


def _grown(einsum: Einsum, padded: AbstractSet[NodeId]) -> Answer | None:
    """What would be initialised or written otherwise along axes that grow."""
    block, store = einsum.block, einsum.store
    for axis in block.axes:
        free = axis.kind is AxisKind.SPATIAL and axis.var not in store.indices
        if free and axis.var.id in padded:
            message = f"`{store.buffer.name}` has no elements of its own along `{axis.var.name}`"
            return inapplicable(message, block.id)
    if isinstance(block.init, Store):
        used = free_vars(block.init.value)
        grown = next((a.var.name for a in block.axes if {a.var.id} & padded & set(used)), None)
        if grown is not None:
            message = f"the init of block `{block.name}` depends on `{grown}`, which would grow"
            return inapplicable(message, block.id, hint="`decompose_reduction` first")
    return None


def _never_minus_zero(block: Block) -> bool:
    match block.init:
        case Store(value=FloatImm(value=value)):
            return str(value) != "-0.0"
        case Store(value=IntImm()):
            return True
        case _:
            return False
