"""Ids of values, local to one function."""

from __future__ import annotations

from typing import NewType

NodeId = NewType("NodeId", int)


class IdSource:
    """Hands out the next free ids of one function; never shared between functions.

    Ids are deterministic: the same sequence of requests gives the same ids in every process.
    """

    __slots__ = ("next",)

    def __init__(self, start: int = 0) -> None:
        self.next = start

    def new(self) -> NodeId:
        """Take one id."""
        taken = self.next
        self.next = taken + 1
        return taken  # pyright: ignore[reportReturnType]  calling `NodeId` would take longer
