/** SVG paths of the wires. */

import type { Wire } from '../layout/index.js';

const ROUND = 5;

/** The path of one wire, its corners rounded. */
export function wirePath(points: readonly number[]): string {
  const [x0 = 0, y0 = 0] = points;
  if (points.length === 4) {
    return `M${x0} ${y0}V${points[3] ?? 0}`;
  }
  const bend = points[3] ?? 0;
  const x1 = points[4] ?? 0;
  const y1 = points[7] ?? 0;
  const side = x1 > x0 ? 1 : -1;
  const r = Math.min(ROUND, Math.abs(x1 - x0) / 2, Math.abs(bend - y0), Math.abs(y1 - bend));
  return (
    `M${x0} ${y0}V${bend - r}Q${x0} ${bend} ${x0 + side * r} ${bend}` +
    `H${x1 - side * r}Q${x1} ${bend} ${x1} ${bend + r}V${y1}`
  );
}

type Area = readonly [number, number, number, number];

/** Most pixels between two rectangles of a ground that are drawn as one. */
const NEAR = 60;

/**
 * The outline of a ground: one line around rectangles that stand under each other and overlap
 * sideways, else a line around each.
 */
export function groundPath(areas: readonly Area[]): string {
  const chained = areas.every((area, index) => {
    const above = areas[index - 1];
    return above === undefined || follows(above, area);
  });
  return chained ? around(areas) : areas.map((area) => around([area])).join('');
}

function follows([x, y, w, h]: Area, [x2, y2, w2]: Area): boolean {
  return y2 >= y + h && y2 - y - h <= NEAR && x2 < x + w && x < x2 + w2;
}

function around(areas: readonly Area[]): string {
  const first = areas[0];
  if (first === undefined) {
    return '';
  }
  const right: string[] = [];
  const left: string[] = [];
  areas.forEach(([x, y, w, h], index) => {
    const below = areas[index + 1];
    const end = below === undefined ? y + h : (y + h + below[1]) >> 1;
    right.push(`H${x + w}V${end}`);
    left.unshift(`H${x}${index === 0 ? '' : `V${((areas[index - 1]?.[1] ?? 0) + (areas[index - 1]?.[3] ?? 0) + y) >> 1}`}`);
  });
  return `M${first[0]} ${first[1]}${right.join('')}${left.join('')}Z`;
}

/** The arrow head where a wire enters a box; empty for one that goes on. */
export function arrowPath(wire: Wire): string {
  if (wire.to === null) {
    return '';
  }
  const x = wire.points[wire.points.length - 2] ?? 0;
  const y = wire.points[wire.points.length - 1] ?? 0;
  return `M${x} ${y}l-3.5 -7h7z`;
}

/** Smallest y and largest y of a wire. */
export function wireSpan(wire: Wire): [number, number] {
  return [wire.points[1] ?? 0, wire.points[wire.points.length - 1] ?? 0];
}
