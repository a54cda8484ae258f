/** What applies here, and why the rest does not. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { ActionView, NumberView } from '../protocol/generated.js';
import type { Numbers } from '../store/events.js';
import {
  actions,
  actionsAbout,
  canAct,
  isApplying,
  selectedNode,
  stepOf,
} from '../store/selectors.js';
import type { PaneProps } from './props.js';

/** How long a person may pause while typing a number before it is tried. */
const TYPING = 250;

export function Actions({ state, dispatch }: PaneProps): JSX.Element {
  const [text, setText] = useState('');
  const [typed, setTyped] = useState<AllTyped>({});
  const node = selectedNode(state);
  const known = actions(state);
  const found = known === null ? [] : actionsAbout(known, text);
  const ordered = [...found].sort((a, b) => Number(b.applies) - Number(a.applies));
  return (
    <section class="wb-actions" aria-label="Applies here">
      <h3>
        <span>Applies here{node === null ? ': whole module' : `: ${node.label}`}</span>
        <Search text={text} setText={setText} />
      </h3>
      {known === null && (
        <p class="wb-fact">
          {state.connection === 'live' ? 'loading…' : 'run the cell again to apply passes'}
        </p>
      )}
      {known !== null && found.length === 0 && text !== '' && (
        <p class="wb-fact">no pass is about “{text}”</p>
      )}
      <ul role="list">
        {ordered.map((action) => (
          <Row
            key={`${action.scope} ${action.name}`}
            action={action}
            typed={typed[typedKey(action, state.cursor)] ?? null}
            setTyped={(values) => {
              setTyped({ ...typed, [typedKey(action, state.cursor)]: values });
            }}
            state={state}
            dispatch={dispatch}
          />
        ))}
      </ul>
      {node === null && <Remarks state={state} dispatch={dispatch} />}
    </section>
  );
}

interface SearchProps {
  readonly text: string;
  readonly setText: (text: string) => void;
}

function Search({ text, setText }: SearchProps): JSX.Element {
  return (
    <input
      type="search"
      class="wb-own wb-action-search"
      aria-label="Search passes"
      placeholder="search passes"
      spellcheck={false}
      autocomplete="off"
      value={text}
      onInput={(event) => {
        setText(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && text !== '') {
          event.preventDefault();
          event.stopPropagation();
          setText('');
        }
      }}
    />
  );
}

/** Numbers that a person typed, by name. */
type OwnNumbers = Readonly<Record<string, number | null>>;
/** Those of each pass at each step: another step has other dimensions. */
type AllTyped = Readonly<Record<string, OwnNumbers>>;

function typedKey(action: ActionView, step: number): string {
  return `${step} ${action.name}`;
}

interface RowProps extends PaneProps {
  readonly action: ActionView;
  readonly typed: OwnNumbers | null;
  readonly setTyped: (values: OwnNumbers) => void;
}

function Row({ action, typed: own, setTyped, state, dispatch }: RowProps): JSX.Element {
  const node = selectedNode(state);
  const base = state.cursor;
  const whole = node !== null && action.scope === 'module';
  const typed = useTyped(action, own, setTyped, dispatch);
  const ready = canAct(state) && !isApplying(state) && action.applies && typed.answered;
  const propose = (): void => {
    if (action.code !== '') {
      dispatch({ type: 'propose', line: { base, code: action.code } });
    }
  };
  const shown = useRef(action.code);
  useEffect(() => {
    if (typed.touched && shown.current !== action.code) {
      propose();
    }
    shown.current = action.code;
  });
  const apply = (): void => {
    if (ready) {
      dispatch({
        type: 'apply',
        name: action.name,
        node: action.scope === 'selection' ? (node?.key ?? null) : null,
        numbers: action.numbers.length > 0 ? numbersOf(typed.fields) : null,
      });
    }
  };
  return (
    <li class={`wb-action ${action.applies ? '' : 'wb-off'}`} onFocusIn={propose}>
      <button
        type="button"
        class="wb-action-name"
        title={action.doc}
        aria-label={`Show the code of ${action.name}`}
        onClick={propose}
      >
        {action.name}
      </button>
      <span class="wb-reason" title={action.doc === '' ? action.reason : action.doc}>
        {action.reason}
        {whole && action.applies && <span class="wb-fact"> (whole module)</span>}
      </span>
      {action.applies || action.numbers.length > 0 ? (
        <button
          type="button"
          aria-label={`Apply ${action.name}`}
          disabled={!ready}
          onClick={apply}
        >
          Apply
        </button>
      ) : (
        <span class="wb-fact">not here</span>
      )}
      {action.numbers.length > 0 && (
        <span class="wb-action-numbers">
          {typed.fields.map((one) => (
            <NumberField key={one.name} one={one} set={typed.set} apply={apply} />
          ))}
        </span>
      )}
    </li>
  );
}

interface Typed {
  readonly fields: readonly NumberView[];
  readonly set: (name: string, value: number | null) => void;
  readonly touched: boolean;
  /** Whether what the kernel says is about these numbers. */
  readonly answered: boolean;
}

/** The numbers of a pass as a person types them; tried when the typing pauses. */
function useTyped(
  action: ActionView,
  own: OwnNumbers | null,
  setOwn: RowProps['setTyped'],
  dispatch: PaneProps['dispatch'],
): Typed {
  const fields = action.numbers.map((one) => ({
    name: one.name,
    value: own !== null && one.name in own ? (own[one.name] ?? null) : one.value,
  }));
  const text = JSON.stringify(numbersOf(fields));
  const answered = text === JSON.stringify(numbersOf(action.numbers));
  useEffect(() => {
    if (own === null || answered) {
      return undefined;
    }
    const timer = setTimeout(() => {
      dispatch({ type: 'numbers', numbers: JSON.parse(text) as Numbers });
    }, TYPING);
    return () => {
      clearTimeout(timer);
    };
  }, [own, text, answered, dispatch]);
  return {
    fields,
    set: (name, value) => {
      setOwn({ ...own, [name]: value });
    },
    touched: own !== null,
    answered,
  };
}

/** Those that have a value, by name. */
function numbersOf(fields: readonly NumberView[]): Numbers {
  const given = fields.flatMap(({ name, value }) =>
    value === null ? [] : [[name, value] as const],
  );
  return Object.fromEntries(given);
}

interface NumberProps {
  readonly one: NumberView;
  readonly set: Typed['set'];
  readonly apply: () => void;
}

/** `n = [3]`; an empty field leaves the dimension as it is. */
function NumberField({ one, set, apply }: NumberProps): JSX.Element {
  return (
    <label class="wb-number">
      <code>{one.name} =</code>
      <input
        type="number"
        class="wb-own"
        aria-label={`${one.name} =`}
        title="empty: stays symbolic"
        min={0}
        step={1}
        placeholder="any"
        value={one.value ?? ''}
        onInput={(event) => {
          const value = event.currentTarget.valueAsNumber;
          set(one.name, Number.isInteger(value) ? value : null);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            event.preventDefault();
            apply();
          }
        }}
      />
    </label>
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
