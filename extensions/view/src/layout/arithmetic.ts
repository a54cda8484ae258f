/** Integer arithmetic that the Python twin repeats digit by digit. */

/** The element at `index`, which the caller knows to be there. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) {
    throw new RangeError(`no element ${index} of ${items.length}`);
  }
  return item;
}

/** `a / b` rounded towards zero, which pulls every rounding towards the middle of the picture. */
export function quotient(a: number, b: number): number {
  return Math.trunc(a / b) + 0;
}

/** Characters of a text as Unicode counts them. */
export function characters(text: string): number {
  return Array.from(text).length;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/**
 * Positions nearest to `wanted` (least squares) that keep the order and the distances.
 *
 * Pool adjacent violators: a run that collides moves as one to the mean of its wishes, so nothing
 * drifts to one side. `distances[i]` is the least distance from element `i` to element `i + 1`.
 */
export function spread(wanted: readonly number[], distances: readonly number[]): number[] {
  const offsets: number[] = [];
  const sums: number[] = [];
  const counts: number[] = [];
  let offset = 0;
  wanted.forEach((wish, index) => {
    offsets.push(offset);
    let sum = wish - offset;
    let count = 1;
    while (
      sums.length > 0 &&
      at(sums, sums.length - 1) * count > sum * at(counts, counts.length - 1)
    ) {
      sum += sums.pop() ?? 0;
      count += counts.pop() ?? 0;
    }
    sums.push(sum);
    counts.push(count);
    offset += distances[index] ?? 0;
  });
  const result: number[] = [];
  sums.forEach((sum, block) => {
    const count = at(counts, block);
    const base = quotient(sum, count);
    for (let i = 0; i < count; i += 1) {
      result.push(base + at(offsets, result.length));
    }
  });
  return result;
}

/**
 * Order by least index in which everything precedes what is below it.
 *
 * Where constraints form a ring the least index that is left goes first.
 */
export function topological(below: readonly (readonly number[])[]): number[] {
  const waiting = below.map(() => 0);
  for (const target of below.flat()) {
    waiting[target] = at(waiting, target) + 1;
  }
  const ready = new Heap();
  waiting.forEach((needs, index) => {
    if (needs === 0) {
      ready.push(index);
    }
  });
  const done = below.map(() => false);
  const result: number[] = [];
  let scan = 0;
  while (result.length < below.length) {
    let index = ready.pop();
    if (index === undefined) {
      while (at(done, scan)) {
        scan += 1;
      }
      index = scan;
    }
    if (at(done, index)) {
      continue;
    }
    done[index] = true;
    result.push(index);
    for (const target of at(below, index)) {
      const needs = at(waiting, target) - 1;
      waiting[target] = needs;
      if (needs === 0 && !at(done, target)) {
        ready.push(target);
      }
    }
  }
  return result;
}

/** A binary heap of distinct integers, least first. */
class Heap {
  private readonly items: number[] = [];

  push(value: number): void {
    const items = this.items;
    let child = items.length;
    items.push(value);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = at(items, parent);
      if (above <= value) {
        break;
      }
      items[child] = above;
      child = parent;
    }
    items[child] = value;
  }

  pop(): number | undefined {
    const items = this.items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) {
      return top;
    }
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= items.length) {
        break;
      }
      if (child + 1 < items.length && at(items, child + 1) < at(items, child)) {
        child += 1;
      }
      if (at(items, child) >= last) {
        break;
      }
      items[hole] = at(items, child);
      hole = child;
    }
    items[hole] = last;
    return top;
  }
}
