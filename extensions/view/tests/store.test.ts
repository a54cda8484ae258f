import { describe, expect, it } from 'vitest';
import type { Message } from '../src/protocol/generated.js';
import { VERSION } from '../src/protocol/generated.js';
import type { ViewEvent } from '../src/store/events.js';
import { reduce } from '../src/store/reducer.js';
import { outlineRows } from '../src/panes/Outline.js';
import {
  actions,
  calledGraph,
  cellText,
  detail,
  hits,
  line,
  pythonLine,
  savedView,
  selectedNode,
} from '../src/store/selectors.js';
import { initialState, type State } from '../src/store/state.js';
import {
  ACTIONS,
  detailView,
  graphOf,
  group,
  hello,
  moduleView,
  node,
  sessionView,
  step,
  verdict,
} from './fixture.js';

/** The state after the events; what was to be sent stays in the outbox. */
function run(state: State, ...events: ViewEvent[]): State {
  return events.reduce(reduce, state);
}

function received(message: Message): ViewEvent {
  return { type: 'received', message };
}

function live(): State {
  return run(
    initialState(null),
    { type: 'connected', key: 'k' },
    { type: 'sent' },
    received(hello()),
  );
}

function sent(state: State): string[] {
  return state.outbox.map((intent) => intent.type);
}

function lastId(state: State): number {
  return state.outbox[state.outbox.length - 1]?.id ?? -1;
}

describe('connection', () => {
  it('opens with its key and draws the head', () => {
    const opened = run(initialState(null), { type: 'connected', key: 'k' });
    expect(opened.outbox).toEqual([{ type: 'open', id: 1, step: 0, key: 'k' }]);
    const state = run(opened, { type: 'sent' }, received(hello()));
    expect(state.connection).toBe('live');
    expect(state.cursor).toBe(2);
    expect(sent(state)).toEqual(['actions']);
  });

  it('keeps the saved picture and sends nothing without a kernel', () => {
    const saved = { version: VERSION, session: sessionView(), module: moduleView(2), detail: null };
    const state = run(
      initialState(saved),
      { type: 'select', key: 'main/8' },
      { type: 'apply', name: 'FuseOps', node: null, numbers: null },
      { type: 'go', step: 1 },
    );
    expect(selectedNode(state)?.label).toBe('matmul');
    expect(state.outbox).toEqual([]);
    expect(state.cursor).toBe(1);
    expect(state.drawn).toBe(2);
  });

  it('is dead when the kernel does not know the key, and stays drawn', () => {
    const state = run(live(), received({ type: 'unknown', message: 'no such session' }));
    expect(state.connection).toBe('dead');
    expect(state.session).not.toBeNull();
    expect(run(state, { type: 'sent' }, { type: 'compare' }).outbox).toEqual([]);
  });
});

describe('steps', () => {
  it('scrubs its own cursor and never the head', () => {
    const state = run(live(), { type: 'sent' }, { type: 'go', step: 1 });
    expect(state.session?.head).toBe(2);
    expect(state.outbox).toMatchObject([{ type: 'show', step: 1 }]);
    expect(state.drawn).toBe(2);
    const shown = run(
      state,
      received({ type: 'module', reply_to: lastId(state), module: moduleView(1) }),
    );
    expect(shown.drawn).toBe(1);
  });

  it('asks for a step once', () => {
    const state = run(
      live(),
      { type: 'sent' },
      { type: 'go', step: 1 },
      { type: 'hover', key: 'x' },
    );
    expect(sent(state)).toEqual(['show']);
  });

  it('follows the head only while it stands there', () => {
    const next = sessionView({ head: 6, path: [0, 1, 2, 5, 6] });
    expect(run(live(), received({ type: 'session', session: next })).cursor).toBe(6);
    const back = run(live(), { type: 'go', step: 1 }, received({ type: 'session', session: next }));
    expect(back.cursor).toBe(1);
  });

  it('goes to the step that it applied itself', () => {
    const asked = run(
      live(),
      { type: 'go', step: 1 },
      { type: 'apply', name: 'FuseOps', node: null, numbers: null },
    );
    expect(asked.outbox[asked.outbox.length - 1]).toMatchObject({ type: 'apply', step: 1 });
    const session = sessionView({ head: 5 });
    const state = run(
      asked,
      received({ type: 'session', session }),
      received({ type: 'applied', reply_to: lastId(asked), step: 5, code: '' }),
    );
    expect(state.cursor).toBe(5);
    expect(Object.values(state.pending).some((one) => one.type === 'apply')).toBe(false);
  });

  it('runs the slider over the line through the cursor', () => {
    expect(line(live())).toEqual([0, 1, 2, 5, 6]);
    expect(line(run(live(), { type: 'go', step: 3 }))).toEqual([0, 1, 3, 4]);
    expect(run(live(), { type: 'step-by', offset: 1 }).cursor).toBe(5);
    expect(run(live(), { type: 'step-by', offset: -9 }).cursor).toBe(0);
  });
});

