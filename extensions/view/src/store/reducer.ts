/** The one place where a view's state changes: `(state, event) => state`, pure. */

import type { FunctionView } from '../protocol/generated.js';
import type { ViewEvent } from './events.js';
import { receive } from './messages.js';
import { ask } from './requests.js';
import {
  currentFunction,
  hits,
  line,
  memoryOf,
  moduleOf,
  selectedGroup,
  selectedNode,
  shownGroup,
  stepOf,
} from './selectors.js';
import { atPlace, attempt, tryMove, wantsOffers } from './scheduling.js';
import { recipeTitle, scriptTitle, withModule } from './showing.js';
import { detailKey, type State } from './state.js';

export function reduce(state: State, event: ViewEvent): State {
  return ensure(change(state, event));
}

/** Asks for what the picture needs and the view does not have. */
function ensure(before: State): State {
  let state = before;
  if (state.connection !== 'live' || state.session === null) {
    return state;
  }
  if (moduleOf(state, state.cursor) === null) {
    return askOnce(state, { type: 'show', step: state.cursor });
  }
  if (state.memory && state.graph !== '' && memoryOf(state) === null) {
    state = askOnce(state, { type: 'memory', step: state.cursor, function: state.graph });
  }
  const node = selectedNode(state);
  if (node !== null) {
    const known = state.details[detailKey(state.cursor, node.key)];
    if (known === undefined) {
      return askOnce(state, { type: 'detail', step: state.cursor, node: node.key });
    }
    const skip = wantsOffers(state);
    return skip !== null && state.place !== null
      ? askOnce(state, { type: 'offers', step: state.cursor, place: state.place, skip })
      : state;
  }
  if (state.actions[state.cursor] === undefined) {
    state = askOnce(state, { type: 'actions', step: state.cursor, node: null, numbers: null });
  }
  if (state.tab === 'script' && state.scripts[state.cursor] === undefined) {
    state = askOnce(state, { type: 'script', step: state.cursor });
  }
  return state;
}

/** A question that the kernel refused is not asked again until the person does something. */
function askOnce(state: State, request: Parameters<typeof ask>[1]): State {
  return state.refused.includes(JSON.stringify(request)) ? state : ask(state, request);
}

function change(state: State, event: ViewEvent): State {
  switch (event.type) {
    case 'connected':
      return ask(
        { ...state, connection: 'connecting', message: '', pending: {}, outbox: [] },
        { type: 'open', step: state.cursor, key: event.key },
      );
    case 'disconnected':
      return { ...state, connection: 'dead', message: event.message, pending: {}, job: null };
    case 'received':
      return event.message.type === 'selection'
        ? select(state, event.message.node)
        : receive(state, event.message);
    case 'sent':
      return { ...state, outbox: [] };
    case 'kernel-busy':
      return { ...state, busy: event.busy };
    case 'go':
      return go(state, event.step);
    case 'step-by':
      return stepBy(state, event.offset);
    case 'graph':
      return tell({ ...state, graph: event.name, selection: null, place: null, hovered: null });
    case 'select':
      return tell(select(state, event.key));
    case 'hover':
      return state.hovered === event.key ? state : { ...state, hovered: event.key };
    case 'fold':
      return { ...state, folds: { ...state.folds, [event.group]: event.collapsed } };
    case 'fold-all':
      return foldAll(state, event.collapsed);
    case 'search':
      return { ...state, search: event.text, hit: 0, announcement: hitText(state, event.text) };
    case 'next-hit':
      return nextHit(state, event.offset);
    case 'tab':
      return { ...state, tab: event.tab, refused: [] };
    case 'outline':
      return { ...state, outline: event.open };
    case 'propose':
      return { ...state, proposal: event.line };
    case 'place':
      return atPlace(state, event.key, event.spot ?? null);
    case 'try':
      return tryMove(state, { name: event.name, arguments: event.arguments });
    case 'attempt':
      return attempt(state, { name: event.name, arguments: event.arguments });
    case 'edit':
      return { ...state, editing: event.node, tab: 'script' };
    case 'choose':
      return choose(state, event.step);
    case 'memory':
      return { ...state, memory: event.open, refused: [] };
    case 'close-diff':
      return { ...state, diff: null, chosen: [] };
    case 'close-comparison':
      return { ...state, comparison: null };
    case 'close-sheet':
      return { ...state, sheet: null };
    case 'close-failures':
      return { ...state, failures: [] };
    default:
      return request(state, event);
  }
}

type Command = Extract<
  ViewEvent,
  {
    readonly type:
      | 'apply'
      | 'numbers'
      | 'swap'
      | 'edited'
      | 'checkout'
      | 'measure'
      | 'compare'
      | 'cancel'
      | 'diff'
      | 'script'
      | 'recipe';
  }
>;

