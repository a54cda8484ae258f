"""Cost of a tensor function, loop by loop: operations, bytes moved, working set.

Counts are polynomials in the symbolic dimensions. A loop whose extent depends on the loops around
it counts with its largest extent, a guarded statement as if it always ran: so all are upper bounds,
exact for rectangular nests. Reference: `tvm::tir::EstimateTIRFlops`; Williams et al., "Roofline",
CACM 2009, for operations per byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from typing_extensions import override

from workbench.analysis.dependence.spelling import dim
from workbench.analysis.polynomial import Poly, polynomial
from workbench.ir import (
    INDEX,
    Allocate,
    Binary,
    Block,
    BufferType,
    Dim,
    Evaluate,
    For,
    If,
    Intrinsic,
    Let,
    Load,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    as_dim,
    as_expr,
    dtype_of,
    substitute,
    walk,
)
from workbench.ir.numbers import element_bytes
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a loop (all its iterations), a block or a whole function takes.

    `operations`: arithmetic on elements, an intrinsic such as `exp` counting as one; index
    arithmetic does not count. `read` and `written`: bytes of all accesses, repeated ones too.
    `working_set`: bytes of different elements that are touched.
    """

    operations: Dim
    read: Dim
    written: Dim
    working_set: Dim

    @property
    def intensity(self) -> float | None:
        """Operations per byte of the working set: what a cache of that size allows.

        None where symbolic or nothing is touched.
        """
        if isinstance(self.operations, int) and isinstance(self.working_set, int):
            return self.operations / self.working_set if self.working_set else None
        return None

    @override
    def __repr__(self) -> str:
        names = ("operations", "read", "written", "working_set")
        return f"Cost({', '.join(f'{name}={dim(getattr(self, name))}' for name in names)})"


def cost(function: TensorFunction) -> Cost:
    """The cost of one call."""
    return _COSTS.get(function, lambda: _Count(loops=False).total(function))


def loop_costs(function: TensorFunction) -> dict[NodeId, Cost]:
    """The cost of one run of every loop (by the id of its variable) and block."""
    count = _Count(loops=True)
    count.total(function)
    return count.found


_COSTS: IdentityMemo[TensorFunction, Cost] = IdentityMemo()

_Place = tuple[NodeId, tuple[PrimExpr, ...]]
"""Buffer and indices."""


@dataclass(frozen=True, slots=True)
class _Access:
    buffer: Var
    indices: tuple[Poly, ...]


@dataclass
class _Tally:
    """Operations and bytes of a statement, and what it touches."""

    operations: Poly = field(default_factory=lambda: Poly({}))
    read: Poly = field(default_factory=lambda: Poly({}))
    written: Poly = field(default_factory=lambda: Poly({}))
    accesses: dict[_Place, _Access] = field(default_factory=dict["_Place", "_Access"])

    def add(self, other: _Tally) -> None:
        self.operations += other.operations
        self.read += other.read
        self.written += other.written
        self.accesses.update(other.accesses)

    def times(self, count: Poly) -> None:
        self.operations *= count
        self.read *= count
        self.written *= count


