"""Sideways positions: boxes of a layer in program order, lanes of the buses between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workbench.view.layout.arithmetic import clamp, quotient, spread
from workbench.view.layout.items import Item, Items, Value
from workbench.view.layout.model import (
    CLEAR,
    GAP_X,
    MAX_STUBS,
    NOTE_WIDTH,
    PORT,
    STUB_ARROW,
    STUB_GAP,
    STUB_HEIGHT,
    TRACK,
)
from workbench.view.protocol import GroupView, NodeView


@dataclass(frozen=True, slots=True)
class StubSize:
    """One stub of an item, without its place."""

    value: str
    ref: bool
    more: int
    width: int


@dataclass(frozen=True, slots=True)
class Extents:
    """How far each item reaches from its middle, with stubs and notes; heights with stubs."""

    stubs: list[list[StubSize]]
    left: list[int]
    right: list[int]
    height: list[int]


@dataclass(frozen=True, slots=True)
class Routes:
    """Lane of each value (None where all uses are one layer below) and its ports, as x."""

    lanes: list[int | None]
    outgoing: list[int]
    incoming: list[dict[int, int]]


def measure(items: Items, groups: Iterable[GroupView]) -> Extents:
    """Sizes of items with what stands beside them."""
    stubs = [_stub_sizes(item, items.nodes) for item in items.items]
    notes = _note_widths(items, groups)
    left: list[int] = []
    right: list[int] = []
    height: list[int] = []
    for item, sizes, note in zip(items.items, stubs, notes, strict=True):
        half = quotient(item.width, 2)
        widest = max((stub.width for stub in sizes), default=0)
        left.append(half + (widest + STUB_ARROW if widest > 0 else 0))
        right.append(item.width - half + note)
        height.append(max(item.height, stack_height(len(sizes))))
    return Extents(stubs, left, right, height)


def stack_height(count: int) -> int:
    """Height of so many stubs above each other."""
    return 0 if count == 0 else count * (STUB_HEIGHT + STUB_GAP) - STUB_GAP


def _stub_sizes(item: Item, nodes: Mapping[str, NodeView]) -> list[StubSize]:
    sizes: list[StubSize] = []
    for value, ref in item.stubs.items():
        node = nodes[value]
        width = 20 + 7 * len(node.label) + (0 if ref else 8 + 6 * len(node.type))
        sizes.append(StubSize(value, ref, 0, clamp(width, 40, 190)))
    if len(sizes) <= MAX_STUBS:
        return sizes
    kept = sizes[: MAX_STUBS - 1]
    rest = StubSize(sizes[MAX_STUBS - 1].value, False, len(sizes) - len(kept), 60)
    return [*kept, rest]


def _note_widths(items: Items, groups: Iterable[GroupView]) -> list[int]:
    """Room for the facts beside collapsed groups and for the names of open ones."""
    firsts: dict[str, tuple[int, int]] = {}
    for item in items.items:
        layer = items.layer[item.index]
        for key in item.open:
            if key not in firsts or layer <= firsts[key][0]:
                firsts[key] = (layer, item.index)
    labels = {group.key: group.label for group in groups}
    notes = [0 if item.group is None else 56 for item in items.items]
    for key, (_, index) in firsts.items():
        notes[index] = max(notes[index], min(NOTE_WIDTH, 40 + 6 * len(labels[key])))
    return notes


def _producers(items: Items) -> list[list[int]]:
    """The producers of every item: inputs only where there is nothing else to stand under."""
    above: list[dict[int, None]] = [{} for _ in items.items]
    for value in items.values:
        for target in () if value.order else value.targets:
            above[target][value.source] = None
    made = [[source for source in sources if not items.items[source].input] for sources in above]
    return [first or list(sources) for first, sources in zip(made, above, strict=True)]


def place_items(items: Items, extents: Extents) -> list[int]:
    """The middle of every item, 0 being the middle of the picture's first box."""
    above = _producers(items)
    centre = [0] * len(items.items)
    for layer in items.layers:
        wanted = [
            quotient(sum(centre[source] for source in above[index]), max(1, len(above[index])))
            for index in layer
        ]
        distances = [extents.right[a] + GAP_X + extents.left[b] for a, b in pairwise(layer)]
        for index, x in zip(layer, spread(wanted, distances), strict=True):
            centre[index] = x
    return centre


