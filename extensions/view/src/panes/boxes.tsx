/** Boxes, stubs and grounds of the picture as SVG. */

import type { JSX } from 'preact';
import { NOTE_WIDTH, PAD, type Box, type Ground, type Stub } from '../layout/index.js';
import type { GroupView, NodeView } from '../protocol/generated.js';
import { groundPath } from './wires.js';
import { changeSign, fitted, fittedLabel, groupTitle, nodeTitle, opsText } from './words.js';

interface Marks {
  readonly selected: boolean;
  readonly hit: boolean;
  readonly lit: boolean;
  readonly wrong: boolean;
}

function classes(base: string, marks: Marks): string {
  const names = [base];
  if (marks.selected) {
    names.push('wb-selected');
  }
  if (marks.hit) {
    names.push('wb-hit');
  }
  if (marks.lit) {
    names.push('wb-lit');
  }
  if (marks.wrong) {
    names.push('wb-wrong');
  }
  return names.join(' ');
}

interface NodeProps extends Marks {
  readonly box: Box;
  readonly node: NodeView;
  readonly id: string;
}

/** One node: bar of its kind, name, type, and the sign of its change. */
export function NodeBox({ box, node, id, ...marks }: NodeProps): JSX.Element {
  const wrong = marks.wrong ? ', first wrong value' : '';
  return (
    <g
      id={id}
      role="button"
      aria-pressed={marks.selected}
      class={classes(`wb-node wb-kind-${node.kind}`, marks)}
      data-key={node.key}
      transform={`translate(${box.x} ${box.y})`}
    >
      <title>{nodeTitle(node) + wrong}</title>
      <g aria-hidden="true">
        <Frame
          box={box}
          label={node.label}
          type={node.type}
          sign={changeSign(node.change)}
          kinds={{ [node.kind]: 1 }}
        />
        {marks.wrong && (
          <text class="wb-wrong-sign" x={box.width} y={-5}>
            ✗ first wrong value
          </text>
        )}
      </g>
    </g>
  );
}

interface GroupProps extends Marks {
  readonly box: Box;
  readonly group: GroupView;
  readonly id: string;
}

/** A collapsed group: one box, its number of operators beside it. */
export function GroupBox({ box, group, id, ...marks }: GroupProps): JSX.Element {
  return (
    <g transform={`translate(${box.x} ${box.y})`}>
      <g
        id={id}
        role="button"
        aria-pressed={marks.selected}
        class={classes(`wb-node wb-group wb-group-${group.kind}`, marks)}
        data-key={group.key}
      >
        <title>{groupTitle(group)}</title>
        <g aria-hidden="true">
          <rect class="wb-behind" x={4} y={4} width={box.width} height={box.height} rx={5} />
          <Frame
            box={box}
            label={group.label}
            type={group.type}
            sign={changeSign(group.change)}
            kinds={group.kinds}
          />
        </g>
      </g>
      <g role="button" class="wb-fold" data-unfold={group.key}>
        <title>{`Unfold ${group.label}, ${opsText(group.ops)}`}</title>
        <g aria-hidden="true">
          <rect class="wb-target" x={box.width + 6} y={8} width={52} height={24} />
          <text x={box.width + 11} y={24}>
            ▸ {opsText(group.ops)}
          </text>
        </g>
      </g>
    </g>
  );
}

interface FrameProps {
  readonly box: Box;
  readonly label: string;
  readonly type: string;
  readonly sign: string;
  /** How many there are of each kind: what the bar at the left shows. */
  readonly kinds: Readonly<Record<string, number>>;
}

function Frame({ box, label, type, sign, kinds }: FrameProps): JSX.Element {
  const middle = box.height >> 1;
  return (
    <>
      <path class="wb-frame" d={outline(box, kinds)} />
      <Bar height={box.height} kinds={kinds} />
      <text class="wb-label" x={13} y={type === '' ? middle + 4 : middle - 3}>
        {fittedLabel(label, box.width - 18 - (sign === '' ? 0 : 14))}
      </text>
      {type !== '' && (
        <text class="wb-type" x={13} y={middle + 12}>
          {fitted(type, box.width - 16, 6.1)}
        </text>
      )}
      {sign !== '' && (
        <text class="wb-sign" x={box.width - 8} y={14}>
          {sign}
        </text>
      )}
    </>
  );
}

/** Kinds differ by shape, not by colour alone: operators end round, library calls are cut. */
function outline({ width, height }: Box, kinds: Readonly<Record<string, number>>): string {
  const [kind, ...others] = Object.keys(kinds);
  const left = `H5a5 5 0 0 1-5-5V5a5 5 0 0 1 5-5z`;
  if (others.length > 0 || (kind !== 'op' && kind !== 'library')) {
    return `M5 0H${width - 5}a5 5 0 0 1 5 5V${height - 5}a5 5 0 0 1-5 5${left}`;
  }
  const corner = Math.min(kind === 'op' ? 14 : 9, height >> 1);
  const right = width - corner;
  return kind === 'op'
    ? `M5 0H${right}a${corner} ${corner} 0 0 1 ${corner} ${corner}V${height - corner}` +
        `a${corner} ${corner} 0 0 1-${corner} ${corner}${left}`
    : `M5 0H${right}l${corner} ${corner}V${height - corner}l-${corner} ${corner}${left}`;
}

