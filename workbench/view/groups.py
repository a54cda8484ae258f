"""Layers: boxes of the imported model put into few collapsible groups.

Names of imported nodes are paths (`MagikaV2/Dense_0/AddV2`), which say how the model is organised;
where they say nothing, runs of neighbours make the groups. The groups are chosen once, at the
import; later steps keep them through the identity of values.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_BOXES = 15
"""So many boxes at most when everything is collapsed."""
SMALL = 15
"""Functions with no more operators than this are not grouped."""
NESTED = 8
"""Layers with no more operators than this have no layers inside."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A group of values: its key and label, and the identities of its members in program order."""

    key: str
    label: str
    members: tuple[str, ...]
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class _Box:
    """A candidate: members with their paths below the box, and its own path."""

    path: tuple[str, ...]
    members: tuple[str, ...]


def layers_of(
    function: str, order: Sequence[str], paths: Mapping[str, str], others: int
) -> tuple[Layer, ...]:
    """Layers of a function whose operators are `order`; `others` boxes are there anyway (inputs).

    Outer layers come before those inside them. `paths` has the name that the import gave each
    operator, or nothing.
    """
    if len(order) + others <= SMALL:
        return ()
    parts = {key: tuple(_split(paths.get(key, ""))) for key in order}
    common = _common_prefix([part for part in parts.values() if len(part) > 1])
    parts = {k: p[len(common) :] if p[: len(common)] == common else p for k, p in parts.items()}
    room = max(2, MOST_BOXES - others)
    boxes = _refine(_split_box(_Box((), tuple(order)), parts), parts, room)
    boxes = _merge(boxes, room)
    found = [_nested(f"{function}:{index}", None, box, parts) for index, box in enumerate(boxes)]
    return tuple(itertools.chain.from_iterable(found))


def _nested(
    key: str, parent: str | None, box: _Box, parts: Mapping[str, tuple[str, ...]]
) -> list[Layer]:
    """The layer of a box and those inside it; none for a single value."""
    if len(box.members) < 2:
        return []
    own = Layer(f"{key}:{box.members[0]}", _label(box), box.members, parent)
    found = [own]
    for index, child in enumerate(_children(box, parts)):
        found.extend(_nested(f"{key}.{index}", own.key, child, parts))
    return found


def _children(box: _Box, parts: Mapping[str, tuple[str, ...]]) -> list[_Box]:
    """What a box opens into: by names where they part it, else by runs where it is large."""
    if len(box.members) <= NESTED:
        return []
    prefix = _common_prefix([parts[key] for key in box.members])
    boxes = _split_box(_Box(prefix, box.members), parts)
    named = any(len(child.members) > 1 and not _is_loose(child) for child in boxes)
    if named and len(boxes) > 1:
        return _merge(boxes, MOST_BOXES)
    return _chop(box, MOST_BOXES) if len(box.members) > SMALL else []


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _common_prefix(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not parts:
        return ()
    low, high = min(parts), max(parts)
    length = 0
    while length < min(len(low), len(high)) - 1 and low[length] == high[length]:
        length += 1
    return low[:length]


def _split_box(box: _Box, parts: Mapping[str, tuple[str, ...]]) -> list[_Box]:
    """The children of a box by next component of the paths, in order of first members."""
    depth = len(box.path)
    children: dict[tuple[str, ...], list[str]] = {}
    for key in box.members:
        part = parts[key]
        inside = len(part) > depth + 1
        name = (*box.path, part[depth]) if inside else (*box.path, "", key)
        children.setdefault(name, []).append(key)
    boxes = [_Box(path, tuple(keys)) for path, keys in children.items()]
    return _join_runs(boxes, {key: position for position, key in enumerate(box.members)})


def _join_runs(boxes: list[_Box], position: Mapping[str, int]) -> list[_Box]:
    """Neighbours in program order that are in no box of their own make one."""
    joined: list[_Box] = []
    for box in boxes:
        last = joined[-1] if joined else None
        follows = last is not None and position[last.members[-1]] + 1 == position[box.members[0]]
        if last is not None and follows and _is_loose(box) and _is_loose(last):
            joined[-1] = _Box(joined[-1].path, (*joined[-1].members, *box.members))
        else:
            joined.append(box)
    return joined


def _is_loose(box: _Box) -> bool:
    return "" in box.path


def _refine(boxes: list[_Box], parts: Mapping[str, tuple[str, ...]], room: int) -> list[_Box]:
    """Open the largest box again and again, as long as all children have room."""
    closed: set[tuple[str, ...]] = set()
    while True:
        open_ = [b for b in boxes if not _is_loose(b) and b.path not in closed]
        largest = max(open_, key=lambda b: len(b.members), default=None)
        if largest is None or len(largest.members) < 2:
            return boxes
        closed.add(largest.path)
        children = _split_box(largest, parts)
        if len(children) > 1 and len(boxes) - 1 + len(children) <= room:
            boxes = [c for b in boxes for c in (children if b is largest else [b])]


def _merge(boxes: list[_Box], room: int) -> list[_Box]:
    """Join the two neighbours that together are smallest, until there is room."""
    boxes = list(boxes)
    if len(boxes) == 1:
        return _chop(boxes[0], room)
    while len(boxes) > room:
        sizes = [len(a.members) + len(b.members) for a, b in itertools.pairwise(boxes)]
        at = sizes.index(min(sizes))
        a, b = boxes[at], boxes[at + 1]
        named = a if not _is_loose(a) else b
        path = named.path if _is_loose(a) or _is_loose(b) else (f"{_label(a)} … {_label(b)}",)
        boxes[at : at + 2] = [_Box(path, (*a.members, *b.members))]
    return boxes


def _chop(box: _Box, room: int) -> list[_Box]:
    """Runs of equal length, where names say nothing."""
    length = max(NESTED, -(-len(box.members) // room))
    runs = range(0, len(box.members), length)
    outer = box.path[-1] if box.path else ""
    stem = f"{outer}." if outer.startswith("part ") else "part "
    return [_Box((f"{stem}{i + 1}",), box.members[at : at + length]) for i, at in enumerate(runs)]


def _label(box: _Box) -> str:
    if _is_loose(box):
        return ""
    return box.path[-1].strip("_") or box.path[-1]
