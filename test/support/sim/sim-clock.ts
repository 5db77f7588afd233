import type { Clock } from '../../../src/contract/ports.ts';

/** Whoever a timer belongs to. Timers of the dead never fire. */
export interface Mortal {
  readonly dead: boolean;
}

interface Timer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly owner: Mortal | null;
  /** Null once cancelled. */
  action: (() => void) | null;
}

export interface SimClockOptions {
  readonly wallStartMs: number;
  /** Upper bound of timer batches in a life: an engine that spins is found instead of waited for. */
  readonly maxSteps: number;
}

/** The simulated program never came to rest: more happened than any life of this length explains. */
export class SimOverrun extends Error {
  override readonly name = 'SimOverrun';
}

/**
 * Virtual time. Nothing happens by itself: the driver drains all microtasks, then jumps to the next timer.
 * Timers due at the same millisecond fire together, in the order in which they were set.
 */
export class SimClock implements Clock {
  readonly #heap: Timer[] = [];
  readonly #maxSteps: number;
  #nowMs = 0;
  #wallOffsetMs: number;
  #sequence = 0;
  #steps = 0;

  constructor(options: SimClockOptions) {
    this.#wallOffsetMs = options.wallStartMs;
    this.#maxSteps = options.maxSteps;
  }

  get steps(): number {
    return this.#steps;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Somebody sets the wall clock. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Runs `action` once after `delayMs`, unless cancelled or its owner is dead by then. Returns the cancel. */
  schedule(delayMs: number, action: () => void, owner: Mortal | null = null): () => void {
    if (Number.isNaN(delayMs)) throw new RangeError('a delay is not a number');
    const dueMs = this.#nowMs + Math.max(0, Math.ceil(delayMs));
    const timer: Timer = { dueMs, sequence: (this.#sequence += 1), owner, action };
    if (dueMs !== Number.POSITIVE_INFINITY) this.#push(timer);
    return () => {
      timer.action = null;
    };
  }

  sleep(ms: number, signal?: AbortSignal, owner: Mortal | null = null): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const cancel = this.schedule(
        ms,
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        owner,
      );
      const onAbort = (): void => {
        cancel();
        if (owner?.dead !== true) reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Drains, then fires the next batch of timers due by `deadlineMs`. False when there is none. Throws `SimOverrun`. */
  async advance(deadlineMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    await drain();
    return this.#fireNext(deadlineMs);
  }

  /** Advances until the condition holds (true) or virtual time reaches the deadline (whether it holds then). */
  async runUntil(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    for (;;) {
      await drain();
      if (condition()) return true;
      if (this.#fireNext(deadlineMs)) continue;
      this.#nowMs = Math.max(this.#nowMs, deadlineMs);
      return false;
    }
  }

  async runFor(ms: number): Promise<void> {
    await this.runUntil(() => false, this.#nowMs + ms);
  }

  #fireNext(deadlineMs: number): boolean {
    const first = this.#peek();
    if (first === null || first.dueMs > deadlineMs) return false;
    this.#steps += 1;
    if (this.#steps > this.#maxSteps) {
      throw new SimOverrun(`no rest after ${this.#maxSteps} steps, at ${this.#nowMs} ms of virtual time`);
    }
    this.#nowMs = first.dueMs;
    const newest = this.#sequence;
    for (let timer = this.#peek(); timer !== null; timer = this.#peek()) {
      // What this batch itself sets at zero delay belongs to the next one: the microtasks go first.
      if (timer.dueMs > this.#nowMs || timer.sequence > newest) break;
      this.#pop();
      timer.action?.();
    }
    return true;
  }

  /** The next live timer; sweeps dead ones away. */
  #peek(): Timer | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return null;
      if (first.action !== null && first.owner?.dead !== true) return first;
      this.#pop();
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Timer;
      if (isBefore(above, timer)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Timer)) child += 1;
      if (isBefore(last, heap[child] as Timer)) break;
      heap[index] = heap[child] as Timer;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);
}

/** One turn of the event loop: everything that can run without time passing has run. */
function drain(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
