/** The implementations of the selected call: measure them, use one. */

import type { JSX } from 'preact';
import type { BarView, DetailView, ImplementationView } from '../protocol/generated.js';
import { canAct, measurement } from '../store/selectors.js';
import { Bar, longest } from './Bars.js';
import type { PaneProps } from './props.js';

interface Props extends PaneProps {
  readonly detail: DetailView;
}

export function Swap({ detail, state, dispatch }: Props): JSX.Element | null {
  if (detail.implementations.length === 0) {
    return null;
  }
  const found = measurement(state);
  const scale = found === null ? 0 : longest(found.bars);
  const running = state.job?.state === 'running';
  const comparing = Object.values(state.pending).some((one) => one.type === 'compare');
  return (
    <section class="wb-swap" aria-label="Swap">
      <h3>
        Swap the implementation
        {found !== null && <span class="wb-fact">median · max error</span>}
        <span class="wb-buttons">
          {!comparing && <Progress state={state} dispatch={dispatch} />}
          <button
            type="button"
            disabled={!canAct(state) || running}
            onClick={() => {
              dispatch({ type: 'measure', node: detail.node });
            }}
          >
            Measure
          </button>
        </span>
      </h3>
      <ul role="list">
        {detail.implementations.map((one) => (
          <Row
            key={one.name}
            one={one}
            bar={found?.bars.find((bar) => (bar.implementation ?? bar.name) === one.name) ?? null}
            scale={scale}
            detail={detail}
            state={state}
            dispatch={dispatch}
          />
        ))}
      </ul>
      {found !== null && found.conditions !== '' && <p class="wb-fact">{found.conditions}</p>}
    </section>
  );
}

/** The running job with its Cancel button; afterwards, how it ended if not well. */
export function Progress({ state, dispatch }: PaneProps): JSX.Element | null {
  const job = state.job;
  if (job === null || job.state === 'done') {
    return null;
  }
  if (job.state !== 'running') {
    return <span class="wb-fact">{job.state}</span>;
  }
  return (
    <span class="wb-job">
      <span class="wb-fact">
        {job.phase} {job.total > 0 && `${job.done} of ${job.total}`}
      </span>
      <progress aria-label={job.phase} max={Math.max(1, job.total)} value={job.done} />
      <button
        type="button"
        onClick={() => {
          dispatch({ type: 'cancel' });
        }}
      >
        Cancel
      </button>
    </span>
  );
}

interface RowProps extends Props {
  readonly one: ImplementationView;
  readonly bar: BarView | null;
  readonly scale: number;
}

function Row({ one, bar, scale, detail, state, dispatch }: RowProps): JSX.Element {
  const propose = (): void => {
    if (one.code !== '') {
      dispatch({ type: 'propose', line: { base: state.cursor, code: one.code } });
    }
  };
  return (
    <li
      class={`wb-implementation ${one.available ? '' : 'wb-off'} ${bar?.best === true ? 'wb-best' : ''}`}
      onFocusIn={propose}
    >
      <span class="wb-implementation-name">
        <button
          type="button"
          class="wb-action-name"
          title={one.description}
          aria-label={`Show the code of ${one.name}`}
          onClick={propose}
        >
          {one.name}
        </button>
        {bar === null && !one.name.startsWith(one.kind) && <span class="wb-chip">{one.kind}</span>}
      </span>
      {bar === null ? (
        <span class="wb-fact wb-implementation-text">
          {one.available ? one.description : one.reason}
        </span>
      ) : (
        <Bar bar={bar} scale={scale} />
      )}
      {one.current ? (
        <span class="wb-fact">in use</span>
      ) : (
        <button
          type="button"
          aria-label={`Use ${one.name}`}
          disabled={!one.available || !canAct(state)}
          onClick={() => {
            dispatch({ type: 'swap', node: detail.node, implementation: one.name });
          }}
        >
          Use
        </button>
      )}
    </li>
  );
}
