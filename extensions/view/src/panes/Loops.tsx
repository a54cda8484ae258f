/** The loop nest as text with columns; a loop or block can be selected, a loop dragged. */

import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { DetailView, LoopRow, OfferView } from '../protocol/generated.js';
import { canAct } from '../store/selectors.js';
import { isLoop, moveOf, selectable, tried } from '../store/scheduling.js';
import { loopKey } from './loopkeys.js';
import { useLoopDrag, type Drag } from './loopdrag.js';
import type { PaneProps } from './props.js';
import { nodeAt, spans, useLit } from './Tokens.js';
import { answerMark } from './words.js';

interface Props extends PaneProps {
  readonly detail: DetailView;
}

export function Loops({ detail, state, dispatch }: Props): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  const drag = useLoopDrag(detail, state, dispatch);
  const { callee, loops } = detail;
  useLit(root, state.hovered, detail);
  useFollowed(root, state.place, detail);
  if (loops.length === 0) {
    return <p class="wb-fact">{nothing(detail)}</p>;
  }
  const places = loops.filter((row) => selectable(row, callee));
  const tab =
    [focused, state.place].find((key) => places.some((row) => row.node === key)) ??
    places[0]?.node ??
    null;
  return (
    <>
      <div
        ref={root}
        class={`wb-loops ${drag.from === null ? '' : 'wb-dragging'}`}
        role="treegrid"
        aria-label="Loops"
        onKeyDown={(event) => {
          if (loopKey(event, { detail, state, dispatch })) {
            event.preventDefault();
          }
        }}
        onFocusIn={(event) => {
          setFocused(nodeAt(event.target));
        }}
        onPointerOver={(event) => {
          dispatch({ type: 'hover', key: nodeAt(event.target) });
        }}
        onPointerLeave={() => {
          dispatch({ type: 'hover', key: null });
        }}
        {...drag.handlers}
      >
        {loops.map((row, position) => (
          <Row
            key={row.node ?? position}
            row={row}
            selected={row.node !== null && row.node === state.place}
            tab={row.node !== null && row.node === tab}
            open={selectable(row, callee)}
            answer={dropAnswer(drag, position, { detail, state, dispatch })}
            over={drag.over === position}
            choose={(spot) => {
              if (!drag.moved()) {
                dispatch({ type: 'place', key: row.node, ...(spot === '' ? {} : { spot }) });
              }
            }}
          />
        ))}
      </div>
      <Note drag={drag} detail={detail} state={state} dispatch={dispatch} />
    </>
  );
}

/** The selected row stays in sight, and keeps the focus where a row had it. */
function useFollowed(
  root: { readonly current: HTMLElement | null },
  place: string | null,
  detail: DetailView,
): void {
  const inside = useRef(false);
  inside.current = root.current?.contains(document.activeElement) ?? inside.current;
  useLayoutEffect(() => {
    const row = root.current?.querySelector<HTMLElement>('[aria-selected="true"]');
    if (row === null || row === undefined || root.current === null) {
      return;
    }
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
    const { scrollTop, clientHeight } = root.current;
    if (top < scrollTop || bottom > scrollTop + clientHeight) {
      root.current.scrollTop = Math.max(0, top - clientHeight / 3);
    }
    if (inside.current && document.activeElement === document.body) {
      row.focus({ preventScroll: true });
    }
  }, [root, place, detail]);
}

function nothing(detail: DetailView): string {
  switch (detail.kind) {
    case 'library':
      return 'a library call: its loops are not ours';
    case 'branch':
      return 'a branch: the loops are those of the calls in its arms';
    case 'function':
      return 'a call of a graph function: the loops are those of the calls in it';
    case 'input':
      return 'an input: nothing computes it';
    case 'op':
      return 'no loops yet: this operator has no tensor function until it is legalized';
    default:
      return 'no loops: nothing is computed here';
  }
}

