/** One output: title, picture and details, history, and what was asked for below. */

import type { ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Dispatch } from '../store/store.js';
import type { State } from '../store/state.js';
import { ComparisonPane } from './Comparison.js';
import { DetailPane } from './Detail.js';
import { DiffPane } from './Diff.js';
import { Failures } from './Failures.js';
import { GraphPane } from './Graph.js';
import { HistoryPane } from './History.js';
import { MemoryPane } from './Memory.js';
import type { Host } from './props.js';
import { SheetPane } from './Sheet.js';
import { Title } from './Title.js';

interface Props {
  readonly signal: ReadonlySignal<State>;
  readonly dispatch: Dispatch;
  readonly host: Host;
  readonly uid: string;
}

export function App({ signal, dispatch, host, uid }: Props): JSX.Element {
  const state = signal.value;
  const pane = { state, dispatch };
  return (
    <div
      class="wb-app"
      role="region"
      aria-label={`Workbench: ${state.session?.name ?? 'no session'}`}
      data-connection={state.connection}
      onKeyDown={(event) => {
        stopKeys(event);
        if (event.key === 'Escape' && !event.defaultPrevented) {
          dispatch(
            state.place === null
              ? { type: 'select', key: null }
              : { type: 'place', key: null },
          );
        }
      }}
    >
      <Title {...pane} />
      <Failures {...pane} />
      <div class="wb-main">
        <GraphPane {...pane} host={host} uid={uid} />
        <DetailPane {...pane} host={host} uid={uid} />
      </div>
      <HistoryPane {...pane} />
      <MemoryPane {...pane} />
      <SheetPane {...pane} host={host} uid={uid} />
      <DiffPane {...pane} />
      <ComparisonPane {...pane} />
      <p class="wb-announcement" role="status" aria-live="polite">
        {state.announcement}
      </p>
    </div>
  );
}

/** Keys that mean something to a notebook (`j`, `d d`) must not reach it from here. */
function stopKeys(event: KeyboardEvent): void {
  if (!event.ctrlKey && !event.metaKey) {
    event.stopPropagation();
  }
}
