/** What one view knows and shows. The kernel owns the session; everything else here is the view's. */

import type {
  ActionView,
  ComparisonView,
  DetailView,
  DiagnosticView,
  DiffView,
  JobProgress,
  MemoryView,
  ModuleView,
  OfferView,
  SavedView,
  SessionView,
  TokenView,
} from '../protocol/generated.js';
import type { Request } from './requests.js';

/**
 * `saved`: only the saved picture. `connecting`: the comm is open, no answer yet. `live`: the
 * kernel answers. `dead`: it does not know this session any more, or is gone.
 */
export type Connection = 'saved' | 'connecting' | 'live' | 'dead';

export type Tab = 'loops' | 'script' | 'llvm' | 'assembly' | 'origin';

/** A line of Python that can go to the next cell: `code` performed on step `base`. */
export interface Line {
  readonly base: number | null;
  readonly code: string;
}

/** Text shown over the picture: a script, a recipe. */
export interface Sheet {
  readonly title: string;
  readonly text: string;
  readonly tokens: readonly TokenView[];
  /** Whether it may be put into a cell: only recipes, only received live. */
  readonly cell: boolean;
}

export interface State {
  readonly connection: Connection;
  readonly message: string;
  /** The kernel runs something else, so that answers wait. */
  readonly busy: boolean;
  readonly session: SessionView | null;
  readonly modules: Readonly<Record<number, ModuleView>>;
  /** The step that is shown; the head is the session's. */
  readonly cursor: number;
  /** The step whose picture is drawn: the cursor, or the one before while the answer is awaited. */
  readonly drawn: number;
  readonly graph: string;
  readonly selection: string | null;
  /** Key of the value under the pointer or the focus. */
  readonly hovered: string | null;
  readonly folds: Readonly<Record<string, boolean>>;
  readonly search: string;
  readonly hit: number;
  readonly tab: Tab;
  readonly outline: boolean;
  readonly details: Readonly<Record<string, DetailView>>;
  readonly actions: Readonly<Record<number, readonly ActionView[]>>;
  /** Schedule primitives at a loop or block, by step and place. */
  readonly offers: Readonly<Record<string, readonly OfferView[]>>;
  /** Where to go on asking for offers, by step and place; null where all are there. */
  readonly offersNext: Readonly<Record<string, number | null>>;
  /** What loops carry, by step and place. */
  readonly facts: Readonly<Record<string, readonly string[]>>;
  /** Key of the selected loop or block of the selected function. */
  readonly place: string | null;
  /** The primitive that the person asked for at the place, to go to. */
  readonly spot: string | null;
  /** Answers about primitives with parameters, by step, name and parameters. */
  readonly tried: Readonly<Record<string, OfferView>>;
  /** What is performed as soon as the kernel says that it applies. */
  readonly wanted: string | null;
  /** The move that was refused last, until something else is done. */
  readonly refusal: OfferView | null;
  readonly scripts: Readonly<
    Record<number, { readonly text: string; readonly tokens: readonly TokenView[] }>
  >;
  readonly proposal: Line | null;
  readonly editing: string | null;
  readonly chosen: readonly number[];
  readonly diff: DiffView | null;
  /** Whether the memory plan of the function that is drawn is shown. */
  readonly memory: boolean;
  /** Memory plans by step and function. */
  readonly memories: Readonly<Record<string, MemoryView>>;
  readonly job: JobProgress | null;
  readonly comparison: ComparisonView | null;
  /** Measured implementations by node key. */
  readonly measured: Readonly<Record<string, ComparisonView>>;
  readonly sheet: Sheet | null;
  readonly failures: readonly DiagnosticView[];
  /** What was asked and not answered yet, by id. */
  readonly pending: Readonly<Record<number, Request>>;
  /** Questions that the kernel refused, as JSON. */
  readonly refused: readonly string[];
  readonly nextId: number;
  /** Requests to send; the store sends and clears them after every event. */
  readonly outbox: readonly (Request & { readonly id: number })[];
  /** What a screen reader is told. */
  readonly announcement: string;
}

export function initialState(saved: SavedView | null): State {
  if (saved === null) {
    return EMPTY;
  }
  const { session, module, detail } = saved;
  return {
    ...EMPTY,
    session,
    modules: { [module.step]: module },
    cursor: module.step,
    drawn: module.step,
    graph: module.functions[0]?.name ?? 'main',
    selection: detail === null ? onlyFunction(module) : detail.node,
    details: detail === null ? {} : { [detailKey(detail.step, detail.node)]: detail },
  };
}

/** The key of a tensor function that is all that there is; else nothing is selected at first. */
export function onlyFunction(module: ModuleView | undefined): string | null {
  const [first] = module?.functions ?? [];
  return first?.name === '' && first.nodes.length === 1 ? (first.nodes[0]?.key ?? null) : null;
}

const EMPTY: State = {
  connection: 'saved',
  message: '',
  busy: false,
  session: null,
  modules: {},
  cursor: 0,
  drawn: 0,
  graph: 'main',
  selection: null,
  hovered: null,
  folds: {},
  search: '',
  hit: 0,
  tab: 'loops',
  outline: false,
  details: {},
  actions: {},
  offers: {},
  offersNext: {},
  facts: {},
  place: null,
  spot: null,
  tried: {},
  wanted: null,
  refusal: null,
  scripts: {},
  proposal: null,
  editing: null,
  chosen: [],
  diff: null,
  memory: false,
  memories: {},
  job: null,
  comparison: null,
  measured: {},
  sheet: null,
  failures: [],
  pending: {},
  refused: [],
  nextId: 1,
  outbox: [],
  announcement: '',
};

export function detailKey(step: number, node: string): string {
  return `${step}|${node}`;
}
