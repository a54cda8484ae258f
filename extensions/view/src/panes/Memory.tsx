/** The memory plan: values as boxes over steps and bytes, and the same as a table. */

import { useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { BlockView, MemoryView } from '../protocol/generated.js';
import { memoryOf } from '../store/selectors.js';
import type { Dispatch } from '../store/store.js';
import type { PaneProps } from './props.js';
import { bytesText, fitted } from './words.js';

const TOP = 10;
const LEFT = 66;
const RIGHT = 10;
const HEIGHT = 220;
const BOTTOM = 20;
/** Pixels that the steps should take together, and each of them at least and at most. */
const ROOM = 700;
const NARROW = 5;
const WIDE = 120;
/** Boxes drawn and rows listed at once: the largest values; the rest is counted. */
const MOST = 1500;
const ROWS = 300;

const REUSE: Readonly<Record<BlockView['reuse'], string>> = {
  fresh: 'memory of its own',
  reuse: 'where another value was',
  'in-place': 'in place of another value',
};

export function MemoryPane({ state, dispatch }: PaneProps): JSX.Element | null {
  const memory = memoryOf(state);
  if (!state.memory) {
    return null;
  }
  return (
    <section class="wb-memory" aria-label="Memory">
      <h3>
        Memory <span class="wb-fact">{memory?.summary ?? 'planning…'}</span>
        {memory?.written === true && <span class="wb-fact">followed by builds</span>}
        <span class="wb-buttons">
          <button
            type="button"
            class="wb-close"
            aria-label="Close the memory plan"
            onClick={() => {
              dispatch({ type: 'memory', open: false });
            }}
          >
            ×
          </button>
        </span>
      </h3>
      {memory?.notes.map((note) => (
        <p key={note} class="wb-fact">
          {note}
        </p>
      ))}
      {memory !== null && memory.blocks.length > 0 && (
        <Plan memory={memory} state={state} dispatch={dispatch} />
      )}
    </section>
  );
}

interface PlanProps extends PaneProps {
  readonly memory: MemoryView;
}

function Plan({ memory, state, dispatch }: PlanProps): JSX.Element {
  const [at, setAt] = useState(0);
  const shown = drawn(memory.blocks);
  const block = shown[Math.min(at, shown.length - 1)];
  return (
    <>
      <Keys />
      <Chart
        memory={memory}
        blocks={shown}
        at={Math.min(at, shown.length - 1)}
        selection={state.selection}
        hovered={state.hovered}
        look={setAt}
        dispatch={dispatch}
      />
      {block !== undefined && (
        <p class="wb-memory-note" role="note" aria-label="Value in memory">
          <code>{block.name}</code> {blockText(block)}
        </p>
      )}
      <details class="wb-memory-values">
        <summary>Values as a table</summary>
        <Table blocks={memory.blocks} dispatch={dispatch} />
      </details>
    </>
  );
}

/** All blocks in program order, or the largest ones where they are too many. */
function drawn(blocks: readonly BlockView[]): readonly BlockView[] {
  if (blocks.length <= MOST) {
    return blocks;
  }
  const least = blocks.map((block) => block.bytes).sort((a, b) => b - a)[MOST - 1] ?? 0;
  return blocks.filter((block) => block.bytes >= least).slice(0, MOST);
}

function Keys(): JSX.Element {
  return (
    <p class="wb-memory-keys" role="note" aria-label="Colours of the memory plan">
      {Object.entries(REUSE).map(([kind, words]) => (
        <span key={kind} class={`wb-memory-key wb-reuse-${kind}`}>
          {words}
        </span>
      ))}
      <span class="wb-memory-key wb-returned">returned</span>
      <span class="wb-fact">— — peak of the arena, ── in use</span>
    </p>
  );
}

interface ChartProps {
  readonly memory: MemoryView;
  readonly blocks: readonly BlockView[];
  readonly at: number;
  readonly selection: string | null;
  readonly hovered: string | null;
  readonly look: (index: number) => void;
  readonly dispatch: Dispatch;
}

function Chart({ memory, blocks, at, selection, hovered, look, dispatch }: ChartProps): JSX.Element {
  const picture = useRef<SVGSVGElement>(null);
  const count = Math.max(1, memory.steps.length);
  const across = Math.max(NARROW, Math.min(WIDE, ROOM / count));
  const up = (HEIGHT - TOP) / Math.max(1, memory.total);
  const width = LEFT + count * across + RIGHT;
  const y = (bytes: number): number => TOP + (memory.total - bytes) * up;
  const go = (index: number): void => {
    const next = Math.max(0, Math.min(blocks.length - 1, index));
    look(next);
    picture.current?.querySelectorAll<SVGGElement>('[role="button"]')[next]?.focus();
  };
  return (
    <div
      class="wb-memory-chart"
      role="group"
      aria-label="Chart of the memory plan"
      tabIndex={0}
    >
      <svg ref={picture} width={width} height={HEIGHT + BOTTOM}>
        <path class="wb-axis" d={`M${LEFT} ${TOP}V${HEIGHT}H${width - RIGHT}`} />
        {blocks.map((block, index) => (
          <Box
            key={index}
            block={block}
            count={count}
            across={across}
            top={y(block.offset + block.bytes)}
            height={Math.max(1, block.bytes * up)}
            focusable={index === at}
            marks={marks(block, selection, hovered)}
            look={() => {
              look(index);
              dispatch({ type: 'hover', key: block.node });
            }}
            leave={() => {
              dispatch({ type: 'hover', key: null });
            }}
            select={() => {
              look(index);
              dispatch({ type: 'select', key: block.node });
            }}
            go={(offset) => {
              go(index + offset);
            }}
          />
        ))}
        <path class="wb-live" d={liveLine(memory, across, y)} />
        <path class="wb-peak" d={`M${LEFT} ${y(memory.peak)}H${width - RIGHT}`} />
        <text class="wb-memory-text" x={LEFT - 6} y={y(memory.peak) + 4} text-anchor="end">
          {bytesText(memory.peak)}
        </text>
        <text class="wb-memory-text" x={LEFT} y={HEIGHT + 14}>
          {memory.steps[0]}
        </text>
        <text class="wb-memory-text" x={width - RIGHT} y={HEIGHT + 14} text-anchor="end">
          {count > 1 ? memory.steps[count - 1] : ''}
        </text>
      </svg>
    </div>
  );
}

function marks(block: BlockView, selection: string | null, hovered: string | null): string {
  const returned = block.returned ? ' wb-returned' : '';
  const selected = block.node === selection ? ' wb-selected' : '';
  const lit = block.node === hovered ? ' wb-hovered' : '';
  return `wb-block wb-reuse-${block.reuse}${returned}${selected}${lit}`;
}

/** The bytes in use, step by step. */
function liveLine(memory: MemoryView, across: number, y: (bytes: number) => number): string {
  return memory.live
    .map((bytes, step) => `${step === 0 ? 'M' : 'L'}${LEFT + step * across} ${y(bytes)}h${across}`)
    .join('');
}

interface BoxProps {
  readonly block: BlockView;
  readonly count: number;
  readonly across: number;
  readonly top: number;
  readonly height: number;
  readonly focusable: boolean;
  readonly marks: string;
  readonly look: () => void;
  readonly leave: () => void;
  readonly select: () => void;
  readonly go: (offset: number) => void;
}

function Box(props: BoxProps): JSX.Element {
  const { block, across, top, height } = props;
  const first = block.first + (block.reuse === 'in-place' ? 0.5 : 0);
  const last = Math.min(block.last, props.count - 1);
  const x = LEFT + first * across;
  const width = Math.max(2, (last + 1 - first) * across - 1);
  return (
    <g
      class={props.marks}
      role="button"
      tabIndex={props.focusable ? 0 : -1}
      aria-label={`${block.name}: ${blockText(block)}`}
      onClick={props.select}
      onMouseEnter={props.look}
      onMouseLeave={props.leave}
      onFocus={props.look}
      onBlur={props.leave}
      onKeyDown={(event) => {
        const offset = MOVES[event.key];
        if (offset !== undefined) {
          event.preventDefault();
          props.go(offset);
        } else if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          props.select();
        }
      }}
    >
      <rect x={x} y={top} width={width} height={height} rx={2} />
      {height >= 13 && width >= 18 && (
        <text class="wb-memory-name" x={x + 4} y={top + height / 2 + 4}>
          {fitted(block.name, width - 8, 6.4)}
        </text>
      )}
    </g>
  );
}

