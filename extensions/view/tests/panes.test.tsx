import { describe, expect, it, vi } from 'vitest';
import { mount, readSaved, type AnyIntent, type View } from '../src/index.js';
import { VERSION, type ActionView } from '../src/protocol/generated.js';
import { ACTIONS, detailView, hello, loop, moduleView, sessionView } from './fixture.js';

interface Rig {
  readonly root: HTMLElement;
  readonly view: View;
  readonly sent: AnyIntent[];
  readonly cells: string[];
}

class NoResize {
  observe(): void {
    // Sizes never change here.
  }
  disconnect(): void {
    // Nothing to stop.
  }
}
globalThis.ResizeObserver = NoResize as unknown as typeof ResizeObserver;

function rig(): Rig {
  const root = document.createElement('div');
  document.body.append(root);
  const sent: AnyIntent[] = [];
  const cells: string[] = [];
  const view = mount(root, null, {
    send: (intent) => sent.push(intent),
    insertCell: (code) => cells.push(code),
  });
  view.connect('k');
  view.receive(hello());
  return { root, view, sent, cells };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

function nameOf(element: Element): string {
  const title =
    element.firstElementChild?.tagName === 'title' ? element.firstElementChild : element;
  return element.getAttribute('aria-label') ?? title.textContent;
}

function labelled(root: HTMLElement, role: string, label: string): HTMLElement {
  const found = [...root.querySelectorAll<HTMLElement>(`[role="${role}"], ${role}`)].find(
    (element) => nameOf(element).startsWith(label),
  );
  if (found === undefined) {
    throw new Error(`no ${role} "${label}"`);
  }
  return found;
}

function specialise(n: number): ActionView {
  return {
    name: 'BindSymbolicVariables',
    applies: true,
    reason: `specialise for n = ${n}`,
    sites: 0,
    code: `s.apply(wb.passes.BindSymbolicVariables(values={'n': ${n}}))`,
    scope: 'module',
    doc: 'Specialise: replace symbolic dimensions by numbers.',
    numbers: [{ name: 'n', value: n }],
  };
}

function field(root: HTMLElement): HTMLInputElement {
  return labelled(root, 'input', 'n =') as HTMLInputElement;
}

async function type(root: HTMLElement, n: number): Promise<void> {
  field(root).value = String(n);
  field(root).dispatchEvent(new Event('input', { bubbles: true }));
  await settled();
}

describe('the view', () => {
  it('shows actions and applies one by a press', async () => {
    const { root, view, sent } = rig();
    const asked = sent.find((intent) => intent.type === 'actions');
    view.receive({ type: 'actions', reply_to: asked?.id ?? 0, step: 2, actions: ACTIONS });
    await settled();
    labelled(root, 'button', 'Apply FuseOps').click();
    expect(sent[sent.length - 1]).toMatchObject({
      type: 'apply',
      name: 'FuseOps',
      node: null,
      step: 2,
    });
    expect(root.textContent).toContain('no call has only constant arguments');
  });

  it('keeps typed numbers for the step that they were typed for', async () => {
    const { root, view, sent } = rig();
    const answerAt = (step: number, n: number): void => {
      const asked = sent.filter((intent) => intent.type === 'actions').at(-1);
      const actions = [specialise(n), ...ACTIONS];
      view.receive({ type: 'actions', reply_to: asked?.id ?? 0, step, actions });
    };
    answerAt(2, 3);
    await settled();
    await type(root, 7);
    expect(field(root).value).toBe('7');
    labelled(root, 'button', '1 LegalizeOps').click();
    await settled();
    const shown = sent.filter((intent) => intent.type === 'show').at(-1);
    view.receive({ type: 'module', reply_to: shown?.id ?? 0, module: moduleView(1) });
    await settled();
    answerAt(1, 3);
    await settled();
    expect(field(root).value).toBe('3');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(sent.filter((intent) => intent.type === 'actions' && intent.numbers !== null)).toEqual(
      [],
    );
    labelled(root, 'button', '2 FuseOps').click();
    await settled();
    expect(field(root).value).toBe('7');
    await vi.waitFor(() => {
      expect(sent[sent.length - 1]).toMatchObject({ type: 'actions', step: 2, numbers: { n: 7 } });
    });
    labelled(root, 'button', '1 LegalizeOps').click();
    await settled();
    expect(field(root).value).toBe('3');
  });

  it('specialises the whole module for typed numbers with a value selected', async () => {
    const { root, view, sent } = rig();
    await settled();
    labelled(root, 'button', 'matmul, f32[1, 512, 256]').dispatchEvent(
      new MouseEvent('click', { bubbles: true }),
    );
    const asked = sent.find((intent) => intent.type === 'detail');
    const here = detailView(2, 'main/8');
    const detail = { ...here, actions: [specialise(3), ...here.actions] };
    view.receive({ type: 'detail', reply_to: asked?.id ?? 0, detail });
    await settled();
    await type(root, 7);
    await vi.waitFor(() => {
      expect(sent[sent.length - 1]).toMatchObject({ type: 'actions', numbers: { n: 7 } });
    });
    const question = sent[sent.length - 1]?.id ?? 0;
    view.receive({ type: 'actions', reply_to: question, step: 2, actions: [specialise(7)] });
    await settled();
    labelled(root, 'button', 'Apply BindSymbolicVariables').click();
    expect(sent[sent.length - 1]).toMatchObject({ type: 'apply', node: null, numbers: { n: 7 } });
    expect(root.querySelector('.wb-actions')?.textContent).toContain('n = 7 (whole module)');
  });

  it('puts the line of the step into a cell, its base first', async () => {
    const { root, cells } = rig();
    await settled();
    labelled(root, 'button', 'To next cell').click();
    expect(cells).toEqual(['s.checkout(1)\ns.apply(wb.passes.FuseOps())']);
  });

  it('selects a box, shows its details, and swaps', async () => {
    const { root, view, sent } = rig();
    await settled();
    labelled(root, 'button', 'matmul, f32[1, 512, 256]').dispatchEvent(
      new MouseEvent('click', { bubbles: true }),
    );
    const asked = sent.find((intent) => intent.type === 'detail');
    view.receive({ type: 'detail', reply_to: asked?.id ?? 0, detail: detailView(2, 'main/8') });
    await settled();
    labelled(root, 'button', 'Use numpy').click();
    expect(sent[sent.length - 1]).toMatchObject({
      type: 'swap',
      node: 'main/8',
      implementation: 'numpy',
    });
  });

  it('lets no plain key out, and Escape clears the selection', async () => {
    const { root } = rig();
    const out: string[] = [];
    root.addEventListener('keydown', (event) => out.push(event.key));
    await settled();
    const picture = labelled(root, 'group', 'Graph of @main');
    for (const key of ['j', 'd', 'ArrowDown', 'Escape']) {
      picture.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    }
    expect(out).toEqual([]);
    await settled();
    expect(root.querySelector('.wb-selected')).toBeNull();
  });

  it('draws what a program says as text', async () => {
    const { root, view } = rig();
    const session = sessionView({ name: '<img src=x onerror=alert(1)>' });
    view.receive({ type: 'session', session });
    await settled();
    expect(root.querySelector('img')).toBeNull();
    expect(root.textContent).toContain('<img src=x');
  });

  it('turns the controls off when the kernel is gone', async () => {
    const { root, view } = rig();
    view.disconnect('the kernel was restarted');
    await settled();
    expect(root.textContent).toContain('run the cell again');
    expect((labelled(root, 'button', 'Compare') as HTMLButtonElement).disabled).toBe(true);
    expect((labelled(root, 'button', 'To next cell') as HTMLButtonElement).disabled).toBe(true);
  });

  it('says that an answer waits for a busy kernel', async () => {
    const { root, view } = rig();
    view.setBusy(true);
    await vi.waitFor(() => {
      expect(root.textContent).toContain('kernel busy: queued');
    }, 5000);
  });
});

describe('connecting', () => {
  it('shows the saved picture at once, with its controls off and no word of waiting', async () => {
    const root = document.createElement('div');
    document.body.append(root);
    const saved = { version: VERSION, session: sessionView(), module: moduleView(2), detail: null };
    const view = mount(root, saved, { send: () => undefined });
    view.connect('k');
    await settled();
    expect(root.querySelectorAll('[data-key]').length).toBeGreaterThan(0);
    expect(root.textContent).not.toContain('connecting');
    expect((labelled(root, 'button', 'Compare') as HTMLButtonElement).disabled).toBe(
      true,
    );
    await vi.waitFor(() => {
      expect(root.textContent).toContain('saved picture: connecting…');
    }, 5000);
  });
});

describe('saved data', () => {
  it('is drawn only in the version that made it', () => {
    const saved = { version: VERSION, session: sessionView(), module: moduleView(2), detail: null };
    expect(readSaved(saved)).toEqual(saved);
    expect(readSaved({ ...saved, version: VERSION + 1 })).toBeNull();
    expect(readSaved(null)).toBeNull();
    expect(readSaved('x')).toBeNull();
  });
});

describe('loop rows', () => {
  it('offer what applies, apply with Enter, and say why not', async () => {
    const { root, view, sent } = rig();
    await settled();
    labelled(root, 'button', 'matmul, f32[1, 512, 256]').dispatchEvent(
      new MouseEvent('click', { bubbles: true }),
    );
    const asked = sent.find((intent) => intent.type === 'detail');
    const rows = ['i', 'k'].map((name, depth) =>
      loop(depth, `for ${name} in 8`, 'serial', { node: `f/${name}`, name, cost: '8 op · 4 B' }),
    );
    const known = { ...detailView(2, 'main/8'), callee: 'f', loops: rows };
    view.receive({ type: 'detail', reply_to: asked?.id ?? 0, detail: known });
    await settled();
    const [first, second] = root.querySelectorAll<HTMLElement>('[role="treegrid"] [role="row"]');
    expect(first?.textContent).toContain('8 op · 4 B');
    second?.click();
    await settled();
    expect(second?.getAttribute('aria-selected')).toBe('true');
    const wanted = sent[sent.length - 1];
    expect(wanted).toMatchObject({ type: 'offers', place: 'f/k', step: 2 });
    const choice = (factor: number) => ({
      label: `[None, ${factor}]`,
      arguments: { loop: 'k', factors: [null, factor] },
      code: `s.apply(Split(${factor}))`,
    });
    const plain = { doc: '', reason: '', notes: [], hint: '', own: '' };
    view.receive({
      type: 'offers',
      reply_to: wanted?.id ?? 0,
      step: 2,
      place: 'f/k',
      skip: 0,
      next: null,
      facts: ['flow of C'],
      offers: [
        { ...plain, name: 'Split', answer: 'applies', choices: [choice(2), choice(4)] },
        {
          ...plain,
          name: 'Parallel',
          answer: 'illegal',
          reason: 'a reduction',
          notes: ['k=1 reads what k=0 writes'],
          choices: [choice(1)],
        },
      ],
    });
    await settled();
    expect(root.textContent).toContain('flow of C');
    expect(root.textContent).toContain('✗ illegal');
    expect(root.textContent).not.toContain('k=0 writes');
    labelled(root, 'button', 'Parallel').click();
    await settled();
    expect(root.textContent).toContain('k=0 writes');
    const second_choice = labelled(root, 'radio', '[None, 4]');
    second_choice.click();
    await settled();
    expect(root.querySelector('.wb-python-code')?.textContent).toBe('s.apply(Split(4))');
    expect(sent[sent.length - 1]).toMatchObject({ type: 'try', arguments: { loop: 'k' } });
    second_choice.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    const tries = sent[sent.length - 1];
    view.receive({
      type: 'offers',
      reply_to: tries?.id ?? 0,
      step: 2,
      place: 'f/k',
      skip: 0,
      next: null,
      facts: [],
      offers: [{ ...plain, name: 'Split', answer: 'applies', choices: [choice(4)] }],
    });
    expect(sent[sent.length - 1]).toMatchObject({
      type: 'perform',
      name: 'Split',
      arguments: { loop: 'k', factors: [null, 4] },
    });
  });
});

describe('the memory plan', () => {
  it('is asked for once when it is opened, and selects what is clicked', async () => {
    const { root, view, sent } = rig();
    await settled();
    labelled(root, 'button', 'Memory').click();
    const asked = sent.filter((intent) => intent.type === 'memory');
    expect(asked).toMatchObject([{ step: 2, function: 'main' }]);
    const block = {
      name: 'lv8',
      node: 'main/8',
      type: 'f32[8]',
      first: 0,
      last: 1,
      offset: 0,
      bytes: 64,
      size: '64 B',
      reuse: 'fresh',
      source: '',
      missed: [],
      returned: false,
    } as const;
    const memory = {
      step: 2,
      function: 'main',
      steps: ['lv8', 'lv9'],
      blocks: [block, { ...block, name: 'lv9', node: 'main/9', first: 1, reuse: 'in-place', source: 'lv8' }],
      peak: 64,
      live: [64, 64],
      total: 64,
      summary: 'arena 64 B instead of 128 B',
      notes: [],
      written: true,
    } as const;
    view.receive({ type: 'memory', reply_to: asked[0]?.id ?? 0, memory });
    await settled();
    const pane = labelled(root, 'section', 'Memory');
    expect(pane.textContent).toContain('arena 64 B instead of 128 B');
    expect(pane.textContent).toContain('followed by builds');
    const box = labelled(pane, 'button', 'lv9: 64 B, from step 1, until step 1; in place of lv8');
    box.dispatchEvent(new MouseEvent('click', { bubbles: true }));
    expect(sent[sent.length - 1]).toMatchObject({ type: 'detail', node: 'main/9' });
    await settled();
    labelled(pane, 'button', 'Close the memory plan').click();
    await settled();
    expect(root.querySelector('.wb-memory')).toBeNull();
    expect(sent.filter((intent) => intent.type === 'memory')).toHaveLength(1);
  });
});
