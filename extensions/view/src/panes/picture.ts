/** What is drawn: the layout of the current function, the one before until it is there. */

import { useRef, useState } from 'preact/hooks';
import { Layouts } from '../layout/away.js';
import type { Layout } from '../layout/index.js';
import type { FunctionView } from '../protocol/generated.js';
import { currentFunction } from '../store/selectors.js';
import type { State } from '../store/state.js';

/** A function with its layout: they always belong together. */
export interface Drawing {
  readonly view: FunctionView;
  readonly layout: Layout;
}

const layouts = new Layouts();

/** The drawing to show; null before the first one. */
export function useDrawing(state: State): Drawing | null {
  const [, redraw] = useState(0);
  const owner = useRef({});
  const shown = useRef<Drawing | null>(null);
  const view = currentFunction(state);
  if (view === null) {
    shown.current = null;
    return null;
  }
  const layout = layouts.get(owner.current, view, state.folds, () => {
    redraw((count) => count + 1);
  });
  if (layout !== null && (shown.current?.view !== view || shown.current.layout !== layout)) {
    shown.current = { view, layout };
  }
  return shown.current;
}
