/**
 * Layouts of large functions, made in a worker so that the page goes on. Small functions, and all of
 * them where no worker starts, are laid out at once.
 */

import type { FunctionView } from '../protocol/generated.js';
import { layout } from './index.js';
import type { Folds, Layout } from './model.js';
import { REMEMBERED, type Question, type Reply } from './worker.js';

/** Functions with fewer nodes than this are laid out at once: it takes less than ten milliseconds. */
export const LARGE = 300;
/** Milliseconds after which a worker that says nothing is given up. */
const PATIENCE = 5000;

/** What of a `Worker` is used. */
export type Thread = Pick<Worker, 'postMessage' | 'addEventListener' | 'terminate'>;

interface Job {
  readonly id: number;
  readonly owner: object;
  readonly view: FunctionView;
  readonly folds: Folds;
  readonly done: () => void;
}

interface Known {
  readonly folds: Folds;
  readonly layout: Layout;
}

/** Starts the worker; throws where the surroundings have none. */
function startWorker(): Thread {
  return new Worker(new URL('./thread.js', import.meta.url), { type: 'module' });
}

/** All layouts of a page. */
export class Layouts {
  private readonly known = new WeakMap<FunctionView, Known>();
  private readonly numbers = new WeakMap<FunctionView, number>();
  /** Numbers of the functions that the worker remembers, oldest first. */
  private sent: number[] = [];
  private lastNumber = 0;
  private lastId = 0;
  /** `undefined` before the first large function, null where there is none. */
  private thread: Thread | null | undefined;
  private running: Job | null = null;
  private waiting: Job[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly start: () => Thread = startWorker) {}

  /**
   * The layout, null while it is being made; `done` is called when it is there. Of one `owner` only
   * the newest question is kept.
   */
  get(owner: object, view: FunctionView, folds: Folds, done: () => void): Layout | null {
    const known = this.known.get(view);
    if (known?.folds === folds) {
      return known.layout;
    }
    const small = view.nodes.length < LARGE;
    if (small || !this.ready()) {
      return this.atOnce(view, folds);
    }
    this.ask({ id: ++this.lastId, owner, view, folds, done });
    return null;
  }

  private atOnce(view: FunctionView, folds: Folds): Layout {
    const fresh = layout(view, folds);
    this.known.set(view, { folds, layout: fresh });
    return fresh;
  }

  private ask(job: Job): void {
    const same = (other: Job | null): boolean =>
      other?.owner === job.owner && other.view === job.view && other.folds === job.folds;
    if (same(this.running) || this.waiting.some(same)) {
      return;
    }
    this.waiting = [...this.waiting.filter((other) => other.owner !== job.owner), job];
    this.next();
  }

  private next(): void {
    const job = this.running === null ? this.waiting.shift() : undefined;
    if (job === undefined || this.thread === null || this.thread === undefined) {
      return;
    }
    this.running = job;
    this.timer = setTimeout(() => {
      this.giveUp();
    }, PATIENCE);
    this.thread.postMessage(this.question(job));
  }

  private question({ id, view, folds }: Job): Question {
    const number = this.numbers.get(view) ?? ++this.lastNumber;
    this.numbers.set(view, number);
    const graph = this.sent.includes(number) ? null : view;
    this.sent = [...this.sent.filter((one) => one !== number), number].slice(-REMEMBERED);
    return { id, view: number, graph, folds };
  }

  private ready(): boolean {
    if (this.thread === undefined) {
      this.thread = this.started();
    }
    return this.thread !== null;
  }

  private started(): Thread | null {
    try {
      const thread = this.start();
      thread.addEventListener('message', (event) => {
        this.answered((event as MessageEvent<Reply>).data);
      });
      thread.addEventListener('error', (event) => {
        event.preventDefault();
        this.giveUp();
      });
      return thread;
    } catch {
      return null; // No workers here, or none is allowed.
    }
  }

  private answered(reply: Reply): void {
    const job = this.running;
    if (job?.id !== reply.id) {
      return;
    }
    this.stopTimer();
    this.running = null;
    this.known.set(job.view, { folds: job.folds, layout: reply.layout });
    this.next();
    job.done();
  }

  /** From now on everything is laid out at once, beginning with what waits. */
  private giveUp(): void {
    const jobs = [...(this.running === null ? [] : [this.running]), ...this.waiting];
    this.thread?.terminate();
    this.stopTimer();
    this.thread = null;
    this.running = null;
    this.waiting = [];
    for (const job of jobs) {
      this.atOnce(job.view, job.folds);
      job.done();
    }
  }

  private stopTimer(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.timer = null;
    }
  }
}
