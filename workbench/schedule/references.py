"""References to loops and blocks of the function that a schedule works on."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block of the function that a schedule works on."""

    name: str
    id: NodeId
    owner: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class LoopRef:
    """A loop of the function that a schedule works on."""

    name: str
    id: NodeId
    owner: object = field(default=None, repr=False, compare=False)


LoopLike = LoopRef | str
"""A loop: a reference that the schedule gave, or a name (`i`, `C.i`, `i#2`)."""
BlockLike = BlockRef | str
Place = LoopRef | BlockRef | str
"""A loop or a block: a reference that the schedule gave, or a name."""
