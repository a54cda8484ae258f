"""Homes: in which block each binding of a graph function stands, those in branches included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from workbench.ir import Binding, BindingBlock, GraphFunction, IfThenElse


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """A block, its number in program order, and the `if` in one of whose arms it is."""

    block: BindingBlock
    number: int
    branch: Binding | None = None
    arm: Literal["then", "else"] = "then"

    @property
    def place(self) -> str:
        """In which arm it is: "the `then` arm of `y`"; empty outside of all."""
        return "" if self.branch is None else f"the `{self.arm}` arm of `{self.branch.var.name}`"

    @property
    def dataflow(self) -> bool:
        """Whether the block is a dataflow block."""
        return self.block.dataflow


def homes(function: GraphFunction) -> Iterator[Home]:
    """All blocks with bindings; those of arms, as the blocks they are, behind that of the `if`."""
    return iter(dict.fromkeys(home for home, _ in bindings_at_home(function)))


def bindings_at_home(function: GraphFunction) -> Iterator[tuple[Home, Binding]]:
    """All bindings in program order, those of arms behind their `if`, each with its block."""
    return _bindings(function.blocks, None, "then", count())


def _bindings(
    blocks: tuple[BindingBlock, ...],
    branch: Binding | None,
    arm: Literal["then", "else"],
    numbers: Iterator[int],
) -> Iterator[tuple[Home, Binding]]:
    for block in blocks:
        home = Home(block, next(numbers), branch, arm)
        for binding in block.bindings:
            yield home, binding
            value = binding.value
            if isinstance(value, IfThenElse):
                yield from _bindings(value.then.blocks, binding, "then", numbers)
                yield from _bindings(value.otherwise.blocks, binding, "else", numbers)


def border_between(outer: Home, inner: Home) -> str:
    """The arm whose border an edge from one block to another crosses; empty where none."""
    return "" if outer.branch is inner.branch else inner.place
