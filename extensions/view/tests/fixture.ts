/** A small session as a kernel would send it, for tests and for looking at the view. */

import type {
  ActionView,
  DetailView,
  FunctionView,
  GroupView,
  LoopRow,
  Message,
  ModuleView,
  NodeView,
  SessionView,
  StepView,
  TokenView,
  VerdictView,
} from '../src/protocol/generated.js';
import { VERSION } from '../src/protocol/generated.js';

export function node(
  key: string,
  inputs: readonly string[],
  rest: Partial<NodeView> = {},
): NodeView {
  return {
    key,
    stable: key,
    name: key.replace('main/', 'lv'),
    label: key,
    type: 'f32[1, 512, 256]',
    kind: 'op',
    inputs,
    effect: false,
    after: [],
    group: null,
    change: 'none',
    stub: false,
    callee: null,
    width: 150,
    height: 40,
    ...rest,
  };
}

export function group(key: string, rest: Partial<GroupView> = {}): GroupView {
  return {
    key,
    label: key,
    kind: 'fused',
    parent: null,
    collapsed: false,
    type: 'f32[1, 512, 256]',
    ops: 2,
    kinds: { tensor: 2 },
    change: 'none',
    width: 150,
    height: 40,
    ...rest,
  };
}

export function graphOf(
  nodes: readonly NodeView[],
  groups: readonly GroupView[] = [],
): FunctionView {
  const last = nodes[nodes.length - 1];
  return { name: 'main', nodes, groups, outputs: last === undefined ? [] : [last.key], gone: [] };
}

const NODES: readonly NodeView[] = [
  node('main/0', [], { label: 'bytes', kind: 'input', type: 'i32[1, 2048]' }),
  node('main/1', [], { label: 'embed', kind: 'constant', type: 'f32[257, 64]', stub: true }),
  node('main/2', ['main/0', 'main/1'], {
    label: 'one_hot · matmul',
    type: 'f32[1, 2048, 64]',
    group: 'emb',
  }),
  node('main/3', ['main/2'], { label: 'reshape', type: 'f32[1, 512, 256]', group: 'emb' }),
  node('main/4', [], { label: 'scale', kind: 'constant', type: 'f32[256]', stub: true }),
  node('main/5', [], { label: 'bias', kind: 'constant', type: 'f32[256]', stub: true }),
  node('main/6', ['main/3', 'main/4', 'main/5'], { label: 'layer_norm' }),
  node('main/7', [], { label: 'w0', kind: 'constant', type: 'f32[512, 256]', stub: true }),
  node('main/8', ['main/6', 'main/7'], { label: 'matmul' }),
  node('main/9', [], { label: 'b0', kind: 'constant', type: 'f32[256]', stub: true }),
  node('main/10', ['main/8', 'main/9'], { label: 'add' }),
  node('main/11', ['main/10'], { label: 'gelu' }),
  node('main/12', ['main/11', 'main/6'], { label: 'add' }),
  node('main/13', ['main/12'], { label: 'global max pool', type: 'f32[1, 256]' }),
  node('main/14', [], { label: 'w1', kind: 'constant', type: 'f32[256, 214]', stub: true }),
  node('main/15', ['main/13', 'main/14'], { label: 'matmul', type: 'f32[1, 214]' }),
  node('main/16', ['main/15'], { label: 'softmax', type: 'f32[1, 214]' }),
];

const LAYER = group('emb', { label: 'embedding', kind: 'layer', ops: 2, collapsed: true });

function withChange(
  change: NodeView['change'],
  keys: readonly string[],
  kind?: NodeView['kind'],
): NodeView[] {
  return NODES.map((one) =>
    keys.includes(one.key) ? { ...one, change, ...(kind === undefined ? {} : { kind }) } : one,
  );
}

const OPS = NODES.filter((one) => one.kind === 'op').map((one) => one.key);

function fused(): FunctionView {
  const inside = ['main/8', 'main/10', 'main/11'];
  const nodes = withChange('none', OPS, 'tensor').map((one) =>
    inside.includes(one.key) ? { ...one, group: 'fuse8', change: 'fused' as const } : one,
  );
  const library = nodes.map((one) =>
    one.key === 'main/15' ? { ...one, kind: 'library' as const } : one,
  );
  return graphOf(library, [
    LAYER,
    group('fuse8', { label: 'fused_matmul_add_gelu', ops: 3, change: 'fused' }),
  ]);
}

