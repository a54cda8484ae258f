"""Derivations: how the values of a new module come from those of the old one."""

from __future__ import annotations

import enum
from typing import NamedTuple

from workbench.support.ids import NodeId


class Relation(enum.Enum):
    """How a result relates to its sources."""

    SAME = "same"
    """Same type and contents, computed in another way."""
    LAYOUT = "layout"
    CAST = "cast"
    MOVED = "moved"
    """The same value, now computed inside another function."""
    PART = "part"
    """The result is one of several that together replace the sources."""


class NodeRef(NamedTuple):
    """A value of a module: function name and id in it. Prints as the key `main/12`.

    A tuple, since passes make, hash and compare several for every binding.
    """

    function: str
    id: NodeId

    def __str__(self) -> str:
        return f"{self.function}/{self.id}"


class Derivation(NamedTuple):
    """`rule` made `results` (of the new module) from `sources` (of the old one).

    `layout` is the index map of a `LAYOUT` relation, from the source to the result, where known.
    """

    rule: str
    sources: tuple[NodeRef, ...]
    results: tuple[NodeRef, ...]
    relation: Relation = Relation.SAME
    layout: str = ""
