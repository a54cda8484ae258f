"""Stages: the view of a tensor function as a sequence of perfect loop nests, one store each.

Most questions about a tensor function (pattern, fusion, default schedule, what a library could
do) are asked of this view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from workbench.analysis.affine import Affine, affine
from workbench.ir import (
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    children,
)
from workbench.ir.traverse import Node
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True, slots=True)
class Stage:
    """One block that stores one value per instance, under loops that run over its axes."""

    block: Block
    store: Store
    init: Store | None
    loops: tuple[For, ...]
    loads: tuple[Load, ...] = field(init=False, compare=False, repr=False)
    """All loads of the stored value, the accumulator of a reduction left out."""

    def __post_init__(self) -> None:
        """Find the loads, which every question about a stage begins with."""
        object.__setattr__(self, "loads", tuple(_loads_in(self.value)))

    @property
    def buffer(self) -> Var:
        """The buffer that the stage writes."""
        return self.store.buffer

    @property
    def spatial(self) -> tuple[Var, ...]:
        """Variables of the spatial axes, in order."""
        return tuple(a.var for a in self.block.axes if a.kind is AxisKind.SPATIAL)

    @property
    def reduce(self) -> tuple[Var, ...]:
        """Variables of the reduction axes, in order."""
        return tuple(a.var for a in self.block.axes if a.kind is AxisKind.REDUCE)

    @property
    def extents(self) -> dict[NodeId, PrimExpr]:
        """Extent of every axis by the id of its variable."""
        return {a.var.id: a.extent for a in self.block.axes}

    @property
    def value(self) -> PrimExpr:
        """The stored value; for a reduction, what is combined with the accumulator."""
        update = self.reduction
        return self.store.value if update is None else update[1]

    @property
    def reduction(self) -> tuple[BinaryOp, PrimExpr] | None:
        """Operation and operand of `acc = acc op operand`.

        None where the stage is no such reduction.
        """
        value = self.store.value
        if self.init is None or not isinstance(value, Binary) or value.op not in REDUCTIONS:
            return None
        own = Load(self.store.buffer, self.store.indices)
        if value.a == own:
            return value.op, value.b
        return (value.op, value.a) if value.b == own else None

    @property
    def writes_identity(self) -> bool:
        """Whether the stage stores at its spatial axes.

        In order (unit dimensions as constant 0).
        """
        return indices_are(self.store.indices, self.spatial)


REDUCTIONS = frozenset({BinaryOp.ADD, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX})
"""Associative and commutative operations that a reduction may use."""


def indices_are(indices: tuple[PrimExpr, ...], axes: tuple[Var, ...]) -> bool:
    """Whether `indices` are exactly `axes`, in order; constant zeros are looked over."""
    ids = [i.id for i in indices if isinstance(i, Var)]
    others = [i for i in indices if not isinstance(i, Var)]
    return ids == [a.id for a in axes] and all(
        isinstance(i, IntImm) and i.value == 0 for i in others
    )


def stages(function: TensorFunction) -> tuple[Stage, ...] | None:
    """The stages of a function in order, None where it has another form."""
    found: list[Stage] = []
    for nest in _nests(function.body):
        stage = _STAGES.get(nest, partial(_stage, nest))
        if stage is None:
            return None
        found.append(stage)
    return tuple(found) if found else None


_STAGES: IdentityMemo[Stmt, Stage | None] = IdentityMemo()
"""Inlining asks for the stages again after each step, and most of them stay."""


def _nests(body: Stmt) -> tuple[Stmt, ...]:
    return body.body if isinstance(body, Seq) else (body,)


def _stage(nest: Stmt) -> Stage | None:
    loops: list[For] = []
    while isinstance(nest, For):
        loops.append(nest)
        nest = nest.body
    if not isinstance(nest, Block) or not isinstance(nest.body, Store) or not _plain(nest, loops):
        return None
    if not (nest.init is None or isinstance(nest.init, Store)):
        return None
    stage = Stage(nest, nest.body, nest.init, tuple(loops))
    return stage if _reads_its_own_element(stage) and _sums_apart(stage) else None


def _reads_its_own_element(stage: Stage) -> bool:
    """Whether what is read of the stage's own buffer is the element that is stored."""
    own, store = stage.buffer, stage.store
    others = [part for part in children(stage.block) if part is not store]
    found = [*stage.loads, *(x for part in (*others, *store.indices) for x in _loads_in(part))]
    loads = [x for x in found if x.buffer.id == own.id and x.buffer == own]
    return all(load.indices == store.indices for load in loads)


def _loads_in(node: Node) -> Iterator[Load]:
    """The loads of a node, outer ones first; variables and their types have none."""
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, Load):
            yield current
            pending += reversed(current.indices)
        elif not isinstance(current, Var):
            pending += reversed(list(children(current)))


def _sums_apart(stage: Stage) -> bool:
    """Whether no two spatial instances of a reduction share an element, as far as can be shown."""
    if not stage.reduce or stage.writes_identity:
        return True
    extents = {a.var.id: a.extent for a in stage.block.axes if a.kind is AxisKind.SPATIAL}
    unknown = {var for var, extent in extents.items() if extent != IntImm(1)}
    forms = [form for i in stage.store.indices if (form := affine(i)) is not None]
    while found := {v for form in forms for v in _determined(form, unknown, extents)}:
        unknown -= found
    return not unknown


def _determined(
    form: Affine, unknown: set[NodeId], extents: Mapping[NodeId, PrimExpr]
) -> list[NodeId]:
    """The unknown variables, where the value of the form and the known ones tell all of them."""
    terms = sorted(((abs(c), v) for v, c in form.coefficients if v in unknown))
    reach = 0
    for position, (factor, var) in enumerate(terms):
        if factor <= reach:
            return []
        extent = extents[var]
        if isinstance(extent, IntImm):
            reach += factor * (extent.value - 1)
        elif position < len(terms) - 1:
            return []
    return [var for _, var in terms]


def _plain(block: Block, loops: list[For]) -> bool:
    """Axes are distinct loops that start at zero, and nothing else is attached."""
    by_id = {loop.var.id: loop for loop in loops}
    if block.predicate is not None or block.match_buffers or block.allocations:
        return False
    values = [axis.value for axis in block.axes]
    if len({v.id for v in values if isinstance(v, Var)}) != len(loops):
        return False
    return all(_covers(by_id, axis.value, axis.extent) for axis in block.axes) and all(
        loop.kind is LoopKind.SERIAL and not loop.annotations for loop in loops
    )


def _covers(loops: dict[NodeId, For], value: PrimExpr, extent: PrimExpr) -> bool:
    if isinstance(value, IntImm):
        return value.value == 0 and extent == IntImm(1)
    if not isinstance(value, Var) or value.id not in loops:
        return False
    loop = loops[value.id]
    return loop.start == IntImm(0) and loop.extent == extent