describe('selection', () => {
  it('asks for details once and keeps them', () => {
    const state = run(live(), { type: 'sent' }, { type: 'select', key: 'main/8' });
    expect(state.outbox).toMatchObject([
      { type: 'select', step: 2, node: 'main/8' },
      { type: 'detail', step: 2, node: 'main/8' },
    ]);
    const known = run(
      state,
      { type: 'sent' },
      received({ type: 'detail', reply_to: lastId(state), detail: detailView(2, 'main/8') }),
    );
    expect(detail(known)?.title).toBe('matmul');
    expect(
      sent(run(known, { type: 'select', key: null }, { type: 'select', key: 'main/8' })),
    ).not.toContain('detail');
  });

  it('tells the kernel every click, also where the details are known', () => {
    const asked = run(live(), { type: 'sent' }, { type: 'select', key: 'main/8' });
    const known = run(
      asked,
      { type: 'sent' },
      received({ type: 'detail', reply_to: lastId(asked), detail: detailView(2, 'main/8') }),
      { type: 'select', key: null },
      { type: 'select', key: 'main/8' },
      { type: 'select', key: 'main/8' },
      { type: 'select', key: 'emb' },
    );
    const told = known.outbox.filter((intent) => intent.type === 'select');
    expect(told.map((intent) => intent.node)).toEqual([null, 'main/8', 'main/8', null]);
    expect(Object.values(known.pending).map((one) => one.type)).not.toContain('select');
  });

  it('does not tell the kernel what the kernel said', () => {
    const state = run(live(), { type: 'sent' }, received({ type: 'selection', node: 'main/8' }));
    expect(state.selection).toBe('main/8');
    expect(sent(state)).toEqual(['detail']);
  });

  it('opens the folds around a node that is found', () => {
    const state = run(live(), { type: 'search', text: 'one_hot' }, { type: 'next-hit', offset: 1 });
    expect(state.selection).toBe('main/2');
    expect(state.folds).toEqual({ emb: false });
  });

  it('stays on the same value when another step knows it under another key', () => {
    const moved = graphOf(
      [node('main/20>3', [], { stable: 'main/8', label: 'matmul', group: 'g' })],
      [group('g')],
    );
    const state = run(live(), { type: 'select', key: 'main/8' }, { type: 'go', step: 1 });
    const shown = run(
      state,
      received({
        type: 'module',
        reply_to: lastId(state),
        module: { ...moduleView(1), functions: [moved] },
      }),
    );
    expect(shown.selection).toBe('main/20>3');
  });

  it('does not ask again what was refused, until something is done', () => {
    const asked = run(live(), { type: 'sent' }, { type: 'select', key: 'main/8' });
    const refused = run(
      asked,
      { type: 'sent' },
      received({ type: 'failed', reply_to: lastId(asked), diagnostics: [] }),
    );
    expect(run(refused, { type: 'hover', key: 'x' }).outbox).toEqual([]);
    const again = run(refused, { type: 'select', key: null }, { type: 'select', key: 'main/8' });
    expect(sent(again)).toContain('detail');
  });
});

describe('folds', () => {
  it('folds and unfolds everything', () => {
    const open = run(live(), { type: 'fold-all', collapsed: false });
    expect(open.folds).toEqual({ emb: false, fuse8: false });
    expect(run(open, { type: 'fold', group: 'emb', collapsed: true }).folds['emb']).toBe(true);
  });
});

