"""Tensor functions: how a tensor is computed, as loops over buffers.

Reference: TensorIR (Feng et al., "TensorIR: An Abstraction for Automatic Tensorized Program
Optimization", ASPLOS 2023), `tvm::tir::Stmt`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from workbench.ir.describe import counted, nodes_of, parameter_list
from workbench.ir.expr import PrimExpr, Var
from workbench.support.ids import NodeId
from workbench.support.slot_init import sets_slots
from workbench.support.spans import Span

Attr: TypeAlias = "int | float | str | bool | tuple[Attr, ...] | None"
Attrs: TypeAlias = tuple[tuple[str, Attr], ...]
"""Named attributes, sorted by name."""


class LoopKind(enum.Enum):
    """How the iterations of a loop run; the value is the name in `T.`."""

    SERIAL = "serial"
    PARALLEL = "parallel"
    VECTORIZED = "vectorized"
    UNROLLED = "unroll"
    THREAD = "thread_binding"


class AxisKind(enum.Enum):
    """What a block axis promises; the value is the name in `T.axis.`."""

    SPATIAL = "spatial"
    REDUCE = "reduce"
    SCAN = "scan"
    OPAQUE = "opaque"


@sets_slots
@dataclass(frozen=True, slots=True)
class Range:
    """`extent` values from `start`."""

    start: PrimExpr
    extent: PrimExpr


@sets_slots
@dataclass(frozen=True, slots=True)
class BufferRegion:
    """A box of a buffer that a block reads or writes."""

    buffer: Var
    ranges: tuple[Range, ...]


@sets_slots
@dataclass(frozen=True, slots=True)
class Axis:
    """A block axis: takes `value` at this instance, `0 <= value < extent`."""

    var: Var
    kind: AxisKind
    extent: PrimExpr
    value: PrimExpr


@sets_slots
@dataclass(frozen=True, slots=True)
class MatchBuffer:
    """Inside a block, `buffer` is another name for `source`."""

    buffer: Var
    source: BufferRegion


@sets_slots
@dataclass(frozen=True, slots=True)
class Store:
    """`buffer[indices] = value`."""

    buffer: Var
    indices: tuple[PrimExpr, ...]
    value: PrimExpr
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class For:
    """A loop over `start <= var < start + extent`."""

    var: Var
    start: PrimExpr
    extent: PrimExpr
    body: Stmt
    kind: LoopKind = LoopKind.SERIAL
    thread: str = ""
    annotations: Attrs = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class Block:
    """A unit of computation whose axes say how instances may be reordered.

    Runs where `predicate` holds. `init` runs before the first update of a reduction, and in simple
    nests also where there is none (`workbench.analysis.empty_reductions`). `reads` and
    `writes` are declared regions, None where left to analysis.
    """

    id: NodeId
    name: str
    axes: tuple[Axis, ...]
    body: Stmt
    init: Stmt | None = None
    predicate: PrimExpr | None = None
    reads: tuple[BufferRegion, ...] | None = None
    writes: tuple[BufferRegion, ...] | None = None
    allocations: tuple[Var, ...] = ()
    match_buffers: tuple[MatchBuffer, ...] = ()
    annotations: Attrs = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class Seq:
    """Statements one after the other."""

    body: tuple[Stmt, ...]


@sets_slots
@dataclass(frozen=True, slots=True)
class If:
    """A branch."""

    condition: PrimExpr
    then: Stmt
    otherwise: Stmt | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class While:
    """A loop that runs while `condition` holds."""

    condition: PrimExpr
    body: Stmt
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class Let:
    """A scalar that is bound once and used in `body`."""

    var: Var
    value: PrimExpr
    body: Stmt
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class Allocate:
    """A buffer that lives during `body`; scalars that change are buffers of shape `()`."""

    buffer: Var
    body: Stmt
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression for its effect."""

    value: PrimExpr
    span: Span | None = field(default=None, compare=False, repr=False)


Stmt: TypeAlias = Store | For | Block | Seq | If | While | Let | Allocate | Evaluate


@sets_slots
@dataclass(frozen=True, slots=True)
class TensorFunction:
    """A loop nest in destination-passing style: outputs are parameters that it writes.

    `params` are buffers and scalars. Symbolic dimensions in their types are bound by the call.
    `allocations` are buffers of the whole body. The name is the module's affair. Buffers do not
    overlap where `attrs` has `noalias`.
    """

    params: tuple[Var, ...]
    body: Stmt
    allocations: tuple[Var, ...] = ()
    attrs: Attrs = ()
    private: bool = False
    next_id: int = 0
    span: Span | None = field(default=None, compare=False, repr=False)
    _digest: str | None = field(default=None, init=False, compare=False, repr=False)
    _sound: bool = field(default=False, init=False, compare=False, repr=False)
    _fingerprint: str | None = field(default=None, init=False, compare=False, repr=False)

    def __repr__(self) -> str:
        """One line; `module.script()` has the text."""
        blocks, loops = counted(nodes_of(self, Block), "block"), nodes_of(self, For)
        return f"TensorFunction{parameter_list(self.params)}: {blocks}, {counted(loops, 'loop')}"
