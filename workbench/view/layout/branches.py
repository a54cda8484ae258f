"""The inside of an open `if`: two columns for its arms, and under them what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import msgspec

from workbench.view.layout.arithmetic import quotient
from workbench.view.layout.items import Items, group_chain, is_stub
from workbench.view.layout.model import (
    ARM_GAP,
    ARM_WIDTH,
    CLEAR,
    FRAME_PAD,
    FRAME_TITLE,
    GAP_Y,
    MARGIN,
    Box,
    Folds,
    Ground,
    Layout,
    Rect,
    Wire,
)
from workbench.view.layout.place import Extents, Routes, place_items
from workbench.view.layout.wires import Rows
from workbench.view.protocol import FunctionView, GroupView, NodeView


@dataclass(frozen=True, slots=True)
class Branch:
    """An open `if`: its group, its arms, and what is in it.

    `columns` has 0 or 1 for the keys of what its arms compute, 2 for the `if` itself.
    """

    group: GroupView
    arms: tuple[GroupView, ...]
    view: FunctionView
    columns: dict[str, int]


@dataclass(frozen=True, slots=True)
class Arms:
    """Middles of all items; left and right of each column; how many layers the arms have."""

    centre: list[int]
    columns: tuple[tuple[int, int], tuple[int, int]]
    layers: int


@dataclass(frozen=True, slots=True)
class Frame:
    """Size of the frame of an `if`, and where things lie in it; its arms end at `floor`."""

    width: int
    height: int
    shift: int
    down: int
    floor: int


def take_branches(view: FunctionView, folds: Folds) -> tuple[FunctionView, dict[str, Branch]]:
    """The view with one node for each open `if`, and what these hold."""
    groups = {group.key: group for group in view.groups}
    if not any(group.kind == "branch" for group in view.groups):
        return view, {}
    nodes: list[NodeView] = []
    arms = _arms(view)
    parts: dict[str, _Parts] = {}
    for node in view.nodes:
        chain = group_chain(node, groups)
        at = next((i for i, group in enumerate(chain) if _stops(group, folds)), None)
        if at is None or folds.get(chain[at].key, chain[at].collapsed):
            nodes.append(node)
            continue
        branch = chain[at].key
        if branch not in parts:
            parts[branch] = _Parts(chain[at], arms.get(branch, ()))
        parts[branch].add(node, chain[at + 1 :], arms)
        if node.key == branch:
            nodes.append(node)
    found = {key: part.branch(view.name, folds) for key, part in parts.items()}
    return msgspec.structs.replace(view, nodes=nodes), found


def _arms(view: FunctionView) -> dict[str, tuple[GroupView, ...]]:
    """The arms of each `if`."""
    found: dict[str, tuple[GroupView, ...]] = {}
    for group in view.groups:
        if group.kind == "arm" and group.parent is not None:
            found[group.parent] = (*found.get(group.parent, ()), group)
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """An open `if` while its members are met."""

    group: GroupView
    arms: tuple[GroupView, ...]
    nodes: list[NodeView] = field(default_factory=list[NodeView])
    below: dict[str, GroupView] = field(default_factory=dict[str, GroupView])
    arm_of: dict[str, str] = field(default_factory=dict[str, str])

    def add(
        self,
        node: NodeView,
        chain: Sequence[GroupView],
        arms: Mapping[str, tuple[GroupView, ...]],
    ) -> None:
        """A member with the groups around it that lie in the `if`, outermost first."""
        self.nodes.append(node)
        for group in chain:
            self.below[group.key] = group
            self.below.update((arm.key, arm) for arm in arms.get(group.key, ()))
        if chain:
            self.arm_of[node.key] = chain[0].key

    def branch(self, function: str, folds: Folds) -> Branch:
        """The whole `if`; the frames of its open arms are no groups any more."""
        column = {arm.key: index for index, arm in enumerate(self.arms)}
        columns = {node.key: column.get(self.arm_of.get(node.key, ""), 2) for node in self.nodes}
        opened = {arm.key for arm in self.arms if not folds.get(arm.key, arm.collapsed)}
        groups = [group for key, group in self.below.items() if key not in opened]
        view = FunctionView(name=function, nodes=self.nodes, groups=groups)
        return Branch(self.group, self.arms, view, columns)


def _stops(group: GroupView, folds: Folds) -> bool:
    return group.kind == "branch" or folds.get(group.key, group.collapsed)


def with_sizes(
    view: FunctionView,
    branches: Mapping[str, Branch],
    inner: Mapping[str, Layout],
    nodes: Mapping[str, NodeView],
) -> FunctionView:
    """The view with large boxes, which read all that is read inside from outside."""
    if not branches:
        return view
    here = {node.key for node in view.nodes}
    around = {key: branch for branch, each in branches.items() for key in each.columns}
    drawn: list[NodeView] = []
    for node in view.nodes:
        large = node
        if node.key in branches:
            large = _large(node, branches[node.key], inner[node.key], nodes, here)
        after = list(dict.fromkeys(around.get(key, key) for key in large.after))
        drawn.append(msgspec.structs.replace(large, after=after) if after else large)
    return msgspec.structs.replace(view, nodes=drawn)


def _large(
    node: NodeView,
    branch: Branch,
    inside: Layout,
    nodes: Mapping[str, NodeView],
    here: AbstractSet[str],
) -> NodeView:
    """The large box; what it reads of `here` has wires to it, the rest is named inside only."""
    members = branch.view.nodes
    read = [key for each in members for key in each.inputs if key in here]
    follows = [key for each in members for key in each.after]
    return msgspec.structs.replace(
        node,
        inputs=[
            key
            for key in dict.fromkeys(read)
            if key not in branch.columns and not is_stub(nodes[key])
        ],
        after=[key for key in dict.fromkeys(follows) if key not in branch.columns],
        group=branch.group.parent,
        width=inside.width,
        height=inside.height,
    )


def place_arms(items: Items, extents: Extents) -> Arms:
    """Each arm is placed by itself, the second right of the first; the `if` in the middle."""
    centre = [0] * len(items.items)
    columns: list[tuple[int, int]] = []
    left = 0
    for column in (0, 1):
        layers = [
            [index for index in layer if items.items[index].column == column]
            for layer in items.layers
        ]
        own = [index for layer in layers for index in layer]
        placed = place_items(replace(items, layers=layers), extents)
        low = min((placed[index] - extents.left[index] for index in own), default=0)
        high = max((placed[index] + extents.right[index] for index in own), default=0)
        extra = max(0, ARM_WIDTH - (high - low))
        for index in own:
            centre[index] = placed[index] - low + left + quotient(extra, 2)
        columns.append((left, left + high - low + extra))
        left = columns[-1][1] + 2 * FRAME_PAD + ARM_GAP
    middle = quotient(columns[1][1], 2)
    for item in items.items:
        if item.column == 2:
            centre[item.index] = middle
    used = (items.layer[item.index] + 1 for item in items.items if item.column < 2)
    return Arms(centre, (columns[0], columns[1]), max(used, default=0))


def frame_of(arms: Arms, items: Items, extents: Extents, routes: Routes, rows: Rows) -> Frame:
    """The frame around both arms, every lane and the `if`, which stands in its middle."""
    lanes = [lane for lane in routes.lanes if lane is not None]
    under = [item.index for item in items.items if item.column == 2]
    middle = arms.centre[under[0]] if under else quotient(arms.columns[1][1], 2)
    low = min(
        arms.columns[0][0] - FRAME_PAD,
        *(arms.centre[index] - extents.left[index] for index in under),
        *(lane - CLEAR for lane in lanes),
    )
    high = max(
        arms.columns[1][1] + FRAME_PAD,
        *(arms.centre[index] + extents.right[index] for index in under),
        *(lane + CLEAR for lane in lanes),
    )
    half = max(middle - low, high - middle) + FRAME_PAD
    down = 2 * FRAME_TITLE + FRAME_PAD - MARGIN + (0 if arms.layers else GAP_Y)
    floor = rows.floor[arms.layers - 1] + down if arms.layers else 2 * FRAME_TITLE
    return Frame(2 * half, rows.bottom - MARGIN + down + FRAME_PAD, half - middle, down, floor)


def framed(branch: Branch, arms: Arms, frame: Frame, own: Layout, folds: Folds) -> Layout:
    """The inside of an `if` moved to its place in the frame, with the frames of the arms."""
    key = branch.group.key
    moved = _moved(own, 0, frame.down)
    box = next((box for box in moved.boxes if box.key == key), None)
    end = () if box is None else _end(box, frame)
    grounds = [Ground(key, 0, ((0, 0, frame.width, frame.height),), FRAME_PAD, 14)]
    for arm, (low, high) in zip(branch.arms, arms.columns, strict=True):
        if not folds.get(arm.key, arm.collapsed):
            x = low - FRAME_PAD + frame.shift
            rect: Rect = (x, FRAME_TITLE, high - low + 2 * FRAME_PAD, frame.floor - FRAME_TITLE)
            grounds.append(Ground(arm.key, 0, (rect,), x + FRAME_PAD, FRAME_TITLE + 14))
    return Layout(
        frame.width,
        frame.height,
        moved.boxes,
        moved.stubs,
        (*moved.wires, *end),
        (*grounds, *moved.grounds),
    )


def _end(box: Box, frame: Frame) -> Iterator[Wire]:
    """From the box of the `if` to the lower edge of its frame."""
    x = box.x + quotient(box.width, 2)
    yield Wire(box.key, None, (x, box.y + box.height, x, frame.height))


def with_inside(outer: Layout, inner: Mapping[str, Layout]) -> Layout:
    """The large boxes replaced by what is inside of them."""
    if not inner:
        return outer
    boxes: list[Box] = []
    stubs, wires, grounds = [*outer.stubs], [*outer.wires], [*outer.grounds]
    layers = max((box.layer + 1 for box in outer.boxes), default=0)
    for box in outer.boxes:
        inside = inner.get(box.key)
        if inside is None:
            boxes.append(box)
            continue
        placed = _moved(inside, box.x, box.y)
        boxes += [replace(each, layer=each.layer + layers) for each in placed.boxes]
        layers += 1 + max((each.layer for each in placed.boxes), default=0)
        stubs += placed.stubs
        wires += placed.wires
        grounds += placed.grounds
    return replace(
        outer, boxes=tuple(boxes), stubs=tuple(stubs), wires=tuple(wires), grounds=tuple(grounds)
    )


def _moved(layout: Layout, x: int, y: int) -> Layout:
    return replace(
        layout,
        boxes=tuple(replace(box, x=box.x + x, y=box.y + y) for box in layout.boxes),
        stubs=tuple(
            replace(stub, x=stub.x + x, y=stub.y + y, points=_shifted(stub.points, x, y))
            for stub in layout.stubs
        ),
        wires=tuple(replace(wire, points=_shifted(wire.points, x, y)) for wire in layout.wires),
        grounds=tuple(
            replace(
                ground,
                rects=tuple((left + x, top + y, w, h) for left, top, w, h in ground.rects),
                note_x=ground.note_x + x,
                note_y=ground.note_y + y,
            )
            for ground in layout.grounds
        ),
    )


def _shifted(points: tuple[int, ...], x: int, y: int) -> tuple[int, ...]:
    return tuple(point + (y if index % 2 else x) for index, point in enumerate(points))
