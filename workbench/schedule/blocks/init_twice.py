"""Whether the init of a reduction runs more than once: tried out, in loops of known extent."""

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


def _zeros(loops: Sequence[For], values: Sequence[PrimExpr]) -> Iterator[str]:
    ranges: list[range] = []
    for loop in loops:
        start, extent = Facts().simplify(loop.start), Facts().simplify(loop.extent)
        if not isinstance(start, IntImm) or not isinstance(extent, IntImm):
            return
        ranges.append(range(start.value, start.value + extent.value))
    for point in islice(product(*ranges), MOST):
        known: dict[NodeId, PrimExpr] = {
            loop.var.id: IntImm(n, dtype_of(loop.var)) for loop, n in zip(loops, point, strict=True)
        }
        if all(Facts().simplify(substitute(value, known)) == IntImm(0) for value in values):
            yield ", ".join(
                f"`{loop.var.name} = {n}`" for loop, n in zip(loops, point, strict=True)
            )
