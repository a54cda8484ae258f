/** The title line: what is shown, how it stands, and what concerns the whole session. */

import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { StepView } from '../protocol/generated.js';
import { canAct, isApplying, moduleOf, stepOf } from '../store/selectors.js';
import type { State } from '../store/state.js';
import type { PaneProps } from './props.js';
import { verdictTone } from './words.js';

export function Title({ state, dispatch }: PaneProps): JSX.Element {
  const { session, chosen } = state;
  const head = session === null ? null : stepOf(state, session.head);
  const shown = stepOf(state, state.cursor);
  const live = canAct(state);
  return (
    <div class="wb-title">
      <span class="wb-title-name" title={session?.name}>
        {session?.name ?? 'workbench'}
      </span>
      <Functions state={state} dispatch={dispatch} />
      {head !== null && (
        <span class="wb-head" title={headText(head)}>
          {headText(head)}
        </span>
      )}
      <Verdict state={state} dispatch={dispatch} />
      <span class="wb-calls">{callsText(state)}</span>
      <Status state={state} />
      <span class="wb-buttons">
        {session !== null && state.cursor !== session.head && (
          <button
            type="button"
            disabled={!live}
            onClick={() => {
              dispatch({ type: 'checkout', step: state.cursor });
            }}
          >
            Make head
          </button>
        )}
        <button
          type="button"
          disabled={!live || (shown?.parent === null && chosen.length < 2)}
          title={
            chosen.length === 2
              ? 'Compare the two chosen steps'
              : 'Compare with the step before; choose two steps below for others'
          }
          onClick={() => {
            dispatch({ type: 'diff' });
          }}
        >
          Diff{chosen.length === 2 ? ` ${[...chosen].sort((a, b) => a - b).join(' · ')}` : ''}
        </button>
        <Memory state={state} dispatch={dispatch} />
        <Export state={state} dispatch={dispatch} />
        <button
          type="button"
          class="wb-primary"
          disabled={!live || state.job?.state === 'running'}
          title="Measure the import and the head, or the chosen steps"
          onClick={() => {
            dispatch({ type: 'compare' });
          }}
        >
          Compare
        </button>
      </span>
    </div>
  );
}

function headText(head: StepView): string {
  return `head: step ${head.index} · ${head.name}`;
}

/** Opens and closes the memory plan of the graph function that is drawn. */
function Memory({ state, dispatch }: PaneProps): JSX.Element | null {
  if (state.graph === '') {
    return null;
  }
  return (
    <button
      type="button"
      disabled={!canAct(state) && !state.memory}
      aria-expanded={state.memory}
      title="Where values lie while it runs"
      onClick={() => {
        dispatch({ type: 'memory', open: !state.memory });
      }}
    >
      Memory
    </button>
  );
}

/** The verdict on the step that is shown; where a value is wrong, a button that goes to it. */
function Verdict({ state, dispatch }: PaneProps): JSX.Element | null {
  const shown = stepOf(state, state.cursor);
  if (shown === null) {
    return null;
  }
  const { verdict } = shown;
  const where = state.cursor === state.session?.head ? '' : `step ${shown.index}: `;
  const tone = `wb-verdict wb-verdict--${verdictTone(verdict.state)}`;
  const { first } = verdict;
  const at = verdict.at !== '' && (
    <span class={`wb-verdict-at ${tone}`} title={verdict.at}>
      {verdict.at}
    </span>
  );
  if (first === null) {
    return (
      <>
        <span class={tone} title={where + verdict.text}>
          {where + verdict.text}
        </span>
        {at}
      </>
    );
  }
  return (
    <>
      <button
        type="button"
        class={`wb-link ${tone}`}
        title={`expected ${first.expected}, found ${first.found} at [${first.index.join(', ')}]: go to the value`}
        onClick={() => {
          dispatch({ type: 'select', key: first.node });
        }}
      >
        {where + verdict.text}
      </button>
      {at}
    </>
  );
}

