/** The inside of an open `if`: two columns for its arms, and under them what it gives. */

import type { FunctionView, GroupView, NodeView } from '../protocol/generated.js';
import { at, quotient } from './arithmetic.js';
import { groupChain, isStub, type Items } from './items.js';
import {
  ARM_GAP,
  ARM_WIDTH,
  CLEAR,
  FRAME_PAD,
  FRAME_TITLE,
  GAP_Y,
  MARGIN,
  type Box,
  type Folds,
  type Ground,
  type Layout,
  type Stub,
  type Wire,
} from './model.js';
import { placeItems, type Extents, type Routes } from './place.js';
import type { Rows } from './wires.js';

/** An open `if`: its group, its arms, and what is in it. */
export interface Branch {
  readonly group: GroupView;
  readonly arms: readonly GroupView[];
  readonly view: FunctionView;
  /** 0 or 1 for the keys of what its arms compute, 2 for the `if` itself. */
  readonly columns: ReadonlyMap<string, number>;
}

/** Middles of all items; left and right of each column; how many layers the arms have. */
export interface Arms {
  readonly centre: readonly number[];
  readonly columns: readonly (readonly [number, number])[];
  readonly layers: number;
}

/** Size of the frame of an `if`, and where middles and rows lie in it; its arms end at `floor`. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly shift: number;
  readonly down: number;
  readonly floor: number;
}

const collapsed = (group: GroupView, folds: Folds): boolean => folds[group.key] ?? group.collapsed;

/** The view with one node for each open `if`, and what these hold. */
export function takeBranches(
  view: FunctionView,
  folds: Folds,
): { outer: FunctionView; branches: Branch[] } {
  if (!view.groups.some((group) => group.kind === 'branch')) {
    return { outer: view, branches: [] };
  }
  const groups = new Map(view.groups.map((group) => [group.key, group]));
  const arms = armsOf(view);
  const nodes: NodeView[] = [];
  const parts = new Map<string, Parts>();
  for (const node of view.nodes) {
    const chain = groupChain(node, groups);
    const first = chain.findIndex((group) => group.kind === 'branch' || collapsed(group, folds));
    const branch = chain[first];
    if (branch === undefined || collapsed(branch, folds)) {
      nodes.push(node);
      continue;
    }
    const part = parts.get(branch.key) ?? startOf(branch, arms);
    parts.set(branch.key, part);
    add(part, node, chain.slice(first + 1), arms);
    if (node.key === branch.key) {
      nodes.push(node);
    }
  }
  const branches = [...parts.values()].map((part) => branchOf(view, part, folds));
  return { outer: { ...view, nodes }, branches };
}

/** The arms of each `if`. */
function armsOf(view: FunctionView): Map<string, GroupView[]> {
  const found = new Map<string, GroupView[]>();
  for (const group of view.groups) {
    if (group.kind === 'arm' && group.parent !== null) {
      found.set(group.parent, [...(found.get(group.parent) ?? []), group]);
    }
  }
  return found;
}

/** An open `if` while its members are met. */
interface Parts {
  readonly group: GroupView;
  readonly arms: readonly GroupView[];
  readonly nodes: NodeView[];
  readonly below: Map<string, GroupView>;
  readonly armOf: Map<string, string>;
}

function startOf(group: GroupView, arms: ReadonlyMap<string, readonly GroupView[]>): Parts {
  const own = arms.get(group.key) ?? [];
  return { group, arms: own, nodes: [], below: new Map(), armOf: new Map() };
}

/** A member with the groups around it that lie in the `if`, outermost first. */
function add(
  part: Parts,
  node: NodeView,
  chain: readonly GroupView[],
  arms: ReadonlyMap<string, readonly GroupView[]>,
): void {
  part.nodes.push(node);
  for (const group of chain) {
    part.below.set(group.key, group);
    for (const arm of arms.get(group.key) ?? []) {
      part.below.set(arm.key, arm);
    }
  }
  const [arm] = chain;
  if (arm !== undefined) {
    part.armOf.set(node.key, arm.key);
  }
}

