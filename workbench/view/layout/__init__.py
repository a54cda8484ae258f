"""The stable layered layout: the Python twin of `extensions/view/src/layout`.

The static picture is drawn from it; the live one from the twin, which repeats it integer by
integer. The algorithm:

1. Items: a node, or the outermost collapsed group around it. Constants, and nodes marked as stubs,
   have no item of their own: they stand beside each consumer.
2. Order: program order of first members; Kahn's algorithm with a heap departs from it only where a
   fold demands it. A use against the order is drawn as a reference.
3. Layers: longest path. A source that is no input stands just above its first consumer.
4. Sideways: within a layer always program order, so nothing ever changes sides. Every box wants to
   be under the mean of its producers (inputs aside); colliding runs move together, rounded
   towards the middle.
5. Buses: one lane per value beside the layers it passes, shortest first; horizontal runs between
   layers on tracks. No reordering sweeps, no floating point.
6. An open `if` is laid out by itself and takes its place as one large box: its arms are two
   columns, what they read from outside is named beside each reader, and what it gives stands
   under both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.view.layout.arithmetic import clamp, quotient
from workbench.view.layout.branches import (
    Branch,
    frame_of,
    framed,
    place_arms,
    take_branches,
    with_inside,
    with_sizes,
)
from workbench.view.layout.grounds import by_depth, place_grounds
from workbench.view.layout.items import Items, arrange
from workbench.view.layout.model import (
    MARGIN,
    PAD,
    STUB_ARROW,
    STUB_GAP,
    STUB_HEIGHT,
    Box,
    Folds,
    Ground,
    Layout,
    Rect,
    Stub,
    Wire,
)
from workbench.view.layout.place import Extents, measure, place_items, route, stack_height
from workbench.view.layout.wires import Rows, draw, stack, top_of
from workbench.view.protocol import FunctionView, NodeView

__all__ = ["Box", "Folds", "Ground", "Layout", "Rect", "Stub", "Wire", "layout"]


def layout(view: FunctionView, folds: Folds | None = None) -> Layout:
    """Lays out one function.

    Args:
        view: Nodes in program order, with the sizes of their boxes in pixels.
        folds: Which groups are collapsed, by key; the others start as the view says.

    Reference: layered drawing after Sugiyama, Tagawa and Toda (1981), without crossing reduction.
    """
    placed = _Placing({node.key: node for node in view.nodes}, folds or {}).function(view)
    return replace(placed, grounds=tuple(by_depth(view, placed.grounds)))


@dataclass(frozen=True, slots=True)
class _Placing:
    """What all parts of a picture share: its nodes by key, and the folds."""

    nodes: Mapping[str, NodeView]
    folds: Folds

    def function(self, view: FunctionView) -> Layout:
        """A whole function."""
        outer, inner = self._opened(view)
        items = arrange(outer, self.folds, self.nodes)
        extents = measure(items, outer.groups)
        centre = place_items(items, extents)
        routes = route(items, extents, centre)
        rows = stack(items, extents, routes)
        low, high = _reach(extents, centre, routes.lanes)
        shift = MARGIN + PAD - low
        own = _drawn(outer, items, extents, rows, [x + shift for x in centre])
        whole = replace(own, width=high - low + 2 * (MARGIN + PAD), wires=draw(items, rows, shift))
        return with_inside(whole, inner)

    def branch(self, branch: Branch) -> Layout:
        """The inside of an open `if`, from the left upper corner of its frame."""
        outer, inner = self._opened(branch.view)
        items = arrange(outer, self.folds, self.nodes, branch.columns)
        extents = measure(items, outer.groups)
        arms = place_arms(items, extents)
        routes = route(items, extents, arms.centre)
        rows = stack(items, extents, routes, arms.layers)
        frame = frame_of(arms, items, extents, routes, rows)
        centre = [x + frame.shift for x in arms.centre]
        own = _drawn(outer, items, extents, rows, centre)
        own = replace(own, wires=draw(items, rows, frame.shift))
        return framed(branch, arms, frame, with_inside(own, inner), self.folds)

    def _opened(self, view: FunctionView) -> tuple[FunctionView, dict[str, Layout]]:
        """The view with a large box for each open `if`, and what is inside of those."""
        outer, branches = take_branches(view, self.folds)
        inner = {key: self.branch(branch) for key, branch in branches.items()}
        return with_sizes(outer, branches, inner, self.nodes), inner


def _drawn(
    view: FunctionView, items: Items, extents: Extents, rows: Rows, centre: Sequence[int]
) -> Layout:
    """Boxes, stubs and grounds, without wires."""
    boxes = _place_boxes(items, rows, centre)
    stubs = [stub for index, box in enumerate(boxes) for stub in _place_stubs(box, extents, index)]
    grounds = place_grounds(view, items, boxes)
    return Layout(0, rows.bottom, tuple(boxes), tuple(stubs), (), tuple(grounds))


def _reach(extents: Extents, centre: Sequence[int], lanes: Sequence[int | None]) -> tuple[int, int]:
    """Leftmost and rightmost x in use."""
    used = [lane for lane in lanes if lane is not None]
    low = [x - left for x, left in zip(centre, extents.left, strict=True)]
    high = [x + right for x, right in zip(centre, extents.right, strict=True)]
    return min([0, *low, *used]), max([0, *high, *used])


def _place_boxes(items: Items, rows: Rows, centre: Sequence[int]) -> list[Box]:
    return [
        Box(
            key=item.key,
            group=item.group is not None,
            layer=items.layer[item.index],
            x=centre[item.index] - quotient(item.width, 2),
            y=top_of(items, rows, item.index),
            width=item.width,
            height=item.height,
        )
        for item in items.items
    ]


def _place_stubs(box: Box, extents: Extents, index: int) -> list[Stub]:
    """Stubs stand left of their box, in the order of the arguments."""
    sizes = extents.stubs[index]
    first = box.y + ((box.height - stack_height(len(sizes))) >> 1)
    right = box.x - STUB_ARROW
    bend = right + (STUB_ARROW >> 1)
    stubs: list[Stub] = []
    for i, size in enumerate(sizes):
        y = first + i * (STUB_HEIGHT + STUB_GAP)
        middle = y + (STUB_HEIGHT >> 1)
        entry = clamp(middle, box.y + PAD, box.y + box.height - PAD)
        straight = (right, middle, box.x, middle)
        bent = (right, middle, bend, middle, bend, entry, box.x, entry)
        stubs.append(
            Stub(
                owner=box.key,
                value=size.value,
                ref=size.ref,
                more=size.more,
                x=right - size.width,
                y=y,
                width=size.width,
                height=STUB_HEIGHT,
                points=straight if entry == middle else bent,
            )
        )
    return stubs
