"""The dashed grounds behind open groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from workbench.view.layout.items import Items
from workbench.view.layout.model import NOTE_HEIGHT, NOTE_WIDTH, PAD, Box, Ground, Rect
from workbench.view.protocol import FunctionView


def place_grounds(view: FunctionView, items: Items, boxes: Sequence[Box]) -> list[Ground]:
    """Grounds of the open groups, outer ones first."""
    parents = {group.key: group.parent for group in view.groups}
    members: dict[str, list[int]] = {}
    for item in items.items:
        for key in item.open:
            members.setdefault(key, []).append(item.index)
    grounds: list[Ground] = []
    for group in view.groups:
        inside = members.get(group.key)
        if inside is None:
            continue
        pad = min(PAD + 5 * _nesting(group.key, parents, members), 2 * PAD + 2)
        rects = _hull(items, boxes, inside, pad)
        x, y, width, _ = rects[0]
        depth = len(_ancestors(group.key, parents))
        grounds.append(Ground(group.key, depth, rects, x + width + PAD, y + 12))
    return _apart(sorted(grounds, key=lambda ground: ground.depth), parents)


def by_depth(view: FunctionView, grounds: Iterable[Ground]) -> list[Ground]:
    """The grounds of a whole picture, outer ones first."""
    parents = {group.key: group.parent for group in view.groups}
    placed = [replace(each, depth=len(_ancestors(each.group, parents))) for each in grounds]
    return sorted(placed, key=lambda ground: ground.depth)


def _apart(grounds: Iterable[Ground], parents: Mapping[str, str | None]) -> list[Ground]:
    """Names of nested grounds that begin at the same box stand under each other."""
    placed: dict[str, Ground] = {}
    for ground in grounds:
        y = ground.note_y
        for key in _ancestors(ground.group, parents):
            outer = placed.get(key)
            near = outer is not None and abs(y - outer.note_y) < NOTE_HEIGHT
            if outer is not None and near and abs(ground.note_x - outer.note_x) < NOTE_WIDTH:
                y = outer.note_y + NOTE_HEIGHT
        placed[ground.group] = replace(ground, note_y=y)
    return list(placed.values())


def _ancestors(key: str, parents: Mapping[str, str | None]) -> list[str]:
    """The groups around a group, innermost first; 64 levels at most."""
    result: list[str] = []
    parent = parents.get(key)
    while parent is not None and len(result) < 64:
        result.append(parent)
        parent = parents.get(parent)
    return result


def _nesting(key: str, parents: Mapping[str, str | None], members: Iterable[str]) -> int:
    """How many levels of open groups lie inside."""
    most = 0
    for other in members:
        around = _ancestors(other, parents)
        if key in around:
            most = max(most, around.index(key) + 1)
    return most


def _hull(items: Items, boxes: Sequence[Box], inside: Sequence[int], pad: int) -> tuple[Rect, ...]:
    """One rectangle, or one for each run of a layer where strangers lie between the members."""
    whole = _around(boxes, inside, pad)
    own = set(inside)
    layers = [items.layer[index] for index in inside]
    runs: list[list[int]] = []
    strangers = False
    for layer in range(min(layers), max(layers) + 1):
        run: list[int] = []
        for index in items.layers[layer]:
            if index in own:
                run.append(index)
                continue
            strangers = strangers or _overlaps(boxes[index], whole)
            if run:
                runs.append(run)
                run = []
        if run:
            runs.append(run)
    return tuple(_around(boxes, run, pad) for run in runs) if strangers else (whole,)


def _around(boxes: Sequence[Box], inside: Sequence[int], pad: int) -> Rect:
    left = min(boxes[index].x for index in inside)
    top = min(boxes[index].y for index in inside)
    right = max(boxes[index].x + boxes[index].width for index in inside)
    bottom = max(boxes[index].y + boxes[index].height for index in inside)
    return (left - pad, top - pad, right - left + 2 * pad, bottom - top + 2 * pad)


def _overlaps(box: Box, rect: Rect) -> bool:
    x, y, width, height = rect
    beside = box.x < x + width and x < box.x + box.width
    return beside and box.y < y + height and y < box.y + box.height
