import { describe, expect, it } from 'vitest';
import { historyTree } from '../src/layout/history.js';
import { layout } from '../src/layout/index.js';
import { groundPath, wirePath } from '../src/panes/wires.js';
import { fittedLabel } from '../src/panes/words.js';
import { keepPlace, zoom } from '../src/panes/camera.js';
import { graphOf, group, node, sessionView, step } from './fixture.js';

describe('layout', () => {
  it('keeps the main path straight past a value that skips it', () => {
    const view = graphOf([
      node('x', []),
      node('f', ['x']),
      node('g', ['f']),
      node('sum', ['g', 'x']),
    ]);
    const picture = layout(view);
    expect(new Set(picture.boxes.map((box) => box.x)).size).toBe(1);
    const bus = picture.wires.filter((wire) => wire.value === 'x');
    expect(bus.map((wire) => wire.to)).toEqual(['f', null, null, 'sum']);
  });

  it('draws one bus for a value with many users', () => {
    const users = Array.from({ length: 12 }, (_, i) =>
      node(`u${i}`, i === 0 ? ['x'] : ['x', `u${i - 1}`]),
    );
    const picture = layout(graphOf([node('x', [], { kind: 'op' }), ...users]));
    const lanes = picture.wires.filter((wire) => wire.value === 'x' && wire.to === null);
    expect(new Set(lanes.map((wire) => wire.points[wire.points.length - 2])).size).toBe(1);
  });

  it('names a far input by reference instead of a wire across the picture', () => {
    const users = Array.from({ length: 12 }, (_, i) =>
      node(`u${i}`, i === 0 ? ['x'] : [`u${i - 1}`]),
    );
    const far = node('far', ['u11', 'x']);
    const picture = layout(graphOf([node('x', [], { kind: 'input' }), ...users, far]));
    expect(picture.stubs).toMatchObject([{ owner: 'far', value: 'x', ref: true }]);
  });

  it('folds a group into one box and opens it again with a ground', () => {
    const nodes = [
      node('a', []),
      node('b', ['a'], { group: 'g' }),
      node('c', ['b'], { group: 'g' }),
      node('d', ['c']),
    ];
    const view = graphOf(nodes, [group('g')]);
    expect(layout(view, { g: true }).boxes.map((box) => box.key)).toEqual(['a', 'g', 'd']);
    const open = layout(view, {});
    expect(open.grounds).toHaveLength(1);
    const [rect] = open.grounds[0]?.rects ?? [];
    const inner = open.boxes.find((box) => box.key === 'b');
    expect(
      rect !== undefined && inner !== undefined && rect[0] < inner.x && rect[1] < inner.y,
    ).toBe(true);
  });

  it('gives an open if a frame with its arms side by side', () => {
    const nodes = [
      node('x', [], { kind: 'input' }),
      node('told', ['x'], { kind: 'library', effect: true }),
      node('a', ['x'], { group: 'y?then', kind: 'library', effect: true, after: ['told'] }),
      node('b', ['x'], { group: 'y?else' }),
      node('y', ['x', 'a', 'b'], { group: 'y', kind: 'branch' }),
      node('z', ['y']),
    ];
    const groups = [
      group('y', { kind: 'branch' }),
      group('y?then', { kind: 'arm', parent: 'y' }),
      group('y?else', { kind: 'arm', parent: 'y' }),
    ];
    const view = graphOf(nodes, groups);
    const open = layout(view);
    expect(open.grounds.map((ground) => ground.group)).toEqual(['y', 'y?then', 'y?else']);
    const [frame, then, other] = open.grounds.map((ground) => ground.rects[0]);
    expect((then?.[0] ?? 0) + (then?.[2] ?? 0)).toBeLessThan(other?.[0] ?? 0);
    const named = open.stubs.map((stub) => [stub.owner, stub.value]);
    expect(named).toEqual([['a', 'x'], ['b', 'x'], ['y', 'x']]);
    const entering = open.wires.filter((wire) => wire.points[wire.points.length - 1] === frame?.[1]);
    expect(entering.map((wire) => [wire.value, wire.order])).toEqual([
      ['x', false],
      ['told', true],
    ]);
    const folded = layout(view, { y: true });
    expect(folded.boxes.map((box) => box.key)).toEqual(['x', 'told', 'y', 'z']);
    expect(folded.grounds).toEqual([]);
  });

  it('draws one outline around a group that strangers part', () => {
    expect(groundPath([[10, 0, 50, 20], [30, 30, 60, 20]])).toBe(
      'M10 0H60V25H90V50H30V25H10Z',
    );
    const apart = groundPath([[0, 0, 10, 10], [50, 20, 10, 10]]);
    expect(apart.match(/M/g)).toHaveLength(2);
  });

  it('lays out nothing', () => {
    expect(layout(graphOf([])).boxes).toEqual([]);
  });
});

describe('history', () => {
  it('branches downwards and never moves what is there', () => {
    const steps = sessionView().steps;
    const before = historyTree(steps);
    const after = historyTree([...steps, step(7, 0, 'FoldConstant')]);
    expect(after.dots.slice(0, before.dots.length)).toEqual(before.dots);
    expect(before.dots.find((dot) => dot.index === 3)).toEqual({ index: 3, column: 2, row: 1 });
    expect(after.dots[after.dots.length - 1]).toEqual({ index: 7, column: 1, row: 2 });
    expect(after.links).toHaveLength(7);
  });
});

describe('camera', () => {
  it('keeps the point under the pointer when zooming', () => {
    const before = { x: 10, y: 20, scale: 1 };
    const after = zoom(before, 2, 110, 70);
    expect((110 - after.x) / after.scale).toBe((110 - before.x) / before.scale);
  });

  it('keeps the anchor where it is', () => {
    const box = (x: number, y: number) => ({
      key: 'a',
      group: false,
      layer: 0,
      x,
      y,
      width: 100,
      height: 40,
    });
    const camera = keepPlace({ x: 5, y: 6, scale: 0.5 }, box(10, 20), box(110, 220));
    expect(110 * camera.scale + camera.x).toBe(10 * 0.5 + 5);
    expect(220 * camera.scale + camera.y).toBe(20 * 0.5 + 6);
  });
});

describe('wires', () => {
  it('cuts only labels for which the box is too narrow', () => {
    expect(fittedLabel('relu_multiply', 80)).toBe('relu_multiply');
    expect(fittedLabel('relu_multiply', 60)).toBe('relu_mul…');
  });

  it('rounds corners only as far as there is room', () => {
    expect(wirePath([10, 0, 10, 50])).toBe('M10 0V50');
    expect(wirePath([10, 0, 10, 20, 14, 20, 14, 50])).toContain('Q10 20 12 20');
  });
});
