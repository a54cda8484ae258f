/** What part of the picture is on the screen: screen = picture * scale + offset. */

import type { Box, Layout } from '../layout/index.js';

export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const LEAST = 0.04;
const MOST = 3;
/** Names can still be read at this scale. */
const READABLE = 0.62;
/** Room for the search box over the top of the picture. */
export const TOP = 34;

/** The whole width where it is readable, from the top of the picture. */
export function fit(layout: Layout, size: Size): Camera {
  const scale = readableScale(layout, size);
  return { x: Math.round((size.width - layout.width * scale) / 2), y: TOP, scale };
}

/** The largest scale up to 1 that shows the whole width; not so small that nothing can be read. */
function readableScale(layout: Layout, size: Size): number {
  return Math.max(READABLE, Math.min(1, size.width / Math.max(1, layout.width)));
}

/**
 * Keeps `box` where it is, as far as the whole width can be seen: nothing is cut at the sides where
 * it would have room. `grow`: the scale may become larger again, too.
 */
export function settle(
  camera: Camera,
  layout: Layout,
  size: Size,
  box: Box,
  grow: boolean,
): Camera {
  const wide = readableScale(layout, size);
  const scale = grow ? wide : Math.min(camera.scale, wide);
  const left = (box.x + box.width / 2) * camera.scale + camera.x;
  const top = box.y * camera.scale + camera.y;
  const { x, y } = zoom(camera, scale / camera.scale, left, top);
  const room = size.width - layout.width * scale;
  return { x: Math.max(Math.min(0, room), Math.min(Math.max(0, room), x)), y, scale };
}

/** The whole picture. */
export function overview(layout: Layout, size: Size): Camera {
  const scale = Math.max(
    LEAST,
    Math.min(1, size.width / layout.width, (size.height - TOP - 20) / layout.height),
  );
  return { x: Math.round((size.width - layout.width * scale) / 2), y: TOP, scale };
}

/** The width of the picture; the whole of it where that is shown already. */
export function fitted(camera: Camera, layout: Layout, size: Size): Camera {
  const wide = fit(layout, size);
  const there = camera.x === wide.x && camera.y === wide.y && camera.scale === wide.scale;
  return there ? overview(layout, size) : wide;
}

/** Zooms by a factor, keeping the point under the pointer. */
export function zoom(camera: Camera, factor: number, x: number, y: number): Camera {
  const scale = Math.max(LEAST, Math.min(MOST, camera.scale * factor));
  const ratio = scale / camera.scale;
  return { x: x - (x - camera.x) * ratio, y: y - (y - camera.y) * ratio, scale };
}

/** The camera under which `anchor` keeps its place on the screen when the layout changes. */
export function keepPlace(camera: Camera, before: Box, after: Box): Camera {
  const dx = before.x + before.width / 2 - after.x - after.width / 2;
  const dy = before.y - after.y;
  return { ...camera, x: camera.x + dx * camera.scale, y: camera.y + dy * camera.scale };
}

/** The box that should not move: the selected one, else the first on the screen that stays. */
export function anchor(
  before: Layout,
  after: Layout,
  selection: string | null,
  camera: Camera,
): [Box, Box] | null {
  const later = new Map(after.boxes.map((box) => [box.key, box]));
  let best: [Box, Box] | null = null;
  for (const box of before.boxes) {
    const same = later.get(box.key);
    if (same === undefined) {
      continue;
    }
    if (box.key === selection) {
      return [box, same];
    }
    const visible = box.y * camera.scale + camera.y >= 0;
    if (visible && (best === null || box.y < best[0].y)) {
      best = [box, same];
    }
  }
  return best;
}

/** Moves as little as needed to have the box on the screen. */
export function show(camera: Camera, box: Box, size: Size): Camera {
  const margin = 24;
  const left = box.x * camera.scale + camera.x;
  const top = box.y * camera.scale + camera.y;
  const width = box.width * camera.scale;
  const height = box.height * camera.scale;
  return {
    ...camera,
    x: camera.x + push(left, width, margin, size.width - margin),
    y: camera.y + push(top, height, TOP + margin, size.height - margin),
  };
}

function push(start: number, length: number, low: number, high: number): number {
  if (start < low) {
    return low - start;
  }
  return start + length > high ? Math.max(low - start, high - start - length) : 0;
}

/** Whether a rectangle of the picture is on the screen, a little around it included. */
export function onScreen(
  camera: Camera,
  size: Size,
  x: number,
  y: number,
  width: number,
  height: number,
): boolean {
  const around = 300;
  const left = x * camera.scale + camera.x;
  const top = y * camera.scale + camera.y;
  return (
    left < size.width + around &&
    left + width * camera.scale > -around &&
    top < size.height + around &&
    top + height * camera.scale > -around
  );
}
