import { describe, expect, it } from 'vitest';
import type { Box, Layout } from '../src/layout/index.js';
import { settle } from '../src/panes/camera.js';

const SIZE = { width: 400, height: 500 };
const BOX: Box = { key: 'a', group: false, layer: 0, x: 100, y: 60, width: 120, height: 40 };

function wide(width: number): Layout {
  return { width, height: 300, boxes: [BOX], stubs: [], wires: [], grounds: [] };
}

describe('settling', () => {
  it('leaves alone what is seen whole', () => {
    const camera = { x: 30, y: 40, scale: 1 };
    expect(settle(camera, wide(300), SIZE, BOX, true)).toEqual(camera);
  });

  it('moves sideways only as far as the width asks for', () => {
    const camera = settle({ x: -50, y: 40, scale: 1 }, wide(380), SIZE, BOX, false);
    expect(camera).toEqual({ x: 0, y: 40, scale: 1 });
  });

  it('shrinks what is too wide around the box that stays, and not to what cannot be read', () => {
    const top = BOX.y + 40;
    const shrunk = settle({ x: 0, y: 40, scale: 1 }, wide(500), SIZE, BOX, false);
    expect(shrunk.scale).toBeCloseTo(0.8);
    expect(BOX.y * shrunk.scale + shrunk.y).toBeCloseTo(top);
    expect(shrunk.x).toBeCloseTo(0);
    expect(settle({ x: 0, y: 40, scale: 1 }, wide(5000), SIZE, BOX, false).scale).toBe(0.62);
  });

  it('grows again only where it may', () => {
    const small = { x: 0, y: 40, scale: 0.7 };
    expect(settle(small, wide(380), SIZE, BOX, false).scale).toBe(0.7);
    expect(settle(small, wide(380), SIZE, BOX, true).scale).toBe(1);
  });
});
