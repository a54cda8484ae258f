"""Execution times: when a statement runs within one that is around it."""

from __future__ import annotations

from itertools import pairwise

from workbench.analysis.dependence import Time
from workbench.ir import Block, For, If, PrimExpr, Seq, Stmt


def time_within(path: tuple[Stmt, ...]) -> Time:
    """Positions in sequences and variables of loops, from the first statement of a path inward."""
    time: list[int | PrimExpr] = []
    for around, below in pairwise(path):
        match around:
            case Block(init=init) if init is not None:
                time.append(0 if below is init else 1)
            case For(var=var):
                time.append(var)
            case Seq(body=items):
                time.append(next(n for n, item in enumerate(items) if item is below))
            case If(then=then):
                time.append(0 if below is then else 1)
            case _:
                pass
    return tuple(time)
