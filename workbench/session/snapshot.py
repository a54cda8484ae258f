"""Snapshots: one module after one pass, in a tree."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.ir import IRModule
from workbench.rewrite import Pass, PassResult


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A module and how it came to be: `applied` to the module of `parent` gave `result`.

    Both are None for the import. `seconds` is the time of the pass.
    """

    index: int
    digest: str
    module: IRModule
    parent: int | None = None
    applied: Pass | None = None
    result: PassResult | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Class name of the pass, `imported` for the root."""
        return "imported" if self.applied is None else type(self.applied).__name__


class History:
    """The tree of snapshots; grows only."""

    def __init__(self, root: Snapshot) -> None:
        self._snapshots: list[Snapshot] = [root]

    def __len__(self) -> int:
        return len(self._snapshots)

    def __getitem__(self, index: int) -> Snapshot:
        return self._snapshots[index]

    def add(
        self, parent: int, digest: str, applied: Pass, result: PassResult, seconds: float
    ) -> Snapshot:
        """A new child of `parent`."""
        child = Snapshot(len(self), digest, result.module, parent, applied, result, seconds)
        self._snapshots.append(child)
        return child

    def children(self, index: int) -> tuple[Snapshot, ...]:
        """The steps made from `index`, oldest first."""
        return tuple(s for s in self._snapshots if s.parent == index)

    def path(self, index: int) -> tuple[int, ...]:
        """Indices from the import to `index`."""
        found: list[int] = []
        at: int | None = index
        while at is not None:
            found.append(at)
            at = self._snapshots[at].parent
        return tuple(reversed(found))
