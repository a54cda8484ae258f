"""Reductions that may be empty: their init runs although no update does.

An init runs in the instances of its block in which all reduction axes are 0. Where the loops that
those axes are computed from have no such instance, since one of them has no iteration or a
condition on them alone does not hold, the init runs all the same: for every instance of the other
loops, before the outermost of them. So a sum over an empty axis is 0, as in numpy.

That holds for simple nests: below the outermost reduction loop stand loops alone, with bounds that
do not depend on the reduction, and statements that do not touch what the init does; and loops that
come back to the same elements do not say whether there is something to reduce. In all others an
init runs in instances alone, as TVM has it (`tvm::tir::transform::LowerInitBlock`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.determined import Span, determined
from workbench.ir.expr import Binary, BinaryOp, IntImm, Load, Not, PrimExpr, Var
from workbench.ir.tensor import (
    Allocate,
    AxisKind,
    Block,
    For,
    If,
    Let,
    LoopKind,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    While,
)
from workbench.ir.traverse import Node, free_vars, substitute, walk
from workbench.support.identity_memo import IdentityMemo
from workbench.support.ids import IdSource, NodeId

ZERO = IntImm(0)
TRUE = IntImm(1, "bool")
Values = dict[NodeId, PrimExpr]
_DIVISIONS = frozenset(
    {BinaryOp.DIV, BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD}
)


@dataclass(frozen=True, slots=True)
class EmptyReduction:
    """A block in a simple nest, whose init runs where the reduction is empty.

    `reduced` are the loops that its reduction axes are computed from, outermost first; `others`
    those inside of the outermost that are not. `nonempty` has the conditions under which there is
    a first update, `own` the conditions on the other loops, `first` the reduction axes in the
    first iterations. `values` gives all axes in terms of loops.
    """

    block: Block
    reduced: tuple[For, ...]
    others: tuple[For, ...]
    nonempty: tuple[PrimExpr, ...]
    own: tuple[PrimExpr, ...]
    first: tuple[PrimExpr, ...]
    values: Mapping[NodeId, PrimExpr]

    def plain(self, expr: PrimExpr) -> PrimExpr:
        """An expression in terms of loops."""
        return substitute(expr, dict(self.values))

    @property
    def outermost(self) -> For:
        """The loop before which the init runs."""
        return self.reduced[0]

    def init(self, ids: IdSource) -> Stmt:
        """What runs before the outermost loop: the init where there is no first update."""
        fresh: Values = {loop.var.id: replace(loop.var, id=ids.new()) for loop in self.others}
        values: Values = {k: substitute(v, fresh) for k, v in self.values.items()}
        axes = [axis.var for axis in self.block.axes if axis.kind is not AxisKind.REDUCE]
        starts = (Binary(BinaryOp.EQ, value, ZERO) for value in self.first if value != ZERO)
        empty = conjunction(*self.nonempty)
        assert empty is not None
        condition = conjunction(*self.own, *starts, Not(empty))
        assert condition is not None
        bound = {var.id: values[var.id] for var in axes}
        assert self.block.init is not None
        body: Stmt = If(substitute(condition, fresh), substitute(self.block.init, bound | fresh))
        for loop in reversed(self.others):
            var = fresh[loop.var.id]
            assert isinstance(var, Var)
            start, extent = substitute(loop.start, fresh), substitute(loop.extent, fresh)
            body = For(var, start, extent, body, LoopKind.SERIAL)
        return body


@dataclass(frozen=True)
class Reduction:
    """A block with an init and reduction axes, and all statements around it, outermost first."""

    block: Block
    path: tuple[Stmt, ...]

    @cached_property
    def may_be_empty(self) -> bool:
        """Whether it is not proved that there is a first update under each of the other loops."""
        if self.block.predicate is None and all(map(_always_runs, self.path)):
            return False
        simple, facts = self.simple, self._known
        if simple is not None:
            return any(facts.simplify(part) != TRUE for part in simple.nonempty)
        loops = [loop for loop in self.path if isinstance(loop, For) and loop.var.id in self.used]
        extents = [a.extent for a in self.block.axes if a.kind is AxisKind.REDUCE]
        counts = (*(loop.extent for loop in loops), *extents)
        if any(facts.proves(count > 0) is not True for count in counts):
            return bool(loops)
        others = {stmt.var.id for stmt in self.path if isinstance(stmt, For)} - self.used
        leading = self._leading
        starts: Values = {x.var.id: x.start for x in loops if x.var.id not in leading}
        for part in self._inside_extents(starts) if leading else ():
            facts = facts.assume(part)
        return any(
            facts.simplify(substitute(condition, starts)) != TRUE
            for condition in self._conditions()
            if _mention(self.used, (condition,)) or not _mention(others, (condition,))
        )

    @property
    def _leading(self) -> set[NodeId]:
        """The loops that carry a reduction axis and lead to other elements as well."""
        values = self._values
        axes = [a.var.id for a in self.block.axes if a.kind is not AxisKind.REDUCE]
        return {v for axis in axes for v in free_vars(values[axis])} & self.used

    def _inside_extents(self, starts: Values) -> Iterator[PrimExpr]:
        """That all axes are within their extents, and the loops that lead to elements in theirs.

        An element has a first update where that alone makes the conditions hold.
        """
        for stmt in self.path:
            if isinstance(stmt, For) and stmt.var.id in self._leading:
                yield stmt.var >= stmt.start
                yield stmt.var < stmt.start + stmt.extent
        for axis in self.block.axes:
            value = substitute(self._values[axis.var.id], starts)
            extent = axis.extent
            yield value >= ZERO
            yield value < extent
            match value:
                case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=size)) if size > 0:
                    yield a >= ZERO
                    yield a < extent * size
                case _:
                    continue

    def _conditions(self) -> Iterator[PrimExpr]:
        """All conditions around it, in terms of loops."""
        values = self._values
        for outer, inner in pairwise((*self.path, self.block, self.block)):
            match outer:
                case If(condition=condition, then=then):
                    yield substitute(condition if inner is then else Not(condition), values)
                case While(condition=condition):
                    yield substitute(condition, values)
                case Block(predicate=predicate) if predicate is not None:
                    yield from (substitute(part, values) for part in conjuncts(predicate))
                case _:
                    continue

    @cached_property
    def _values(self) -> Values:
        """The values of all axes around it and of its own, in terms of loops."""
        return axis_values((*self.path, self.block))

    @property
    def _known(self) -> Facts:
        """What holds where the block begins, the reduction loops left out."""
        facts = Facts()
        for outer, inner in pairwise((*self.path, self.block)):
            match outer:
                case For(var=var, start=start, extent=extent) if var.id not in self.used:
                    facts = facts.with_range(var, loop_interval(start, extent))
                case If(condition=condition, then=then) if inner is then:
                    plain = substitute(condition, self._values)
                    facts = facts if _mention(self.used, (plain,)) else facts.assume(plain)
                case _:
                    continue
        return facts

    @cached_property
    def used(self) -> set[NodeId]:
        """The loops that its reduction axes are computed from."""
        values = self._values
        found: set[NodeId] = set()
        for axis in self.block.axes:
            if axis.kind is AxisKind.REDUCE:
                found.update(free_vars(values[axis.var.id]))
        return found & {stmt.var.id for stmt in self.path if isinstance(stmt, For)}

    @cached_property
    def simple(self) -> EmptyReduction | None:
        """How it runs where it is empty, None where its nest is not simple."""
        block, used = self.block, self.used
        position = next((n for n, s in enumerate(self.path) if _runs(s, used)), None)
        if position is None or block.init is None or block.match_buffers or init_stays(block):
            return None
        inside = self.path[position:]
        loops = [stmt for stmt in inside if isinstance(stmt, For)]
        reduced = tuple(loop for loop in loops if loop.var.id in used)
        others = tuple(loop for loop in loops if loop.var.id not in used)
        values = self._values
        parts = [substitute(part, values) for part in conjuncts(block.predicate)]
        own = tuple(part for part in parts if used.isdisjoint(free_vars(part)))
        rest = [part for part in parts if not used.isdisjoint(free_vars(part))]
        if any(not used.issuperset(free_vars(part)) for part in rest):
            own = (*own, *self._within_extents(own))
        names = used | {axis.var.id for axis in block.axes if axis.kind is AxisKind.REDUCE}
        spatial = [values[a.var.id] for a in block.axes if a.kind is not AxisKind.REDUCE]
        bounds = [end for loop in loops for end in (loop.start, loop.extent)]
        if _mention(names, (block.init, *spatial, *bounds)):
            return None
        ends = [end for loop in reduced for end in (loop.start, loop.extent)]
        if _mention({loop.var.id for loop in others}, (*rest, *ends)):
            return None
        if self._comes_back((*rest, *ends), self.path[:position]):
            return None
        if any(_reads(part) for part in (*parts, *own, *spatial, *bounds)):
            return None
        if not _apart(inside, block, block.init):
            return None
        starts: Values = {loop.var.id: loop.start for loop in reduced}
        counts = (Binary(BinaryOp.GT, loop.extent, ZERO) for loop in reduced)
        reduce = (values[a.var.id] for a in block.axes if a.kind is AxisKind.REDUCE)
        nonempty = (*counts, *(substitute(part, starts) for part in rest))
        first = tuple(Facts().simplify(substitute(value, starts)) for value in reduce)
        if any(_may_fault(part) for part in (*nonempty, *own, *first)):
            return None
        return EmptyReduction(block, reduced, others, nonempty, own, first, values)

    def _within_extents(self, own: Sequence[PrimExpr]) -> Iterator[PrimExpr]:
        """That the axes which do not reduce are within their extents, unless it is plain.

        A condition that a reduction loop is in may be all that keeps them there.
        """
        facts = self._known
        for part in own:
            facts = facts.assume(part)
        for axis in self.block.axes:
            if axis.kind is not AxisKind.REDUCE:
                value = self._values[axis.var.id]
                inside = (value >= ZERO, value < substitute(axis.extent, self._values))
                yield from (part for part in inside if facts.proves(part) is not True)

    def _comes_back(self, conditions: Sequence[PrimExpr], around: Sequence[Stmt]) -> bool:
        """Whether loops around that come back to the same elements decide the conditions."""
        outside = {stmt.var.id for stmt in around if isinstance(stmt, For)}
        values = axis_values((*self.path, self.block), scalars=True)

        def plain(expr: PrimExpr) -> PrimExpr:
            return substitute(expr, values)

        parts = [plain(part) for part in conditions]
        if not _mention(outside, parts):
            return False
        axes = [a.var for a in self.block.axes if a.kind is not AxisKind.REDUCE]
        spans = {
            stmt.var.id: Span(plain(stmt.start), plain(stmt.extent))
            for stmt in self.path
            if isinstance(stmt, For)
        }
        told = determined([plain(axis) for axis in axes], spans)
        return _mention(outside - told, parts)


def init_stays(block: Block) -> bool:
    """Whether the init of a block uses memory that lives only inside of the block."""
    own = {buffer.id for buffer in block.allocations}
    return bool(own) and block.init is not None and _mention(own, (block.init,))


def reductions(function: TensorFunction) -> Iterator[Reduction]:
    """The blocks with an init and reduction axes, in program order."""
    for item in _items(function.body):
        yield from _INSIDE.get(item, lambda i=item: tuple(_reductions_in(i)))


def reduction_of(block: Block, path: tuple[Stmt, ...]) -> Reduction:
    """A reduction under all statements around it; kept by identity, whatever stands beside them."""
    around = path[1:] if path and isinstance(path[0], Seq) else path
    return _KNOWN.get(block, lambda: Reduction(block, around), tuple(map(id, around)))


_KNOWN: IdentityMemo[Block, Reduction] = IdentityMemo(1024)
_INSIDE: IdentityMemo[Stmt, tuple[Reduction, ...]] = IdentityMemo(1024)


def _items(body: Stmt) -> tuple[Stmt, ...]:
    return body.body if isinstance(body, Seq) else (body,)


def _reductions_in(item: Stmt) -> Iterator[Reduction]:
    pending: list[tuple[Stmt, tuple[Stmt, ...]]] = [(item, ())]
    while pending:
        stmt, path = pending.pop()
        if isinstance(stmt, Block) and stmt.init is not None and _reduces(stmt):
            yield reduction_of(stmt, path)
        below = [child for child in _inside(stmt) if not isinstance(child, Store)]
        pending += [(child, (*path, stmt)) for child in reversed(below)]


def _reduces(block: Block) -> bool:
    return any(axis.kind is AxisKind.REDUCE for axis in block.axes)


def empty_inits(function: TensorFunction, ids: IdSource) -> dict[NodeId, list[Stmt]]:
    """What runs before loops, by their variables: inits of reductions that may be empty."""
    found: dict[NodeId, list[Stmt]] = {}
    for reduction in reductions(function):
        simple = reduction.simple
        if simple is not None and reduction.may_be_empty:
            found.setdefault(simple.outermost.var.id, []).append(simple.init(ids))
    return found


def axis_values(path: Sequence[Stmt], *, scalars: bool = False) -> Values:
    """The values of the axes of all blocks on a path, in terms of loops; of bound scalars too."""
    values: Values = {}
    for stmt in path:
        if isinstance(stmt, Block):
            for axis in stmt.axes:
                values[axis.var.id] = substitute(axis.value, values)
        elif scalars and isinstance(stmt, Let):
            values[stmt.var.id] = substitute(stmt.value, values)
    return values


def _inside(stmt: Stmt) -> tuple[Stmt, ...]:
    match stmt:
        case Seq(body=body):
            return body
        case If(then=then, otherwise=otherwise):
            return (then,) if otherwise is None else (then, otherwise)
        case Block(body=body, init=init):
            return (body,) if init is None else (init, body)
        case _:
            body = getattr(stmt, "body", None)
            return () if body is None else (body,)


def _statements(stmt: Stmt) -> Iterator[Stmt]:
    pending = [stmt]
    while pending:
        found = pending.pop()
        yield found
        pending += _inside(found)


def _always_runs(stmt: Stmt) -> bool:
    """Whether a statement runs what is in it, for all that its form says."""
    match stmt:
        case For(extent=IntImm(value=extent)):
            return extent > 0
        case For() | If() | While():
            return False
        case Block(predicate=predicate):
            return predicate is None
        case _:
            return True


def _runs(stmt: Stmt, loops: set[NodeId]) -> bool:
    return isinstance(stmt, For) and stmt.var.id in loops


def _mention(names: set[NodeId], nodes: Sequence[Node]) -> bool:
    return any(not names.isdisjoint(free_vars(node)) for node in nodes)


def _may_fault(expr: PrimExpr) -> bool:
    """Whether an expression divides by what may be zero where there is nothing to reduce."""
    return any(
        isinstance(node, Binary)
        and node.op in _DIVISIONS
        and not (isinstance(node.b, IntImm) and node.b.value)
        for node in walk(expr)
    )


def _reads(expr: PrimExpr) -> bool:
    return any(isinstance(node, Load) for node in walk(expr))


def _apart(inside: Sequence[Stmt], block: Block, init: Stmt) -> bool:
    """Whether loops alone stand around the block, and the rest leaves alone what init touches."""
    written = {stmt.buffer.id for stmt in _statements(init) if isinstance(stmt, Store)}
    read = {node.buffer.id for node in walk(init) if isinstance(node, Load)}
    own = {stmt.buffer.id for stmt in _statements(block) if isinstance(stmt, Store)}
    if not read.isdisjoint(own | written):
        return False
    for stmt, child in zip(inside, (*inside[1:], block), strict=True):
        match stmt:
            case For():
                continue
            case Allocate(buffer=buffer) if buffer.id not in written | read:
                continue
            case Block(predicate=None, init=None, match_buffers=(), allocations=allocations):
                if not (written | read).isdisjoint(b.id for b in allocations):
                    return False
            case Seq(body=body):
                if any(_touches(item, written, read) for item in body if item is not child):
                    return False
            case _:
                return False
    return True


def _touches(stmt: Stmt, written: set[NodeId], read: set[NodeId]) -> bool:
    """Whether a statement touches what is written, or writes what is read, or calls something."""
    for node in walk(stmt):
        match node:
            case Load(buffer=buffer) if buffer.id in written:
                return True
            case Store(buffer=buffer) if buffer.id in written | read:
                return True
            case Block(match_buffers=matches, writes=regions):
                if matches or any(r.buffer.id in written | read for r in regions or ()):
                    return True
            case _:
                continue
    return False
