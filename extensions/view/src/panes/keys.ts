/** Keys of the picture: program order, folds, edges, steps. */

import type { Layout } from '../layout/index.js';
import type { Dispatch } from '../store/store.js';
import { calledGraph, currentFunction } from '../store/selectors.js';
import type { State } from '../store/state.js';

/** Does what the key means; false where it means nothing here. */
export function graphKey(
  event: KeyboardEvent,
  state: State,
  layout: Layout,
  dispatch: Dispatch,
): boolean {
  if (event.ctrlKey || event.metaKey) {
    return false;
  }
  if (event.altKey) {
    return followEdge(event.key, state, layout, dispatch);
  }
  switch (event.key) {
    case 'ArrowDown':
    case 'ArrowUp':
      move(event.key === 'ArrowDown' ? 1 : -1, state, layout, dispatch);
      return true;
    case 'Home':
      select(layout.boxes[0]?.key, dispatch);
      return true;
    case 'End':
      select(layout.boxes[layout.boxes.length - 1]?.key, dispatch);
      return true;
    case 'Enter':
      return open(state, dispatch);
    case 'ArrowLeft':
      return fold(true, state, layout, dispatch);
    case 'ArrowRight':
      return fold(false, state, layout, dispatch);
    case 'Escape':
      dispatch({ type: 'select', key: null });
      return true;
    case 'j':
    case 'k':
      dispatch({ type: 'step-by', offset: event.key === 'j' ? 1 : -1 });
      return true;
    default:
      return false;
  }
}

/** Shows the graph function that the selected box calls. */
function open(state: State, dispatch: Dispatch): boolean {
  const name = calledGraph(state, state.selection);
  if (name !== null) {
    dispatch({ type: 'graph', name });
  }
  return name !== null;
}

function select(key: string | undefined, dispatch: Dispatch): void {
  if (key !== undefined) {
    dispatch({ type: 'select', key });
  }
}

/** The next box in program order; from nothing, the first or the last. */
function move(offset: number, state: State, layout: Layout, dispatch: Dispatch): void {
  const position = layout.boxes.findIndex((box) => box.key === state.selection);
  const last = layout.boxes.length - 1;
  const start = offset > 0 ? 0 : last;
  const next = position < 0 ? start : Math.max(0, Math.min(last, position + offset));
  select(layout.boxes[next]?.key, dispatch);
}

/** Left folds the group around the selected node, Right unfolds the selected group. */
function fold(collapsed: boolean, state: State, layout: Layout, dispatch: Dispatch): boolean {
  const view = currentFunction(state);
  const box = layout.boxes.find((one) => one.key === state.selection);
  if (view === null || box === undefined) {
    return false;
  }
  if (!collapsed) {
    if (box.group) {
      dispatch({ type: 'fold', group: box.key, collapsed: false });
      const inside = new Set([box.key]);
      for (const group of view.groups) {
        if (group.kind === 'arm' && group.parent === box.key) {
          inside.add(group.key);
        }
      }
      const member = view.nodes.find((node) => node.group !== null && inside.has(node.group));
      select(member?.key, dispatch);
    }
    return box.group;
  }
  const own = view.nodes.find((node) => node.key === box.key);
  const around = box.group ? view.groups.find((one) => one.key === box.key)?.parent : own?.group;
  if (around === null || around === undefined) {
    return false;
  }
  dispatch({ type: 'fold', group: around, collapsed: true });
  dispatch({ type: 'select', key: around });
  return true;
}

/** Alt+Down goes to the first consumer, Alt+Up to the first producer; Left and Right to siblings. */
function followEdge(key: string, state: State, layout: Layout, dispatch: Dispatch): boolean {
  const wires = layout.wires;
  const sourceOf = (value: string): string => ownerOf(value, state, layout);
  switch (key) {
    case 'ArrowDown':
      select(
        wires.find((wire) => sourceOf(wire.value) === state.selection && wire.to !== null)?.to ??
          undefined,
        dispatch,
      );
      return true;
    case 'ArrowUp': {
      const wire = wires.find((one) => one.to === state.selection);
      select(wire === undefined ? undefined : sourceOf(wire.value), dispatch);
      return true;
    }
    case 'ArrowLeft':
    case 'ArrowRight': {
      const box = layout.boxes.find((one) => one.key === state.selection);
      const row = layout.boxes.filter((one) => one.layer === box?.layer);
      const offset = key === 'ArrowRight' ? 1 : -1;
      select(row[row.findIndex((one) => one.key === state.selection) + offset]?.key, dispatch);
      return true;
    }
    default:
      return false;
  }
}

/** Key of the box that a value leaves: its own, or the collapsed group around it. */
function ownerOf(value: string, state: State, layout: Layout): string {
  const boxes = new Set(layout.boxes.map((box) => box.key));
  const view = currentFunction(state);
  let key: string | null = value;
  let group = view?.nodes.find((node) => node.key === value)?.group ?? null;
  while (!boxes.has(key) && group !== null) {
    key = group;
    const inside: string = group;
    group = view?.groups.find((one) => one.key === inside)?.parent ?? null;
  }
  return key;
}