/** Events that are a question or an order to the kernel. */
function request(before: State, event: Command): State {
  const state: State = { ...before, failures: [] };
  const step = state.cursor;
  switch (event.type) {
    case 'apply':
      return ask(state, {
        type: 'apply',
        step,
        name: event.name,
        node: event.node,
        numbers: event.numbers,
      });
    case 'numbers':
      return ask(state, { type: 'actions', step, node: null, numbers: event.numbers });
    case 'swap':
      return ask(state, {
        type: 'swap',
        step,
        node: event.node,
        implementation: event.implementation,
      });
    case 'edited':
      return ask(state, { type: 'edit', step, node: event.node, text: event.text });
    case 'checkout':
      return ask(state, { type: 'checkout', step: event.step });
    case 'measure':
      return ask(state, { type: 'measure', step, node: event.node });
    case 'compare':
      return ask(state, { type: 'compare', step, steps: [...state.chosen].sort((a, b) => a - b) });
    case 'cancel':
      return ask(state, { type: 'cancel', step });
    case 'diff':
      return diff(state);
    case 'script':
      return openScript(state);
    case 'recipe':
      return ask(
        { ...state, sheet: { title: recipeTitle(step), text: '', tokens: [], cell: true } },
        { type: 'recipe', step },
      );
  }
}

function openScript(state: State): State {
  const title = scriptTitle(state.cursor);
  const known = state.scripts[state.cursor];
  if (known !== undefined) {
    return { ...state, sheet: { title, text: known.text, tokens: known.tokens, cell: false } };
  }
  const opened = { ...state, sheet: { title, text: '', tokens: [], cell: false } };
  return ask(opened, { type: 'script', step: state.cursor });
}

/** The two chosen steps; else the step before the cursor and the cursor. */
function diff(state: State): State {
  const [first, second] = [...state.chosen].sort((a, b) => a - b);
  const a = first ?? stepOf(state, state.cursor)?.parent ?? null;
  const b = second ?? (first === undefined ? state.cursor : null);
  if (a === null || b === null) {
    return { ...state, announcement: 'Choose two steps to compare them' };
  }
  return ask(state, { type: 'diff', step: state.cursor, a, b });
}

function go(state: State, step: number): State {
  if (stepOf(state, step) === null && moduleOf(state, step) === null) {
    return state;
  }
  const moved: State = {
    ...state,
    cursor: step,
    proposal: null,
    editing: null,
    refused: [],
    announcement: stepText(state, step),
  };
  return withModule(moved, step);
}

function stepText(state: State, step: number): string {
  const found = stepOf(state, step);
  return found === null ? '' : `Step ${step}, ${found.label}, ${found.verdict.text}`;
}

function stepBy(state: State, offset: number): State {
  const steps = line(state);
  const position = steps.indexOf(state.cursor) + offset;
  const step = steps[Math.max(0, Math.min(steps.length - 1, position))];
  return step === undefined || step === state.cursor ? state : go(state, step);
}

/** Arms are not folded with the rest: an `if` that is opened again shows what is in them. */
function foldAll(state: State, collapsed: boolean): State {
  const groups = (currentFunction(state)?.groups ?? []).filter(
    (group) => !collapsed || group.kind !== 'arm',
  );
  return { ...state, folds: Object.fromEntries(groups.map((group) => [group.key, collapsed])) };
}

/** Selecting a node opens the groups around it. */
function select(state: State, key: string | null): State {
  if (key === state.selection) {
    return state;
  }
  const graph = functionWith(state, key);
  const fresh: State = { ...state, graph, selection: key, proposal: null, editing: null };
  const base = atPlace(fresh, null, null);
  return key === null ? { ...base, announcement: 'Nothing selected' } : reveal(base, key);
}

/** Tells the kernel which value the person selected; a layer is none, nor is an arm. */
function tell(state: State): State {
  const group = selectedGroup(state);
  const named = group === null || group.kind === 'fused' || group.kind === 'branch';
  const node = named ? state.selection : null;
  return ask(state, { type: 'select', step: state.cursor, node });
}

/** The function that is drawn, unless only another one has the value. */
function functionWith(state: State, key: string | null): string {
  const has = (one: FunctionView): boolean =>
    one.nodes.some((node) => node.key === key) || one.groups.some((group) => group.key === key);
  const current = currentFunction(state);
  if (current !== null && has(current)) {
    return state.graph;
  }
  return moduleOf(state, state.drawn)?.functions.find(has)?.name ?? state.graph;
}

function reveal(state: State, key: string): State {
  const graph = currentFunction(state);
  const folds = { ...state.folds };
  let group = graph?.nodes.find((node) => node.key === key)?.group ?? null;
  while (group !== null && graph !== null) {
    const view = graph.groups.find((one) => one.key === group);
    // An `if` has the key of its box: the closed one is what is selected then.
    if (view !== undefined && view.key !== key && shownGroup(state, view)) {
      folds[view.key] = false;
    }
    group = view?.parent ?? null;
  }
  return { ...state, folds };
}

function hitText(state: State, search: string): string {
  const count = hits({ ...state, search }).length;
  return search === '' ? '' : `${count} found`;
}

/** Enter takes the hit that is shown, again the next one. */
function nextHit(state: State, offset: number): State {
  const found = hits(state);
  if (found.length === 0) {
    return state;
  }
  const current = found[state.hit % found.length];
  const fresh = offset === 1 && state.selection !== current;
  const hit = fresh ? state.hit : (state.hit + offset + found.length) % found.length;
  const key = found[hit % found.length] ?? null;
  return { ...tell(select(state, key)), hit };
}

/** At most two steps are chosen; a third replaces the older one. */
function choose(state: State, step: number): State {
  const chosen = state.chosen.includes(step)
    ? state.chosen.filter((other) => other !== step)
    : [...state.chosen, step].slice(-2);
  return { ...state, chosen, announcement: `${chosen.length} steps chosen` };
}