describe('an if', () => {
  const nodes = [
    node('main/0', []),
    node('main/1', ['main/0'], { group: 'main/2?then' }),
    node('main/2', ['main/1'], { group: 'main/2', kind: 'branch' }),
    node('main/3', ['main/2'], { kind: 'function', callee: 'again' }),
  ];
  const groups = [
    group('main/2', { kind: 'branch', collapsed: true }),
    group('main/2?then', { kind: 'arm', parent: 'main/2' }),
  ];
  const shown = (): State =>
    run(
      live(),
      received({
        type: 'module',
        reply_to: -1,
        module: {
          ...moduleView(3),
          functions: [graphOf(nodes, groups), { ...graphOf([]), name: 'again' }],
        },
      }),
      { type: 'go', step: 3 },
    );

  it('is a value: selecting it leaves it closed, selecting what is in it opens it', () => {
    const state = run(shown(), { type: 'sent' }, { type: 'select', key: 'main/2' });
    expect(selectedNode(state)?.kind).toBe('branch');
    expect(state.folds['main/2']).toBeUndefined();
    expect(state.outbox).toContainEqual(expect.objectContaining({ node: 'main/2' }));
    expect(run(state, { type: 'select', key: 'main/1' }).folds['main/2']).toBe(false);
  });

  it('keeps its arms open when everything is folded; an arm is no value', () => {
    const state = run(shown(), { type: 'fold-all', collapsed: true });
    expect(state.folds).toEqual({ 'main/2': true });
    const arm = run(state, { type: 'sent' }, { type: 'select', key: 'main/2?then' });
    expect(arm.outbox).toContainEqual(expect.objectContaining({ type: 'select', node: null }));
  });

  it('leads to the function that a call names', () => {
    expect(calledGraph(shown(), 'main/3')).toBe('again');
    expect(calledGraph(shown(), 'main/1')).toBeNull();
  });

  it('has a row in the outline with its arms below, and no second row', () => {
    const state = run(shown(), { type: 'fold', group: 'main/2', collapsed: false });
    const view = graphOf(nodes, groups);
    const rows = outlineRows(view, state).map((row) =>
      row.type === 'node' ? row.node.key : `${row.group.key} ${row.open ? 'open' : 'closed'}`,
    );
    expect(rows).toEqual([
      'main/0',
      'main/2 open',
      'main/2?then open',
      'main/1',
      'main/3',
    ]);
  });
});

describe('search', () => {
  it('finds by label in program order and steps through the hits', () => {
    const state = run(live(), { type: 'search', text: 'MATMUL' });
    expect(hits(state)).toEqual(['main/2', 'main/8', 'main/15']);
    const first = run(state, { type: 'next-hit', offset: 1 });
    expect(first.selection).toBe('main/2');
    expect(run(first, { type: 'next-hit', offset: 1 }).selection).toBe('main/8');
    expect(run(first, { type: 'next-hit', offset: -1 }).selection).toBe('main/15');
  });
});

describe('python', () => {
  it('shows what made the step, and checks out its base in a cell', () => {
    const state = live();
    const python = pythonLine(state);
    expect(python).toEqual({ base: 1, code: 's.apply(wb.passes.FuseOps())' });
    expect(python === null ? '' : cellText(state, python)).toBe(
      's.checkout(1)\ns.apply(wb.passes.FuseOps())',
    );
  });

  it('shows a proposal instead', () => {
    const proposal = { base: 2, code: 's.apply(wb.passes.LegalizeOps())' };
    expect(pythonLine(run(live(), { type: 'propose', line: proposal }))).toEqual(proposal);
  });
});

describe('a value in another function', () => {
  it('is selected in the picture of its function', () => {
    const module = moduleView(2);
    const [main] = module.functions;
    const layer = { ...graphOf([node('layer/1', [])]), name: 'layer' };
    const functions = main === undefined ? [] : [main, layer];
    const state = run(live(), received({ type: 'module', reply_to: 9, module: { ...module, functions } }));
    const inside = run(state, { type: 'select', key: 'layer/1' });
    expect(inside.graph).toBe('layer');
    expect(selectedNode(inside)?.key).toBe('layer/1');
    expect(run(inside, { type: 'select', key: 'main/8' }).graph).toBe('main');
    expect(run(inside, { type: 'select', key: 'nowhere/1' }).graph).toBe('layer');
  });
});

