"""Inlining of stages: an elementwise producer is computed where it is read.

Chooses what is worth it among what the primitive `compute_inline` can do.
Reference: Halide's default schedule (Ragan-Kelley et al., PLDI 2013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from workbench.analysis.arith import Facts
from workbench.analysis.op_pattern import OpPattern, is_expensive_operation, stage_pattern
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
from workbench.ir.traverse import Node
from workbench.schedule.blocks.inlining import Inliner, without_buffer
from workbench.schedule.scope import sequence
from workbench.schedule.touches import touches_of
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo

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
    return (
        all(_cheap_in(producer, reader) for reader in readers)
        and (len(readers) == 1 or not _measured(producer).expensive)
        and all(_stays_small(producer, reader) for reader in readers)
    )


def _overwritten(producer: Stage, found: tuple[Stage, ...]) -> bool:
    """Whether the producer or a stage behind it writes what the producer reads."""
    written = {stage.buffer.id for stage in found[found.index(producer) :]}
    return any(load.buffer.id in written for load in producer.loads)


def _stays_small(producer: Stage, reader: Stage) -> bool:
    """Whether the reader's expression stays of a size that one can read and compile."""
    reads = sum(load.buffer.id == producer.buffer.id for load in reader.loads)
    own, other = _measured(producer), _measured(reader)
    size, depth = other.size + reads * own.size, other.depth + own.depth
    return size <= LARGEST_EXPRESSION and depth <= DEEPEST_EXPRESSION


def _cheap_in(producer: Stage, reader: Stage) -> bool:
    """Whether computing the producer inside the reader repeats nothing costly."""
    measure = _measured(producer)
    if reader.reduce and measure.guards:
        return False
    if not measure.expensive:
        return not (
            reader.reduce
            and len(reader.spatial) > 1
            and len(producer.loads) > 1
            and _repeats(producer, reader)
        )
    return not _repeats(producer, reader)


@dataclass(frozen=True, slots=True)
class _Measure:
    """What matters of the value that a stage stores, whoever reads it."""

    size: int
    """Nodes."""
    depth: int
    """Operators above the loads and constants that are nested deepest."""
    guards: bool
    expensive: bool


_MEASURES: IdentityMemo[Stage, _Measure] = IdentityMemo()
"""Each inlining changes few stages, and all are asked again."""


_TYPES, _READ = (BufferType, ScalarType), (Load, Var)


def _measured(stage: Stage) -> _Measure:
    return _MEASURES.get(stage, partial(_measure, stage.store.value))


def _measure(value: PrimExpr) -> _Measure:
    size = deepest = 0
    guards = expensive = False
    pending: list[tuple[Node, int]] = [(value, 1)]  # 0 is the depth of all that is in an index
    while pending:
        node, depth = pending.pop()
        size += not isinstance(node, BufferType)
        guards = guards or isinstance(node, Select)
        expensive = expensive or is_expensive_operation(node)
        if not isinstance(node, _TYPES):
            deepest = max(deepest, depth)
        below = depth + 1 if depth and not isinstance(node, _READ) else 0
        pending += [(part, below) for part in children(node)]
    return _Measure(size, deepest, guards, expensive)


def _repeats(producer: Stage, reader: Stage) -> bool:
    """Whether one element of the producer is read by several instances of the reader."""
    loads = {load for load in reader.loads if load.buffer.id == producer.buffer.id}
    used = {v.id for load in loads for i in load.indices for v in walk(i) if isinstance(v, Var)}
    return len(loads) > 1 or any(axis.var.id not in used for axis in reader.block.axes)


def _inline(function: TensorFunction, producer: Stage) -> TensorFunction:
    inliner = Inliner(producer.buffer.id, producer.block.axes, producer.store)
    nests = function.body.body if isinstance(function.body, Seq) else (function.body,)
    buffer = producer.buffer.id
    changed: list[Stmt] = []
    for nest in nests:
        touched = touches_of(nest)
        if buffer not in touched.writes:
            reads = touched.touches((buffer,))
            changed.append(inliner.rewritten(nest, Facts()) if reads else nest)
    return without_buffer(replace(function, body=sequence(changed)), buffer)
