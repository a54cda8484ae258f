/** Sideways positions: boxes of a layer in program order, lanes of the buses between them. */

import type { GroupView, NodeView } from '../protocol/generated.js';
import { at, characters, clamp, quotient, spread } from './arithmetic.js';
import type { Item, Items, Value } from './items.js';
import {
  CLEAR,
  GAP_X,
  MAX_STUBS,
  NOTE_WIDTH,
  PORT,
  STUB_ARROW,
  STUB_GAP,
  STUB_HEIGHT,
  TRACK,
} from './model.js';

/** One stub of an item, without its place. */
export interface StubSize {
  readonly value: string;
  readonly ref: boolean;
  readonly more: number;
  readonly width: number;
}

export interface Extents {
  readonly stubs: readonly (readonly StubSize[])[];
  /** How far an item reaches to the left and right of its middle, stubs and notes included. */
  readonly left: readonly number[];
  readonly right: readonly number[];
  /** Height of the item with its stack of stubs. */
  readonly height: readonly number[];
}

/** Sizes of items with what stands beside them. */
export function measure(items: Items, groups: readonly GroupView[]): Extents {
  const stubs = items.items.map((item) => stubSizes(item, items.nodes));
  const notes = noteWidths(items, groups);
  const left = items.items.map((item, index) => {
    const widest = at(stubs, index).reduce((most, stub) => Math.max(most, stub.width), 0);
    return quotient(item.width, 2) + (widest > 0 ? widest + STUB_ARROW : 0);
  });
  const right = items.items.map(
    (item, index) => item.width - quotient(item.width, 2) + at(notes, index),
  );
  const height = items.items.map((item, index) =>
    Math.max(item.height, stackHeight(at(stubs, index).length)),
  );
  return { stubs, left, right, height };
}

export function stackHeight(count: number): number {
  return count === 0 ? 0 : count * (STUB_HEIGHT + STUB_GAP) - STUB_GAP;
}

function stubSizes(item: Item, nodes: ReadonlyMap<string, NodeView>): StubSize[] {
  const all = [...item.stubs].map(([value, ref]) => {
    const node = nodes.get(value);
    const label = 7 * characters(node?.label ?? value);
    const type = ref ? 0 : 8 + 6 * characters(node?.type ?? '');
    return { value, ref, more: 0, width: clamp(20 + label + type, 40, 190) };
  });
  if (all.length <= MAX_STUBS) {
    return all;
  }
  const kept = all.slice(0, MAX_STUBS - 1);
  const first = at(all, MAX_STUBS - 1);
  return [...kept, { value: first.value, ref: false, more: all.length - kept.length, width: 60 }];
}

/** Room for the facts beside collapsed groups and for the names of open ones. */
function noteWidths(items: Items, groups: readonly GroupView[]): number[] {
  const labels = new Map(groups.map((group) => [group.key, group.label]));
  // By group: its first layer, and the last of its items there.
  const firsts = new Map<string, { layer: number; item: number }>();
  for (const item of items.items) {
    const layer = at(items.layer, item.index);
    for (const key of item.open) {
      const known = firsts.get(key);
      if (known === undefined || layer <= known.layer) {
        firsts.set(key, { layer, item: item.index });
      }
    }
  }
  const notes: number[] = items.items.map((item) => (item.group === null ? 0 : 56));
  for (const [key, { item }] of firsts) {
    const width = Math.min(NOTE_WIDTH, 40 + 6 * characters(labels.get(key) ?? key));
    notes[item] = Math.max(at(notes, item), width);
  }
  return notes;
}

/** The producers of every item: inputs only where there is nothing else to stand under. */
function producers(items: Items): number[][] {
  const above: number[][] = items.items.map(() => []);
  for (const value of items.values) {
    for (const target of value.order ? [] : value.targets) {
      const known = at(above, target);
      if (!known.includes(value.source)) {
        known.push(value.source);
      }
    }
  }
  return above.map((sources) => {
    const made = sources.filter((source) => !at(items.items, source).input);
    return made.length > 0 ? made : sources;
  });
}

/** The middle of every item, 0 being the middle of the picture's first box. */
export function placeItems(items: Items, extents: Extents): number[] {
  const above = producers(items);
  const centre = items.items.map(() => 0);
  for (const layer of items.layers) {
    const wanted = layer.map((index) => {
      const sources = at(above, index);
      const sum = sources.reduce((total, source) => total + at(centre, source), 0);
      return sources.length === 0 ? 0 : quotient(sum, sources.length);
    });
    const distances = layer
      .slice(1)
      .map((index, i) => at(extents.right, at(layer, i)) + GAP_X + at(extents.left, index));
    spread(wanted, distances).forEach((x, i) => {
      centre[at(layer, i)] = x;
    });
  }
  return centre;
}

