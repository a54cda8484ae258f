"""What a tensor function does: its leaves in program order, each with its accesses."""

from __future__ import annotations

from dataclasses import dataclass, field

from typing_extensions import override

from workbench.analysis.dependence.linear import Conjunction, Linear
from workbench.analysis.dependence.reader import Reader
from workbench.analysis.dependence.reductions import Update
from workbench.analysis.dependence.spelling import element
from workbench.analysis.dependence.terms import Terms
from workbench.ir.expr import PrimExpr, Var
from workbench.ir.tensor import Block, For, MatchBuffer, Stmt
from workbench.support.ids import NodeId

Guard = tuple[PrimExpr, bool]
"""A condition, and whether it holds or not."""


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """One load or store: `buffer[indices]`, where the guards hold.

    `buffer` is the buffer behind views, `indices` are its coordinates. `expressions` are the same
    as the program has them, None for the regions that a trusted block declares. `private` are the
    loops around the allocation of the buffer: each of their iterations has a buffer of its own.
    `update` is set for the two accesses to the accumulator of a reduction. `inexact` says what
    the forms leave out.
    """

    buffer: Var
    indices: tuple[Linear, ...]
    expressions: tuple[PrimExpr, ...] | None
    write: bool
    private: tuple[int, ...] = ()
    guards: tuple[Guard, ...] = ()
    constraints: Conjunction = ()
    update: Update | None = None
    inexact: tuple[str, ...] = ()
    trusted: bool = False

    @property
    def text(self) -> str:
        """`C[i, j]`."""
        return f"`{element(self.buffer, self.expressions or ())}`"

    @override
    def __repr__(self) -> str:
        return f"<{'write' if self.write else 'read'} of {self.text}>"


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One leaf (`Store`, `Evaluate`, or an opaque region such as a `While`), in program order.

    `path` has everything around it, outermost first. `keys` are the terms that stand for its
    loops, outermost first; `domain` are the constraints on them, `guards` the conditions that
    they come from. `early` are loops that an init stands before: it is at their first iteration,
    whether or not they have one. `ahead` where nothing happens in their first iterations: the init
    runs before the outermost of them, once for all.
    """

    index: int
    node: Stmt
    path: tuple[Stmt, ...]
    loops: tuple[For, ...]
    block: Block | None
    is_init: bool
    keys: tuple[int, ...] = ()
    domain: Conjunction = ()
    guards: tuple[Guard, ...] = ()
    accesses: tuple[Access, ...] = ()
    inexact: tuple[str, ...] = ()
    early: frozenset[NodeId] = frozenset()
    ahead: bool = False

    def precedes(self, loop: NodeId) -> bool:
        """Whether it runs before a loop that it is written under, and in no iteration of it."""
        if not self.ahead:
            return False
        names = [own.var.id for own in self.loops]
        first = next(n for n, name in enumerate(names) if name in self.early)
        return loop in names[first:]

    @property
    def name(self) -> str:
        """The block that it belongs to, or what it writes."""
        if self.block is not None:
            return f"{self.block.name} (init)" if self.is_init else self.block.name
        written = next((a.buffer.name for a in self.accesses if a.write), "")
        return f"the store to {written}" if written else "a statement"

    @override
    def __repr__(self) -> str:
        return f"<statement {self.index}: {self.name}>"


@dataclass(slots=True, eq=False)
class Model:
    """The statements of a function, and what their forms refer to.

    `loops` gives the terms of each loop (`nodes`): itself, or its digits, outermost first, which
    then have `weights`; `spans` the statements under it. `bindings` are the values of axes and of
    scalars that are bound once, `symbols` the terms of symbolic dimensions and scalar parameters,
    `views` the sources of matched buffers. `unstable` says of statements which condition around
    them may change while it holds.
    """

    reader: Reader
    statements: tuple[Statement, ...] = ()
    nodes: dict[NodeId, For] = field(default_factory=dict[NodeId, For])
    loops: dict[NodeId, tuple[int, ...]] = field(default_factory=dict[NodeId, tuple[int, ...]])
    weights: dict[NodeId, tuple[Linear, ...]] = field(
        default_factory=dict[NodeId, tuple[Linear, ...]]
    )
    bindings: dict[NodeId, PrimExpr] = field(default_factory=dict[NodeId, PrimExpr])
    symbols: tuple[int, ...] = ()
    spans: dict[NodeId, range] = field(default_factory=dict[NodeId, range])
    views: dict[NodeId, MatchBuffer] = field(default_factory=dict[NodeId, MatchBuffer])
    unstable: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def terms(self) -> Terms:
        """The terms of all forms."""
        return self.reader.terms