describe('answers', () => {
  it('keeps what applies by step', () => {
    const state = live();
    const known = run(
      state,
      received({ type: 'actions', reply_to: lastId(state), step: 2, actions: ACTIONS }),
    );
    expect(actions(known)).toHaveLength(4);
    expect(run(known, { type: 'sent' }, { type: 'hover', key: 'y' }).outbox).toEqual([]);
  });

  it('asks anew what applies when something was registered', () => {
    const asked = live();
    const known = run(
      asked,
      received({ type: 'actions', reply_to: lastId(asked), step: 2, actions: ACTIONS }),
      { type: 'sent' },
    );
    const same = run(known, received({ type: 'session', session: sessionView() }));
    expect(actions(same)).toHaveLength(4);
    expect(same.outbox).toEqual([]);
    const other = received({ type: 'session', session: sessionView({ catalogue: 2 }) });
    expect(sent(run(known, other))).toEqual(['actions']);
  });

  it('compares the chosen steps, at most two', () => {
    const state = run(
      live(),
      { type: 'choose', step: 0 },
      { type: 'choose', step: 6 },
      { type: 'choose', step: 3 },
      { type: 'diff' },
    );
    expect(state.outbox[state.outbox.length - 1]).toMatchObject({ type: 'diff', a: 3, b: 6 });
  });

  it('compares with the step before where nothing is chosen', () => {
    const state = run(live(), { type: 'diff' });
    expect(state.outbox[state.outbox.length - 1]).toMatchObject({ type: 'diff', a: 1, b: 2 });
  });

  it('puts a recipe into the sheet that waits for it and nowhere else', () => {
    const state = run(live(), { type: 'recipe' });
    const reply = received({
      type: 'text',
      reply_to: lastId(state),
      text: 'import workbench',
      tokens: [],
    });
    expect(run(state, reply).sheet?.text).toBe('import workbench');
    expect(run(state, { type: 'close-sheet' }, reply).sheet).toBeNull();
  });

  it('tells a screen reader when the verdict comes', () => {
    const steps = sessionView().steps.map((one) =>
      one.index === 2 ? step(2, 1, 'FuseOps', { verdict: verdict('wrong', '✗ 0.83') }) : one,
    );
    const state = run(live(), received({ type: 'session', session: sessionView({ steps }) }));
    expect(state.announcement).toBe('FuseOps: ✗ 0.83');
  });

  it('shows what was refused and loses nothing', () => {
    const asked = run(live(), { type: 'apply', name: 'FuseOps', node: null, numbers: null });
    const diagnostic = {
      code: 'fuse/x',
      severity: 'error' as const,
      message: 'no',
      node: null,
      notes: [],
      hint: '',
      text: '',
    };
    const state = run(
      asked,
      received({ type: 'failed', reply_to: lastId(asked), diagnostics: [diagnostic] }),
    );
    expect(state.failures).toEqual([diagnostic]);
    expect(state.cursor).toBe(2);
  });
});

describe('jobs', () => {
  const job = {
    type: 'job' as const,
    job: 1,
    phase: 'measuring',
    done: 1,
    total: 3,
    reply_to: null,
  };

  it('waits for a measurement until its job ends, and can ask again after a cancel', () => {
    const asked = run(live(), { type: 'measure', node: 'main/8' }, { type: 'sent' });
    const running = run(asked, received({ ...job, state: 'running' }));
    expect(Object.values(running.pending).map((one) => one.type)).toContain('measure');
    const cancelled = run(running, { type: 'cancel' }, received({ ...job, state: 'cancelled' }));
    expect(sent(cancelled)).toEqual(['cancel']);
    const again = run(cancelled, { type: 'sent' }, { type: 'measure', node: 'main/8' });
    expect(sent(again)).toEqual(['measure']);
    expect(sent(run(again, { type: 'sent' }, { type: 'cancel' }))).toEqual(['cancel']);
  });
});

describe('saving', () => {
  it('saves what is drawn with the details of the selected node', () => {
    const asked = run(live(), { type: 'select', key: 'main/8' });
    const state = run(
      asked,
      received({ type: 'detail', reply_to: lastId(asked), detail: detailView(2, 'main/8') }),
    );
    const saved = savedView(state);
    expect(saved?.module.step).toBe(2);
    expect(saved?.detail?.node).toBe('main/8');
    expect(initialState(saved).selection).toBe('main/8');
  });
});