/** Keys that go through the values in program order. */
const MOVES: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowDown: 1,
  ArrowLeft: -1,
  ArrowUp: -1,
  Home: -Infinity,
  End: Infinity,
};

/** Where a value lies, how long, and why not elsewhere, in words. */
export function blockText(block: BlockView): string {
  const until = block.returned ? 'returned' : `until step ${block.last}`;
  return [`${block.size}, from step ${block.first}, ${until}`, placeText(block), ...block.missed].join(
    '; ',
  );
}

function placeText(block: BlockView): string {
  switch (block.reuse) {
    case 'fresh':
      return REUSE.fresh;
    case 'reuse':
      return `where ${block.source} was`;
    case 'in-place':
      return `in place of ${block.source}`;
  }
}

interface TableProps {
  readonly blocks: readonly BlockView[];
  readonly dispatch: Dispatch;
}

function Table({ blocks, dispatch }: TableProps): JSX.Element {
  return (
    <div class="wb-memory-table" role="region" aria-label="Values of the memory plan" tabIndex={0}>
      <table class="wb-operators" aria-label="Memory plan">
        <thead>
          <tr>
            {['value', 'bytes', 'at', 'steps', 'place'].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {blocks.slice(0, ROWS).map((block, index) => (
            <tr key={index}>
              <th scope="row">
                <button
                  type="button"
                  class="wb-bar-name"
                  onClick={() => {
                    dispatch({ type: 'select', key: block.node });
                  }}
                >
                  {block.name}
                </button>
              </th>
              <td>{block.size}</td>
              <td>{block.returned ? 'returned' : block.offset}</td>
              <td>
                {block.first} to {block.returned ? 'end' : block.last}
              </td>
              <td>{[placeText(block), ...block.missed].join('; ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {blocks.length > ROWS && <p class="wb-fact">and {blocks.length - ROWS} more</p>}
    </div>
  );
}
