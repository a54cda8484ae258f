/** The view with a kernel made of the fixture, for looking at it without Jupyter. Not shipped. */

import { layout, mount, type AnyIntent, type Message, type View } from '../src/index.js';
import {
  ACTIONS,
  detailView,
  graphOf,
  hello,
  moduleView,
  node,
  sessionView,
} from '../tests/fixture.js';
import { VERSION } from '../src/protocol/generated.js';

const root = document.getElementById('root') ?? document.body;
const large = Number(new URLSearchParams(location.search).get('nodes') ?? 0);

function answer(intent: AnyIntent): Message[] {
  const reply_to = intent.id;
  switch (intent.type) {
    case 'open':
      return [large > 0 ? largeHello(large) : hello()];
    case 'show':
      return [{ type: 'module', reply_to, module: moduleView(intent.step) }];
    case 'detail':
      return [{ type: 'detail', reply_to, detail: detailView(intent.step, intent.node) }];
    case 'actions':
      return [{ type: 'actions', reply_to, step: intent.step, actions: ACTIONS }];
    case 'diff':
      return [{ type: 'diff', reply_to, diff: diff(intent.a, intent.b) }];
    case 'script':
    case 'recipe':
      return [
        {
          type: 'text',
          reply_to,
          text: 'import workbench as wb\n\nmodule = wb.load("model.onnx")\nmodule = wb.passes.LegalizeOps()(module).module\n',
          tokens: [],
        },
      ];
    case 'measure':
      return [
        { type: 'job', job: 1, phase: 'measuring', done: 3, total: 3, state: 'done', reply_to },
        { type: 'comparison', reply_to, comparison: bars(true), node: intent.node },
      ];
    case 'compare':
      return [{ type: 'comparison', reply_to, comparison: bars(false), node: null }];
    case 'apply':
      return [
        {
          type: 'failed',
          reply_to,
          diagnostics: [
            {
              code: 'fuse/many-uses',
              severity: 'error',
              message: '`lv6` has 2 uses',
              node: 'main/6',
              notes: ['used by `lv8`'],
              hint: 'duplicate it first',
              text: 'line 3: lv8 = matmul(lv6, w0)\n                     ^^^',
            },
          ],
        },
      ];
    case 'checkout':
      return [
        { type: 'session', session: sessionView({ head: intent.step }) },
        { type: 'applied', reply_to, step: intent.step, code: '' },
      ];
    default:
      return [];
  }
}

function largeHello(count: number): Message {
  const nodes = [node('x', [], { kind: 'input', label: 'x' })];
  let last = 'x';
  for (let i = 0; i < count / 5; i += 1) {
    for (const part of ['q', 'k', 'v']) {
      nodes.push(node(`${part}${i}`, [last], { label: part }));
    }
    nodes.push(node(`s${i}`, [`q${i}`, `k${i}`, `v${i}`], { label: 'attention', kind: 'tensor' }));
    nodes.push(node(`o${i}`, [`s${i}`, last], { label: 'add', kind: 'tensor' }));
    last = `o${i}`;
  }
  const view = graphOf(nodes);
  const start = performance.now();
  layout(view);
  console.info(`layout of ${nodes.length} nodes: ${performance.now() - start} ms`);
  return {
    type: 'hello',
    version: VERSION,
    session: sessionView(),
    module: { ...moduleView(2), functions: [view] },
  };
}

function diff(a: number, b: number) {
  return {
    a,
    b,
    added: ['main/15'],
    removed: ['main/3'],
    rewritten: ['main/6', 'main/8'],
    fused: ['main/10'],
    names: {
      'main/15': 'matmul',
      'main/3': 'reshape',
      'main/6': 'layer_norm',
      'main/8': 'matmul',
      'main/10': 'add',
    },
    summary: '1 new, 1 gone, 2 rewritten, 1 fused',
    lines: [
      { sign: '@' as const, text: 'def main(bytes)' },
      { sign: ' ' as const, text: 'lv6 = R.layer_norm(lv3, scale, bias)' },
      { sign: '-' as const, text: 'lv8 = R.matmul(lv6, w0)' },
      { sign: '+' as const, text: 'lv8 = R.call_tir(fused_matmul_add_gelu, (lv6, w0, b0))' },
    ],
  };
}

function bars(node_: boolean) {
  const bar = (name: string, ms: number, best: boolean, rest = {}) => ({
    name,
    milliseconds: ms,
    low: ms * 0.94,
    high: ms * 1.05,
    runs: 40,
    error: 2e-7,
    best,
    current: false,
    note: '',
    failed: '',
    implementation: null,
    step: null,
    ...rest,
  });
  return node_
    ? {
        title: 'matmul 512 x 256',
        conditions: '2 threads, seeded inputs, medians of 40 interleaved runs',
        per_operator: [],
        bars: [
          bar('generated', 5.2, false),
          bar('schedule 6x64', 0.81, true),
          bar('numpy', 0.95, false),
        ],
      }
    : {
        title: 'whole model, per step',
        conditions: '2 threads, given inputs',
        per_operator: [
          { node: 'main/8', name: 'matmul', milliseconds: [20.1, 4.2] },
          { node: 'main/2', name: 'one_hot', milliseconds: [10.1, null] },
        ],
        bars: [
          bar('0 imported', 38.2, false, { step: 0 }),
          bar('2 FuseOps', 12.4, true, { step: 2 }),
        ],
      };
}

const view: View = mount(root, null, {
  send: (intent) => {
    setTimeout(() => {
      for (const message of answer(intent)) {
        view.receive(message);
      }
    }, 20);
  },
  insertCell: (code) => {
    document.title = code;
  },
});
view.connect('dev');
Object.assign(window, { view });
