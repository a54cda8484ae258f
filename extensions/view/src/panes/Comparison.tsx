/** Times of whole steps, and of their slowest operators. */

import type { JSX } from 'preact';
import type { ComparisonView, OperatorTimes } from '../protocol/generated.js';
import { canAct } from '../store/selectors.js';
import { Bar, longest } from './Bars.js';
import type { PaneProps } from './props.js';
import { Progress } from './Swap.js';
import { milliseconds } from './words.js';

export function ComparisonPane({ state, dispatch }: PaneProps): JSX.Element | null {
  const waiting = Object.values(state.pending).some((one) => one.type === 'compare');
  if (state.comparison === null && !waiting) {
    return null;
  }
  return (
    <section class="wb-comparison" aria-label="Comparison">
      <h3>
        {state.comparison?.title ?? 'Comparing'}
        {state.comparison !== null && <span class="wb-fact">median · max error</span>}
        <span class="wb-buttons">
          {waiting && <Progress state={state} dispatch={dispatch} />}
          <button
            type="button"
            class="wb-close"
            aria-label="Close the comparison"
            disabled={waiting && canAct(state)}
            onClick={() => {
              dispatch({ type: 'close-comparison' });
            }}
          >
            ×
          </button>
        </span>
      </h3>
      {state.comparison !== null && (
        <Body view={state.comparison} state={state} dispatch={dispatch} />
      )}
    </section>
  );
}

interface BodyProps extends PaneProps {
  readonly view: ComparisonView;
}

function Body({ view, state, dispatch }: BodyProps): JSX.Element {
  const scale = longest(view.bars);
  return (
    <div class="wb-comparison-body">
      <div>
        <ul role="list" class="wb-bars">
          {view.bars.map((bar, index) => (
            <li key={index} class={bar.best ? 'wb-best' : ''}>
              {bar.step === null ? (
                <span>{bar.name}</span>
              ) : (
                <button
                  type="button"
                  class="wb-bar-name"
                  onClick={() => {
                    dispatch({ type: 'go', step: bar.step ?? state.cursor });
                  }}
                >
                  {bar.name}
                </button>
              )}
              <Bar bar={bar} scale={scale} />
            </li>
          ))}
        </ul>
        {view.conditions !== '' && <p class="wb-fact">{view.conditions}</p>}
      </div>
      {view.per_operator.length > 0 && <Operators view={view} dispatch={dispatch} state={state} />}
    </div>
  );
}

function Operators({ view, dispatch }: BodyProps): JSX.Element {
  const scale = view.per_operator
    .flatMap((row) => row.milliseconds)
    .reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  return (
    <table class="wb-operators" aria-label="Times of operators">
      <thead>
        <tr>
          <th scope="col">operator</th>
          {view.bars.map((bar, index) => (
            <th key={index} scope="col">
              {bar.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {view.per_operator.map((row) => (
          <OperatorRow
            key={row.node}
            row={row}
            scale={scale}
            select={() => {
              dispatch({ type: 'select', key: row.node });
            }}
          />
        ))}
      </tbody>
    </table>
  );
}

interface OperatorProps {
  readonly row: OperatorTimes;
  readonly scale: number;
  readonly select: () => void;
}

function OperatorRow({ row, scale, select }: OperatorProps): JSX.Element {
  const known = row.milliseconds.filter((value) => value !== null);
  const best = known.length < 2 ? null : Math.min(...known);
  return (
    <tr>
      <th scope="row">
        <button type="button" class="wb-bar-name" onClick={select}>
          {row.name}
        </button>
      </th>
      {row.milliseconds.map((value, index) => (
        <td key={index} class={value === best ? 'wb-best' : ''}>
          {value === null ? (
            <span class="wb-fact">not computed</span>
          ) : (
            <>
              <span class="wb-bar-track">
                <span
                  class="wb-bar-fill"
                  style={{ width: `${scale > 0 ? (100 * value) / scale : 0}%` }}
                />
              </span>
              <code>{milliseconds(value)}</code>
            </>
          )}
        </td>
      ))}
    </tr>
  );
}
