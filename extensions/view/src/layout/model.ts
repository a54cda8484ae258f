/** What the layout gives: integer pixels only, in the coordinates of the picture. */

/** One box: a node, or a collapsed group (`group` true). */
export interface Box {
  readonly key: string;
  readonly group: boolean;
  readonly layer: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A small box beside its consumer: a constant, or a reference (`ref`) to a value far away. */
export interface Stub {
  readonly owner: string;
  /** Key of the value; of the first one left out where `more` is not zero. */
  readonly value: string;
  readonly ref: boolean;
  /** How many stubs this one stands for because they found no room; 0 for an ordinary stub. */
  readonly more: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** The line into the owner: x0, y0, x1, y1 and so on. */
  readonly points: readonly number[];
}

/** One hop of a value's bus; it ends in the box `to` (with an arrow head) or goes on (`to` null). */
export interface Wire {
  readonly value: string;
  readonly to: string | null;
  readonly points: readonly number[];
  /** Nothing is read: an effect only comes after that of `value`. */
  readonly order: boolean;
}

/** The ground behind the members of an open group. */
export interface Ground {
  readonly group: string;
  readonly depth: number;
  readonly rects: readonly (readonly [number, number, number, number])[];
  /** Where the group's name stands: right of the first rectangle. */
  readonly noteX: number;
  readonly noteY: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly stubs: readonly Stub[];
  readonly wires: readonly Wire[];
  readonly grounds: readonly Ground[];
}

/** Folds of the view by group key: true is collapsed. Groups not named start as the kernel says. */
export type Folds = Readonly<Record<string, boolean>>;

/** Least space between two boxes of a layer. */
export const GAP_X = 28;
/** Space between two layers with at most one track. */
export const GAP_Y = 22;
/** Distance of two tracks of one gap, and of two lanes. */
export const TRACK = 8;
export const STUB_HEIGHT = 20;
export const STUB_GAP = 4;
/** Length of the line from a stub to its box. */
export const STUB_ARROW = 24;
export const MAX_STUBS = 4;
/** An input is named by reference where its consumer is more layers away than this. */
export const LONG_INPUT = 6;
/** Any value is named by reference where its next consumer is more layers away than this. */
export const LONG_VALUE = 60;
/** Distance of a lane from a box. */
export const CLEAR = 10;
/** Distance of two ports of a box, and of a port from the corner. */
export const PORT = 12;
/** Room for the name of an open group: at most so wide, and so much below the next. */
export const NOTE_WIDTH = 220;
export const NOTE_HEIGHT = 14;
export const PAD = 8;
export const MARGIN = 20;
/** Between the frame of an `if` and its arms, and between those and their boxes. */
export const FRAME_PAD = 10;
/** Height of the line that names an `if`, and of that which names an arm. */
export const FRAME_TITLE = 20;
export const ARM_GAP = 8;
/** Least width of an arm without its padding. */
export const ARM_WIDTH = 90;
