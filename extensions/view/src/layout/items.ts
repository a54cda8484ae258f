/** From nodes, groups and folds to the items that are drawn, their order and their layers. */

import type { FunctionView, GroupView, NodeView } from '../protocol/generated.js';
import { at, topological } from './arithmetic.js';
import { LONG_INPUT, LONG_VALUE, type Folds } from './model.js';

/** One box to be: a node, or a collapsed group. `index` counts first members in program order. */
export interface Item {
  readonly index: number;
  readonly key: string;
  readonly group: GroupView | null;
  readonly width: number;
  readonly height: number;
  readonly input: boolean;
  /** Groups around the item that are open, outermost first. */
  readonly open: readonly string[];
  /** In an `if`: 0 in the first arm, 1 in the second, 2 for what comes after both. */
  readonly column: number;
  /** Values shown as stubs: key, and whether their box is elsewhere in the picture. */
  readonly stubs: Map<string, boolean>;
}

/** A value with the items that use it, as one bus. */
export interface Value {
  readonly key: string;
  readonly source: number;
  targets: number[];
  /** The targets do not read it: they only come after it. */
  readonly order: boolean;
}

export interface Items {
  readonly items: readonly Item[];
  readonly values: readonly Value[];
  readonly layer: readonly number[];
  /** Items of each layer in program order. */
  readonly layers: readonly (readonly number[])[];
  readonly nodes: ReadonlyMap<string, NodeView>;
}

/**
 * Everything before coordinates, of a function or of an `if` in it. `nodes` has all of the function,
 * `columns` those of an `if`: 0 and 1 for its arms, which nothing connects, and 2 for the box after.
 */
export function arrange(
  view: FunctionView,
  folds: Folds,
  nodes: ReadonlyMap<string, NodeView>,
  columns: ReadonlyMap<string, number> | null = null,
): Items {
  const outputs = new Set(view.outputs);
  const { items, itemOf } = collectItems(view, folds, outputs, columns);
  const values = collectValues(view, nodes, items, itemOf);
  const byRank = topological(leavingTargets(items.length, values));
  const rank = items.map(() => 0);
  byRank.forEach((index, position) => {
    rank[index] = position;
  });
  cutBackward(items, values, rank);
  const assign = columns === null ? assignLayers : armLayers;
  const layer = assign(items, values, byRank);
  cutLong(items, values, layer);
  const count = layer.reduce((most, one) => Math.max(most, one + 1), 0);
  const layers: number[][] = Array.from({ length: count }, () => []);
  for (const { index } of items) {
    at(layers, at(layer, index)).push(index);
  }
  return { items, values, layer, layers, nodes };
}

/** Constants and what the kernel marked stand beside their consumers. */
export function isStub(node: NodeView): boolean {
  return node.stub || node.kind === 'constant';
}

function collectItems(
  view: FunctionView,
  folds: Folds,
  outputs: ReadonlySet<string>,
  columns: ReadonlyMap<string, number> | null,
): { items: Item[]; itemOf: Map<string, number> } {
  const groups = new Map(view.groups.map((group) => [group.key, group]));
  const items: Item[] = [];
  const itemOf = new Map<string, number>();
  const indexOf = new Map<string, number>();
  for (const node of view.nodes) {
    const chain = groupChain(node, groups);
    const fold = chain.findIndex((group) => folds[group.key] ?? group.collapsed);
    const group = fold < 0 ? null : at(chain, fold);
    if (isStub(node) && node.inputs.length === 0 && !outputs.has(node.key)) {
      continue;
    }
    const key = group === null ? node.key : group.key;
    let index = indexOf.get(key);
    if (index === undefined) {
      index = items.length;
      indexOf.set(key, index);
      items.push({
        index,
        key,
        group,
        width: (group ?? node).width,
        height: (group ?? node).height,
        input: group === null && node.kind === 'input',
        open: (fold < 0 ? chain : chain.slice(0, fold)).map((one) => one.key),
        column: columns?.get(node.key) ?? 0,
        stubs: new Map(),
      });
    }
    itemOf.set(node.key, index);
  }
  return { items, itemOf };
}

/** The groups around a node, outermost first. */
export function groupChain(node: NodeView, groups: ReadonlyMap<string, GroupView>): GroupView[] {
  const chain: GroupView[] = [];
  let key = node.group;
  while (key !== null && chain.length < 64) {
    const group = groups.get(key);
    if (group === undefined) {
      break;
    }
    chain.push(group);
    key = group.parent;
  }
  return chain.reverse();
}

/** Buses in program order of their producers; uses of stubs are noted in the consumers. */
function collectValues(
  view: FunctionView,
  nodes: ReadonlyMap<string, NodeView>,
  items: readonly Item[],
  itemOf: ReadonlyMap<string, number>,
): Value[] {
  const targets = new Map<string, number[]>();
  const later = new Map<string, number[]>();
  for (const node of view.nodes) {
    const consumer = itemOf.get(node.key);
    if (consumer === undefined) {
      continue;
    }
    for (const key of node.inputs) {
      const producer = nodes.get(key);
      if (producer === undefined) {
        continue;
      }
      const source = itemOf.get(key);
      if (source === undefined || isStub(producer)) {
        beside(at(items, consumer), producer, source !== undefined);
      } else if (source !== consumer) {
        reach(targets, key, consumer);
      }
    }
    for (const key of node.after) {
      if ((itemOf.get(key) ?? consumer) !== consumer) {
        reach(later, key, consumer);
      }
    }
  }
  leaveKnown(targets, later, itemOf);
  return view.nodes.flatMap(({ key }) => {
    const source = itemOf.get(key) ?? 0;
    return [
      ...(targets.has(key) ? [{ key, source, targets: targets.get(key) ?? [], order: false }] : []),
      ...(later.get(key)?.length ? [{ key, source, targets: later.get(key) ?? [], order: true }] : []),
    ];
  });
}