const GRAPHS: readonly FunctionView[] = [
  graphOf(NODES, [LAYER]),
  graphOf(withChange('rewritten', OPS, 'tensor'), [LAYER]),
  fused(),
  graphOf(withChange('rewritten', ['main/15'], 'library'), [LAYER]),
  { ...fused(), gone: ['add'] },
];

export function moduleView(step: number): ModuleView {
  const view = GRAPHS[step % GRAPHS.length] ?? graphOf([]);
  return {
    step,
    functions: [view],
    cards: [
      {
        name: 'main',
        kind: 'graph',
        signature: '(bytes: i32[1, 2048]) -> f32[1, 214]',
        uses: 0,
        change: 'none',
      },
      {
        name: 'matmul_1x512x256',
        kind: 'tensor',
        signature: '(A: f32[512, 512], B: f32[512, 256], C: f32[512, 256])',
        uses: 1,
        change: 'rewritten',
      },
      { name: 'cblas_sgemm', kind: 'library', signature: '(A, B, C)', uses: 1, change: 'new' },
    ],
    calls: step === 0 ? { op: 95 } : { tensor: 30, library: 1 },
    calls_before: { op: 95 },
  };
}

export function verdict(state: VerdictView['state'], text: string): VerdictView {
  return {
    state,
    text,
    local_error: null,
    drift: null,
    inputs: 'seeded bytes 0..255',
    first: null,
    checked: 12,
    at: '',
  };
}

export function step(
  index: number,
  parent: number | null,
  label: string,
  rest: Partial<StepView> = {},
): StepView {
  const name = label.split(' ')[0] ?? label;
  return {
    index,
    parent,
    name,
    label,
    code: parent === null ? '' : `s.apply(wb.passes.${name}())`,
    verdict: verdict('within', '✓ max error 1.2e-07'),
    new: 0,
    gone: 0,
    rewritten: 3,
    fused: 0,
    changed: true,
    seconds: 0.01,
    remarks: [],
    milliseconds: null,
    became: {},
    ...rest,
  };
}

export function sessionView(rest: Partial<SessionView> = {}): SessionView {
  return {
    name: 'magika · standard_v3_3',
    catalogue: 1,
    head: 2,
    steps: [
      step(0, null, 'imported', { verdict: verdict('none', '') }),
      step(1, 0, 'LegalizeOps ~12'),
      step(2, 1, 'FuseOps ⊂3', { verdict: verdict('within', '✓ max error 2.4e-07') }),
      step(3, 1, 'DispatchToLibrary ~1', { verdict: verdict('checking', 'checking…') }),
      step(4, 3, 'SwapOperands', {
        verdict: {
          ...verdict('wrong', '✗ matmul: 0.83 at [0, 3, 7]'),
          first: {
            node: 'main/15',
            name: 'lv15',
            index: [0, 3, 7],
            expected: '0.12',
            found: '0.83',
          },
        },
      }),
      step(5, 2, 'Canonicalize', { changed: false, verdict: verdict('exact', '✓ exact') }),
      step(6, 5, 'ScheduleDefault ~3', { verdict: verdict('checking', 'checking…') }),
    ],
    path: [0, 1, 2],
    kernel_note: '',
    variable: 's',
    ...rest,
  };
}

