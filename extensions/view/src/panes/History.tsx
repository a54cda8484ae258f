/** The history: a dot a step, from left to right, branches downwards, and a slider over the line. */

import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { historyTree, type Dot, type Link } from '../layout/history.js';
import type { StepView } from '../protocol/generated.js';
import { line, stepOf } from '../store/selectors.js';
import type { PaneProps } from './props.js';
import { verdictTone } from './words.js';

const COLUMN = 184;
const ROW = 76;
const LEFT = 24;
const TOP = 16;
/** Branches go down this far before the column of their first step, where no label reaches. */
const BEND = 20;

export function HistoryPane({ state, dispatch }: PaneProps): JSX.Element | null {
  const root = useRef<HTMLDivElement>(null);
  const session = state.session;
  const tree = useMemo(() => historyTree(session?.steps ?? []), [session]);
  useLayoutEffect(() => {
    const container = root.current;
    const dot = container?.querySelector<HTMLElement>('[aria-current="step"]')?.parentElement;
    if (container === null || dot === null || dot === undefined) {
      return;
    }
    const left = dot.offsetLeft - LEFT;
    if (
      left < container.scrollLeft ||
      left + COLUMN > container.scrollLeft + container.clientWidth
    ) {
      container.scrollLeft = Math.max(0, left + COLUMN - container.clientWidth);
    }
  }, [state.cursor, tree]);
  if (session === null) {
    return null;
  }
  const steps = new Map(session.steps.map((step) => [step.index, step]));
  const width = LEFT + tree.columns * COLUMN;
  const height = TOP + tree.rows * ROW;
  return (
    <section class="wb-history" aria-label="History">
      <Slider state={state} dispatch={dispatch} />
      <div class={state.chosen.length > 0 ? 'wb-tree wb-choosing' : 'wb-tree'} ref={root}>
        <div class="wb-tree-inner" style={{ width: `${width}px`, height: `${height}px` }}>
          <svg width={width} height={height} aria-hidden="true">
            {tree.links.map((link) => (
              <path key={link.to.index} class={linkClass(link, session.path)} d={linkPath(link)} />
            ))}
          </svg>
          {tree.dots.map((dot) => {
            const step = steps.get(dot.index);
            return step === undefined ? null : (
              <Step key={dot.index} dot={dot} step={step} state={state} dispatch={dispatch} />
            );
          })}
        </div>
      </div>
    </section>
  );
}

function x(dot: Dot): number {
  return LEFT + dot.column * COLUMN;
}

function y(dot: Dot): number {
  return TOP + dot.row * ROW;
}

function linkPath({ from, to }: Link): string {
  if (from.row === to.row) {
    return `M${x(from) + 7} ${y(from)}H${x(to) - 7}`;
  }
  const bend = x(to) - BEND;
  return `M${bend - 6} ${y(from)}Q${bend} ${y(from)} ${bend} ${y(from) + 6}V${y(to) - 6}Q${bend} ${y(to)} ${bend + 6} ${y(to)}H${x(to) - 7}M${x(from) + 7} ${y(from)}H${bend - 6}`;
}

function linkClass({ to }: Link, path: readonly number[]): string {
  return path.includes(to.index) ? 'wb-link-line wb-link-line--head' : 'wb-link-line';
}

function Slider({ state, dispatch }: PaneProps): JSX.Element {
  const steps = line(state);
  const position = Math.max(0, steps.indexOf(state.cursor));
  const step = stepOf(state, state.cursor);
  return (
    <div class="wb-slider">
      <input
        type="range"
        aria-label="Step"
        aria-valuetext={`step ${state.cursor}${step === null ? '' : `: ${step.label}`}`}
        min={0}
        max={Math.max(0, steps.length - 1)}
        step={1}
        value={position}
        disabled={steps.length < 2}
        onInput={(event) => {
          const next = steps[Number(event.currentTarget.value)];
          if (next !== undefined) {
            dispatch({ type: 'go', step: next });
          }
        }}
        onKeyDown={(event) => {
          if (event.key === 'j' || event.key === 'k') {
            dispatch({ type: 'step-by', offset: event.key === 'j' ? 1 : -1 });
          }
        }}
      />
      <span class="wb-fact">
        Step {state.cursor}
        {step !== null && ` · ${step.name}`}
      </span>
    </div>
  );
}

interface StepProps extends PaneProps {
  readonly dot: Dot;
  readonly step: StepView;
}

function Step({ dot, step, state, dispatch }: StepProps): JSX.Element {
  const head = state.session?.head === step.index;
  const chosen = state.chosen.includes(step.index);
  const names = ['wb-step', `wb-step--${verdictTone(step.verdict.state)}`];
  if (head) {
    names.push('wb-step--head');
  }
  if (step.index === state.cursor) {
    names.push('wb-step--shown');
  }
  if (!step.changed) {
    names.push('wb-step--pale');
  }
  const verdict = step.changed || step.verdict.text !== '' ? step.verdict.text : 'no change';
  return (
    <div class={names.join(' ')} style={{ left: `${x(dot) - 12}px`, top: `${y(dot) - 12}px` }}>
      <button
        type="button"
        class="wb-step-button"
        aria-current={step.index === state.cursor ? 'step' : undefined}
        title={`${step.code}\n${verdict}${step.verdict.at === '' ? '' : ` ${step.verdict.at}`}${step.verdict.inputs === '' ? '' : `\ninputs: ${step.verdict.inputs}`}`}
        onClick={(event) => {
          dispatch(
            event.shiftKey
              ? { type: 'choose', step: step.index }
              : { type: 'go', step: step.index },
          );
          if (event.shiftKey && state.chosen.length === 0 && step.index !== state.cursor) {
            dispatch({ type: 'choose', step: state.cursor });
          }
        }}
      >
        <span class="wb-dot" />
        <span class="wb-step-name">
          {step.index} {step.label}
        </span>
        <span class={`wb-step-verdict wb-verdict--${verdictTone(step.verdict.state)}`}>
          {verdict}
          {step.verdict.at !== '' && <span class="wb-step-at"> {step.verdict.at}</span>}
        </span>
        {head && <span class="wb-announcement">head</span>}
      </button>
      <input
        type="checkbox"
        class="wb-choose"
        aria-label={`Choose step ${step.index} for a diff`}
        title="Choose two steps for Diff or Compare"
        checked={chosen}
        onChange={() => {
          dispatch({ type: 'choose', step: step.index });
        }}
      />
    </div>
  );
}
