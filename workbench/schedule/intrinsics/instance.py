"""The implementation of an intrinsic, put where the code that it replaces stood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from workbench.analysis.arith import Facts
from workbench.ir import (
    Block,
    BufferRegion,
    BufferType,
    Evaluate,
    IntImm,
    Load,
    MatchBuffer,
    PrimExpr,
    Range,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_dim,
    as_expr,
    map_children,
    substitute,
    walk,
)
from workbench.schedule.intrinsics.matching import Match
from workbench.schedule.intrinsics.regions import Region, strides_of
from workbench.schedule.scope import Scope
from workbench.support import NodeId

_ONE = IntImm(1)


@dataclass(frozen=True, slots=True)
class Instance:
    """The body of a block that runs an implementation, and what the block declares.

    Regions are declared for an opaque implementation only: those of all others are computed.
    """

    body: Stmt
    match_buffers: tuple[MatchBuffer, ...]
    allocations: tuple[Var, ...]
    reads: tuple[BufferRegion, ...] | None = None
    writes: tuple[BufferRegion, ...] | None = None


def instance(
    scope: Scope, description: TensorFunction, implementation: TensorFunction, match: Match
) -> Instance:
    """The implementation on the boxes of a match, all its names and ids fresh."""
    maker = _Maker(scope)
    sources: dict[NodeId, BufferRegion] = {}
    matches: list[MatchBuffer] = []
    for param, own in zip(description.params, implementation.params, strict=True):
        box = match.regions[param.id]
        source = _source(param, box, match.symbols)
        sources[param.id] = source
        matches.append(maker.matched(own, box, source))
    maker.bind_symbols(implementation, matches)
    body, allocations = _unwrapped(implementation)
    made = Instance(maker(body), tuple(matches), tuple(maker(buffer) for buffer in allocations))
    if not is_opaque(implementation):
        return made
    touched = _touched(description)
    return replace(
        made,
        reads=tuple(sources[i] for i in touched.read),
        writes=tuple(sources[i] for i in touched.written),
    )


def is_opaque(implementation: TensorFunction) -> bool:
    """Whether analysis cannot see what an implementation touches: it calls for an effect."""
    return any(isinstance(node, Evaluate) for node in walk(implementation.body))


def _source(param: Var, box: Region, symbols: dict[NodeId, PrimExpr]) -> BufferRegion:
    """The box of the program's buffer that a parameter is."""
    assert isinstance(param.type, BufferType)
    facts = Facts()
    ranges: list[Range] = []
    for start, dim in zip(box.starts, box.dims, strict=True):
        extent = _ONE if dim is None else substitute(as_expr(param.type.shape[dim]), symbols)
        ranges.append(Range(start.to_expr(), facts.simplify(extent)))
    return BufferRegion(box.source, tuple(ranges))


def _unwrapped(function: TensorFunction) -> tuple[Stmt, tuple[Var, ...]]:
    """The body of a function without a block around all of it that only names it."""
    body, allocations = function.body, function.allocations
    if isinstance(body, Block) and not (
        body.axes or body.init is not None or body.predicate is not None or body.match_buffers
    ):
        return body.body, (*allocations, *body.allocations)
    return body, allocations


@dataclass(frozen=True, slots=True)
class _Touched:
    read: tuple[NodeId, ...]
    written: tuple[NodeId, ...]


def _touched(description: TensorFunction) -> _Touched:
    """The parameters that a description reads, and those that it writes."""
    nodes = list(walk(description.body))
    loads = {node.buffer.id for node in nodes if isinstance(node, Load)}
    stores = {node.buffer.id for node in nodes if isinstance(node, Store)}
    order = [param.id for param in description.params]
    return _Touched(tuple(i for i in order if i in loads), tuple(i for i in order if i in stores))


class _Maker:
    """Copies code with fresh names; accesses to parameters follow the dimensions of their boxes."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.known: dict[NodeId, PrimExpr] = {}
        self.places: dict[NodeId, tuple[int | None, ...]] = {}

    def matched(self, param: Var, box: Region, source: BufferRegion) -> MatchBuffer:
        """The buffer that stands for a parameter: its box without leading points."""
        kind = param.type
        assert isinstance(kind, BufferType)
        first = next((n for n, dim in enumerate(box.dims) if dim is not None), len(box.dims))
        shape = tuple(as_dim(r.extent) for r in source.ranges[first:])
        type_ = BufferType(shape, kind.dtype, kind.scope)
        buffer = self.scope.fresh(param.name, type_)
        self.known[param.id] = buffer
        dims = box.dims[first:]
        if dims != tuple(range(len(kind.shape))):
            self.places[param.id] = dims
        strides = strides_of(box.source)
        for n, dim in enumerate(box.dims):
            if dim is not None and kind.strides and isinstance(s := kind.strides[dim], Var):
                self.known[s.id] = strides[n]
        return MatchBuffer(buffer, source)

    def bind_symbols(self, implementation: TensorFunction, matches: list[MatchBuffer]) -> None:
        """Dimensions that are variables become the extents of the boxes."""
        for param, match in zip(implementation.params, matches, strict=True):
            assert isinstance(param.type, BufferType)
            assert isinstance(match.buffer.type, BufferType)
            dims = self.places.get(param.id, tuple(range(len(param.type.shape))))
            for n, dim in enumerate(dims):
                if dim is not None and isinstance(own := param.type.shape[dim], Var):
                    self.known.setdefault(own.id, as_expr(match.buffer.type.shape[n]))

    def __call__(self, node: Any) -> Any:  # noqa: ANN401
        match node:
            case Var():
                return self._var(node)
            case Load(buffer=buffer, indices=indices):
                return Load(self(buffer), self._indices(buffer, indices))
            case Store(buffer=buffer, indices=indices, value=value):
                return Store(self(buffer), self._indices(buffer, indices), self(value))
            case BufferRegion(buffer=buffer, ranges=ranges) if buffer.id in self.places:
                whole = Range(IntImm(0), _ONE)
                dims = self.places[buffer.id]
                moved = (whole if dim is None else self(ranges[dim]) for dim in dims)
                return BufferRegion(self(buffer), tuple(moved))
            case _:
                return self._copied(node)

    def _indices(self, buffer: Var, indices: tuple[PrimExpr, ...]) -> tuple[PrimExpr, ...]:
        own = tuple(self(index) for index in indices)
        dims = self.places.get(buffer.id)
        if dims is None:
            return own
        return tuple(IntImm(0) if dim is None else own[dim] for dim in dims)

    def _var(self, var: Var) -> PrimExpr:
        known = self.known.get(var.id)
        if known is None:
            known = self.known[var.id] = self.scope.fresh(var.name, self(var.type))
        return known

    def _copied(self, node: Any) -> Any:  # noqa: ANN401
        mapped = map_children(node, self)
        if isinstance(mapped, BufferType):
            return replace(mapped, shape=tuple(as_dim(as_expr(extent)) for extent in mapped.shape))
        if isinstance(mapped, Block):
            name = self.scope.free_name(mapped.name)
            return replace(mapped, id=self.scope.ids.new(), name=name)
        return mapped