/** What the kernel says of dropping the dragged loop on a row; `null` where that means nothing. */
function dropAnswer(drag: Drag, position: number, { detail, state }: Props): OfferView | null {
  if (drag.from === null || !drag.targets.includes(position)) {
    return null;
  }
  const move = moveOf(detail.loops, drag.from, position, detail.callee ?? '');
  return move === null ? null : tried(state, move);
}

/** Under the nest: how to begin; while dragging, what dropping here would do, or why not. */
function Note(props: Props & { readonly drag: Drag }): JSX.Element | null {
  const { drag, detail, state } = props;
  if (drag.from !== null) {
    return (
      <p class="wb-loop-note" role="status">
        {dropText(drag, drag.from, props)}
      </p>
    );
  }
  const useless = detail.callee === null || state.place !== null || !canAct(state);
  return useless ? null : (
    <p class="wb-fact wb-loop-note">select a loop for what applies there, drag it to reorder</p>
  );
}

function dropText(drag: Drag, from: number, props: Props): string {
  const name = props.detail.loops[from]?.name ?? '';
  if (drag.over === null || drag.over === from) {
    return `drop ${name} on another loop of its nest`;
  }
  if (!drag.targets.includes(drag.over)) {
    return `${name} and this row are not loops of one nest`;
  }
  const answer = dropAnswer(drag, drag.over, props);
  if (answer === null) {
    return 'checking…';
  }
  return answer.answer === 'applies'
    ? `✓ drop for the order ${answer.choices[0]?.label ?? ''}`
    : [`${answerMark(answer.answer)}: ${answer.reason}`, ...answer.notes].join('; ');
}

interface RowProps {
  readonly row: LoopRow;
  readonly selected: boolean;
  readonly tab: boolean;
  readonly open: boolean;
  readonly answer: OfferView | null;
  readonly over: boolean;
  readonly choose: (spot: string) => void;
}

function Row({ row, selected, tab, open, answer, over, choose }: RowProps): JSX.Element {
  const refused = answer !== null && answer.answer !== 'applies';
  const refusal = refused ? `${answerMark(answer.answer)}: ${answer.reason}` : '';
  const marks = [
    open && 'wb-loop--open',
    selected && 'wb-loop--selected',
    refused && 'wb-loop--refused',
    over && 'wb-loop--over',
  ];
  return (
    <div
      class={[`wb-loop wb-loop-${row.kind}`, ...marks].filter(Boolean).join(' ')}
      role="row"
      aria-level={row.depth + 1}
      aria-selected={open ? selected : undefined}
      tabIndex={open ? (tab ? 0 : -1) : undefined}
      data-node={row.node ?? undefined}
      title={refused ? refusal : undefined}
      onClick={() => {
        if (open) {
          choose('');
        }
      }}
      onDblClick={() => {
        if (open && isLoop(row)) {
          choose('Split');
        }
      }}
    >
      <Cells row={row} refusal={refusal} />
    </div>
  );
}

interface CellsProps {
  readonly row: LoopRow;
  readonly refusal: string;
}

function Cells({ row, refusal }: CellsProps): JSX.Element {
  const facts = accesses(row);
  const code = row.code.map((token) => token.text).join('');
  const chip = row.kind !== 'statement' && row.kind !== 'block';
  const shown = refusal !== '' ? refusal : row.note === '' ? facts : row.note;
  return (
    <>
      <span
        class="wb-loop-code"
        role="gridcell"
        title={code}
        style={{ paddingLeft: `${14 * row.depth}px` }}
      >
        {spans(row.code)}
      </span>
      {chip && (
        <span role="gridcell">
          <span
            class={`wb-chip ${row.kind === 'serial' ? '' : 'wb-chip--strong'}`}
            title={row.extent}
          >
            {row.kind}
          </span>
        </span>
      )}
      {shown !== '' && (
        <span class="wb-fact wb-loop-facts" role="gridcell" title={refusal || facts}>
          {shown}
        </span>
      )}
      {row.cost !== '' && refusal === '' && (
        <span class="wb-fact wb-loop-cost" role="gridcell" title={row.cost_detail}>
          {row.cost}
        </span>
      )}
    </>
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
