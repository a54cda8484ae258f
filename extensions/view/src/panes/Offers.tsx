/** Schedule primitives at the selected loop or block: what applies, and why the rest does not. */

import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ChoiceView, LoopRow, OfferView } from '../protocol/generated.js';
import { canAct, isApplying } from '../store/selectors.js';
import { offers, placedRow, refusalText, tried, wantsOffers, type Move } from '../store/scheduling.js';
import { detailKey, type State } from '../store/state.js';
import type { PaneProps } from './props.js';
import { answerMark } from './words.js';

/** How long a person may pause while typing before what is written is checked. */
const TYPING = 250;

export function Offers({ state, dispatch }: PaneProps): JSX.Element {
  const root = useRef<HTMLElement>(null);
  const row = useLast(placedRow(state));
  const now = offers(state);
  const known = useLast(now);
  const fresh = now !== null && state.cursor === state.drawn;
  const here = known?.filter((offer) => offer.answer === 'applies') ?? [];
  const rest = known?.filter((offer) => offer.answer !== 'applies') ?? [];
  const lacking = rest.filter((offer) => offer.answer === 'inapplicable');
  useSpot(root, state, now !== null);
  return (
    <section ref={root} class="wb-actions wb-offers" aria-label="Applies here" aria-busy={!fresh}>
      <h3>
        <span>
          Applies here: {row === null ? '' : `${row.kind === 'block' ? 'block' : 'loop'} `}
          <code>{row?.name}</code>
        </span>
        <button
          type="button"
          class="wb-link wb-offers-back"
          onClick={() => {
            dispatch({ type: 'place', key: null });
          }}
        >
          Whole function
        </button>
      </h3>
      <Facts row={row} state={state} />
      {state.refusal !== null && <Refusal offer={state.refusal} />}
      {known === null && (
        <p class="wb-fact">{canAct(state) ? 'loading…' : 'run the cell again to schedule'}</p>
      )}
      <ul role="list">
        {here.map((offer) => (
          <Applicable
            key={`${state.place ?? ''} ${offer.name}`}
            offer={offer}
            live={fresh && canAct(state)}
            state={state}
            dispatch={dispatch}
          />
        ))}
        {rest
          .filter((offer) => offer.answer !== 'inapplicable')
          .map((offer) => (
            <Refused key={offer.name} offer={offer} />
          ))}
      </ul>
      {known !== null && wantsOffers(state) !== null && canAct(state) && (
        <p class="wb-fact">looking for more…</p>
      )}
      <Lacking offers={lacking} />
    </section>
  );
}

/** What misses some structure here, folded: it is often the longest part. */
function Lacking({ offers: found }: { readonly offers: readonly OfferView[] }): JSX.Element | null {
  return found.length === 0 ? null : (
    <details class="wb-lacking">
      <summary>
        {answerMark('inapplicable')}: {found.map((offer) => offer.name).join(', ')}
      </summary>
      <ul role="list">
        {found.map((offer) => (
          <Refused key={offer.name} offer={offer} />
        ))}
      </ul>
    </details>
  );
}

/** The last value that was there: nothing jumps while the next one is awaited. */
function useLast<T>(value: T | null): T | null {
  const last = useRef<T | null>(null);
  last.current = value ?? last.current;
  return last.current;
}

/** Goes to the primitive that was asked for by a double click. */
function useSpot(
  root: { readonly current: HTMLElement | null },
  state: State,
  ready: boolean,
): void {
  const { spot, place } = state;
  useLayoutEffect(() => {
    if (spot !== null && ready) {
      const offer = root.current?.querySelector(`[data-offer="${spot}"]`);
      offer?.scrollIntoView({ block: 'nearest' });
      offer?.querySelector<HTMLElement>('[role="radio"][tabindex="0"], button')?.focus();
    }
  }, [root, spot, place, ready]);
}