def route(items: Items, extents: Extents, centre: Sequence[int]) -> Routes:
    """Where the buses run."""
    outgoing = _outgoing_ports(items, centre)
    lanes = _place_lanes(items, extents, centre, outgoing)
    return Routes(lanes, outgoing, _incoming_ports(items, centre, outgoing, lanes))


def _outgoing_ports(items: Items, centre: Sequence[int]) -> list[int]:
    """Several values that leave one collapsed group have ports beside each other."""
    count = [0] * len(items.items)
    for value in items.values:
        count[value.source] += bool(value.targets)
    used = [0] * len(items.items)
    outgoing: list[int] = []
    for value in items.values:
        ports, position = count[value.source], used[value.source]
        used[value.source] += 1
        step = _port_step(items.items[value.source].width, ports)
        half = quotient(step * (ports - 1), 2)
        outgoing.append(centre[value.source] + step * position - half)
    return outgoing


def _port_step(width: int, ports: int) -> int:
    return 0 if ports < 2 else clamp(quotient(width - 2 * PORT, ports - 1), 1, PORT)


def last_layer(items: Items, value: Value) -> int:
    """The last layer that a value reaches."""
    return max((items.layer[target] for target in value.targets), default=0)


def _place_lanes(
    items: Items, extents: Extents, centre: Sequence[int], outgoing: Sequence[int]
) -> list[int | None]:
    """A straight lane for every value that passes layers; the shortest first, innermost."""
    blocked = [
        [
            (
                centre[index] - extents.left[index] - CLEAR,
                centre[index] + extents.right[index] + CLEAR,
            )
            for index in layer
        ]
        for layer in items.layers
    ]
    spans: list[tuple[int, int, int, int]] = []
    for index, value in enumerate(items.values):
        first = items.layer[value.source] + 1
        last = last_layer(items, value) - 1
        if value.targets and first <= last:
            spans.append((last - first, index, first, last))
    lanes: list[int | None] = [None] * len(items.values)
    for _, index, first, last in sorted(spans):
        intervals = [one for layer in blocked[first : last + 1] for one in layer]
        x = _nearest_free(intervals, outgoing[index])
        lanes[index] = x
        for layer in blocked[first : last + 1]:
            layer.append((x - TRACK, x + TRACK))
    return lanes


def _nearest_free(intervals: Sequence[tuple[int, int]], start: int) -> int:
    """The x nearest to `start` inside none of the open intervals; right where both are as near."""
    right = start
    for low, high in sorted(intervals):
        if low >= right:
            break
        right = max(right, high)
    left = start
    for low, high in sorted(intervals, key=lambda one: -one[1]):
        if high <= left:
            break
        left = min(left, low)
    return right if right - start <= start - left else left


def _incoming_ports(
    items: Items,
    centre: Sequence[int],
    outgoing: Sequence[int],
    lanes: Sequence[int | None],
) -> list[dict[int, int]]:
    """Values enter a box from the top in the order in which they come, straight where they can."""
    arriving: list[list[tuple[int, int]]] = [[] for _ in items.items]
    for index, value in enumerate(items.values):
        lane = lanes[index]
        for target in value.targets:
            near = items.layer[target] - items.layer[value.source] == 1
            x = outgoing[index] if near or lane is None else lane
            arriving[target].append((x, index))
    incoming: list[dict[int, int]] = [{} for _ in items.values]
    for target, arrivals in enumerate(arriving):
        arrivals.sort()
        item = items.items[target]
        left = centre[target] - quotient(item.width, 2)
        step = _port_step(item.width, len(arrivals))
        ports = spread([x for x, _ in arrivals], [step] * (len(arrivals) - 1))
        for i, ((_, index), port) in enumerate(zip(arrivals, ports, strict=True)):
            low = left + PORT + step * i
            high = left + item.width - PORT - step * (len(arrivals) - 1 - i)
            incoming[index][target] = clamp(port, low, high)
    return incoming
