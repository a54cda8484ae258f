/** Dragging a loop row onto another one of its nest. */

import type { TargetedPointerEvent } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { DetailView } from '../protocol/generated.js';
import { canAct } from '../store/selectors.js';
import { isLoop, moveOf, selectable, targets } from '../store/scheduling.js';
import type { Dispatch } from '../store/store.js';
import type { State } from '../store/state.js';

const SLACK = 5;
/** As many targets are asked about when a drag begins; further ones when they are reached. */
const ASKED_AT_ONCE = 10;

export interface Drag {
  /** Position of the dragged row; null where nothing is dragged. */
  readonly from: number | null;
  /** Position of the row under the pointer. */
  readonly over: number | null;
  readonly targets: readonly number[];
  readonly handlers: Handlers;
  /** Whether the last press was a drag and no click. */
  readonly moved: () => boolean;
}

type Pointer = TargetedPointerEvent<HTMLDivElement>;

interface Handlers {
  readonly onPointerDown: (event: Pointer) => void;
  readonly onPointerMove: (event: Pointer) => void;
  readonly onPointerUp: () => void;
  readonly onPointerCancel: () => void;
}

interface Pressed {
  /** The row's node: its position changes where an answer comes meanwhile. */
  readonly node: string;
  readonly x: number;
  readonly y: number;
}

export function useLoopDrag(detail: DetailView, state: State, dispatch: Dispatch): Drag {
  const pressed = useRef<Pressed | null>(null);
  const moved = useRef(false);
  const [active, setActive] = useState<{ from: number; over: number | null } | null>(null);
  const callee = detail.callee ?? '';

  const ask = (from: number, to: number): void => {
    const move = moveOf(detail.loops, from, to, callee);
    if (move !== null) {
      dispatch({ type: 'try', ...move });
    }
  };
  const begin = (from: number): void => {
    moved.current = true;
    const key = detail.loops[from]?.node ?? null;
    if (key !== state.place) {
      dispatch({ type: 'place', key });
    }
    for (const to of targets(detail.loops, from).slice(0, ASKED_AT_ONCE)) {
      ask(from, to);
    }
  };
  const end = (drop: boolean): void => {
    pressed.current = null;
    if (active === null) {
      return;
    }
    setActive(null);
    const { from, over } = active;
    const move = !drop || over === null ? null : moveOf(detail.loops, from, over, callee);
    if (move !== null && canAct(state)) {
      dispatch({ type: 'attempt', ...move });
    }
  };
  return {
    from: active?.from ?? null,
    over: active?.over ?? null,
    targets: active === null ? [] : targets(detail.loops, active.from),
    moved: () => moved.current,
    handlers: {
      onPointerDown: (event) => {
        moved.current = false;
        const position = positionAt(event.currentTarget, event.clientX, event.clientY);
        const row = position === null ? undefined : detail.loops[position];
        pressed.current = null;
        if (event.button === 0 && row !== undefined && isLoop(row) && row.node !== null) {
          pressed.current = selectable(row, detail.callee)
            ? { node: row.node, x: event.clientX, y: event.clientY }
            : null;
        }
      },
      onPointerMove: (event) => {
        const start = pressed.current;
        if (start === null) {
          return;
        }
        const far = Math.abs(event.clientX - start.x) + Math.abs(event.clientY - start.y) >= SLACK;
        const from = detail.loops.findIndex((row) => row.node === start.node);
        const ready = canAct(state) && state.cursor === state.drawn;
        if (from < 0 || (active === null && !(far && ready))) {
          return;
        }
        if (active === null) {
          event.currentTarget.setPointerCapture(event.pointerId);
          begin(from);
        }
        const over = positionAt(event.currentTarget, event.clientX, event.clientY);
        if (active === null || active.over !== over) {
          setActive({ from, over });
          if (over !== null && over !== from) {
            ask(from, over);
          }
        }
      },
      onPointerUp: () => {
        end(true);
      },
      onPointerCancel: () => {
        end(false);
      },
    },
  };
}

/** Position of the row at a point of the page. */
function positionAt(list: HTMLElement, x: number, y: number): number | null {
  const rows = [...list.querySelectorAll<HTMLElement>('[role="row"]')];
  const found = rows.findIndex((row) => {
    const box = row.getBoundingClientRect();
    return x >= box.left && x <= box.right && y >= box.top && y < box.bottom;
  });
  return found < 0 ? null : found;
}