/** The whole `if`; the frames of its open arms are no groups any more. */
function branchOf(view: FunctionView, part: Parts, folds: Folds): Branch {
  const { group, arms, nodes } = part;
  const columns = new Map<string, number>();
  for (const node of nodes) {
    const column = arms.findIndex((arm) => arm.key === part.armOf.get(node.key));
    columns.set(node.key, column < 0 ? 2 : column);
  }
  const opened = new Set(arms.filter((arm) => !collapsed(arm, folds)).map((arm) => arm.key));
  const groups = [...part.below.values()].filter((each) => !opened.has(each.key));
  return { group, arms, view: { ...view, nodes, groups, outputs: [] }, columns };
}

/** The view with large boxes, which read all that is read inside from outside. */
export function withSizes(
  view: FunctionView,
  branches: readonly Branch[],
  inner: ReadonlyMap<string, Layout>,
  nodes: ReadonlyMap<string, NodeView>,
): FunctionView {
  if (branches.length === 0) {
    return view;
  }
  const known = new Map(branches.map((branch) => [branch.group.key, branch]));
  const here = new Set(view.nodes.map((node) => node.key));
  const around = new Map(
    branches.flatMap((branch) => [...branch.columns.keys()].map((key) => [key, branch.group.key])),
  );
  const drawn = view.nodes.map((node) => {
    const branch = known.get(node.key);
    const inside = inner.get(node.key);
    const one =
      branch === undefined || inside === undefined ? node : large(node, branch, inside, nodes, here);
    return { ...one, after: [...new Set(one.after.map((key) => around.get(key) ?? key))] };
  });
  return { ...view, nodes: drawn };
}

/** The large box; what it reads of `here` has wires to it, the rest is named inside only. */
function large(
  node: NodeView,
  { group, view, columns }: Branch,
  { width, height }: Layout,
  nodes: ReadonlyMap<string, NodeView>,
  here: ReadonlySet<string>,
): NodeView {
  const members = view.nodes.flatMap((each) => each.inputs);
  const read = new Set(members.filter((key) => here.has(key)));
  const follows = new Set(view.nodes.flatMap((each) => each.after));
  const inputs = [...read].filter((key) => {
    const producer = nodes.get(key);
    return producer !== undefined && !columns.has(key) && !isStub(producer);
  });
  const after = [...follows].filter((key) => !columns.has(key));
  return { ...node, inputs, after, group: group.parent, width, height };
}

/** Each arm is placed by itself, the second to the right of the first; the `if` in the middle. */
export function placeArms(items: Items, extents: Extents): Arms {
  const centre = items.items.map(() => 0);
  const columns: (readonly [number, number])[] = [];
  let left = 0;
  for (const column of [0, 1]) {
    const layers = items.layers.map((layer) =>
      layer.filter((index) => at(items.items, index).column === column),
    );
    const own = layers.flat();
    const placed = placeItems({ ...items, layers }, extents);
    const lows = own.map((index) => at(placed, index) - at(extents.left, index));
    const highs = own.map((index) => at(placed, index) + at(extents.right, index));
    const low = own.length === 0 ? 0 : lows.reduce((a, b) => Math.min(a, b));
    const high = own.length === 0 ? 0 : highs.reduce((a, b) => Math.max(a, b));
    const extra = Math.max(0, ARM_WIDTH - (high - low));
    for (const index of own) {
      centre[index] = at(placed, index) - low + left + quotient(extra, 2);
    }
    const right = left + high - low + extra;
    columns.push([left, right]);
    left = right + 2 * FRAME_PAD + ARM_GAP;
  }
  const middle = quotient(at(columns, 1)[1], 2);
  let layers = 0;
  for (const item of items.items) {
    if (item.column === 2) {
      centre[item.index] = middle;
    } else {
      layers = Math.max(layers, at(items.layer, item.index) + 1);
    }
  }
  return { centre, columns, layers };
}

