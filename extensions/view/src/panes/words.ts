/** The words and signs for what the protocol names. */

import type { Answer, Change, GroupView, NodeKind, NodeView, VerdictState } from '../protocol/generated.js';

const KINDS: Readonly<Record<NodeKind, string>> = {
  input: 'input',
  constant: 'constant',
  op: 'graph op',
  tensor: 'tensor function',
  library: 'library call',
  function: 'function call',
  branch: 'branch',
  other: 'other',
};

const SIGNS: Readonly<Record<Change, string>> = { none: '', new: '+', rewritten: '~', fused: '⊂' };

/** How the picture of a graph function is called; that of a module without any has no name. */
export function graphTitle(name: string): string {
  return name === '' ? 'tensor functions' : `@${name}`;
}

export function kindWord(kind: NodeKind): string {
  return KINDS[kind];
}

export function changeSign(change: Change): string {
  return SIGNS[change];
}

const ANSWERS: Readonly<Record<Answer, string>> = {
  applies: '✓ applies',
  illegal: '✗ illegal',
  unproved: '? unproved',
  inapplicable: '– not here',
};

/** Whether a schedule primitive applies, as a mark and a word. */
export function answerMark(answer: Answer): string {
  return ANSWERS[answer];
}

/** How a verdict is coloured; its words always stand beside. */
export function verdictTone(state: VerdictState): 'good' | 'fair' | 'bad' | 'quiet' {
  switch (state) {
    case 'exact':
    case 'within':
      return 'good';
    case 'amber':
      return 'fair';
    case 'wrong':
      return 'bad';
    default:
      return 'quiet';
  }
}

/** What a group is, for its facts. */
export function groupWord(kind: GroupView['kind']): string {
  switch (kind) {
    case 'fused':
      return 'fused function';
    case 'layer':
      return 'layer of the model';
    case 'branch':
      return 'branch';
    case 'arm':
      return 'arm of an if';
  }
}

/** What a screen reader says of a collapsed group. */
export function groupTitle(group: GroupView): string {
  const what = group.kind === 'branch' ? 'branch with ' : 'group of ';
  const change = group.change === 'none' ? '' : `, ${group.change}`;
  const members = `${opsText(group.ops)}: ${kindsText(group)}`;
  return `${group.label}, ${group.type}, ${what}${members}${change}`;
}

export function opsText(count: number): string {
  return count === 1 ? '1 op' : `${count} ops`;
}

/** What the members of a group are: `tensor function ×2, library call`. */
export function kindsText(group: GroupView): string {
  return Object.entries(group.kinds)
    .map(([kind, count]) => {
      const word = kindWord(kind as NodeKind);
      return count === 1 ? word : `${word} ×${count}`;
    })
    .join(', ');
}

/** What a screen reader says of a box. */
export function nodeTitle(node: NodeView): string {
  const change = node.change === 'none' ? '' : `, ${node.change}`;
  const effect = node.effect ? ' with effects' : '';
  return `${node.label}, ${node.type}, ${kindWord(node.kind)}${effect}${change}`;
}

/** Pixels of a label: the table of widths by which the kernel chose the size of its box. */
function labelWidth(text: string): number {
  return Array.from(text).reduce((sum, sign) => {
    if ("iljtfr.,:;'|!()[] ".includes(sign)) {
      return sum + 4;
    }
    if ('mwMWOQGD@%⊂'.includes(sign)) {
      return sum + 11;
    }
    return sum + (/\p{Lu}/u.test(sign) ? 9 : 7);
  }, 0);
}

/** The label cut to a width, where it does not fit. */
export function fittedLabel(text: string, width: number): string {
  if (labelWidth(text) <= width) {
    return text;
  }
  const signs = Array.from(text);
  while (signs.length > 1 && labelWidth(`${signs.join('')}…`) > width) {
    signs.pop();
  }
  return `${signs.join('')}…`;
}

/** The text cut to so many characters of `pixels` width. */
export function fitted(text: string, width: number, pixels: number): string {
  const most = Math.max(1, Math.floor(width / pixels));
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Bytes with three digits: `48 KiB`. */
export function bytesText(count: number): string {
  let value = count;
  let scale = 0;
  while (value >= 1023.5 && scale < BYTES.length - 1) {
    value /= 1024;
    scale += 1;
  }
  return `${value >= 99.95 ? value.toFixed(0) : Number(value.toPrecision(3))} ${BYTES[scale] ?? ''}`;
}

/** Milliseconds with three digits. */
export function milliseconds(value: number): string {
  return `${Number(value.toPrecision(3))} ms`;
}

/** An error as people write it: `2.4e-07`, `0`. */
export function error(value: number): string {
  return value === 0 ? '0' : value.toExponential(1).replace(/e([+-])(\d)$/, 'e$10$2');
}
