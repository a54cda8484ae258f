/** The dashed grounds behind open groups. */

import type { FunctionView } from '../protocol/generated.js';
import { at } from './arithmetic.js';
import type { Items } from './items.js';
import { NOTE_HEIGHT, NOTE_WIDTH, PAD, type Box, type Ground } from './model.js';

/** Grounds of the open groups, outer ones first. */
export function placeGrounds(view: FunctionView, items: Items, boxes: readonly Box[]): Ground[] {
  const grounds: Ground[] = [];
  const parents = new Map(view.groups.map((group) => [group.key, group.parent]));
  const members = new Map<string, number[]>();
  for (const item of items.items) {
    for (const key of item.open) {
      const known = members.get(key);
      if (known === undefined) {
        members.set(key, [item.index]);
      } else {
        known.push(item.index);
      }
    }
  }
  for (const group of view.groups) {
    const inside = members.get(group.key);
    if (inside === undefined) {
      continue;
    }
    const level = nesting(group.key, parents, members);
    const pad = Math.min(PAD + 5 * level, 2 * PAD + 2);
    const rects = hull(items, boxes, inside, pad);
    const [x, y, width] = at(rects, 0);
    const depth = depthOf(group.key, parents);
    grounds.push({ group: group.key, depth, rects, noteX: x + width + PAD, noteY: y + 12 });
  }
  return apart(
    grounds.sort((a, b) => a.depth - b.depth),
    parents,
  );
}

/** The grounds of a whole picture, outer ones first. */
export function byDepth(view: FunctionView, grounds: readonly Ground[]): Ground[] {
  const parents = new Map(view.groups.map((group) => [group.key, group.parent]));
  return grounds
    .map((ground) => ({ ...ground, depth: depthOf(ground.group, parents) }))
    .sort((a, b) => a.depth - b.depth);
}

/** Names of nested grounds that begin at the same box stand under each other. */
function apart(
  grounds: readonly Ground[],
  parents: ReadonlyMap<string, string | null>,
): Ground[] {
  const placed = new Map<string, Ground>();
  for (const ground of grounds) {
    let y = ground.noteY;
    let key = parents.get(ground.group) ?? null;
    for (let level = 0; key !== null && level < 64; level += 1) {
      const outer = placed.get(key);
      if (
        outer !== undefined &&
        Math.abs(y - outer.noteY) < NOTE_HEIGHT &&
        Math.abs(ground.noteX - outer.noteX) < NOTE_WIDTH
      ) {
        y = outer.noteY + NOTE_HEIGHT;
      }
      key = parents.get(key) ?? null;
    }
    placed.set(ground.group, { ...ground, noteY: y });
  }
  return [...placed.values()];
}

function depthOf(key: string, parents: ReadonlyMap<string, string | null>): number {
  let depth = 0;
  let parent = parents.get(key) ?? null;
  while (parent !== null && depth < 64) {
    depth += 1;
    parent = parents.get(parent) ?? null;
  }
  return depth;
}

/** How many levels of open groups lie inside. */
function nesting(
  key: string,
  parents: ReadonlyMap<string, string | null>,
  members: ReadonlyMap<string, readonly number[]>,
): number {
  let most = 0;
  for (const other of members.keys()) {
    let level = 0;
    let parent: string | null = other;
    while (parent !== null && parent !== key && level < 64) {
      level += 1;
      parent = parents.get(parent) ?? null;
    }
    if (parent === key) {
      most = Math.max(most, level);
    }
  }
  return most;
}

type Rect = readonly [number, number, number, number];

/** One rectangle around the members, or one for each run of a layer where strangers lie between. */
function hull(items: Items, boxes: readonly Box[], inside: readonly number[], pad: number): Rect[] {
  const whole = around(boxes, inside, pad);
  const own = new Set(inside);
  const layers = inside.map((index) => at(items.layer, index));
  const first = Math.min(...layers);
  const last = Math.max(...layers);
  const runs: number[][] = [];
  let strangers = false;
  for (let layer = first; layer <= last; layer += 1) {
    let run: number[] = [];
    for (const index of at(items.layers, layer)) {
      if (own.has(index)) {
        run.push(index);
        continue;
      }
      strangers ||= overlaps(at(boxes, index), whole);
      if (run.length > 0) {
        runs.push(run);
        run = [];
      }
    }
    if (run.length > 0) {
      runs.push(run);
    }
  }
  return strangers ? runs.map((run) => around(boxes, run, pad)) : [whole];
}

function around(boxes: readonly Box[], inside: readonly number[], pad: number): Rect {
  let [left, top, right, bottom] = [1e9, 1e9, -1e9, -1e9];
  for (const index of inside) {
    const box = at(boxes, index);
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.width);
    bottom = Math.max(bottom, box.y + box.height);
  }
  return [left - pad, top - pad, right - left + 2 * pad, bottom - top + 2 * pad];
}

function overlaps(box: Box, [x, y, width, height]: Rect): boolean {
  return box.x < x + width && x < box.x + box.width && box.y < y + height && y < box.y + box.height;
}
