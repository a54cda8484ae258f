/** State as a signal, events in, requests out. */

import { signal, type ReadonlySignal } from '@preact/signals';
import type { AnyIntent, SavedView } from '../protocol/generated.js';
import type { ViewEvent } from './events.js';
import { reduce } from './reducer.js';
import { initialState, type State } from './state.js';

export type Dispatch = (event: ViewEvent) => void;

export interface Store {
  readonly state: ReadonlySignal<State>;
  readonly dispatch: Dispatch;
}

/** A store whose requests go to `send`. */
export function createStore(saved: SavedView | null, send: (intent: AnyIntent) => void): Store {
  const state = signal(initialState(saved));
  const dispatch: Dispatch = (event) => {
    const next = reduce(state.value, event);
    const outbox = next.outbox;
    state.value = outbox.length === 0 ? next : reduce(next, { type: 'sent' });
    for (const intent of outbox) {
      send(intent);
    }
  };
  return { state, dispatch };
}