function tokens(text: string): TokenView[] {
  return text.split(/(\bfor\b|\bin\b|\bdef\b|\bwith\b|\d+|[A-D](?=\[))/).map((part) => ({
    text: part,
    style: /^(for|in|def|with)$/.test(part)
      ? ('keyword' as const)
      : /^\d+$/.test(part)
        ? ('number' as const)
        : /^[A-D]$/.test(part)
          ? ('name' as const)
          : ('plain' as const),
    node: /^[A-D]$/.test(part) ? `main/8>${part}` : null,
  }));
}

export function loop(
  depth: number,
  code: string,
  kind: LoopRow['kind'],
  rest: Partial<LoopRow> = {},
): LoopRow {
  return {
    depth,
    code: tokens(code),
    kind,
    node: null,
    extent: '',
    reads: [],
    writes: [],
    note: '',
    name: '',
    cost: '',
    cost_detail: '',
    ...rest,
  };
}

export const ACTIONS: readonly ActionView[] = [
  {
    name: 'LegalizeOps',
    applies: true,
    reason: '12 calls',
    sites: 12,
    code: 's.apply(wb.passes.LegalizeOps())',
    scope: 'module',
    doc: '',
    numbers: [],
  },
  {
    name: 'FuseOps',
    applies: true,
    reason: '3 groups: matmul, add, gelu',
    sites: 3,
    code: 's.apply(wb.passes.FuseOps())',
    scope: 'module',
    doc: '',
    numbers: [],
  },
  {
    name: 'DispatchToLibrary',
    applies: true,
    reason: '2 matmuls',
    sites: 2,
    code: 's.apply(wb.passes.DispatchToLibrary())',
    scope: 'module',
    doc: '',
    numbers: [],
  },
  {
    name: 'FoldConstant',
    applies: false,
    reason: 'no call has only constant arguments',
    sites: 0,
    code: '',
    scope: 'module',
    doc: '',
    numbers: [],
  },
];

export function detailView(at: number, key: string): DetailView {
  const found = GRAPHS[at % GRAPHS.length]?.nodes.find((one) => one.key === key) ?? NODES[8];
  const label = found?.label ?? key;
  return {
    step: at,
    node: key,
    title: label,
    kind: found?.kind ?? 'op',
    type: found?.type ?? '',
    arguments: ['lv6: f32[1, 512, 512]', 'w0: f32[512, 256]'],
    callee: 'fused_matmul_add_gelu',
    script: tokens(
      'def matmul(A: T.Buffer, B: T.Buffer, C: T.Buffer):\n    for i, j, k in T.grid(512, 256, 512):\n        with T.sblock("C"):\n            C[i, j] += A[i, k] * B[k, j]\n',
    ),
    loops: [
      loop(0, 'for i0 in 11', 'parallel', { node: 'main/8>i0' }),
      loop(1, 'for j0 in 4', 'serial'),
      loop(2, 'for k in 512', 'serial', { extent: '×4' }),
      loop(3, 'for i1 in 6', 'unrolled'),
      loop(4, 'for j1 in 64', 'vectorized', { extent: '16' }),
      loop(5, 'C[i, j] += A[i, k] * B[k, j]', 'statement', {
        note: '24 fma, 0 spills',
        reads: ['A', 'B'],
        writes: ['C'],
      }),
      loop(2, 'for j1 in 64', 'vectorized', { extent: '16' }),
      loop(3, 'D[i, j] = gelu(C[i, j] + b[j])', 'statement', { note: 'in registers' }),
    ],
    origin: [
      { source: 'MatMul "dense_1/MatMul"', detail: 'of the imported model', step: null },
      { source: 'LegalizeOps', detail: 'gave it the tensor function matmul', step: 1 },
    ],
    actions: ACTIONS.map((one, index) =>
      index === 1 ? { ...one, scope: 'selection' as const } : one,
    ),
    implementations: [
      {
        name: 'generated',
        kind: 'generated',
        description: 'loop nest of the tensor function',
        current: true,
        available: true,
        reason: '',
        code: '',
      },
      {
        name: 'schedule 6x64',
        kind: 'schedule',
        description: 'tiled 6 by 64, vectors of 16',
        current: false,
        available: true,
        reason: '',
        code: "s.swap('lv8', 'schedule 6x64')",
      },
      {
        name: 'numpy',
        kind: 'library',
        description: 'OpenBLAS through numpy',
        current: false,
        available: true,
        reason: '',
        code: "s.swap('lv8', 'numpy')",
      },
      {
        name: 'onednn',
        kind: 'library',
        description: '',
        current: false,
        available: false,
        reason: 'oneDNN is not installed',
        code: '',
      },
    ],
    llvm: 'define i32 @matmul(ptr noalias %A) {\nentry:\n  br label %loop\n}',
    assembly: 'vfmadd231ps zmm0, zmm1, zmm2\nret',
    facts: ['0.081 ms', '90 % of peak'],
    editable: true,
  };
}

export function hello(): Message {
  return { type: 'hello', version: VERSION, session: sessionView(), module: moduleView(2) };
}
