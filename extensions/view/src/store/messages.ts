/** What the kernel says, taken into the state. */

import type {
  Failed,
  JobProgress,
  Message,
  OffersReply,
  SelectionChanged,
  SessionView,
  TextReply,
} from '../protocol/generated.js';
import { answered, measured, type Request } from './requests.js';
import { answeredTry, refusedTry } from './scheduling.js';
import { recipeTitle, scriptTitle, withModule } from './showing.js';
import { detailKey, initialState, onlyFunction, type State } from './state.js';

const QUESTIONS: readonly Request['type'][] = ['show', 'detail', 'actions', 'offers', 'script', 'memory'];

export function receive(before: State, message: Exclude<Message, SelectionChanged>): State {
  const id = replyTo(message);
  const asked = id === null ? undefined : before.pending[id];
  const state = answered(before, id);
  switch (message.type) {
    case 'hello':
      return hello(state, message.session, message.module.step, {
        [message.module.step]: message.module,
      });
    case 'unknown':
      return { ...state, connection: 'dead', message: message.message, pending: {}, job: null };
    case 'session':
      return withSession(state, message.session);
    case 'module':
      return withModule(
        { ...state, modules: { ...state.modules, [message.module.step]: message.module } },
        message.module.step,
      );
    case 'detail': {
      const key = detailKey(message.detail.step, message.detail.node);
      return { ...state, details: { ...state.details, [key]: message.detail } };
    }
    case 'actions':
      return { ...state, actions: { ...state.actions, [message.step]: message.actions } };
    case 'offers':
      return withOffers(state, message, asked);
    case 'diff':
      return { ...state, diff: message.diff, announcement: message.diff.summary };
    case 'memory': {
      const { memory } = message;
      const key = detailKey(memory.step, memory.function);
      return {
        ...state,
        memories: { ...state.memories, [key]: memory },
        announcement: `Memory: ${memory.summary}`,
      };
    }
    case 'text':
      return withText(state, message, asked);
    case 'applied':
      return applied(state, message.step);
    case 'job':
      return withJob(state, message);
    case 'comparison':
      return message.node === null
        ? { ...measured(state), comparison: message.comparison }
        : {
            ...measured(state),
            measured: { ...state.measured, [message.node]: message.comparison },
          };
    case 'failed':
      return failed(state, message, asked);
  }
}

/** Offers at a place, or the answer about one primitive with its parameters. */
function withOffers(state: State, message: OffersReply, asked: Request | undefined): State {
  const [first] = message.offers;
  if (asked?.type === 'try') {
    return first === undefined ? state : answeredTry(state, asked, first);
  }
  const key = detailKey(message.step, message.place);
  const before = message.skip === 0 ? [] : (state.offers[key] ?? []);
  return {
    ...state,
    offers: { ...state.offers, [key]: [...before, ...message.offers] },
    offersNext: { ...state.offersNext, [key]: message.next },
    facts: { ...state.facts, [key]: message.facts },
  };
}

/** The request that a message answers; progress of a job answers nothing yet. */
function replyTo(message: Message): number | null {
  return 'reply_to' in message && message.type !== 'job' ? message.reply_to : null;
}

function withJob(state: State, job: JobProgress): State {
  const next = job.state === 'running' ? state : measured(state);
  return { ...next, job, announcement: jobText(job.phase, job.state) };
}

function hello(state: State, session: SessionView, step: number, modules: State['modules']): State {
  const fresh = initialState(null);
  const graph = modules[step]?.functions[0]?.name ?? 'main';
  return {
    ...fresh,
    connection: 'live',
    busy: state.busy,
    session,
    modules,
    cursor: step,
    drawn: step,
    graph:
      modules[step]?.functions.some((one) => one.name === state.graph) === true
        ? state.graph
        : graph,
    selection: state.selection ?? onlyFunction(modules[step]),
    place: state.place,
    folds: state.folds,
    tab: state.tab,
    memory: state.memory,
    nextId: state.nextId,
    announcement: `${session.name}: connected`,
  };
}

/** A view that stands on the head follows it. */
function withSession(state: State, session: SessionView): State {
  const followed = state.session !== null && state.cursor === state.session.head;
  const cursor = followed ? session.head : state.cursor;
  const same =
    session.head === state.session?.head && session.catalogue === state.session.catalogue;
  const refused = same ? state.refused : [];
  const next: State = { ...forgotten(state, session), session, cursor, refused };
  const before = state.session?.steps.find((step) => step.index === cursor)?.verdict.text;
  const now = session.steps.find((step) => step.index === cursor);
  const told = now !== undefined && now.verdict.text !== before;
  const announcement = told ? `${now.label}: ${now.verdict.text}` : state.announcement;
  return withModule({ ...next, announcement }, cursor);
}

/** What may be other than it was when passes or libraries were registered: asked anew. */
function forgotten(state: State, session: SessionView): State {
  return session.catalogue === state.session?.catalogue
    ? state
    : { ...state, actions: {}, details: {}, offers: {}, offersNext: {} };
}

function withText(state: State, message: TextReply, asked: Request | undefined): State {
  if (asked === undefined) {
    return state;
  }
  const { text, tokens } = message;
  const wanted = asked.type === 'recipe' ? recipeTitle(asked.step) : scriptTitle(asked.step);
  const sheet = state.sheet?.title === wanted ? { ...state.sheet, text, tokens } : state.sheet;
  const scripts =
    asked.type === 'script' ? { ...state.scripts, [asked.step]: { text, tokens } } : state.scripts;
  return { ...state, sheet, scripts };
}

/** What this view did moves its own cursor, wherever it stood. */
function applied(state: State, step: number): State {
  const quiet = { proposal: null, editing: null, refused: [], refusal: null, wanted: null };
  const next: State = { ...state, ...quiet, cursor: step };
  return withModule(next, step);
}

function failed(state: State, message: Failed, asked: Request | undefined): State {
  const first = message.diagnostics[0]?.message ?? 'refused';
  if (asked?.type === 'try') {
    return answeredTry(state, asked, refusedTry(asked.name, first));
  }
  if (asked !== undefined && QUESTIONS.includes(asked.type)) {
    const refused = [...state.refused, JSON.stringify(asked)];
    return { ...state, refused, failures: message.diagnostics, announcement: first };
  }
  return { ...state, failures: message.diagnostics, announcement: first };
}

function jobText(phase: string, state: string): string {
  return state === 'running' ? '' : `${phase} ${state}`;
}