class _Count:
    """Walks a function from the inside out; scalars and axes stand for their values.

    `found` has the costs of its loops and blocks where `loops`.
    """

    def __init__(self, *, loops: bool) -> None:
        self.loops = loops
        self.found: dict[NodeId, Cost] = {}
        self.extents: dict[NodeId, Poly] = {}
        self.starts: dict[NodeId, Poly] = {}
        self.lasts: dict[NodeId, Poly] = {}
        self.inside: list[NodeId] = []

    def total(self, function: TensorFunction) -> Cost:
        return self._cost(self._statement(function.body, {}), tuple(self.extents))

    def _statement(self, stmt: Stmt, known: Mapping[NodeId, PrimExpr]) -> _Tally:
        match stmt:
            case For():
                return self._loop(stmt, known)
            case Block():
                return self._block(stmt, known)
            case Seq(body=items):
                return self._sum(items, known)
            case If(condition=condition, then=then, otherwise=otherwise):
                tally = self._sum((then,) if otherwise is None else (then, otherwise), known)
                tally.add(self._expressions((condition,), known))
                return tally
            case While(condition=condition, body=body):
                tally = self._statement(body, known)
                tally.add(self._expressions((condition,), known))
                return tally
            case Let(var=var, value=value, body=body):
                inner = {**known, var.id: substitute(value, dict(known))}
                tally = self._statement(body, inner if dtype_of(var) == INDEX else known)
                tally.add(self._expressions((value,), known))
                return tally
            case Allocate(body=body):
                return self._statement(body, known)
            case Store(buffer=buffer, indices=indices, value=value):
                tally = self._expressions((*indices, value), known)
                tally.written += Poly.const(_bytes(buffer))
                _touch(tally, buffer, indices, known)
                return tally
            case Evaluate(value=value):
                return self._expressions((value,), known)

    def _sum(self, items: Iterable[Stmt], known: Mapping[NodeId, PrimExpr]) -> _Tally:
        tally = _Tally()
        for item in items:
            tally.add(self._statement(item, known))
        return tally

    def _loop(self, loop: For, known: Mapping[NodeId, PrimExpr]) -> _Tally:
        self.extents[loop.var.id] = self._largest(loop.extent, known)
        self.starts[loop.var.id] = self._largest(loop.start, known, sign=-1)
        self.lasts[loop.var.id] = self._largest(loop.start + loop.extent - 1, known)
        self.inside.append(loop.var.id)
        first = len(self.inside) - 1
        tally = self._statement(loop.body, known)
        tally.times(self.extents[loop.var.id])
        if self.loops:
            self.found[loop.var.id] = self._cost(tally, tuple(self.inside[first:]))
        return tally

    def _block(self, block: Block, known: Mapping[NodeId, PrimExpr]) -> _Tally:
        values = dict(known)
        for axis in block.axes:
            values[axis.var.id] = substitute(axis.value, dict(known))
        for view in block.match_buffers:
            values[view.buffer.id] = view.source.buffer
        first = len(self.inside)
        tally = self._statement(block.body, values)
        if block.init is not None:
            tally.accesses.update(self._statement(block.init, values).accesses)
        if self.loops:
            self.found[block.id] = self._cost(tally, tuple(self.inside[first:]))
        return tally

    def _expressions(self, exprs: Iterable[PrimExpr], known: Mapping[NodeId, PrimExpr]) -> _Tally:
        tally = _Tally()
        for expr in exprs:
            for node in walk(expr):
                if isinstance(node, Load):
                    tally.read += Poly.const(_bytes(node.buffer))
                    _touch(tally, node.buffer, node.indices, known)
                elif isinstance(node, Intrinsic) or (
                    isinstance(node, Binary) and dtype_of(node.a) not in {INDEX, "bool"}
                ):
                    tally.operations += Poly.const(1)
        return tally

    def _largest(self, expr: PrimExpr, known: Mapping[NodeId, PrimExpr], sign: int = 1) -> Poly:
        """The largest value (with sign -1 the smallest) over the loops around.

        Each of their variables, where it is a factor by itself, is at the end that the sign of its
        term asks for.
        """
        found = Poly({})
        inside = set(self.inside)
        for key, factor in polynomial(substitute(expr, dict(known))).terms.items():
            ends = self.lasts if factor * sign > 0 else self.starts
            term = Poly.const(factor)
            for atom in key:
                if isinstance(atom, Var) and atom.id in inside:
                    term *= ends[atom.id]
                else:
                    term *= Poly.atom(atom)
            found += term
        return found

    def _cost(self, tally: _Tally, loops: tuple[NodeId, ...]) -> Cost:
        touched = self._touched(tally.accesses.values(), frozenset(loops))
        return Cost(_dim(tally.operations), _dim(tally.read), _dim(tally.written), _dim(touched))

    def _touched(self, accesses: Iterable[_Access], loops: frozenset[NodeId]) -> Poly:
        """Bytes of the boxes that the loops sweep; boxes that only differ by a shift are one."""
        boxes: dict[
            tuple[NodeId, tuple[object, ...]], tuple[Var, list[tuple[Poly, Poly | None]]]
        ] = {}
        for access in accesses:
            spans = [self._span(index, loops) for index in access.indices]
            key = (access.buffer.id, tuple(_key(base) for base, _ in spans))
            known = boxes.get(key)
            fresh: list[tuple[Poly, Poly | None]] = [
                (Poly.const(base.constant), size) for base, size in spans
            ]
            boxes[key] = (access.buffer, fresh if known is None else _joined(known[1], fresh))
        total: dict[NodeId, Poly] = {}
        buffers: dict[NodeId, Var] = {}
        for (ident, _), (buffer, spans) in boxes.items():
            size = Poly.const(_bytes(buffer))
            if not spans and _rank(buffer):
                size = _size_of(buffer)
            for position, (_, extent) in enumerate(spans):
                whole_extent = _extent_of(buffer, position)
                size *= whole_extent if extent is None else _smaller(extent, whole_extent)
            total[ident] = total.get(ident, Poly({})) + size
            buffers[ident] = buffer
        whole = Poly({})
        for ident, size in total.items():
            whole += _smaller(size, _size_of(buffers[ident]))
        return whole

    def _span(self, index: Poly, loops: frozenset[NodeId]) -> tuple[Poly, Poly | None]:
        """`(what stays, how many values)` of an index while the loops run; None for any."""
        rest, size = Poly({}), Poly.const(1)
        for key, factor in index.terms.items():
            moving = [atom for atom in key if isinstance(atom, Var) and atom.id in loops]
            if not moving and not any(_mentions(atom, loops) for atom in key):
                rest += Poly({key: factor})
            elif len(key) == 1 and moving:
                var = moving[0].id
                size += self.extents[var].shift(-1).scale(abs(factor))
                rest += self.starts[var].scale(factor)
                if factor < 0:
                    rest += self.extents[var].shift(-1).scale(factor)
            else:
                return rest, None
        return rest, size