function Facts({
  row,
  state,
}: {
  readonly row: LoopRow | null;
  readonly state: State;
}): JSX.Element | null {
  const facts = state.facts[detailKey(state.drawn, state.place ?? '')] ?? [];
  return row === null ? null : (
    <div class="wb-offers-facts">
      {row.cost_detail !== '' && <p class="wb-fact">{row.cost_detail}</p>}
      {facts.map((line) => (
        <p key={line} class="wb-fact">
          {line}
        </p>
      ))}
    </div>
  );
}

/** A move by hand that the kernel refused. */
function Refusal({ offer }: { readonly offer: OfferView }): JSX.Element {
  return (
    <div class="wb-refusal" role="alert">
      <p>
        <span class="wb-failure-sign">{answerMark(offer.answer)}</span> · {refusalText(offer)}
      </p>
      <Witness offer={offer} />
    </div>
  );
}

function Witness({ offer }: { readonly offer: OfferView }): JSX.Element {
  return (
    <>
      {offer.notes.map((note) => (
        <p key={note} class="wb-witness">
          {note}
        </p>
      ))}
      {offer.hint !== '' && <p class="wb-witness">hint: {offer.hint}</p>}
    </>
  );
}

interface OfferProps extends PaneProps {
  readonly offer: OfferView;
  readonly live: boolean;
}

/** One primitive that applies: its choices, a field for own parameters, a button. */
function Applicable({ offer, live, state, dispatch }: OfferProps): JSX.Element {
  const [index, setIndex] = useState(0);
  const [text, setText] = useTyped(offer, dispatch);
  const move =
    text === null ? chosenMove(offer, offer.choices[index]) : ownMove(offer, text);
  const checked = tried(state, move);
  const code = (text === null ? offer.choices[index] : checked?.choices[0])?.code ?? '';
  const ready = live && !isApplying(state) && (checked ?? offer).answer === 'applies';
  const propose = (line: string): void => {
    if (line !== '') {
      dispatch({ type: 'propose', line: { base: state.cursor, code: line } });
    }
  };
  const choose = (next: number): void => {
    const wanted = offer.choices[next];
    setIndex(next);
    setText(null);
    propose(wanted?.code ?? '');
    if (next > 0) {
      dispatch({ type: 'try', ...chosenMove(offer, wanted) });
    }
  };
  const apply = (): void => {
    if (ready) {
      dispatch({ type: 'attempt', ...move });
    }
  };
  return (
    <li
      class="wb-offer"
      data-offer={offer.name}
      onFocusIn={() => {
        propose(code);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && !isPlainButton(event.target)) {
          event.preventDefault();
          apply();
        }
      }}
    >
      <span class="wb-offer-name">{offer.name}</span>
      <span class="wb-offer-doc" title={[offer.doc, ...offer.notes].join(' ')}>
        {[offer.doc, ...offer.notes].join(' ')}
      </span>
      <span class="wb-offer-choices">
        <Choices offer={offer} chosen={text === null ? index : -1} choose={choose} />
        {offer.own !== '' && <Own offer={offer} text={text} setText={setText} />}
        {checked !== null && <Checked offer={checked} />}
      </span>
      <button
        type="button"
        class="wb-offer-apply"
        aria-label={`Apply ${offer.name}`}
        disabled={!ready}
        onClick={apply}
      >
        Apply
      </button>
    </li>
  );
}

/** Enter on a choice or in a field applies; on a button it presses the button. */
function isPlainButton(target: EventTarget | null): boolean {
  return target instanceof HTMLButtonElement && target.getAttribute('role') !== 'radio';
}

/** Parameters as a person types them, null for none; checked when the typing pauses. */
function useTyped(
  offer: OfferView,
  dispatch: PaneProps['dispatch'],
): [string | null, (text: string | null) => void] {
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    if (text === null) {
      return undefined;
    }
    const timer = setTimeout(() => {
      dispatch({ type: 'try', ...ownMove(offer, text) });
    }, TYPING);
    return () => {
      clearTimeout(timer);
    };
  }, [text, offer, dispatch]);
  return [text, setText];
}

