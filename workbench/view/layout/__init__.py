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
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.view.layout.arithmetic import clamp, quotient
from workbench.view.layout.grounds import place_grounds
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
from workbench.view.protocol import FunctionView

__all__ = ["Box", "Folds", "Ground", "Layout", "Rect", "Stub", "Wire", "layout"]


def layout(view: FunctionView, folds: Folds | None = None) -> Layout:
    """Lays out one function.

    Args:
        view: Nodes in program order, with the sizes of their boxes in pixels.
        folds: Which groups are collapsed, by key; the others start as the view says.

    Reference: layered drawing after Sugiyama, Tagawa and Toda (1981), without crossing reduction.
    """
    items = arrange(view, folds or {})
    extents = measure(items, view.groups)
    centre = place_items(items, extents)
    routes = route(items, extents, centre)
    rows = stack(items, extents, routes)
    low, high = _reach(extents, centre, routes.lanes)
    shift = MARGIN + PAD - low
    boxes = _place_boxes(items, rows, centre, shift)
    stubs = [stub for index, box in enumerate(boxes) for stub in _place_stubs(box, extents, index)]
    return Layout(
        width=high - low + 2 * (MARGIN + PAD),
        height=rows.bottom,
        boxes=tuple(boxes),
        stubs=tuple(stubs),
        wires=tuple(draw(items, rows, shift)),
        grounds=tuple(place_grounds(view, items, boxes)),
    )


def _reach(extents: Extents, centre: Sequence[int], lanes: Sequence[int | None]) -> tuple[int, int]:
    """Leftmost and rightmost x in use."""
    used = [lane for lane in lanes if lane is not None]
    low = [x - left for x, left in zip(centre, extents.left, strict=True)]
    high = [x + right for x, right in zip(centre, extents.right, strict=True)]
    return min([0, *low, *used]), max([0, *high, *used])


def _place_boxes(items: Items, rows: Rows, centre: Sequence[int], shift: int) -> list[Box]:
    return [
        Box(
            key=item.key,
            group=item.group is not None,
            layer=items.layer[item.index],
            x=centre[item.index] - quotient(item.width, 2) + shift,
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
