/** Where the steps of a history stand: a column for each generation, a row for each branch. */

import type { StepView } from '../protocol/generated.js';

export interface Dot {
  readonly index: number;
  readonly column: number;
  readonly row: number;
}

export interface Link {
  readonly from: Dot;
  readonly to: Dot;
}

export interface Tree {
  readonly dots: readonly Dot[];
  readonly links: readonly Link[];
  readonly columns: number;
  readonly rows: number;
}

/**
 * The first child goes on in its parent's row; every later one opens the row below all others, so
 * no step that is there ever moves when another one comes.
 */
export function historyTree(steps: readonly StepView[]): Tree {
  const dots = new Map<number, Dot>();
  const links: Link[] = [];
  const continued = new Set<number>();
  let rows = 0;
  let columns = 0;
  for (const step of [...steps].sort((a, b) => a.index - b.index)) {
    const parent = step.parent === null ? undefined : dots.get(step.parent);
    const goesOn = parent !== undefined && !continued.has(parent.index);
    const row = goesOn ? parent.row : rows;
    rows = Math.max(rows, row + 1);
    const dot: Dot = {
      index: step.index,
      column: parent === undefined ? 0 : parent.column + 1,
      row,
    };
    columns = Math.max(columns, dot.column + 1);
    dots.set(step.index, dot);
    if (parent !== undefined) {
      continued.add(parent.index);
      links.push({ from: parent, to: dot });
    }
  }
  return { dots: [...dots.values()], links, columns, rows };
}