interface OwnProps {
  readonly offer: OfferView;
  readonly text: string | null;
  readonly setText: (text: string | null) => void;
}

function Own({ offer, text, setText }: OwnProps): JSX.Element {
  const words = offer.own.replace('_', ' ');
  return (
    <input
      type="text"
      class="wb-own"
      aria-label={`Own ${words} of ${offer.name}`}
      placeholder={`own ${words}`}
      spellcheck={false}
      autocomplete="off"
      value={text ?? ''}
      onInput={(event) => {
        const value = event.currentTarget.value;
        setText(value.trim() === '' ? null : value);
      }}
    />
  );
}

/** What the kernel said about the choice or the own parameters. */
function Checked({ offer }: { readonly offer: OfferView }): JSX.Element {
  const label = offer.choices[0]?.label ?? '';
  return (
    <span class="wb-offer-answer" role="status">
      {offer.answer === 'applies' ? (
        `✓ ${label}`
      ) : (
        <>
          {answerMark(offer.answer)}: {offer.reason}
          <Witness offer={offer} />
        </>
      )}
    </span>
  );
}

function chosenMove(offer: OfferView, choice: ChoiceView | undefined): Move {
  return { name: offer.name, arguments: choice?.arguments ?? {} };
}

/** The best choice with the person's text in place of the parameter that may be given. */
function ownMove(offer: OfferView, text: string): Move {
  const best = offer.choices[0]?.arguments ?? {};
  return { name: offer.name, arguments: { ...best, [offer.own]: text } };
}

interface ChoicesProps {
  readonly offer: OfferView;
  readonly chosen: number;
  readonly choose: (index: number) => void;
}

function Choices({ offer, chosen, choose }: ChoicesProps): JSX.Element | null {
  const group = useRef<HTMLSpanElement>(null);
  const { choices } = offer;
  if (choices.length === 1 && choices[0]?.label === '') {
    return null;
  }
  const step = (offset: number): void => {
    const next = (Math.max(0, chosen) + offset + choices.length) % choices.length;
    choose(next);
    group.current?.querySelectorAll<HTMLElement>('[role="radio"]')[next]?.focus();
  };
  return (
    <span
      ref={group}
      class="wb-choices"
      role="radiogroup"
      aria-label={`Choices of ${offer.name}`}
      onKeyDown={(event) => {
        const offset = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (offset !== undefined) {
          event.preventDefault();
          step(offset);
        }
      }}
    >
      {choices.map((choice, index) => (
        <button
          key={index}
          type="button"
          role="radio"
          class="wb-choice"
          aria-checked={index === chosen}
          tabIndex={index === Math.max(0, chosen) ? 0 : -1}
          title={choice.label}
          onClick={() => {
            choose(index);
          }}
        >
          {choice.label}
        </button>
      ))}
    </span>
  );
}

/** One primitive that does not apply; keys that come to it, or a click, show the witness. */
function Refused({ offer }: { readonly offer: OfferView }): JSX.Element {
  const [opened, setOpened] = useState(false);
  const more = offer.notes.length > 0 || offer.hint !== '';
  const open = more && opened;
  return (
    <li class="wb-offer wb-off" data-offer={offer.name}>
      <button
        type="button"
        class="wb-action-name"
        aria-expanded={more ? open : undefined}
        onFocus={(event) => {
          if (event.currentTarget.matches(':focus-visible')) {
            setOpened(true);
          }
        }}
        onClick={() => {
          setOpened(!opened);
        }}
      >
        {offer.name}
      </button>
      <span class="wb-offer-mark">{answerMark(offer.answer)}</span>
      <span class="wb-offer-doc">
        {offer.reason}
        {open && <Witness offer={offer} />}
      </span>
    </li>
  );
}
