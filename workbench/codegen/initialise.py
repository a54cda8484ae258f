"""Where the initialisation of a reduction goes: before its outermost reduction loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.analysis.affine import Affine, affine
from workbench.analysis.arith import Facts, loop_interval
from workbench.codegen.touched import Touched, touches
from workbench.ir.expr import Binary, BinaryOp, IntImm, Load, PrimExpr, Var
from workbench.ir.tensor import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    Let,
    LoopKind,
    MatchBuffer,
    Seq,
    Stmt,
    Store,
    While,
)
from workbench.ir.traverse import free_vars, substitute, walk
from workbench.support.ids import IdSource, NodeId

Range = tuple[float, float]
ANYWHERE: Range = (-math.inf, math.inf)


@dataclass(slots=True)
class Level:
    """A statement on the path from the root to a block.

    `start` and `extent` are those of a loop, lowered; `position` is the child of a sequence that
    the path takes; `before` collects what goes in front of a loop.
    """

    stmt: Stmt
    start: PrimExpr = field(default_factory=lambda: IntImm(0))
    extent: PrimExpr = field(default_factory=lambda: IntImm(1))
    position: int = 0
    before: list[Stmt] = field(default_factory=list[Stmt])


def place_init(
    init: Stmt,
    body: Stmt,
    starts: list[PrimExpr],
    predicate: PrimExpr | None,
    path: list[Level],
    ids: IdSource,
    sources: Mapping[NodeId, MatchBuffer],
) -> bool:
    """Put `init` before the outermost loop that the reduction axes `starts` depend on.

    Spatial loops inside that loop are repeated around it. False, and nothing changed, where another
    statement touches the buffer in between, under whatever name `sources` give it, where something
    writes what the init reads, loops depend on the reduction, or it is not proved that the axes are
    0 in the first iteration of the loops alone, and that the update in `body` stays with the
    elements that its own iteration of the spatial loops initialises.
    """
    loops = {level.stmt.var.id for level in path if isinstance(level.stmt, For)}
    reduced = {i for start in starts for i in free_vars(start)} & loops
    if not reduced:
        return False
    guard = _independent(predicate, reduced)
    if isinstance(guard, bool) or not reduced.isdisjoint(free_vars(init)):
        return False
    if not _first_only(starts, path, reduced):
        return False
    outermost = next(
        i for i, p in enumerate(path) if isinstance(p.stmt, For) and p.stmt.var.id in reduced
    )
    inner = path[outermost:]
    own = touches(init, sources)
    steered = touches(_steering(guard, inner), sources).read
    written = touches(body, sources).written
    if not written.isdisjoint((own.read - own.written) | steered):
        return False
    if not steered.isdisjoint(own.written):
        return False
    whole = Touched(own.read | steered, own.written)
    if not all(_movable(level, init, whole, reduced, sources) for level in inner):
        return False
    if not _each_once(init, body, inner, reduced):
        return False
    placed = init if guard is None else If(guard, init)
    for level in reversed(inner):
        placed = _wrapped(level, placed, reduced, ids)
    path[outermost].before.append(placed)
    return True


def _independent(predicate: PrimExpr | None, reduced: set[NodeId]) -> PrimExpr | bool | None:
    """The part of a predicate without reduction loops; False where a condition mixes both."""
    if predicate is None:
        return None
    if isinstance(predicate, Binary) and predicate.op is BinaryOp.AND:
        a, b = _independent(predicate.a, reduced), _independent(predicate.b, reduced)
        if isinstance(a, bool) or isinstance(b, bool):
            return False
        if a is None or b is None:
            return b if a is None else a
        return Binary(BinaryOp.AND, a, b)
    mentioned = set(free_vars(predicate))
    if mentioned.isdisjoint(reduced):
        return predicate
    return None if mentioned <= reduced else False


def _first_only(starts: list[PrimExpr], path: list[Level], reduced: set[NodeId]) -> bool:
    """Whether all axes are 0 in the first iteration of the reduction loops, and only there."""
    facts, loops = Facts(), dict[NodeId, Level]()
    for level in path:
        if isinstance(level.stmt, For):
            interval = loop_interval(level.start, level.extent)
            facts = facts.with_range(level.stmt.var, interval)
            if level.stmt.var.id in reduced:
                loops[level.stmt.var.id] = level
    first = {var: level.start for var, level in loops.items()}
    if any(facts.simplify(substitute(start, first)) != IntImm(0) for start in starts):
        return False
    for level in loops.values():
        assert isinstance(level.stmt, For)
        rest = loop_interval(level.start + 1, level.extent - 1)
        later = facts.with_range(level.stmt.var, rest)
        if not any(later.proves(start > 0) for start in starts):
            return False
    return True


def _steering(guard: PrimExpr | None, inner: Sequence[Level]) -> Stmt:
    """What decides for which instances the init runs, as a statement that reads it."""
    bounds = [e for p in inner if isinstance(p.stmt, For) for e in (p.start, p.extent)]
    return Seq(tuple(Evaluate(e) for e in (*bounds, guard) if e is not None))


def _movable(
    level: Level,
    init: Stmt,
    touched: Touched,
    reduced: set[NodeId],
    sources: Mapping[NodeId, MatchBuffer],
) -> bool:
    match level.stmt:
        case For():
            bounds = free_vars(level.start).keys() | free_vars(level.extent).keys()
            return reduced.isdisjoint(bounds)
        case Seq(body=body):
            others = (item for i, item in enumerate(body) if i != level.position)
            return not any(touches(item, sources).meets(touched) for item in others)
        case Let(var=var):
            return var.id not in free_vars(init)
        case Allocate(buffer=buffer):
            return buffer.id not in touched.read | touched.written
        case Block(predicate=None, init=None, allocations=allocations):
            return (touched.read | touched.written).isdisjoint(b.id for b in allocations)
        case If() | While() | Block():
            return False
        case _:
            return True


def _each_once(init: Stmt, body: Stmt, inner: list[Level], reduced: set[NodeId]) -> bool:
    """Whether each iteration of the spatial loops has elements of its own.

    Otherwise one would initialise what an earlier one has updated, or update, before it has
    updated it, what a later one initialises. Elements that `body` updates count too.
    """
    extents: dict[NodeId, float] = {}
    ranges: dict[NodeId, Range] = {}
    for level in inner:
        match level.stmt:
            case For(var=var) if var.id in reduced:
                ranges[var.id] = _range(level.start, level.extent)
            case For(var=var) if level.extent != IntImm(1):
                extent = level.extent
                extents[var.id] = extent.value if isinstance(extent, IntImm) else math.inf
            case Let(var=var):
                ranges[var.id] = ANYWHERE
            case _:
                continue
    accesses: dict[NodeId, list[Store | Load]] = {}
    for node in (*walk(init), *walk(body)):
        match node:
            case Store(buffer=buffer) | Load(buffer=buffer):
                accesses.setdefault(buffer.id, []).append(node)
            case For(var=var, start=start, extent=extent):
                ranges[var.id] = _range(start, extent)
            case Let(var=var):
                ranges[var.id] = ANYWHERE
            case _:
                continue
    stored = {node.buffer.id for node in walk(init) if isinstance(node, Store)}
    return all(extents.keys() <= _told_apart(accesses[b], extents, ranges) for b in stored)


def _range(start: PrimExpr, extent: PrimExpr) -> Range:
    if isinstance(start, IntImm) and isinstance(extent, IntImm) and extent.value > 0:
        return start.value, start.value + extent.value - 1
    return ANYWHERE


def _told_apart(
    accesses: list[Store | Load], extents: dict[NodeId, float], ranges: dict[NodeId, Range]
) -> set[NodeId]:
    """The loops of which the indices of all accesses are the same digits in a mixed radix.

    Below those digits there is room for what differs between accesses and inside of one iteration.
    """
    found: set[NodeId] = set()
    for indices in zip(*(access.indices for access in accesses), strict=True):
        forms = [form for form in map(affine, indices) if form is not None]
        fixed = {tuple(t for t in form.coefficients if t[0] not in ranges) for form in forms}
        if len(forms) != len(indices) or len(fixed) != 1:
            continue
        digits = sorted((abs(c), ident) for ident, c in fixed.pop() if ident in extents)
        ends = [_ends(form, ranges) for form in forms]
        reach = max(high for _, high in ends) - min(low for low, _ in ends)
        for step, ident in digits:
            if step <= reach:
                break
            reach += step * (extents[ident] - 1)
        else:
            found.update(ident for _, ident in digits)
    return found


def _ends(form: Affine, ranges: dict[NodeId, Range]) -> Range:
    """Where an index reaches from the digits, in one iteration."""
    low: float = form.constant
    high: float = form.constant
    for ident, step in form.coefficients:
        if ident in ranges:
            ends = sorted(step * end for end in ranges[ident])
            low, high = low + ends[0], high + ends[1]
    return low, high


def _wrapped(level: Level, placed: Stmt, reduced: set[NodeId], ids: IdSource) -> Stmt:
    """The initialisation inside a copy of a spatial loop that it depends on."""
    loop = level.stmt
    if not isinstance(loop, For) or loop.var.id in reduced:
        return placed
    if loop.var.id not in free_vars(placed):
        once = isinstance(level.extent, IntImm) and level.extent.value > 0
        return placed if once else If(Binary(BinaryOp.GT, level.extent, IntImm(0)), placed)
    var = Var(ids.new(), loop.var.name, loop.var.type)
    kind = loop.kind
    if kind not in {LoopKind.VECTORIZED, LoopKind.UNROLLED}:
        kind = LoopKind.SERIAL
    copy = replace(loop, var=var, start=level.start, extent=level.extent, kind=kind)
    return replace(copy, body=substitute(placed, {loop.var.id: var}))
