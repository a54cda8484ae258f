"""Empties: a primitive must not change whether a reduction without instances is initialised.

The init of a simple nest runs although there is nothing to reduce (`analysis.empty_reductions`).
Fused with another loop, say, a reduction is no longer such a nest.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from workbench.analysis.dependence import Answer, applies, unproved
from workbench.analysis.empty_reductions import Reduction, reductions
from workbench.ir import Block, Store, TensorFunction, Var, walk
from workbench.support import NodeId

_KEPT = 16
_CACHE: OrderedDict[int, tuple[TensorFunction, tuple[Reduction, ...]]] = OrderedDict()
_LOCK = threading.Lock()

Inits = dict[NodeId, tuple[Var, Block, bool]]
HINT = "take the initial value out first: `decompose_reduction`"


def may_be_empty(function: TensorFunction) -> tuple[Reduction, ...]:
    """The reductions of which it is not proved that they have instances; kept by identity."""
    with _LOCK:
        entry = _CACHE.get(id(function))
    if entry is not None:
        return entry[1]
    found = tuple(reduction for reduction in reductions(function) if reduction.may_be_empty)
    with _LOCK:
        _CACHE[id(function)] = function, found
        while len(_CACHE) > _KEPT:
            _CACHE.popitem(last=False)
    return found


def inits_kept(before: tuple[Reduction, ...], after: TensorFunction) -> Answer:
    """Whether what was initialised with nothing to reduce still is, and nothing else."""
    old, new = _inits(before), _inits(may_be_empty(after))
    blocks = {block.id: (buffer, block, simple) for buffer, block, simple in old.values()}
    for ident, (buffer, block, simple) in new.items():
        was = old.get(ident) or blocks.get(block.id)
        if (was is None and simple) or (was is not None and was[2] is simple):
            continue
        verb = "would get its initial value" if simple else "would not get its initial value"
        message = f"it is not proved that `{block.name}` has something to reduce: else `"
        return unproved(f"{message}{buffer.name}` {verb}", block.id, hint="" if simple else HINT)
    return applies()


def _inits(found: tuple[Reduction, ...]) -> Inits:
    """Each buffer that is initialised, by which block, and whether always."""
    inits: Inits = {}
    for reduction in found:
        assert reduction.block.init is not None
        for node in walk(reduction.block.init):
            if isinstance(node, Store):
                always = reduction.simple is not None
                kept = inits.get(node.buffer.id)
                if kept is None or kept[2]:
                    inits[node.buffer.id] = node.buffer, reduction.block, always
    return inits
