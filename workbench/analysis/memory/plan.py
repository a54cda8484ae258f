"""A plan of memory: where the values of a graph function lie, and why not elsewhere. Plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.analysis.arith import Facts
from workbench.analysis.memory.placement import rounded
from workbench.analysis.memory.sizes import ONE, Size, Unit, scaled
from workbench.analysis.memory.values import Path
from workbench.ir import Dim, TensorType, Var, as_dim, binary, free_vars, substitute
from workbench.ir.binary_op import BinaryOp
from workbench.ir.expr import IntImm, as_expr
from workbench.support import NodeId

Reuse = Literal["fresh", "reuse", "in-place"]
Scope = Literal["arena", "returned"]


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of memory of `count` times `unit` bytes.

    What the function returns lies in blocks of its own, everything else in the arena, which has
    one block for all sizes that are numbers and one for each kind of symbolic size.
    """

    id: int
    count: int
    unit: Unit
    scope: Scope = "arena"
    alignment: int = 64

    @property
    def bytes(self) -> Dim:
        """The size in bytes."""
        return scaled(self.count, self.unit)


@dataclass(frozen=True, slots=True)
class Missed:
    """Memory that was not reused though it has the right shape: whose, and why."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A value: `offset` units of its storage, needed from step `first` to step `last`.

    `path` are the positions of bindings from the outermost function on, `ids` their ids. `source`
    is the number of the value that lay there before. What is returned has `last` after all steps.
    """

    name: str
    path: Path
    output: int
    ids: tuple[NodeId, ...]
    type: TensorType
    size: Size
    storage: int
    offset: int
    first: int
    last: int
    reuse: Reuse = "fresh"
    source: int | None = None
    missed: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where the values of `function` lie while it runs.

    `steps` are the bindings that compute, in order. `unplanned` are values that get their memory
    from Python, with the reason. `unknown` says why there is no plan, else it is empty.
    `live` are the most bytes that are needed at one step, where all sizes are numbers.
    """

    function: str
    steps: tuple[str, ...] = ()
    storages: tuple[Storage, ...] = ()
    values: tuple[Planned, ...] = ()
    unplanned: tuple[Missed, ...] = ()
    symbols: tuple[Var, ...] = ()
    live: int | None = None
    unknown: str = ""

    @property
    def peak(self) -> Dim:
        """Bytes of the arena."""
        return _sum((s.count, s.unit) for s in self.storages if s.scope == "arena")

    @property
    def unshared(self) -> Dim:
        """Bytes that values which are not returned would take with memory of their own each.

        As in the arena, each begins at a multiple of `ALIGNMENT` bytes.
        """
        last = len(self.steps)
        alone = (v.size for v in self.values if v.last < last)
        return _sum(
            (rounded(size.count) if size.unit == ONE else size.count, size.unit) for size in alone
        )

    @property
    def returned(self) -> Dim:
        """Bytes of what the function computes and returns."""
        return _sum((s.count, s.unit) for s in self.storages if s.scope == "returned")

    def at(self, dim: Dim, extents: Mapping[str, int]) -> int:
        """A number of bytes, such as `peak`, where symbolic dimensions have these extents.

        Upper bounds of extents give upper bounds of bytes.

        Raises:
            KeyError: with the name of a dimension that has no extent.
        """
        if isinstance(dim, int):
            return dim
        known = {var.id: as_expr(extents[var.name]) for var in free_vars(dim).values()}
        found = Facts().simplify(substitute(dim, known))
        assert isinstance(found, IntImm)
        return found.value


def _sum(parts: Iterable[tuple[int, Unit]]) -> Dim:
    counts: dict[Unit, int] = {}
    for count, unit in parts:
        counts[unit] = counts.get(unit, 0) + count
    total: Dim = 0
    for unit, count in counts.items():
        total = as_dim(binary(BinaryOp.ADD, as_expr(total), as_expr(scaled(count, unit))))
    return total
