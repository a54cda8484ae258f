/** The worker's end: lays out what it is sent, in the order in which it comes. */

import type { FunctionView } from '../protocol/generated.js';
import { layout } from './index.js';
import type { Folds, Layout } from './model.js';

/** What the worker is asked: views are sent once, folds each time. */
export interface Question {
  readonly id: number;
  readonly view: number;
  /** The function of that number, where the worker does not know it yet. */
  readonly graph: FunctionView | null;
  readonly folds: Folds;
}

export interface Reply {
  readonly id: number;
  readonly layout: Layout;
}

/** So many functions the worker remembers; older ones are sent again. */
export const REMEMBERED = 8;

/** A worker's memory: answers a question, null where it does not know the function. */
export function answering(): (question: Question) => Reply | null {
  const known = new Map<number, FunctionView>();
  return ({ id, view, graph, folds }) => {
    const found = graph ?? known.get(view);
    if (found === undefined) {
      return null;
    }
    known.delete(view);
    known.set(view, found);
    for (const old of [...known.keys()].slice(0, -REMEMBERED)) {
      known.delete(old);
    }
    return { id, layout: layout(found, folds) };
  };
}
