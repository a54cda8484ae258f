"""Tracks of the horizontal runs between two layers, vertical positions, and the wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.view.layout.arithmetic import topological
from workbench.view.layout.items import Items
from workbench.view.layout.model import FRAME_PAD, GAP_Y, MARGIN, TRACK, Wire
from workbench.view.layout.place import Extents, Routes, last_layer


@dataclass(slots=True)
class Net:
    """What one value does between two layers; None in `into` is its lane that goes on."""

    value: int
    top: int
    bottoms: list[int]
    into: list[int | None]
    track: int = -1

    @property
    def low(self) -> int:
        """Leftmost x."""
        return min(self.top, *self.bottoms)

    @property
    def high(self) -> int:
        """Rightmost x."""
        return max(self.top, *self.bottoms)


@dataclass(frozen=True, slots=True)
class Rows:
    """Top, height and floor of every layer, the nets below it, and the height of the picture."""

    top: list[int]
    height: list[int]
    floor: list[int]
    nets: list[list[Net]]
    bottom: int


def stack(items: Items, extents: Extents, routes: Routes, arms: int = 0) -> Rows:
    """Nets, tracks and the vertical positions that follow from them.

    The first `arms` layers are those of the arms of an `if`, whose frames end below.
    """
    nets = _collect_nets(items, routes)
    height = [max(extents.height[index] for index in layer) for layer in items.layers]
    top: list[int] = []
    floor: list[int] = []
    y = MARGIN
    for layer, (rows, under) in enumerate(zip(height, nets, strict=True)):
        top.append(y)
        y += rows + (FRAME_PAD if layer == arms - 1 else 0)
        floor.append(y)
        y += GAP_Y + TRACK * max(0, _assign_tracks(under) - 1)
    bottom = top[-1] + height[-1] + MARGIN if top else MARGIN
    return Rows(top, height, floor, nets, bottom)


def _collect_nets(items: Items, routes: Routes) -> list[list[Net]]:
    """The nets under every layer, in program order of their values."""
    nets: list[list[Net]] = [[] for _ in items.layers]
    for index, value in enumerate(items.values):
        if not value.targets:
            continue
        source, last = items.layer[value.source], last_layer(items, value)
        by_layer: dict[int, list[int]] = {}
        for target in value.targets:
            by_layer.setdefault(items.layer[target], []).append(target)
        lane = routes.lanes[index]
        for layer in range(source, last):
            into: list[int | None] = [*by_layer.get(layer + 1, [])]
            bottoms = [routes.incoming[index][target] for target in by_layer.get(layer + 1, [])]
            if lane is not None and layer + 1 < last:
                into.append(None)
                bottoms.append(lane)
            top = routes.outgoing[index] if layer == source else lane or 0
            nets[layer].append(Net(index, top, bottoms, into))
    return nets


def _assign_tracks(nets: Sequence[Net]) -> int:
    """Gives every net with a horizontal run the highest free track; returns how many there are.

    A net that starts where another one ends has to lie above it, or the two would share a line.
    """
    bent = [net for net in nets if any(x != net.top for x in net.bottoms)]
    bent.sort(key=lambda net: (net.low, net.value))
    starting: dict[int, list[int]] = {}
    for index, net in enumerate(bent):
        starting.setdefault(net.top, []).append(index)
    below: list[list[int]] = [[] for _ in bent]
    for index, net in enumerate(bent):
        for x in net.bottoms:
            for other in starting.get(x, []):
                if other != index:
                    below[other].append(index)
    tracks: list[list[tuple[int, int]]] = []
    least = [0] * len(bent)
    for index in topological(below):
        net = bent[index]
        net.track = _free_track(tracks, net, least[index])
        for other in below[index]:
            least[other] = max(least[other], net.track + 1)
    return len(tracks)


def _free_track(tracks: list[list[tuple[int, int]]], net: Net, least: int) -> int:
    """The first track from `least` on where the net's run touches no other; takes its place."""
    low, high = net.low, net.high
    track = least
    while True:
        while len(tracks) <= track:
            tracks.append([])
        if not any(low - TRACK < end and start < high + TRACK for start, end in tracks[track]):
            tracks[track].append((low, high))
            return track
        track += 1


def draw(items: Items, rows: Rows, shift: int) -> tuple[Wire, ...]:
    """The wires of all nets; `shift` moves x from the picture's middle to its left edge."""
    wires: list[Wire] = []
    for layer, nets in enumerate(rows.nets):
        floor = rows.floor[layer]
        for net in nets:
            value = items.values[net.value]
            starts = items.layer[value.source] == layer
            source = items.items[value.source]
            start = top_of(items, rows, value.source) + source.height if starts else floor
            bend = floor + TRACK * (net.track + 1)
            for x, target in zip(net.bottoms, net.into, strict=True):
                end = rows.floor[layer + 1] if target is None else top_of(items, rows, target)
                a, b = net.top + shift, x + shift
                points = (a, start, b, end) if a == b else (a, start, a, bend, b, bend, b, end)
                to = None if target is None else items.items[target].key
                wires.append(Wire(value.key, to, points, value.order))
    return tuple(wires)


def top_of(items: Items, rows: Rows, index: int) -> int:
    """The y of an item: boxes stand in the middle of their layer's height."""
    layer = items.layer[index]
    return rows.top[layer] + ((rows.height[layer] - items.items[index].height) >> 1)
