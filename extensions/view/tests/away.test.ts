import { describe, expect, it } from 'vitest';
import { LARGE, Layouts, type Thread } from '../src/layout/away.js';
import { layout } from '../src/layout/index.js';
import { answering, type Question } from '../src/layout/worker.js';
import type { FunctionView } from '../src/protocol/generated.js';
import { graphOf, node } from './fixture.js';

function large(name: string): FunctionView {
  const nodes = Array.from({ length: LARGE }, (_, i) =>
    node(`${name}/${i}`, i === 0 ? [] : [`${name}/${i - 1}`]),
  );
  return { ...graphOf(nodes), name };
}

/** A worker that answers when it is told to. */
class Slow {
  readonly asked: Question[] = [];
  terminated = false;
  private readonly listeners = new Map<string, (event: Event) => void>();
  private readonly answer = answering();

  thread(): Thread {
    return {
      postMessage: (question: Question) => {
        this.asked.push(question);
      },
      addEventListener: (type: string, listener: (event: Event) => void) => {
        this.listeners.set(type, listener);
      },
      terminate: () => {
        this.terminated = true;
      },
    };
  }

  reply(): void {
    const question = this.asked[this.asked.length - 1];
    const data = question === undefined ? null : this.answer(question);
    this.listeners.get('message')?.(new MessageEvent('message', { data }));
  }

  fail(): void {
    this.listeners.get('error')?.(new Event('error'));
  }
}

function rig(): { slow: Slow; layouts: Layouts; done: string[]; owner: object } {
  const slow = new Slow();
  return { slow, layouts: new Layouts(() => slow.thread()), done: [], owner: {} };
}

const nothing = (): void => undefined;

describe('layouts away from the page', () => {
  it('lays out what is small at once', () => {
    const { slow, layouts, owner } = rig();
    const view = graphOf([node('x', [])]);
    expect(layouts.get(owner, view, {}, nothing)).toEqual(layout(view));
    expect(slow.asked).toEqual([]);
  });

  it('lays out what is large in the worker, and keeps it', () => {
    const { slow, layouts, done, owner } = rig();
    const [view, folds] = [large('a'), {}];
    const ask = () => layouts.get(owner, view, folds, () => done.push('a'));
    expect(ask()).toBeNull();
    expect(ask()).toBeNull();
    expect(slow.asked).toHaveLength(1);
    slow.reply();
    expect(done).toEqual(['a']);
    expect(ask()).toEqual(layout(view));
    expect(slow.asked).toHaveLength(1);
  });

  it('sends a function once, folds each time', () => {
    const { slow, layouts, owner } = rig();
    const view = large('a');
    layouts.get(owner, view, {}, nothing);
    slow.reply();
    layouts.get(owner, view, { g: true }, nothing);
    expect(slow.asked.map((question) => question.graph === null)).toEqual([false, true]);
  });

  it('skips what its owner does not want any more', () => {
    const { slow, layouts, done, owner } = rig();
    for (const name of ['a', 'b', 'c']) {
      layouts.get(owner, large(name), {}, () => done.push(name));
    }
    slow.reply();
    slow.reply();
    slow.reply();
    expect(done).toEqual(['a', 'c']);
  });

  it('goes on without a worker where that fails or never starts', () => {
    const { slow, layouts, done, owner } = rig();
    const [view, folds] = [large('a'), {}];
    layouts.get(owner, view, folds, () => done.push('a'));
    slow.fail();
    expect(done).toEqual(['a']);
    expect(slow.terminated).toBe(true);
    expect(layouts.get(owner, view, folds, nothing)).toEqual(layout(view));
    const none = new Layouts(() => {
      throw new Error('no workers here');
    });
    expect(none.get(owner, view, folds, nothing)).toEqual(layout(view));
  });
});
