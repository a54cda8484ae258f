/** A text to take away: the recipe, or the script of a module. */

import type { JSX } from 'preact';
import type { HostProps } from './props.js';
import { Script } from './Tokens.js';

export function SheetPane({ state, dispatch, host }: HostProps): JSX.Element | null {
  const sheet = state.sheet;
  if (sheet === null) {
    return null;
  }
  const insert = host.insertCell;
  return (
    <section class="wb-sheet" role="dialog" aria-label={sheet.title}>
      <h3>
        {sheet.title}
        <span class="wb-buttons">
          <button
            type="button"
            onClick={() => {
              void navigator.clipboard.writeText(sheet.text);
            }}
          >
            Copy
          </button>
          {sheet.cell && insert !== undefined && (
            <button
              type="button"
              disabled={state.connection !== 'live' || sheet.text === ''}
              onClick={() => {
                insert(sheet.text);
              }}
            >
              To next cell
            </button>
          )}
          <button
            type="button"
            class="wb-close"
            aria-label={`Close ${sheet.title}`}
            onClick={() => {
              dispatch({ type: 'close-sheet' });
            }}
          >
            ×
          </button>
        </span>
      </h3>
      <Script
        tokens={
          sheet.tokens.length > 0
            ? sheet.tokens
            : [{ text: sheet.text, style: 'plain', node: null }]
        }
        label={sheet.title}
        hovered={state.hovered}
        dispatch={dispatch}
      />
    </section>
  );
}
