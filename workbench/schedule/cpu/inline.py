"""Inlining of stages: an elementwise producer is computed where it is read.

Chooses what is worth it among what the primitive `compute_inline` can do.
Reference: Halide's default schedule (Ragan-Kelley et al., PLDI 2013).
"""

from __future__ import annotations

from dataclasses import replace

from workbench.analysis.arith import Facts
from workbench.analysis.op_pattern import OpPattern, is_expensive, stage_pattern
from workbench.analysis.stages import Stage, stages
from workbench.ir import (
    BufferType,
    Load,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Stmt,
    TensorFunction,
    Var,
    children,
    walk,
)
from workbench.schedule.blocks.inlining import Inliner, without_buffer
from workbench.schedule.scope import sequence
from workbench.schedule.touches import touches_of
from workbench.support import NodeId

LARGEST_EXPRESSION = 400
"""Nodes of an expression that inlining may make; a value read twice doubles with each stage."""
DEEPEST_EXPRESSION = 40
"""Nesting of an expression that inlining may make; deeper ones are slow to compile and to read."""


def inline_stages(function: TensorFunction) -> TensorFunction:
    """Inline every producer that is elementwise, broadcast or injective and not costly to repeat.

    A producer that is expensive and read more than once per element, or that guards (padding) and
    feeds a reduction, or that reads what is written later, stays. The function comes back as it is
    where it has no stages.
    """
    while (found := stages(function)) is not None:
        inner = {buffer.id for buffer in function.allocations}
        readers = _readers(found)
        candidates = (s for s in found[:-1] if s.buffer.id in inner)
        producer = next((s for s in candidates if _may_inline(s, found, readers)), None)
        if producer is None:
            return function
        function = _inline(function, producer)
    return function


def _readers(found: tuple[Stage, ...]) -> dict[NodeId, list[Stage]]:
    """The stages that read each buffer."""
    readers: dict[NodeId, list[Stage]] = {}
    for stage in found:
        for buffer in dict.fromkeys([load.buffer.id for load in stage.loads]):
            readers.setdefault(buffer, []).append(stage)
    return readers


def _may_inline(
    producer: Stage, found: tuple[Stage, ...], reading: dict[NodeId, list[Stage]]
) -> bool:
    if (
        stage_pattern(producer) > OpPattern.INJECTIVE
        or sum(s.buffer.id == producer.buffer.id for s in found) > 1
        or _overwritten(producer, found)
    ):
        return False
    readers = reading.get(producer.buffer.id, [])
    guards = any(isinstance(node, Select) for node in walk(producer.store.value))
    return (
        all(_cheap_in(producer, reader, guards) for reader in readers)
        and (len(readers) == 1 or not is_expensive(producer.store.value))
        and all(_stays_small(producer, reader) for reader in readers)
    )


def _overwritten(producer: Stage, found: tuple[Stage, ...]) -> bool:
    """Whether the producer or a stage behind it writes what the producer reads."""
    written = {stage.buffer.id for stage in found[found.index(producer) :]}
    return any(load.buffer.id in written for load in producer.loads)


def _stays_small(producer: Stage, reader: Stage) -> bool:
    """Whether the reader's expression stays of a size that one can read and compile."""
    value = reader.store.value
    reads = sum(isinstance(x, Load) and x.buffer.id == producer.buffer.id for x in walk(value))
    size = _size(value) + reads * _size(producer.store.value)
    depth = _depth(value) + _depth(producer.store.value)
    return size <= LARGEST_EXPRESSION and depth <= DEEPEST_EXPRESSION


def _size(expr: PrimExpr) -> int:
    return sum(not isinstance(node, BufferType) for node in walk(expr))


def _depth(expr: PrimExpr) -> int:
    """Operators above the loads and constants that are nested deepest."""
    if isinstance(expr, Load | Var):
        return 1
    parts = (part for part in children(expr) if not isinstance(part, BufferType | ScalarType))
    return 1 + max((_depth(part) for part in parts), default=0)


def _cheap_in(producer: Stage, reader: Stage, guards: bool) -> bool:
    """Whether computing the producer inside the reader repeats nothing costly."""
    if reader.reduce and guards:
        return False
    if not is_expensive(producer.store.value):
        return not (
            reader.reduce
            and len(reader.spatial) > 1
            and len(producer.loads) > 1
            and _repeats(producer, reader)
        )
    return not _repeats(producer, reader)


def _repeats(producer: Stage, reader: Stage) -> bool:
    """Whether one element of the producer is read by several instances of the reader."""
    loads = {load for load in reader.loads if load.buffer.id == producer.buffer.id}
    used = {v.id for load in loads for i in load.indices for v in walk(i) if isinstance(v, Var)}
    return len(loads) > 1 or any(axis.var.id not in used for axis in reader.block.axes)


def _inline(function: TensorFunction, producer: Stage) -> TensorFunction:
    inliner = Inliner(producer.buffer.id, producer.block.axes, producer.store)
    nests = function.body.body if isinstance(function.body, Seq) else (function.body,)
    buffer = producer.buffer.id
    kept = [n for n in nests if buffer not in touches_of(n).writes]
    changed = [inliner.rewritten(n, Facts()) if _reads(n, buffer) else n for n in kept]
    return without_buffer(replace(function, body=sequence(changed)), buffer)


def _reads(nest: Stmt, buffer: NodeId) -> bool:
    return touches_of(nest).touches((buffer,))
