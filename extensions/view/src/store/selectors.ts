/** What the panes read off the state. */

import type {
  ActionView,
  ComparisonView,
  DetailView,
  FunctionCard,
  FunctionView,
  GroupView,
  MemoryView,
  ModuleView,
  NodeView,
  SavedView,
  StepView,
} from '../protocol/generated.js';
import { VERSION } from '../protocol/generated.js';
import { detailKey, type Line, type State } from './state.js';

const ORDERS: readonly string[] = ['apply', 'perform', 'swap', 'edit'];

export function stepOf(state: State, step: number): StepView | null {
  return state.session?.steps.find((one) => one.index === step) ?? null;
}

export function moduleOf(state: State, step: number): ModuleView | null {
  return state.modules[step] ?? null;
}

/** The function that is drawn. */
export function currentFunction(state: State): FunctionView | null {
  const module = moduleOf(state, state.drawn);
  return module?.functions.find((one) => one.name === state.graph) ?? module?.functions[0] ?? null;
}

export function selectedNode(state: State): NodeView | null {
  const found = currentFunction(state)?.nodes.find((node) => node.key === state.selection);
  return found ?? cardNode(state);
}

/** The graph function that the value calls and that has a picture of its own. */
export function calledGraph(state: State, key: string | null): string | null {
  const node = currentFunction(state)?.nodes.find((one) => one.key === key);
  const functions = moduleOf(state, state.drawn)?.functions ?? [];
  const called = node?.kind === 'function' ? node.callee : null;
  return functions.some((one) => one.name === called) ? called : null;
}

/** The tensor function that is selected in the table of contents, as a box. */
function cardNode(state: State): NodeView | null {
  const key = state.selection;
  const cards = moduleOf(state, state.drawn)?.cards ?? [];
  const card = cards.find((one) => one.kind === 'tensor' && cardKey(one) === key);
  if (card === undefined) {
    return null;
  }
  return {
    key: cardKey(card),
    stable: cardKey(card),
    name: card.name,
    label: card.name,
    type: card.signature,
    kind: 'tensor',
    inputs: [],
    effect: false,
    after: [],
    group: null,
    change: card.change,
    stub: false,
    callee: card.name,
    width: 0,
    height: 0,
  };
}

/** The key under which a function itself is known. */
export function cardKey(card: FunctionCard): string {
  return `${card.name}/`;
}

export function selectedGroup(state: State): GroupView | null {
  return currentFunction(state)?.groups.find((group) => group.key === state.selection) ?? null;
}

/** Whether a group is collapsed in this view. */
export function shownGroup(state: State, group: GroupView): boolean {
  return state.folds[group.key] ?? group.collapsed;
}

export function detail(state: State): DetailView | null {
  const node = selectedNode(state);
  return node === null ? null : (state.details[detailKey(state.drawn, node.key)] ?? null);
}

/** What applies: at the selected node, else to the module. */
export function actions(state: State): readonly ActionView[] | null {
  const whole = state.actions[state.drawn] ?? null;
  if (selectedNode(state) === null) {
    return whole;
  }
  const here = detail(state)?.actions ?? null;
  // Numbers are typed for the whole module, wherever: the last answer about them counts.
  const typed = new Map(
    whole?.filter((one) => one.numbers.length > 0).map((one) => [one.name, one]),
  );
  return here?.map((one) => (one.numbers.length > 0 ? (typed.get(one.name) ?? one) : one)) ?? null;
}

/** Those of some passes that a person's words are about: each word begins one of theirs. */
export function actionsAbout(found: readonly ActionView[], text: string): readonly ActionView[] {
  const asked = words(text);
  return found.filter((action) => {
    const known = words(
      [action.name, action.reason, action.doc, ...action.numbers.map((one) => one.name)].join(' '),
    );
    return asked.every(
      (word) =>
        (action.numbers.length > 0 && /^\d+$/.test(word)) ||
        known.some((other) => (word.length === 1 ? other === word : other.startsWith(word))),
    );
  });
}

/** The words of a text and of the names in it, in one spelling: `FuseOps` is `fuse`, `ops` too. */
function words(text: string): string[] {
  const parts = text.replace(/([a-z\d])(?=[A-Z])/g, '$1 ');
  const found = `${text} ${parts}`.toLowerCase().replace(/iz(?=[aei])/g, 'is');
  return found.match(/[\p{L}\d_]+/gu) ?? [];
}

/** The memory plan of the function that is drawn. */
export function memoryOf(state: State): MemoryView | null {
  return state.memories[detailKey(state.cursor, state.graph)] ?? null;
}

export function measurement(state: State): ComparisonView | null {
  const node = selectedNode(state);
  return node === null ? null : (state.measured[node.key] ?? null);
}

/** Steps from the import through the cursor to a leaf: what the slider runs over. */
export function line(state: State): number[] {
  const steps = state.session?.steps ?? [];
  const path: number[] = [];
  let up: number | null = state.cursor;
  while (up !== null && path.length <= steps.length) {
    path.unshift(up);
    up = stepOf(state, up)?.parent ?? null;
  }
  const onHeadPath = new Set(state.session?.path ?? []);
  for (let last: number | undefined = state.cursor; last !== undefined;) {
    const from: number = last;
    const children: StepView[] = steps.filter((step) => step.parent === from);
    const next: StepView | undefined =
      children.find((step) => onHeadPath.has(step.index)) ?? children[children.length - 1];
    if (next !== undefined) {
      path.push(next.index);
    }
    last = next?.index;
  }
  return path;
}

/** Keys of the nodes that the search text names, in program order. */
export function hits(state: State): string[] {
  const text = state.search.trim().toLowerCase();
  if (text === '') {
    return [];
  }
  const nodes = currentFunction(state)?.nodes ?? [];
  return nodes
    .filter((node) => node.kind !== 'constant' && matches(node, text))
    .map((node) => node.key);
}

function matches(node: NodeView, text: string): boolean {
  return [node.label, node.name, node.callee ?? ''].some((one) => one.toLowerCase().includes(text));
}

/** The line of Python shown: what is proposed, else what made the step at the cursor. */
export function pythonLine(state: State): Line | null {
  if (state.proposal !== null) {
    return state.proposal;
  }
  const step = stepOf(state, state.cursor);
  return step === null || step.code === '' ? null : { base: step.parent, code: step.code };
}

/** The text for a cell: it checks out its base first, so that running it twice adds nothing. */
export function cellText(state: State, python: Line): string {
  const variable = state.session?.variable ?? 's';
  return python.base === null
    ? python.code
    : `${variable}.checkout(${python.base})\n${python.code}`;
}

/** Whether orders can be given. */
export function canAct(state: State): boolean {
  return state.connection === 'live';
}

/** Whether an order that makes a step is under way. */
export function isApplying(state: State): boolean {
  return Object.values(state.pending).some((request) => ORDERS.includes(request.type));
}

export function isWaiting(state: State): boolean {
  return Object.keys(state.pending).length > 0;
}

/** What is saved in the notebook; null where there is nothing to draw. */
export function savedView(state: State): SavedView | null {
  const module = moduleOf(state, state.drawn);
  if (state.session === null || module === null) {
    return null;
  }
  return { version: VERSION, session: state.session, module, detail: detail(state) };
}
