/** Diagnostics of a request that was refused, with their carets; nothing was lost. */

import type { JSX } from 'preact';
import type { PaneProps } from './props.js';

export function Failures({ state, dispatch }: PaneProps): JSX.Element | null {
  if (state.failures.length === 0) {
    return null;
  }
  return (
    <div class="wb-failures" role="alert">
      <button
        type="button"
        class="wb-close"
        aria-label="Close the message"
        onClick={() => {
          dispatch({ type: 'close-failures' });
        }}
      >
        ×
      </button>
      {state.failures.map((failure, index) => (
        <div key={index} class="wb-failure">
          <p>
            <span class="wb-failure-sign">{failure.severity === 'error' ? '✗' : '!'}</span>{' '}
            {failure.message} <code>{failure.code}</code>
          </p>
          {failure.text !== '' && failure.text !== failure.message && <pre>{failure.text}</pre>}
          {failure.notes.map((note, i) => (
            <p key={i} class="wb-fact">
              {note}
            </p>
          ))}
          {failure.hint !== '' && <p class="wb-fact">{failure.hint}</p>}
        </div>
      ))}
    </div>
  );
}