def _mentions(atom: PrimExpr, loops: frozenset[NodeId]) -> bool:
    return any(isinstance(node, Var) and node.id in loops for node in walk(atom))


def _touch(
    tally: _Tally,
    buffer: Var,
    indices: tuple[PrimExpr, ...],
    known: Mapping[NodeId, PrimExpr],
) -> None:
    """Note an access; one through a view counts as one of the whole source."""
    source = known.get(buffer.id, buffer)
    assert isinstance(source, Var)
    values = dict(known)
    places = tuple(substitute(index, values) for index in indices) if source is buffer else ()
    access = _Access(source, tuple(polynomial(place) for place in places))
    tally.accesses[source.id, places] = access


def _key(base: Poly) -> object:
    """What two boxes must share to be shifts of each other."""
    return frozenset((key, factor) for key, factor in base.terms.items() if key)


def _joined(
    a: list[tuple[Poly, Poly | None]], b: list[tuple[Poly, Poly | None]]
) -> list[tuple[Poly, Poly | None]]:
    """The box around two boxes whose corners differ by constants."""
    found: list[tuple[Poly, Poly | None]] = []
    for (low_a, size_a), (low_b, size_b) in zip(a, b, strict=True):
        if size_a is None or size_b is None:
            found.append((low_a, None))
            continue
        low = min(low_a.constant, low_b.constant)
        ends = [
            size.shift(start.constant - low) for start, size in ((low_a, size_a), (low_b, size_b))
        ]
        found.append((Poly.const(low), _larger(*ends)))
    return found


def _larger(a: Poly, b: Poly) -> Poly:
    difference = a - b
    if all(value >= 0 for value in difference.terms.values()):
        return a
    return b if all(value <= 0 for value in difference.terms.values()) else a + b


def _smaller(a: Poly, b: Poly) -> Poly:
    """The smaller where that can be told, dimensions being at least 0; else the first."""
    difference = a - b
    return b if all(value >= 0 for value in difference.terms.values()) else a


def _extent_of(buffer: Var, position: int) -> Poly:
    assert isinstance(buffer.type, BufferType)
    return polynomial(as_expr(buffer.type.shape[position]))


def _rank(buffer: Var) -> int:
    assert isinstance(buffer.type, BufferType)
    return len(buffer.type.shape)


def _size_of(buffer: Var) -> Poly:
    assert isinstance(buffer.type, BufferType)
    size = Poly.const(_bytes(buffer))
    for position in range(len(buffer.type.shape)):
        size *= _extent_of(buffer, position)
    return size


def _bytes(buffer: Var) -> int:
    assert isinstance(buffer.type, BufferType)
    return element_bytes(buffer.type.dtype)


def _dim(poly: Poly) -> Dim:
    return as_dim(poly.to_expr())
