/** Scheduling by hand: the selected loop, what was tried there, and moves that wait for an answer. */

import type { LoopRow, OfferView, Try } from '../protocol/generated.js';
import { ask } from './requests.js';
import { detail, stepOf } from './selectors.js';
import { detailKey, type State } from './state.js';

export type Arguments = Try['arguments'];

/** A primitive with its parameters. */
export interface Move {
  readonly name: string;
  readonly arguments: Arguments;
}

export function tryKey(step: number, move: Move): string {
  return `${step}|${move.name}|${JSON.stringify(move.arguments)}`;
}

/** What the kernel said about a move on the step that is shown; null where it has not yet. */
export function tried(state: State, move: Move): OfferView | null {
  return state.tried[tryKey(state.cursor, move)] ?? null;
}

/** Whether a row is a loop or block of a function of the module. */
export function selectable(row: LoopRow, callee: string | null): boolean {
  return callee !== null && row.node !== null && row.name !== '';
}

/** The row of the selected loop or block. */
export function placedRow(state: State): LoopRow | null {
  const known = detail(state);
  if (state.place === null || known === null) {
    return null;
  }
  const row = known.loops.find((one) => one.node === state.place && one.name !== '');
  return row !== undefined && selectable(row, known.callee) ? row : null;
}

/** What applies at the selected loop or block; null while it is awaited. */
export function offers(state: State): readonly OfferView[] | null {
  return state.place === null
    ? null
    : (state.offers[detailKey(state.drawn, state.place)] ?? null);
}

/** The state with a place selected; `spot` names the primitive to go to. */
export function atPlace(state: State, place: string | null, spot: string | null): State {
  return { ...state, place, spot, refusal: null, proposal: null, wanted: null, refused: [] };
}

/** Asks whether a move applies, once. */
export function tryMove(state: State, move: Move): State {
  return tried(state, move) !== null
    ? state
    : ask(state, { type: 'try', step: state.cursor, place: state.place ?? '', ...move });
}

/** Performs a move where it applies; else says why not. Asks first where that is not known. */
export function attempt(before: State, move: Move): State {
  const state: State = { ...before, failures: [], refusal: null };
  const known = tried(state, move);
  if (known === null) {
    return { ...tryMove(state, move), wanted: tryKey(state.cursor, move) };
  }
  return settle(state, move, known);
}

/** The answer to a `try`; a move that waits for it is performed or refused. */
export function answeredTry(before: State, asked: Try | Omit<Try, 'id'>, offer: OfferView): State {
  const move = { name: asked.name, arguments: asked.arguments };
  const key = tryKey(asked.step, move);
  const state: State = { ...before, tried: { ...before.tried, [key]: offer } };
  return state.wanted === key && state.cursor === asked.step ? settle(state, move, offer) : state;
}

function settle(before: State, move: Move, offer: OfferView): State {
  const state: State = { ...before, wanted: null };
  if (offer.answer !== 'applies') {
    return { ...state, refusal: offer, announcement: refusalText(offer) };
  }
  const choice = offer.choices[0]?.arguments ?? move.arguments;
  return ask(state, { type: 'perform', step: state.cursor, name: move.name, arguments: choice });
}

export function refusalText(offer: OfferView): string {
  const label = offer.choices[0]?.label ?? '';
  return `${offer.name}${label === '' ? '' : ` ${label}`}, ${offer.answer}: ${offer.reason}`;
}

/** What a refused `try` says, as an offer that does not apply. */
export function refusedTry(name: string, reason: string): OfferView {
  const answer = 'inapplicable' as const;
  return { name, answer, doc: '', reason, notes: [], hint: '', choices: [], own: '' };
}

/** The number of the first primitive that the view knows nothing of at the place; else null. */
export function wantsOffers(state: State): number | null {
  const ready = placedRow(state) !== null && state.drawn === state.cursor;
  if (!ready || state.place === null) {
    return null;
  }
  const next = state.offersNext[detailKey(state.cursor, state.place)];
  return next === undefined ? 0 : next;
}

/** Where a loop is on another step: primitives on the way replaced it, or what it came from. */
export function placeAt(state: State, place: string, from: number, to: number): string {
  const above = chain(state, to);
  let found = place;
  let at: number | null = from;
  while (at !== null && !above.includes(at)) {
    const step = stepOf(state, at);
    const now = found;
    found = Object.entries(step?.became ?? {}).find(([, made]) => made === now)?.[0] ?? found;
    at = step?.parent ?? null;
  }
  const common = at === null ? -1 : above.indexOf(at);
  for (const index of above.slice(common + 1)) {
    found = stepOf(state, index)?.became[found] ?? found;
  }
  return found;
}

/** The steps from the import to this one. */
function chain(state: State, step: number): number[] {
  const found: number[] = [];
  for (let at: number | null = step; at !== null;) {
    found.unshift(at);
    at = stepOf(state, at)?.parent ?? null;
  }
  return found;
}

// --- moving a loop ------------------------------------------------------------------------------

const LOOPS: readonly LoopRow['kind'][] = [
  'serial',
  'parallel',
  'vectorized',
  'unrolled',
  'thread',
];

export function isLoop(row: LoopRow): boolean {
  return LOOPS.includes(row.kind) && row.name !== '';
}

/** Positions of the loops around a row, outermost first. */
export function around(rows: readonly LoopRow[], position: number): number[] {
  const found: number[] = [];
  let depth = rows[position]?.depth ?? 0;
  for (let at = position - 1; at >= 0; at -= 1) {
    const row = rows[at];
    if (row !== undefined && row.depth < depth) {
      depth = row.depth;
      if (isLoop(row)) {
        found.unshift(at);
      }
    }
  }
  return found;
}

/** Positions of the loops that a loop can be dropped on: those around it and those inside of it. */
export function targets(rows: readonly LoopRow[], position: number): number[] {
  const moved = rows[position];
  if (moved === undefined || !isLoop(moved)) {
    return [];
  }
  const inside: number[] = [];
  for (let at = position + 1; at < rows.length; at += 1) {
    const row = rows[at];
    if (row === undefined || row.depth <= moved.depth) {
      break;
    }
    if (isLoop(row)) {
      inside.push(at);
    }
  }
  return [...around(rows, position), ...inside];
}

/** The reorder that puts a loop where another one is; null where they are not in one nest. */
export function moveOf(
  rows: readonly LoopRow[],
  from: number,
  to: number,
  callee: string,
): Move | null {
  const [outer, inner] = from < to ? [from, to] : [to, from];
  const path = [...around(rows, inner), inner].filter((at) => at >= outer);
  if (path[0] !== outer || path.length < 2) {
    return null;
  }
  const order =
    from === outer ? [...path.slice(1), outer] : [inner, ...path.slice(0, path.length - 1)];
  const loops = order.map((at) => rows[at]?.name ?? '');
  return { name: 'Reorder', arguments: { function: callee, loops } };
}
