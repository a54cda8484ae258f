/** What applies here, and why the rest does not. */

import type { JSX } from 'preact';
import type { ActionView } from '../protocol/generated.js';
import { actions, canAct, isApplying, selectedNode, stepOf } from '../store/selectors.js';
import type { PaneProps } from './props.js';

export function Actions({ state, dispatch }: PaneProps): JSX.Element {
  const node = selectedNode(state);
  const known = actions(state);
  const ordered =
    known === null ? [] : [...known].sort((a, b) => Number(b.applies) - Number(a.applies));
  return (
    <section class="wb-actions" aria-label="Applies here">
      <h3>Applies here{node === null ? ': whole module' : `: ${node.label}`}</h3>
      {known === null && (
        <p class="wb-fact">
          {state.connection === 'live' ? 'loading…' : 'run the cell again to apply passes'}
        </p>
      )}
      <ul role="list">
        {ordered.map((action) => (
          <Row
            key={`${action.scope} ${action.name}`}
            action={action}
            state={state}
            dispatch={dispatch}
          />
        ))}
      </ul>
      {node === null && <Remarks state={state} dispatch={dispatch} />}
    </section>
  );
}

interface RowProps extends PaneProps {
  readonly action: ActionView;
}

function Row({ action, state, dispatch }: RowProps): JSX.Element {
  const node = selectedNode(state);
  const base = state.cursor;
  const whole = node !== null && action.scope === 'module';
  const propose = (): void => {
    if (action.code !== '') {
      dispatch({ type: 'propose', line: { base, code: action.code } });
    }
  };
  return (
    <li class={`wb-action ${action.applies ? '' : 'wb-off'}`} onFocusIn={propose}>
      <button
        type="button"
        class="wb-action-name"
        aria-label={`Show the code of ${action.name}`}
        onClick={propose}
      >
        {action.name}
      </button>
      <span class="wb-reason" title={action.reason}>
        {action.reason}
        {whole && action.applies && <span class="wb-fact"> (whole module)</span>}
      </span>
      {action.applies ? (
        <button
          type="button"
          aria-label={`Apply ${action.name}`}
          disabled={!canAct(state) || isApplying(state)}
          onClick={() => {
            dispatch({
              type: 'apply',
              name: action.name,
              node: action.scope === 'selection' ? (node?.key ?? null) : null,
            });
          }}
        >
          Apply
        </button>
      ) : (
        <span class="wb-fact">not here</span>
      )}
    </li>
  );
}

/** What the pass of this step had to say. */
function Remarks({ state, dispatch }: PaneProps): JSX.Element | null {
  const step = stepOf(state, state.cursor);
  if (step === null || step.remarks.length === 0) {
    return null;
  }
  return (
    <>
      <h3>Remarks of step {step.index}</h3>
      <ul role="list" class="wb-remarks">
        {step.remarks.slice(0, 50).map((remark, index) => (
          <li key={index}>
            {remark.node === null ? (
              remark.message
            ) : (
              <button
                type="button"
                class="wb-remark"
                onClick={() => {
                  dispatch({ type: 'select', key: remark.node });
                }}
              >
                {remark.message}
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
