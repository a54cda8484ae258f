import { describe, expect, it } from 'vitest';
import type { ActionView } from '../src/protocol/generated.js';
import { reduce } from '../src/store/reducer.js';
import { actionsAbout } from '../src/store/selectors.js';
import { initialState } from '../src/store/state.js';
import { ACTIONS, hello } from './fixture.js';

const SPECIALISE: ActionView = {
  name: 'BindSymbolicVariables',
  applies: true,
  reason: 'specialise for n = 3',
  sites: 0,
  code: "s.apply(wb.passes.BindSymbolicVariables(values={'n': 3}))",
  scope: 'module',
  doc: 'Specialise: replace symbolic dimensions by numbers.',
  numbers: [{ name: 'n', value: 3 }],
};

function names(text: string): string[] {
  return actionsAbout([...ACTIONS, SPECIALISE], text).map((action) => action.name);
}

describe('search for a pass', () => {
  it('knows the words of its name, of what it does, and both spellings', () => {
    expect(names('')).toHaveLength(ACTIONS.length + 1);
    expect(names('fuse')).toEqual(['FuseOps']);
    expect(names('ops')).toEqual(['LegalizeOps', 'FuseOps']);
    expect(names('legalise')).toEqual(['LegalizeOps']);
    for (const text of ['specialise', 'Specialize', 'symbolic', 'BindSymbolic', 'n = 7', 'n=12']) {
      expect(names(text)).toEqual(['BindSymbolicVariables']);
    }
    expect(names('fuse 7')).toEqual([]);
    expect(names('nothing')).toEqual([]);
  });
});

describe('numbers of a pass', () => {
  it('are asked about while they are typed, and sent with the order', () => {
    let state = reduce(initialState(null), { type: 'connected', key: 'k' });
    state = reduce(state, { type: 'received', message: hello() });
    const asked = reduce(state, { type: 'numbers', numbers: { n: 7 } });
    expect(asked.outbox[asked.outbox.length - 1]).toMatchObject({
      type: 'actions',
      node: null,
      numbers: { n: 7 },
    });
    const name = SPECIALISE.name;
    const ordered = reduce(asked, { type: 'apply', name, node: null, numbers: { n: 7 } });
    expect(ordered.outbox[ordered.outbox.length - 1]).toMatchObject({
      type: 'apply',
      numbers: { n: 7 },
    });
  });
});
