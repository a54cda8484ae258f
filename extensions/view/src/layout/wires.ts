/** Tracks of the horizontal runs between two layers, vertical positions, and the wires themselves. */

import { at, topological } from './arithmetic.js';
import type { Items } from './items.js';
import { FRAME_PAD, GAP_Y, MARGIN, TRACK, type Wire } from './model.js';
import { lastLayer, type Extents, type Routes } from './place.js';

/** What one value does between two layers. */
interface Net {
  readonly value: number;
  readonly top: number;
  readonly bottoms: number[];
  /** Items entered, in the order of `bottoms`; null where the lane goes on. */
  readonly into: (number | null)[];
  track: number;
}

export interface Rows {
  /** Top, height and floor of every layer. */
  readonly top: readonly number[];
  readonly height: readonly number[];
  readonly floor: readonly number[];
  readonly nets: readonly (readonly Net[])[];
  readonly bottom: number;
}

/**
 * Nets, tracks and the vertical positions that follow from them. The first `arms` layers are those
 * of the arms of an `if`, whose frames end below.
 */
export function stack(items: Items, extents: Extents, routes: Routes, arms = 0): Rows {
  const nets = collectNets(items, routes);
  const height = items.layers.map((layer) =>
    layer.reduce((most, index) => Math.max(most, at(extents.height, index)), 0),
  );
  const top: number[] = [];
  const floor: number[] = [];
  let y = MARGIN;
  height.forEach((rows, layer) => {
    top.push(y);
    const tracks = assignTracks(at(nets, layer));
    y += rows + (layer === arms - 1 ? FRAME_PAD : 0);
    floor.push(y);
    y += GAP_Y + TRACK * Math.max(0, tracks - 1);
  });
  const last = height.length - 1;
  const bottom = last < 0 ? MARGIN : at(top, last) + at(height, last) + MARGIN;
  return { top, height, floor, nets, bottom };
}

/** The nets under every layer, in program order of their values. */
function collectNets(items: Items, routes: Routes): Net[][] {
  const nets: Net[][] = items.layers.map(() => []);
  items.values.forEach((value, index) => {
    if (value.targets.length === 0) {
      return;
    }
    const source = at(items.layer, value.source);
    const last = lastLayer(items, value);
    const byLayer = new Map<number, number[]>();
    for (const target of value.targets) {
      const layer = at(items.layer, target);
      byLayer.set(layer, [...(byLayer.get(layer) ?? []), target]);
    }
    const lane = routes.lanes[index] ?? null;
    for (let layer = source; layer < last; layer += 1) {
      const entered = byLayer.get(layer + 1) ?? [];
      const bottoms = entered.map((target) => at(routes.incoming, index).get(target) ?? 0);
      const into: (number | null)[] = [...entered];
      if (lane !== null && layer + 1 < last) {
        bottoms.push(lane);
        into.push(null);
      }
      const top = layer === source ? at(routes.outgoing, index) : (lane ?? 0);
      at(nets, layer).push({ value: index, top, bottoms, into, track: -1 });
    }
  });
  return nets;
}

/**
 * Gives every net with a horizontal run the highest free track; returns how many there are.
 *
 * A net that starts where another one ends has to lie above it, or the two would share a line.
 */
function assignTracks(nets: readonly Net[]): number {
  const bent = nets.filter((net) => net.bottoms.some((x) => x !== net.top));
  bent.sort((a, b) => leftmost(a) - leftmost(b) || a.value - b.value);
  const below: number[][] = bent.map(() => []);
  const starting = new Map<number, number[]>();
  bent.forEach((net, index) => {
    starting.set(net.top, [...(starting.get(net.top) ?? []), index]);
  });
  bent.forEach((net, index) => {
    for (const x of net.bottoms) {
      for (const other of starting.get(x) ?? []) {
        if (other !== index) {
          at(below, other).push(index);
        }
      }
    }
  });
  const tracks: [number, number][][] = [];
  const least = bent.map(() => 0);
  for (const index of topological(below)) {
    const net = at(bent, index);
    net.track = freeTrack(tracks, net, at(least, index));
    for (const other of at(below, index)) {
      least[other] = Math.max(at(least, other), net.track + 1);
    }
  }
  return tracks.length;
}

function leftmost(net: Net): number {
  return Math.min(net.top, ...net.bottoms);
}

/** The first track from `least` on where the net's run touches no other; takes its place there. */
function freeTrack(tracks: [number, number][][], net: Net, least: number): number {
  const low = leftmost(net) - TRACK;
  const high = Math.max(net.top, ...net.bottoms) + TRACK;
  for (let track = least; ; track += 1) {
    while (tracks.length <= track) {
      tracks.push([]);
    }
    const runs = at(tracks, track);
    if (!runs.some(([from, to]) => low < to && from < high)) {
      runs.push([low + TRACK, high - TRACK]);
      return track;
    }
  }
}

/** The wires of all nets; `shift` moves x from the middle of the picture to its left edge. */
export function draw(items: Items, rows: Rows, shift: number): Wire[] {
  const wires: Wire[] = [];
  rows.nets.forEach((nets, layer) => {
    const floor = at(rows.floor, layer);
    for (const net of nets) {
      const value = at(items.values, net.value);
      const starts = at(items.layer, value.source) === layer;
      const from = starts ? bottomOf(items, rows, value.source) : floor;
      const bend = floor + TRACK * (net.track + 1);
      net.bottoms.forEach((x, i) => {
        const target = net.into[i] ?? null;
        const to = target === null ? at(rows.floor, layer + 1) : topOf(items, rows, target);
        const a = net.top + shift;
        const b = x + shift;
        wires.push({
          value: value.key,
          to: target === null ? null : at(items.items, target).key,
          points: a === b ? [a, from, b, to] : [a, from, a, bend, b, bend, b, to],
          order: value.order,
        });
      });
    }
  });
  return wires;
}

/** Boxes stand in the middle of their layer's height. */
export function topOf(items: Items, rows: Rows, index: number): number {
  const layer = at(items.layer, index);
  return at(rows.top, layer) + ((at(rows.height, layer) - at(items.items, index).height) >> 1);
}

function bottomOf(items: Items, rows: Rows, index: number): number {
  return topOf(items, rows, index) + at(items.items, index).height;
}
