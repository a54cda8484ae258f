"""Derivations: how the values of a new module come from those of the old one."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from workbench.ir import IRModule
from workbench.support import Diagnostic
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


def derivation_faults(
    derivations: Sequence[Derivation], old: IRModule, new: IRModule
) -> Iterator[Diagnostic]:
    """Values in derivations that neither module has, nor another derivation on its way."""
    functions = (*old.functions, *new.functions)
    ends: dict[str, int] = {}
    for name, function in functions:
        ends[name] = max(ends.get(name, 0), function.next_id)
    made = {ref for d in derivations for ref in d.results}
    read = {ref for d in derivations for ref in d.sources}
    for derivation in derivations:
        unknown = [ref for ref in derivation.sources if ref not in made]
        unknown += [ref for ref in derivation.results if ref not in read]
        for ref in unknown:
            if ref.function not in ends or ref.id >= ends[ref.function]:
                message = f"a derivation by `{derivation.rule}` names `{ref}`, which is no value"
                hint = "sources are values of the module before, results of the one after"
                yield Diagnostic("pass/derivation", message, hint=hint)
