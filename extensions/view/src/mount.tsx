/** Puts a view into an element and connects it with its surroundings. */

import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './panes/App.js';
import type { Host } from './panes/props.js';
import type { AnyIntent, Message, SavedView } from './protocol/generated.js';
import { VERSION } from './protocol/generated.js';
import { savedView } from './store/selectors.js';
import { createStore } from './store/store.js';

export interface Surroundings extends Host {
  /** Takes an intent to the kernel; called only while connected. */
  readonly send: (intent: AnyIntent) => void;
  /** Called when there is something new to save in the notebook. */
  readonly save?: (view: SavedView) => void;
}

/** A view in an element. */
export interface View {
  /** The transport is open; asks for the session of that key. */
  readonly connect: (key: string) => void;
  readonly disconnect: (message: string) => void;
  readonly receive: (message: Message) => void;
  readonly setBusy: (busy: boolean) => void;
  readonly dispose: () => void;
}

let views = 0;

/** Draws `saved` until the kernel answers. */
export function mount(node: HTMLElement, saved: SavedView | null, around: Surroundings): View {
  views += 1;
  const uid = `wb${views}`;
  const store = createStore(saved, around.send);
  const { state, dispatch } = store;
  render(<App signal={state} dispatch={dispatch} host={around} uid={uid} />, node);
  let last: SavedView | null = null;
  const stop = effect(() => {
    if (state.value.connection !== 'live' || around.save === undefined) {
      return;
    }
    const view = savedView(state.value);
    if (view !== null && !sameView(view, last)) {
      last = view;
      around.save(view);
    }
  });
  return {
    connect: (key) => {
      dispatch({ type: 'connected', key });
    },
    disconnect: (message) => {
      dispatch({ type: 'disconnected', message });
    },
    receive: (message) => {
      dispatch({ type: 'received', message });
    },
    setBusy: (busy) => {
      dispatch({ type: 'kernel-busy', busy });
    },
    dispose: () => {
      stop();
      render(null, node);
    },
  };
}

function sameView(a: SavedView, b: SavedView | null): boolean {
  return a.session === b?.session && a.module === b.module && a.detail === b.detail;
}

/** The saved data of a bundle, if this version can draw it. */
export function readSaved(data: unknown): SavedView | null {
  const saved = data as Partial<SavedView> | null | undefined;
  const drawable =
    saved?.version === VERSION && saved.session !== undefined && saved.module !== undefined;
  return drawable ? (saved as SavedView) : null;
}