/** The frame around both arms, every lane and the `if`, which stands in its middle. */
export function frameOf(
  arms: Arms,
  items: Items,
  extents: Extents,
  routes: Routes,
  rows: Rows,
): Frame {
  const [first, second] = [at(arms.columns, 0), at(arms.columns, 1)];
  const middle = quotient(second[1], 2);
  let low = first[0] - FRAME_PAD;
  let high = second[1] + FRAME_PAD;
  for (const { index, column } of items.items) {
    if (column === 2) {
      low = Math.min(low, middle - at(extents.left, index));
      high = Math.max(high, middle + at(extents.right, index));
    }
  }
  for (const lane of routes.lanes) {
    if (lane !== null) {
      low = Math.min(low, lane - CLEAR);
      high = Math.max(high, lane + CLEAR);
    }
  }
  const half = Math.max(middle - low, high - middle) + FRAME_PAD;
  const down = 2 * FRAME_TITLE + FRAME_PAD - MARGIN + (arms.layers > 0 ? 0 : GAP_Y);
  const floor = arms.layers > 0 ? at(rows.floor, arms.layers - 1) + down : 2 * FRAME_TITLE;
  const height = rows.bottom - MARGIN + down + FRAME_PAD;
  return { width: 2 * half, height, shift: half - middle, down, floor };
}

/** The inside of an `if` moved to its place in the frame, with the frames of the arms. */
export function framed(
  branch: Branch,
  arms: Arms,
  frame: Frame,
  own: Layout,
  folds: Folds,
): Layout {
  const { key } = branch.group;
  const { width, height } = frame;
  const inside = moved(own, 0, frame.down);
  const box = inside.boxes.find((one) => one.key === key);
  const grounds: Ground[] = [
    { group: key, depth: 0, rects: [[0, 0, width, height]], noteX: FRAME_PAD, noteY: 14 },
  ];
  branch.arms.forEach((arm, index) => {
    if (!collapsed(arm, folds)) {
      const [low, high] = at(arms.columns, index);
      const x = low - FRAME_PAD + frame.shift;
      const w = high - low + 2 * FRAME_PAD;
      grounds.push({
        group: arm.key,
        depth: 0,
        rects: [[x, FRAME_TITLE, w, frame.floor - FRAME_TITLE]],
        noteX: x + FRAME_PAD,
        noteY: FRAME_TITLE + 14,
      });
    }
  });
  return {
    width,
    height,
    boxes: inside.boxes,
    stubs: inside.stubs,
    wires: box === undefined ? inside.wires : [...inside.wires, end(box, frame)],
    grounds: [...grounds, ...inside.grounds],
  };
}

/** From the box of the `if` to the lower edge of its frame. */
function end(box: Box, frame: Frame): Wire {
  const x = box.x + quotient(box.width, 2);
  return {
    value: box.key,
    to: null,
    points: [x, box.y + box.height, x, frame.height],
    order: false,
  };
}

/** The large boxes replaced by what is inside of them. */
export function withInside(outer: Layout, inner: ReadonlyMap<string, Layout>): Layout {
  if (inner.size === 0) {
    return outer;
  }
  const boxes: Box[] = [];
  const stubs: Stub[] = [...outer.stubs];
  const wires: Wire[] = [...outer.wires];
  const grounds: Ground[] = [...outer.grounds];
  const last = (list: readonly Box[]): number =>
    list.reduce((most, box) => Math.max(most, box.layer), 0);
  let layers = last(outer.boxes) + 1;
  for (const box of outer.boxes) {
    const inside = inner.get(box.key);
    if (inside === undefined) {
      boxes.push(box);
      continue;
    }
    const placed = moved(inside, box.x, box.y);
    for (const each of placed.boxes) {
      boxes.push({ ...each, layer: each.layer + layers });
    }
    layers += 1 + last(placed.boxes);
    stubs.push(...placed.stubs);
    wires.push(...placed.wires);
    grounds.push(...placed.grounds);
  }
  return { ...outer, boxes, stubs, wires, grounds };
}

function moved(layout: Layout, x: number, y: number): Layout {
  const shifted = (points: readonly number[]): number[] =>
    points.map((point, index) => point + (index % 2 === 0 ? x : y));
  return {
    ...layout,
    boxes: layout.boxes.map((box) => ({ ...box, x: box.x + x, y: box.y + y })),
    stubs: layout.stubs.map((stub) => ({
      ...stub,
      x: stub.x + x,
      y: stub.y + y,
      points: shifted(stub.points),
    })),
    wires: layout.wires.map((wire) => ({ ...wire, points: shifted(wire.points) })),
    grounds: layout.grounds.map((ground) => ({
      ...ground,
      rects: ground.rects.map(([left, top, w, h]) => [left + x, top + y, w, h] as const),
      noteX: ground.noteX + x,
      noteY: ground.noteY + y,
    })),
  };
}