interface BarProps {
  readonly height: number;
  readonly kinds: Readonly<Record<string, number>>;
}

/** The bar of the kind; in parts, by their share, where there are several kinds. */
function Bar({ height, kinds }: BarProps): JSX.Element {
  const counts = Object.entries(kinds);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  return (
    <>
      {counts.map(([kind, count]) => {
        const top = Math.floor((height * seen) / total);
        seen += count;
        const start = top === 0 ? 'M2 0h2' : `M0 ${top}h4`;
        const end = top === 0 ? 'a2 2 0 0 1 2-2z' : 'z';
        const down = height - top;
        return (
          <path
            key={kind}
            class={`wb-bar wb-bar-${kind}`}
            d={`${start}v${down}h-2a2 2 0 0 1-2-2v${(top === 0 ? 4 : 2) - down}${end}`}
          />
        );
      })}
    </>
  );
}

interface StubProps {
  readonly stub: Stub;
  readonly node: NodeView | undefined;
  readonly selected: boolean;
  readonly lit: boolean;
}

/** A constant, or a reference to a value far away, in one line. */
export function StubBox({ stub, node, selected, lit }: StubProps): JSX.Element {
  const { label, type, name } = stubWords(stub, node);
  const line = pairs(stub.points);
  return (
    <g
      role="button"
      class={classes('wb-stub', { selected, lit, hit: false, wrong: false })}
      data-key={stub.more > 0 ? stub.owner : stub.value}
    >
      <title>{name}</title>
      <g aria-hidden="true">
        <path class="wb-wire" d={`M${line.join('L')}`} />
        <path class="wb-arrow" d={`M${line[line.length - 1] ?? '0 0'}l-7 -3.5v7z`} />
        <rect
          class="wb-frame"
          x={stub.x}
          y={stub.y}
          width={stub.width}
          height={stub.height}
          rx={4}
        />
        {stub.ref ? (
          <circle class="wb-ref" cx={stub.x + 8} cy={stub.y + 10} r={3} />
        ) : (
          <rect class="wb-bar" x={stub.x} y={stub.y} width={3} height={stub.height} rx={1.5} />
        )}
        <text class="wb-stub-label" x={stub.x + (stub.ref ? 16 : 9)} y={stub.y + 14}>
          {label}
          {type !== '' && (
            <tspan class="wb-type" dx={7}>
              {fitted(type, stub.width - 16 - 7 * label.length, 5.8)}
            </tspan>
          )}
        </text>
      </g>
    </g>
  );
}

interface StubWords {
  readonly label: string;
  readonly type: string;
  /** For screen readers. */
  readonly name: string;
}

function stubWords(stub: Stub, node: NodeView | undefined): StubWords {
  if (stub.more > 0) {
    return { label: `+ ${stub.more} more`, type: '', name: `${stub.more} more inputs` };
  }
  const label = node?.label ?? stub.value;
  const type = node?.type ?? '';
  return stub.ref
    ? { label, type: '', name: `${label}, ${type}, from above` }
    : { label, type, name: `${label}, ${type}, constant` };
}

function pairs(points: readonly number[]): string[] {
  const result: string[] = [];
  for (let i = 0; i + 1 < points.length; i += 2) {
    result.push(`${points[i] ?? 0} ${points[i + 1] ?? 0}`);
  }
  return result;
}

interface GroundProps {
  readonly ground: Ground;
  readonly group: GroupView;
  /** Where the visible part of the picture ends. */
  readonly right: number;
}

/** The ground of an open group, with its name beside it; pressing the name folds it. */
export function GroundBox({ ground, group, right }: GroundProps): JSX.Element {
  const framed = group.kind === 'branch' || group.kind === 'arm';
  const sign = framed ? '' : changeSign(group.change);
  const label = fitted(group.label, NOTE_WIDTH - 40, 6);
  const width = Math.ceil(26 + 6.6 * label.length);
  const first = ground.rects[0]?.[0] ?? 0;
  const x = Math.max(Math.min(ground.noteX, right - width), Math.min(first + PAD, ground.noteX));
  return (
    <g class={`wb-ground wb-group-${group.kind}`}>
      {ground.rects.length > 1 ? (
        <path class="wb-ground-area" stroke-linejoin="round" d={groundPath(ground.rects)} />
      ) : (
        ground.rects.map(([x, y, w, h], index) => (
          <rect key={index} class="wb-ground-area" x={x} y={y} width={w} height={h} rx={6} />
        ))
      )}
      <g role="button" class="wb-fold" data-fold={group.key}>
        <title>{`Fold ${group.label}`}</title>
        <g aria-hidden="true">
          <rect
            class="wb-target"
            x={x - 4}
            y={ground.noteY - 14}
            width={width}
            height={20}
          />
          <text x={x} y={ground.noteY}>
            ▾ {sign !== '' && <tspan class="wb-sign">{sign} </tspan>}
            {label}
          </text>
        </g>
      </g>
    </g>
  );
}