/** The function that is drawn; a choice where there are several. */
function Functions({ state, dispatch }: PaneProps): JSX.Element {
  const functions = moduleOf(state, state.drawn)?.functions ?? [];
  if (functions.length < 2) {
    return state.graph === '' ? <></> : <span class="wb-function">@{state.graph}</span>;
  }
  return (
    <select
      class="wb-function"
      aria-label="Graph function"
      value={state.graph}
      onChange={(event) => {
        dispatch({ type: 'graph', name: event.currentTarget.value });
      }}
    >
      {functions.map((one) => (
        <option key={one.name} value={one.name}>
          @{one.name}
        </option>
      ))}
    </select>
  );
}

function total(calls: Readonly<Record<string, number>>): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0);
}

function callsText(state: State): string {
  const module = moduleOf(state, state.drawn);
  if (module === null) {
    return '';
  }
  if (module.functions.every((one) => one.name === '')) {
    const count = module.cards.length;
    return count === 1 ? '1 tensor function' : `${count} tensor functions`;
  }
  const now = total(module.calls);
  const before = total(module.calls_before);
  return before === 0 || before === now ? `${now} calls` : `${before} → ${now} calls`;
}

/** Milliseconds after which an answer counts as waiting: every request makes a kernel busy. */
const PATIENCE = 400;

/** How the view stands with its kernel, in words. */
function Status({ state }: { readonly state: State }): JSX.Element | null {
  const [late, setLate] = useState(false);
  const waiting = Object.keys(state.pending).length > 0;
  useEffect(() => {
    setLate(false);
    const timer = setTimeout(() => {
      setLate(waiting);
    }, PATIENCE);
    return () => {
      clearTimeout(timer);
    };
  }, [waiting]);
  const text = statusText(state, late);
  if (text === '') {
    return null;
  }
  return (
    <span class={`wb-status wb-status--${state.connection}`} role="status">
      {text}
    </span>
  );
}

/** `late`: an answer has been awaited for a while. */
export function statusText(state: State, late: boolean): string {
  switch (state.connection) {
    case 'saved':
      return 'saved picture: run the cell again';
    case 'connecting':
      return connectingText(state, late);
    case 'dead':
      return state.message.includes(AGAIN) ? state.message : deadText(state.message);
    case 'live':
      return late ? liveText(state) : (state.session?.kernel_note ?? '');
  }
}

/** The saved picture is there meanwhile, so that a short wait needs no words. */
function connectingText(state: State, late: boolean): string {
  const saved = state.session !== null;
  if (saved && !late) {
    return '';
  }
  if (state.busy) {
    return 'kernel busy: queued';
  }
  return saved ? 'saved picture: connecting…' : 'connecting…';
}

const AGAIN = 'run the cell again';

function deadText(message: string): string {
  return message === '' ? AGAIN : `${message}: ${AGAIN}`;
}

function liveText(state: State): string {
  const waiting = Object.values(state.pending);
  if (waiting.some((one) => one.type === 'measure' || one.type === 'compare')) {
    return '';
  }
  return isApplying(state) ? 'applying…' : 'kernel busy: queued';
}

function Export({ state, dispatch }: PaneProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const choose = (type: 'recipe' | 'script') => () => {
    setOpen(false);
    dispatch({ type });
  };
  return (
    <span
      class="wb-menu"
      onKeyDown={(event) => {
        if (event.key === 'Escape' && open) {
          event.preventDefault();
          setOpen(false);
        }
      }}
    >
      <button
        type="button"
        aria-haspopup="menu"
        aria-expanded={open}
        disabled={!canAct(state)}
        onClick={() => {
          setOpen(!open);
        }}
      >
        Export ▾
      </button>
      {open && (
        <span class="wb-menu-items" role="menu" aria-label="Export">
          <button type="button" role="menuitem" onClick={choose('recipe')}>
            Recipe: Python that repeats the steps
          </button>
          <button type="button" role="menuitem" onClick={choose('script')}>
            Script of the module
          </button>
        </span>
      )}
    </span>
  );
}
