/** Keys of the loop rows: arrows move, Enter selects, Alt+arrows reorder. */

import type { DetailView } from '../protocol/generated.js';
import { around, moveOf, selectable, targets } from '../store/scheduling.js';
import type { PaneProps } from './props.js';
import { nodeAt } from './Tokens.js';

interface Context extends PaneProps {
  readonly detail: DetailView;
}

/** Does what the key means; false where it means nothing here. */
export function loopKey(event: KeyboardEvent, context: Context): boolean {
  const { detail, state, dispatch } = context;
  const key = nodeAt(event.target);
  const position = detail.loops.findIndex((row) => row.node === key);
  if (event.ctrlKey || event.metaKey || key === null || position < 0) {
    return false;
  }
  if (event.altKey) {
    return shift(event.key, position, context);
  }
  const list = event.currentTarget as HTMLElement;
  switch (event.key) {
    case 'ArrowDown':
    case 'ArrowUp':
      focusRow(list, neighbour(detail, position, event.key === 'ArrowDown' ? 1 : -1));
      return true;
    case 'Home':
    case 'End':
      focusRow(list, event.key === 'Home' ? first(detail, 1) : first(detail, -1));
      return true;
    case ' ':
    case 'Enter':
      if (state.place === key) {
        offersOf(list)?.focus();
      } else {
        dispatch({ type: 'place', key });
      }
      return true;
    default:
      return false;
  }
}

/** The next row in that direction that can be selected. */
function neighbour(detail: DetailView, position: number, offset: number): string | null {
  for (let at = position + offset; at >= 0 && at < detail.loops.length; at += offset) {
    const row = detail.loops[at];
    if (row !== undefined && selectable(row, detail.callee)) {
      return row.node;
    }
  }
  return null;
}

function first(detail: DetailView, offset: 1 | -1): string | null {
  return neighbour(detail, offset === 1 ? -1 : detail.loops.length, offset);
}

function focusRow(list: HTMLElement, key: string | null): void {
  const rows = [...list.querySelectorAll<HTMLElement>('[role="row"][data-node]')];
  rows.find((row) => row.getAttribute('data-node') === key)?.focus();
}

/** The first thing to press in what applies at the selected row. */
function offersOf(list: HTMLElement): HTMLElement | null {
  const details = list.closest('.wb-detail');
  return details?.querySelector<HTMLElement>('.wb-offer [role="radio"], .wb-offer button') ?? null;
}

/** Alt+Up puts the loop around the next outer one, Alt+Down into the next inner one. */
function shift(
  pressed: string,
  position: number,
  { detail, state, dispatch }: Context,
): boolean {
  if (pressed !== 'ArrowUp' && pressed !== 'ArrowDown') {
    return false;
  }
  const to =
    pressed === 'ArrowUp'
      ? around(detail.loops, position).at(-1)
      : targets(detail.loops, position).find((at) => at > position);
  const move = to === undefined ? null : moveOf(detail.loops, position, to, detail.callee ?? '');
  const key = detail.loops[position]?.node ?? null;
  if (move !== null && state.connection === 'live') {
    if (state.place !== key) {
      dispatch({ type: 'place', key });
    }
    dispatch({ type: 'attempt', ...move });
  }
  return true;
}