/** Where the buses run: x of each value's lane (null where all uses are one layer below). */
export interface Routes {
  readonly lanes: readonly (number | null)[];
  /** x at which each value leaves its box. */
  readonly outgoing: readonly number[];
  /** x at which each value enters a box: by value, then by item. */
  readonly incoming: readonly ReadonlyMap<number, number>[];
}

export function route(items: Items, extents: Extents, centre: readonly number[]): Routes {
  const outgoing = outgoingPorts(items, centre);
  const lanes = placeLanes(items, extents, centre, outgoing);
  return { lanes, outgoing, incoming: incomingPorts(items, centre, outgoing, lanes) };
}

/** Several values that leave one collapsed group have ports beside each other. */
function outgoingPorts(items: Items, centre: readonly number[]): number[] {
  const count = items.items.map(() => 0);
  for (const value of items.values) {
    if (value.targets.length > 0) {
      count[value.source] = at(count, value.source) + 1;
    }
  }
  const used = items.items.map(() => 0);
  return items.values.map((value) => {
    const ports = at(count, value.source);
    const position = at(used, value.source);
    used[value.source] = position + 1;
    const step = portStep(at(items.items, value.source).width, ports);
    return at(centre, value.source) + step * position - quotient(step * (ports - 1), 2);
  });
}

function portStep(width: number, ports: number): number {
  return ports < 2 ? 0 : clamp(quotient(width - 2 * PORT, ports - 1), 1, PORT);
}

/** The last layer that a value reaches. */
export function lastLayer(items: Items, value: Value): number {
  return value.targets.reduce((most, target) => Math.max(most, at(items.layer, target)), 0);
}

/** A straight lane for every value that passes layers; the shortest first, so they lie innermost. */
function placeLanes(
  items: Items,
  extents: Extents,
  centre: readonly number[],
  outgoing: readonly number[],
): (number | null)[] {
  const blocked: [number, number][][] = items.layers.map((layer) =>
    layer.map((index) => [
      at(centre, index) - at(extents.left, index) - CLEAR,
      at(centre, index) + at(extents.right, index) + CLEAR,
    ]),
  );
  const spans: { value: number; first: number; last: number }[] = [];
  items.values.forEach((value, index) => {
    const first = at(items.layer, value.source) + 1;
    const last = lastLayer(items, value) - 1;
    if (value.targets.length > 0 && first <= last) {
      spans.push({ value: index, first, last });
    }
  });
  spans.sort((a, b) => a.last - a.first - (b.last - b.first) || a.value - b.value);
  const lanes: (number | null)[] = items.values.map(() => null);
  for (const { value, first, last } of spans) {
    const intervals = blocked.slice(first, last + 1).flat();
    const x = nearestFree(intervals, at(outgoing, value));
    lanes[value] = x;
    for (let layer = first; layer <= last; layer += 1) {
      at(blocked, layer).push([x - TRACK, x + TRACK]);
    }
  }
  return lanes;
}

/** The x nearest to `from` inside none of the open intervals; to the right where both are as near. */
function nearestFree(intervals: readonly [number, number][], from: number): number {
  let right = from;
  for (const [low, high] of [...intervals].sort((a, b) => a[0] - b[0])) {
    if (low >= right) {
      break;
    }
    right = Math.max(right, high);
  }
  let left = from;
  for (const [low, high] of [...intervals].sort((a, b) => b[1] - a[1])) {
    if (high <= left) {
      break;
    }
    left = Math.min(left, low);
  }
  return right - from <= from - left ? right : left;
}

/** Values enter a box from the top in the order in which they come, straight where they can. */
function incomingPorts(
  items: Items,
  centre: readonly number[],
  outgoing: readonly number[],
  lanes: readonly (number | null)[],
): Map<number, number>[] {
  const arriving: { value: number; from: number }[][] = items.items.map(() => []);
  items.values.forEach((value, index) => {
    for (const target of value.targets) {
      const near = at(items.layer, target) - at(items.layer, value.source) === 1;
      const from = near ? at(outgoing, index) : (lanes[index] ?? at(outgoing, index));
      at(arriving, target).push({ value: index, from });
    }
  });
  const incoming = items.values.map(() => new Map<number, number>());
  arriving.forEach((list, target) => {
    list.sort((a, b) => a.from - b.from || a.value - b.value);
    const item = at(items.items, target);
    const left = at(centre, target) - quotient(item.width, 2);
    const step = portStep(item.width, list.length);
    const ports = spread(
      list.map((arrival) => arrival.from),
      list.slice(1).map(() => step),
    );
    list.forEach((arrival, i) => {
      const low = left + PORT + step * i;
      const high = left + item.width - PORT - step * (list.length - 1 - i);
      at(incoming, arrival.value).set(target, clamp(at(ports, i), low, high));
    });
  });
  return incoming;
}
