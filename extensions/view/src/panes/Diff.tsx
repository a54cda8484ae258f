/** What differs between two steps: values by their keys, and the text of the module. */

import type { JSX } from 'preact';
import type { DiffLine, DiffView } from '../protocol/generated.js';
import type { PaneProps } from './props.js';

/** Lines drawn at once; the rest is counted. */
const LINES = 2000;

export function DiffPane({ state, dispatch }: PaneProps): JSX.Element | null {
  const diff = state.diff;
  if (diff === null) {
    return null;
  }
  const select = (key: string): void => {
    dispatch({ type: 'select', key });
  };
  return (
    <section class="wb-diff" aria-label={`Diff of step ${diff.a} and step ${diff.b}`}>
      <h3>
        Diff <span class="wb-fact">{diff.summary}</span>
        <span class="wb-buttons">
          <button
            type="button"
            class="wb-close"
            aria-label="Close the diff"
            onClick={() => {
              dispatch({ type: 'close-diff' });
            }}
          >
            ×
          </button>
        </span>
      </h3>
      <div class="wb-diff-body">
        <div class="wb-diff-graph" role="region" aria-label="Graph diff" tabIndex={0}>
          <Keys sign="+" word="new" keys={diff.added} diff={diff} select={select} />
          <Keys sign="-" word="gone" keys={diff.removed} diff={diff} select={null} />
          <Keys sign="~" word="rewritten" keys={diff.rewritten} diff={diff} select={select} />
          <Keys sign="⊂" word="fused" keys={diff.fused} diff={diff} select={select} />
          {diff.added.length + diff.removed.length + diff.rewritten.length + diff.fused.length ===
            0 && <p class="wb-fact">the graphs are the same</p>}
        </div>
        <pre class="wb-diff-text" role="region" aria-label="Text diff" tabIndex={0}>
          {diff.lines.slice(0, LINES).map((line, index) => (
            <Line key={index} line={line} />
          ))}
          {diff.lines.length > LINES && `… ${diff.lines.length - LINES} more lines`}
          {diff.lines.length === 0 && 'the texts are the same'}
        </pre>
      </div>
    </section>
  );
}

interface KeysProps {
  readonly sign: string;
  readonly word: string;
  readonly keys: readonly string[];
  readonly diff: DiffView;
  readonly select: ((key: string) => void) | null;
}

function Keys({ sign, word, keys, diff, select }: KeysProps): JSX.Element | null {
  if (keys.length === 0) {
    return null;
  }
  return (
    <>
      <h4>
        <span class="wb-sign">{sign}</span> {word} <span class="wb-fact">{keys.length}</span>
      </h4>
      <ul role="list">
        {keys.map((key) => (
          <li key={key}>
            {select === null ? (
              (diff.names[key] ?? key)
            ) : (
              <button
                type="button"
                class="wb-bar-name"
                onClick={() => {
                  select(key);
                }}
              >
                {diff.names[key] ?? key}
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

const LINE_CLASS: Readonly<Record<DiffLine['sign'], string>> = {
  ' ': 'wb-line',
  '+': 'wb-line wb-line--new',
  '-': 'wb-line wb-line--gone',
  '@': 'wb-line wb-line--place',
};

function Line({ line }: { readonly line: DiffLine }): JSX.Element {
  return (
    <span class={LINE_CLASS[line.sign]}>
      {line.sign === '@' ? '' : `${line.sign} `}
      {line.text}
      {'\n'}
    </span>
  );
}
