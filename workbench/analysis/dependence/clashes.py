"""Clashes: what a comparison of two versions finds, at instances that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.dependence.versions import Event


@dataclass(frozen=True, slots=True)
class Witness:
    """Values of loops and axes at one instance; `inexact` where it may be none."""

    values: Mapping[str, int]
    inexact: tuple[str, ...]

    @property
    def text(self) -> str:
        """`i = 3, j = 0`."""
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())


@dataclass(frozen=True, slots=True)
class Clash:
    """Two accesses to one element whose order changes, at one pair of instances.

    `mine` belongs to what moved, `other` does not; `first` whether mine came first.
    """

    mine: Event
    other: Event
    point: Mapping[str, int]
    first: bool
    inexact: tuple[str, ...]
