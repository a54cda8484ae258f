"""Whether the init of a reduction runs more than once, or loops come back to an element.

Tried out, in loops of known extent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

from workbench.analysis.arith import Facts
from workbench.ir import For, IntImm, PrimExpr, dtype_of, substitute
from workbench.support import NodeId

MOST = 1024
"""Instances that are tried."""


def init_again(loops: Sequence[For], values: Sequence[PrimExpr]) -> tuple[str, str] | None:
    """Two instances, spelled `k = 0`, in which all reduction axes are zero.

    `values` are those of the axes. None where there is one such instance at most, or none was
    found; loops whose bounds are not constant are not tried.
    """
    found = list(islice(_zeros(loops, values), 2))
    return (found[0], found[1]) if len(found) == 2 else None


def come_back(loops: Sequence[For], places: Sequence[PrimExpr]) -> tuple[str, str] | None:
    """Two instances, spelled `i = 0`, with equal places; None where none was found."""
    seen: dict[tuple[PrimExpr, ...], str] = {}
    for text, known in _instances(loops):
        at = tuple(Facts().simplify(substitute(place, known)) for place in places)
        if at in seen:
            return seen[at], text
        seen[at] = text
    return None


def init_once(loops: Sequence[For], values: Sequence[PrimExpr]) -> bool:
    """Whether all instances were tried, and in at most one of them all reduction axes are zero."""
    points = _points(loops)
    return points is not None and len(points) <= MOST and init_again(loops, values) is None


def _points(loops: Sequence[For]) -> Sequence[tuple[int, ...]] | None:
    """The first instances of loops, one more than are tried; None where bounds are not constant."""
    ranges: list[range] = []
    for loop in loops:
        start, extent = Facts().simplify(loop.start), Facts().simplify(loop.extent)
        if not isinstance(start, IntImm) or not isinstance(extent, IntImm):
            return None
        ranges.append(range(start.value, start.value + extent.value))
    return list(islice(product(*ranges), MOST + 1))


def _zeros(loops: Sequence[For], values: Sequence[PrimExpr]) -> Iterator[str]:
    for text, known in _instances(loops):
        if all(Facts().simplify(substitute(value, known)) == IntImm(0) for value in values):
            yield text


def _instances(loops: Sequence[For]) -> Iterator[tuple[str, dict[NodeId, PrimExpr]]]:
    """The first instances, as text and as values of the loops."""
    for point in (_points(loops) or ())[:MOST]:
        pairs = list(zip(loops, point, strict=True))
        known: dict[NodeId, PrimExpr] = {
            loop.var.id: IntImm(n, dtype_of(loop.var)) for loop, n in pairs
        }
        yield ", ".join(f"`{loop.var.name} = {n}`" for loop, n in pairs), known
