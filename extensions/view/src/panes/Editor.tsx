/** The script of the node's function; a tensor function's can be edited, which makes a step. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { DetailView } from '../protocol/generated.js';
import { canAct } from '../store/selectors.js';
import type { PaneProps } from './props.js';
import { Script } from './Tokens.js';

interface Props extends PaneProps {
  readonly detail: DetailView;
}

export function Editor({ detail, state, dispatch }: Props): JSX.Element {
  if (detail.script.length === 0) {
    return <p class="wb-fact">no script for this value</p>;
  }
  if (state.editing === detail.node) {
    return <Draft key={detail.node} detail={detail} state={state} dispatch={dispatch} />;
  }
  return (
    <>
      {detail.editable && (
        <p class="wb-editor-bar">
          <button
            type="button"
            disabled={!canAct(state)}
            onClick={() => {
              dispatch({ type: 'edit', node: detail.node });
            }}
          >
            Edit
          </button>
        </p>
      )}
      <Script tokens={detail.script} label="Script" hovered={state.hovered} dispatch={dispatch} />
    </>
  );
}

function Draft({ detail, state, dispatch }: Props): JSX.Element {
  const [text, setText] = useState(() => detail.script.map((token) => token.text).join(''));
  return (
    <div class="wb-editor">
      <p class="wb-editor-bar">
        <button
          type="button"
          class="wb-primary"
          disabled={!canAct(state)}
          onClick={() => {
            dispatch({ type: 'edited', node: detail.node, text });
          }}
        >
          Apply edit
        </button>
        <button
          type="button"
          onClick={() => {
            dispatch({ type: 'edit', node: null });
          }}
        >
          Discard
        </button>
      </p>
      <textarea
        aria-label="Edit the script"
        spellcheck={false}
        rows={Math.min(24, text.split('\n').length + 1)}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Tab' && !event.shiftKey) {
            event.preventDefault();
            event.currentTarget.setRangeText(
              '    ',
              event.currentTarget.selectionStart,
              event.currentTarget.selectionEnd,
              'end',
            );
            setText(event.currentTarget.value);
          } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            dispatch({ type: 'edited', node: detail.node, text });
          }
        }}
      />
    </div>
  );
}