/** Of the edges that only say an order those stay that nothing else says, once for two items. */
function leaveKnown(
  targets: ReadonlyMap<string, readonly number[]>,
  later: Map<string, number[]>,
  itemOf: ReadonlyMap<string, number>,
): void {
  const pair = (key: string, target: number): string => `${itemOf.get(key) ?? ''} ${target}`;
  const known = new Set(
    [...targets].flatMap(([key, found]) => found.map((target) => pair(key, target))),
  );
  for (const [key, found] of later) {
    const left = found.filter((target) => !known.has(pair(key, target)));
    left.forEach((target) => known.add(pair(key, target)));
    later.set(key, left);
  }
}

function reach(targets: Map<string, number[]>, key: string, consumer: number): void {
  const known = targets.get(key) ?? [];
  if (!known.includes(consumer)) {
    known.push(consumer);
  }
  targets.set(key, known);
}

/** A value that has no wire: a constant, or one from outside the `if`, is named beside the item. */
function beside(item: Item, node: NodeView, here: boolean): void {
  if ((item.group === null || !isStub(node)) && !item.stubs.has(node.key)) {
    item.stubs.set(node.key, here || !isStub(node));
  }
}

function leavingTargets(count: number, values: readonly Value[]): number[][] {
  const leaving: number[][] = Array.from({ length: count }, () => []);
  for (const value of values) {
    at(leaving, value.source).push(...value.targets);
  }
  return leaving;
}

/** Uses against the order (only a fold makes them) become references. */
function cutBackward(
  items: readonly Item[],
  values: readonly Value[],
  rank: readonly number[],
): void {
  for (const value of values) {
    const forward = (target: number): boolean => at(rank, target) > at(rank, value.source);
    if (!value.order) {
      refer(
        items,
        value,
        value.targets.filter((target) => !forward(target)),
      );
    }
    value.targets = value.targets.filter(forward);
  }
}

function refer(items: readonly Item[], value: Value, targets: readonly number[]): void {
  for (const target of targets) {
    at(items, target).stubs.set(value.key, true);
  }
}

/** Longest path from the top; a source that is no input stands just above its first consumer. */
function assignLayers(
  items: readonly Item[],
  values: readonly Value[],
  byRank: readonly number[],
): number[] {
  const leaving = leavingTargets(items.length, values);
  const fed = items.map(() => false);
  const layer = items.map(() => 0);
  for (const index of byRank) {
    for (const target of at(leaving, index)) {
      fed[target] = true;
      layer[target] = Math.max(at(layer, target), at(layer, index) + 1);
    }
  }
  for (const item of items) {
    const targets = at(leaving, item.index);
    if (!at(fed, item.index) && !item.input && targets.length > 0) {
      layer[item.index] = Math.min(...targets.map((target) => at(layer, target))) - 1;
    }
  }
  return layer;
}

/**
 * Longest path; what reads nothing of its arm stands under the one before it that does not, so that
 * an arm reads from top to bottom and is narrow. What the `if` gives stands under both arms.
 */
function armLayers(
  items: readonly Item[],
  values: readonly Value[],
  byRank: readonly number[],
): number[] {
  const leaving = leavingTargets(items.length, values);
  const fed = items.map(() => false);
  const layer = items.map(() => 0);
  const free = [0, 0, 0];
  for (const index of byRank) {
    const { column } = at(items, index);
    if (!at(fed, index)) {
      layer[index] = at(free, column);
      free[column] = at(free, column) + 1;
    }
    for (const target of at(leaving, index)) {
      fed[target] = true;
      layer[target] = Math.max(at(layer, target), at(layer, index) + 1);
    }
  }
  const inArms = items.filter((item) => item.column < 2);
  const bottom = inArms.reduce((most, item) => Math.max(most, at(layer, item.index) + 1), 0);
  return items.map((item) => (item.column === 2 ? bottom : at(layer, item.index)));
}

/** Uses far below become references, so that no bus crosses the whole picture. */
function cutLong(items: readonly Item[], values: readonly Value[], layer: readonly number[]): void {
  for (const value of values) {
    if (value.order) {
      continue;
    }
    const input = at(items, value.source).input;
    let reached = at(layer, value.source);
    const first = reached;
    const byLayer = [...value.targets].sort((a, b) => at(layer, a) - at(layer, b) || a - b);
    const kept: number[] = [];
    const cut: number[] = [];
    for (const target of byLayer) {
      const there = at(layer, target);
      if ((input && there - first > LONG_INPUT) || there - reached > LONG_VALUE) {
        cut.push(target);
      } else {
        kept.push(target);
        reached = there;
      }
    }
    refer(items, value, cut);
    value.targets = kept;
  }
}
