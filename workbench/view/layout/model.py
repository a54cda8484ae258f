"""What the layout gives: integer pixels only, in the coordinates of the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Rect = tuple[int, int, int, int]
Folds = Mapping[str, bool]
"""Folds by group key: true is collapsed. Groups not named start as their `GroupView` says."""

GAP_X = 28
GAP_Y = 22
TRACK = 8
STUB_HEIGHT = 20
STUB_GAP = 4
STUB_ARROW = 24
MAX_STUBS = 4
LONG_INPUT = 6
LONG_VALUE = 60
CLEAR = 10
PORT = 12
NOTE_WIDTH = 220
NOTE_HEIGHT = 14
"""Room for the name of an open group: at most so wide, and so much below the next."""
PAD = 8
MARGIN = 20
FRAME_PAD = 10
"""Between the frame of an `if` and its arms, and between those and their boxes."""
FRAME_TITLE = 20
"""Height of the line that names an `if`, and of that which names an arm."""
ARM_GAP = 8
ARM_WIDTH = 90
"""Least width of an arm without its padding."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: a node, or a collapsed group (`group` true)."""

    key: str
    group: bool
    layer: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Stub:
    """A small box beside its consumer: a constant, or a reference to a value far away.

    `more` says for how many stubs it stands because they found no room; `points` is its line.
    """

    owner: str
    value: str
    ref: bool
    more: int
    x: int
    y: int
    width: int
    height: int
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wire:
    """One hop of a value's bus; it ends in the box `to`, or goes on where `to` is None.

    Where `order` is true nothing is read: an effect only comes after that of `value`.
    """

    value: str
    to: str | None
    points: tuple[int, ...]
    order: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground behind the members of an open group, and where its name stands."""

    group: str
    depth: int
    rects: tuple[Rect, ...]
    note_x: int
    note_y: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole picture of one function; sizes in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    stubs: tuple[Stub, ...]
    wires: tuple[Wire, ...]
    grounds: tuple[Ground, ...]
