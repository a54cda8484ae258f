/** The loop nest as text with columns: code, kind, what it reads and writes. */

import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { DetailView, LoopRow } from '../protocol/generated.js';
import type { PaneProps } from './props.js';
import { nodeAt, spans, useLit } from './Tokens.js';

interface Props extends PaneProps {
  readonly detail: DetailView;
}

export function Loops({ detail, state, dispatch }: Props): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  useLit(root, state.hovered, detail);
  if (detail.loops.length === 0) {
    return <p class="wb-fact">{nothing(detail)}</p>;
  }
  return (
    <div
      ref={root}
      class="wb-loops"
      role="table"
      aria-label="Loops"
      onPointerOver={(event) => {
        dispatch({ type: 'hover', key: nodeAt(event.target) });
      }}
      onPointerLeave={() => {
        dispatch({ type: 'hover', key: null });
      }}
    >
      {detail.loops.map((row, index) => (
        <Row key={index} row={row} />
      ))}
    </div>
  );
}

function nothing(detail: DetailView): string {
  return detail.kind === 'library'
    ? 'a library call: its loops are not ours'
    : 'no loops yet: this operator has no tensor function until it is legalized';
}

function Row({ row }: { readonly row: LoopRow }): JSX.Element {
  const facts = accesses(row);
  return (
    <div class={`wb-loop wb-loop-${row.kind}`} role="row" data-node={row.node ?? undefined}>
      <span
        class="wb-loop-code"
        role="cell"
        title={row.code.map((token) => token.text).join('')}
        style={{ paddingLeft: `${14 * row.depth}px` }}
      >
        {spans(row.code)}
      </span>
      <span role="cell">
        {row.kind !== 'statement' && row.kind !== 'block' && (
          <span
            class={`wb-chip ${row.kind === 'serial' ? '' : 'wb-chip--strong'}`}
            title={row.extent}
          >
            {row.kind}
          </span>
        )}
      </span>
      <span class="wb-fact" role="cell" title={facts}>
        {row.note === '' ? facts : row.note}
      </span>
    </div>
  );
}

function accesses(row: LoopRow): string {
  const parts: string[] = [];
  if (row.reads.length > 0) {
    parts.push(`reads ${row.reads.join(', ')}`);
  }
  if (row.writes.length > 0) {
    parts.push(`writes ${row.writes.join(', ')}`);
  }
  return parts.join(' · ');
}
