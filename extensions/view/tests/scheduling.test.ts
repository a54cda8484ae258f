import { describe, expect, it } from 'vitest';
import type { Message, OfferView } from '../src/protocol/generated.js';
import { VERSION } from '../src/protocol/generated.js';
import type { ViewEvent } from '../src/store/events.js';
import { reduce } from '../src/store/reducer.js';
import { moveOf, offers, placeAt, targets, tried } from '../src/store/scheduling.js';
import { selectedNode } from '../src/store/selectors.js';
import { initialState, type State } from '../src/store/state.js';
import { detailView, graphOf, hello, loop, moduleView, node, sessionView, step } from './fixture.js';

function run(state: State, ...events: ViewEvent[]): State {
  return events.reduce(reduce, state);
}

function received(message: Message): ViewEvent {
  return { type: 'received', message };
}

function live(): State {
  const connected: ViewEvent = { type: 'connected', key: 'k' };
  return run(initialState(null), connected, { type: 'sent' }, received(hello()));
}

function sent(state: State): string[] {
  return state.outbox.map((intent) => intent.type);
}

function lastId(state: State): number {
  return state.outbox[state.outbox.length - 1]?.id ?? -1;
}

describe('scheduling by hand', () => {
  const offer = (name: string, rest: Partial<OfferView> = {}): OfferView => ({
    name,
    answer: 'applies',
    doc: '',
    reason: '',
    notes: [],
    hint: '',
    choices: [{ label: '', arguments: { loop: 'j' }, code: `s.apply(${name})` }],
    own: '',
    ...rest,
  });
  const rows = ['i', 'j', 'k'].map((name, depth) =>
    loop(depth, `for ${name} in 8`, 'serial', { node: `f/${name}`, name }),
  );
  const nest = [...rows, loop(3, 'block C', 'block', { node: 'f/C', name: 'C' })];

  /** A session whose selected node calls `f` with the loops i, j, k; j is selected. */
  function atLoop(): State {
    const selected = run(live(), { type: 'select', key: 'main/8' }, { type: 'sent' });
    const known = { ...detailView(2, 'main/8'), callee: 'f', loops: nest };
    return run(
      selected,
      received({ type: 'detail', reply_to: lastId(selected), detail: known }),
      { type: 'place', key: 'f/j' },
    );
  }

  it('asks what applies at a row once, and keeps it by step', () => {
    const asked = atLoop();
    expect(asked.outbox.at(-1)).toMatchObject({ type: 'offers', step: 2, place: 'f/j' });
    const more = run(
      asked,
      { type: 'sent' },
      received({
        type: 'offers',
        reply_to: lastId(asked),
        step: 2,
        place: 'f/j',
        offers: [offer('Split')],
        facts: [],
        skip: 0,
        next: 7,
      }),
    );
    expect(asked.outbox.at(-1)).toMatchObject({ skip: 0 });
    expect(more.outbox).toMatchObject([{ type: 'offers', place: 'f/j', skip: 7 }]);
    const state = run(
      more,
      { type: 'sent' },
      received({
        type: 'offers',
        reply_to: lastId(more),
        step: 2,
        place: 'f/j',
        offers: [offer('Unroll')],
        facts: ['flow of C'],
        skip: 7,
        next: null,
      }),
    );
    expect(offers(state)?.map((one) => one.name)).toEqual(['Split', 'Unroll']);
    expect(state.facts['2|f/j']).toEqual(['flow of C']);
    expect(run(state, { type: 'hover', key: null }).outbox).toEqual([]);
  });

  it('asks before it performs, and performs with the parameters of the answer', () => {
    const move = { name: 'Split', arguments: { loop: 'j', factors: 'None, 4' } };
    const asked = run(atLoop(), { type: 'sent' }, { type: 'attempt', ...move });
    expect(sent(asked)).toEqual(['try']);
    const exact = { loop: 'j', factors: [null, 4] };
    const state = run(
      asked,
      { type: 'sent' },
      received({
        type: 'offers',
        reply_to: lastId(asked),
        step: 2,
        place: 'f/j',
        offers: [offer('Split', { choices: [{ label: '', arguments: exact, code: '' }] })],
        facts: [],
        skip: 0,
        next: null,
      }),
    );
    expect(state.outbox).toMatchObject([{ type: 'perform', name: 'Split', arguments: exact }]);
    expect(tried(state, move)?.answer).toBe('applies');
    expect(offers(state)).toBeNull();
  });

  it('says why a move is refused and sends nothing', () => {
    const move = { name: 'Parallel', arguments: { loop: 'k' } };
    const asked = run(atLoop(), { type: 'sent' }, { type: 'attempt', ...move });
    const answer = offer('Parallel', { answer: 'illegal', reason: 'k=1 reads what k=0 writes' });
    const state = run(
      asked,
      { type: 'sent' },
      received({
        type: 'offers',
        reply_to: lastId(asked),
        step: 2,
        place: 'f/j',
        offers: [answer],
        facts: [],
        skip: 0,
        next: null,
      }),
    );
    expect(state.refusal?.reason).toContain('k=0');
    expect(state.announcement).toContain('illegal');
    expect(sent(state)).not.toContain('perform');
    expect(run(state, { type: 'place', key: 'f/i' }).refusal).toBeNull();
  });

  it('takes bad parameters as an answer, not as a failure of the view', () => {
    const move = { name: 'Split', arguments: { loop: 'j', factors: 'x' } };
    const asked = run(atLoop(), { type: 'sent' }, { type: 'try', ...move });
    const fault = {
      code: 'view/bad-parameters',
      severity: 'error' as const,
      message: 'parameters do not fit',
      node: null,
      notes: [],
      hint: '',
      text: '',
    };
    const failed = received({ type: 'failed', reply_to: lastId(asked), diagnostics: [fault] });
    const state = run(asked, { type: 'sent' }, failed);
    expect(tried(state, move)).toMatchObject({ answer: 'inapplicable', reason: fault.message });
    expect(state.failures).toEqual([]);
  });

  it('follows the loop through what replaced it, there and back', () => {
    const steps = [
      step(0, null, 'imported'),
      step(1, 0, 'Split', { became: { 'f/j': 'f/j_0' } }),
      step(2, 1, 'Fuse', { became: { 'f/i': 'f/ij', 'f/j_0': 'f/ij' } }),
      step(3, 0, 'Split', { became: { 'f/j': 'f/j_2' } }),
    ];
    const state = { ...live(), session: sessionView({ steps, head: 2, path: [0, 1, 2] }) };
    expect(placeAt(state, 'f/j', 0, 2)).toBe('f/ij');
    expect(placeAt(state, 'f/k', 0, 2)).toBe('f/k');
    expect(placeAt(state, 'f/j_0', 1, 3)).toBe('f/j_2');
    expect(placeAt(state, 'f/j_2', 3, 0)).toBe('f/j');
  });

  it('makes the order that a drop asks for, within one nest only', () => {
    const out = { name: 'Reorder', arguments: { function: 'f', loops: ['k', 'i', 'j'] } };
    expect(moveOf(nest, 2, 0, 'f')).toEqual(out);
    const into = { name: 'Reorder', arguments: { function: 'f', loops: ['j', 'k', 'i'] } };
    expect(moveOf(nest, 0, 2, 'f')).toEqual(into);
    const beside = [...nest, loop(0, 'for x in 8', 'serial', { node: 'f/x', name: 'x' })];
    expect(moveOf(beside, 2, 4, 'f')).toBeNull();
    expect(targets(beside, 1)).toEqual([0, 2]);
    expect(targets(beside, 3)).toEqual([]);
  });

  it('opens a function of the table of contents, and selects the only one', () => {
    const opened = run(live(), { type: 'sent' }, { type: 'select', key: 'matmul_1x512x256/' });
    expect(selectedNode(opened)).toMatchObject({ kind: 'tensor', label: 'matmul_1x512x256' });
    expect(opened.outbox.at(-1)).toMatchObject({ type: 'detail', node: 'matmul_1x512x256/' });
    const alone = { ...graphOf([node('f/', [], { kind: 'tensor' })]), name: '' };
    const module = { ...moduleView(0), functions: [alone] };
    const session = sessionView({ head: 0, path: [0] });
    const state = run(
      initialState(null),
      { type: 'connected', key: 'k' },
      received({ type: 'hello', version: VERSION, session, module }),
    );
    expect(state.selection).toBe('f/');
  });
});
