/**
 * The stable layered layout. `workbench/view/layout.py` repeats it integer by integer.
 *
 * 1. Items: a node, or the outermost collapsed group around it. Constants, and what the kernel marks
 *    as a stub, have no item of their own: they stand beside each consumer.
 * 2. Order: program order of first members; Kahn's algorithm with a heap departs from it only where
 *    a fold demands it. A use against the order is drawn as a reference.
 * 3. Layers: longest path. A source that is no input stands just above its first consumer.
 * 4. Sideways: within a layer always program order, so nothing ever changes sides. Every box wants
 *    to be under the mean of its producers (inputs aside); colliding runs move together (`spread`), rounded
 *    towards the middle, so nothing drifts.
 * 5. Buses: one lane per value beside the layers it passes, shortest first; horizontal runs between
 *    layers on tracks. No reordering sweeps, no floating point, no look-up of text sizes.
 * 6. An open `if` is laid out by itself and takes its place as one large box: its arms are two
 *    columns, what they read from outside is named beside each reader, and what it gives stands
 *    under both.
 */

import type { FunctionView, NodeView } from '../protocol/generated.js';
import { at, clamp, quotient } from './arithmetic.js';
import {
  frameOf,
  framed,
  placeArms,
  takeBranches,
  withInside,
  withSizes,
  type Branch,
} from './branches.js';
import { byDepth, placeGrounds } from './grounds.js';
import { arrange, type Items } from './items.js';
import {
  MARGIN,
  PAD,
  STUB_ARROW,
  STUB_GAP,
  STUB_HEIGHT,
  type Box,
  type Folds,
  type Layout,
  type Stub,
} from './model.js';
import { measure, placeItems, route, stackHeight, type Extents } from './place.js';
import { draw, stack, topOf, type Rows } from './wires.js';

export { NOTE_WIDTH, PAD } from './model.js';
export type { Box, Folds, Ground, Layout, Stub, Wire } from './model.js';

/** Lays out one function. Pure; takes about 25 microseconds a node. */
export function layout(view: FunctionView, folds: Folds = {}): Layout {
  const nodes = new Map(view.nodes.map((node) => [node.key, node]));
  const placed = wholeFunction(view, { nodes, folds });
  return { ...placed, grounds: byDepth(view, placed.grounds) };
}

/** What all parts of a picture share: its nodes by key, and the folds. */
interface Shared {
  readonly nodes: ReadonlyMap<string, NodeView>;
  readonly folds: Folds;
}

function wholeFunction(view: FunctionView, shared: Shared): Layout {
  const { outer, inner } = opened(view, shared);
  const items = arrange(outer, shared.folds, shared.nodes);
  const extents = measure(items, outer.groups);
  const centre = placeItems(items, extents);
  const routes = route(items, extents, centre);
  const rows = stack(items, extents, routes);
  const [low, high] = reach(extents, centre, routes.lanes);
  const shift = MARGIN + PAD - low;
  const own = drawn(outer, items, extents, rows, centre, shift);
  return withInside({ ...own, width: high - low + 2 * (MARGIN + PAD) }, inner);
}

/** The inside of an open `if`, from the left upper corner of its frame. */
function insideOf(branch: Branch, shared: Shared): Layout {
  const { outer, inner } = opened(branch.view, shared);
  const items = arrange(outer, shared.folds, shared.nodes, branch.columns);
  const extents = measure(items, outer.groups);
  const arms = placeArms(items, extents);
  const routes = route(items, extents, arms.centre);
  const rows = stack(items, extents, routes, arms.layers);
  const frame = frameOf(arms, items, extents, routes, rows);
  const own = drawn(outer, items, extents, rows, arms.centre, frame.shift);
  return framed(branch, arms, frame, withInside(own, inner), shared.folds);
}

/** The view with a large box for each open `if`, and what is inside of those. */
function opened(
  view: FunctionView,
  shared: Shared,
): { outer: FunctionView; inner: ReadonlyMap<string, Layout> } {
  const { outer, branches } = takeBranches(view, shared.folds);
  const inner = new Map(branches.map((branch) => [branch.group.key, insideOf(branch, shared)]));
  return { outer: withSizes(outer, branches, inner, shared.nodes), inner };
}

function drawn(
  view: FunctionView,
  items: Items,
  extents: Extents,
  rows: Rows,
  centre: readonly number[],
  shift: number,
): Layout {
  const boxes = placeBoxes(items, rows, centre, shift);
  return {
    width: 0,
    height: rows.bottom,
    boxes,
    stubs: boxes.flatMap((box, index) => placeStubs(box, extents, index)),
    wires: draw(items, rows, shift),
    grounds: placeGrounds(view, items, boxes),
  };
}

/** Leftmost and rightmost x in use. */
function reach(
  extents: Extents,
  centre: readonly number[],
  lanes: readonly (number | null)[],
): [number, number] {
  let low = 0;
  let high = 0;
  centre.forEach((x, index) => {
    low = Math.min(low, x - at(extents.left, index));
    high = Math.max(high, x + at(extents.right, index));
  });
  for (const lane of lanes) {
    if (lane !== null) {
      low = Math.min(low, lane);
      high = Math.max(high, lane);
    }
  }
  return [low, high];
}

function placeBoxes(items: Items, rows: Rows, centre: readonly number[], shift: number): Box[] {
  return items.items.map((item) => ({
    key: item.key,
    group: item.group !== null,
    layer: at(items.layer, item.index),
    x: at(centre, item.index) - quotient(item.width, 2) + shift,
    y: topOf(items, rows, item.index),
    width: item.width,
    height: item.height,
  }));
}

/** Stubs stand left of their box, in the order of the arguments. */
function placeStubs(box: Box, extents: Extents, index: number): Stub[] {
  const sizes = at(extents.stubs, index);
  const first = box.y + ((box.height - stackHeight(sizes.length)) >> 1);
  const right = box.x - STUB_ARROW;
  return sizes.map((size, i) => {
    const y = first + i * (STUB_HEIGHT + STUB_GAP);
    const middle = y + (STUB_HEIGHT >> 1);
    const entry = clamp(middle, box.y + PAD, box.y + box.height - PAD);
    const bend = right + (STUB_ARROW >> 1);
    return {
      owner: box.key,
      value: size.value,
      ref: size.ref,
      more: size.more,
      x: right - size.width,
      y,
      width: size.width,
      height: STUB_HEIGHT,
      points:
        entry === middle
          ? [right, middle, box.x, middle]
          : [right, middle, bend, middle, bend, entry, box.x, entry],
    };
  });
}
