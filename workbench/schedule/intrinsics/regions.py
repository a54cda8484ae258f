"""Where the parameters of an intrinsic lie: boxes of the program's buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.ir import BufferType, PrimExpr, Var, as_expr, free_vars, substitute
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Region:
    """The box of `source` that a parameter is: it begins at `starts`.

    `dims` has, for each dimension of the source, that of the parameter, or None for a point.
    """

    source: Var
    starts: tuple[Poly, ...]
    dims: tuple[int | None, ...]

    @property
    def in_order(self) -> bool:
        """Whether dimensions come in the order of the parameter."""
        known = [dim for dim in self.dims if dim is not None]
        return known == sorted(known)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Region)
            and self.source.id == other.source.id
            and self.dims == other.dims
            and self.starts == other.starts
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def candidates(
    source: Var,
    wanted: tuple[Poly, ...],
    found: tuple[Poly, ...],
    loops: frozenset[NodeId],
) -> Iterator[Region]:
    """Boxes in which `source[found]` is the parameter's element `wanted`, likely ones first.

    Both are index polynomials of the same loops. Dimensions in order are more likely than
    permuted ones, the last ones of the source more likely than the first.
    """
    parts = [_split(poly, loops) for poly in found]
    moving = {n for n, (part, _) in enumerate(parts) if part.terms}
    for places in _placements(len(wanted), len(found)):
        if not moving <= set(places):
            continue
        if all(_split(wanted[dim], loops)[0] == parts[n][0] for dim, n in enumerate(places)):
            dims = {n: dim for dim, n in enumerate(places)}
            starts = tuple(
                rest - _split(wanted[dims[n]], loops)[1] if n in dims else rest
                for n, (_, rest) in enumerate(parts)
            )
            yield Region(source, starts, tuple(dims.get(n) for n in range(len(found))))


def _placements(count: int, room: int) -> Iterator[tuple[int, ...]]:
    """For each dimension of a parameter, one of the source."""
    ordered = sorted(combinations(range(room), count), reverse=True)
    yield from ordered
    for chosen in ordered:
        yield from (order for order in permutations(chosen) if list(order) != sorted(order))


def _split(poly: Poly, loops: frozenset[NodeId]) -> tuple[Poly, Poly]:
    """The terms that move with loops, and the others."""
    moving = {
        key: c
        for key, c in poly.terms.items()
        if any(not loops.isdisjoint(free_vars(atom)) for atom in key)
    }
    return Poly(moving), Poly({key: c for key, c in poly.terms.items() if key not in moving})


def strides_of(buffer: Var) -> tuple[PrimExpr, ...]:
    """The strides of a buffer in elements, row-major unless its type says otherwise."""
    assert isinstance(buffer.type, BufferType)
    if buffer.type.strides:
        return tuple(as_expr(stride) for stride in buffer.type.strides)
    facts = Facts()
    step, result = Poly.const(1), list[PrimExpr]()
    for extent in reversed(buffer.type.shape):
        result.append(step.to_expr())
        step = step * facts.poly(as_expr(extent))
    return tuple(reversed(result))


def layout_fault(parameter: Var, region: Region, symbols: Mapping[NodeId, PrimExpr]) -> str:
    """Why the layout of a region is not the one that a parameter declares; empty where it is.

    Without strides the last dimension of a parameter is contiguous and dimensions are in order;
    a stride that is a variable may be any, one that is a number has to be that.
    """
    kind = parameter.type
    assert isinstance(kind, BufferType)
    actual = strides_of(region.source)
    facts = Facts()
    if not kind.strides:
        last = next((n for n, dim in enumerate(region.dims) if dim == len(kind.shape) - 1), None)
        if last is None or (facts.poly(actual[last]) == Poly.const(1) and region.in_order):
            return ""
        return (
            f"expected `{parameter.name}` row-major with its last dimension contiguous, found it "
            f"along dimension {last} of `{region.source.name}`"
        )
    for n, dim in enumerate(region.dims):
        if dim is None or isinstance(wanted := kind.strides[dim], Var):
            continue
        expected = facts.poly(substitute(as_expr(wanted), dict(symbols)))
        if facts.poly(actual[n]) != expected:
            return (
                f"expected stride {wanted} along dimension {dim} of `{parameter.name}`, found that "
                f"of dimension {n} of `{region.source.name}`"
            )
    return ""
