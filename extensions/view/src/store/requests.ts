/** What the view asks the kernel for, before it has an id. */

import type { AnyIntent } from '../protocol/generated.js';
import type { State } from './state.js';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

/** An intent without its id. */
export type Request = WithoutId<AnyIntent>;

/** What has no answer of its own. */
const UNANSWERED: readonly Request['type'][] = ['cancel', 'select'];

/** The state with a request in its outbox; nothing where the same one is awaited already. */
export function ask(state: State, request: Request): State {
  if (state.connection !== 'live' && request.type !== 'open') {
    return state;
  }
  const text = JSON.stringify(request);
  if (Object.values(state.pending).some((other) => JSON.stringify(other) === text)) {
    return state;
  }
  const id = state.nextId;
  const pending = UNANSWERED.includes(request.type)
    ? state.pending
    : { ...state.pending, [id]: request };
  return {
    ...state,
    nextId: id + 1,
    pending,
    outbox: [...state.outbox, { ...request, id }],
  };
}

/** The state without the requests for measurements: the job that answers them has ended. */
export function measured(state: State): State {
  const pending = Object.fromEntries(
    Object.entries(state.pending).filter(
      ([, request]) => request.type !== 'measure' && request.type !== 'compare',
    ),
  );
  return { ...state, pending };
}

/** The state without the request of that id. */
export function answered(state: State, id: number | null): State {
  if (id === null || !(id in state.pending)) {
    return state;
  }
  const pending = Object.fromEntries(
    Object.entries(state.pending).filter(([key]) => key !== String(id)),
  );
  return { ...state, pending };
}
