import type { Queue, QueueAddOptions } from 'p-queue';
import { PriorityQueue } from './priority-heap.ts';

export type Run = () => Promise<unknown>;

/** One point of folder priority counts like having come this much earlier. */
const MS_PER_PRIORITY = 600_000;
/** A file counts as having come later by the time it would make others wait, at this speed … */
const BYTES_PER_MS = 10_000;
/** … but never more than this, so that it is not overtaken for ever. */
const MAX_SIZE_PENALTY_MS = 300_000;

/**
 * When an upload's turn is, as a virtual arrival time: earlier goes first. Folder priority moves it forward and
 * size moves it back, both by a bounded time, so every upload is the oldest at last and none starves.
 */
export function virtualArrivalMs(nowMs: number, priority: number, sizeBytes: number): number {
  return nowMs - priority * MS_PER_PRIORITY + Math.min(sizeBytes / BYTES_PER_MS, MAX_SIZE_PENALTY_MS);
}

export interface SendOptions extends QueueAddOptions {
  readonly large?: boolean;
}

/**
 * The waiting uploads in order of their turn, as the queue class of p-queue. Uploads that would fill all places
 * for long (large ones) stand in a line of their own, so that small ones never find every place taken.
 */
export class SendOrder implements Queue<Run, SendOptions> {
  readonly #small = new PriorityQueue<Run>();
  readonly #large = new PriorityQueue<Run>();
  readonly #gate: SendGate;

  constructor(gate: SendGate) {
    this.#gate = gate;
  }

  /** How many may start now. p-queue asks this before it starts one, so a closed gate looks like an empty queue. */
  get size(): number {
    if (!this.#gate.open()) return 0;
    return this.#small.size + (this.#gate.largeMayStart() ? this.#large.size : 0);
  }

  get waiting(): number {
    return this.#small.size + this.#large.size;
  }

  enqueue(run: Run, options?: Partial<SendOptions>): void {
    (options?.large === true ? this.#large : this.#small).push(run, options?.priority ?? 0);
  }

  dequeue(): Run | undefined {
    if (!this.#gate.open()) return undefined;
    const small = this.#small.peekPriority();
    const large = this.#gate.largeMayStart() ? this.#large.peekPriority() : null;
    const fromLarge = large !== null && (small === null || large > small);
    const run = fromLarge ? this.#large.pop() : this.#small.pop();
    if (run !== undefined) this.#gate.starts(fromLarge);
    return run;
  }

  filter(): Run[] {
    return [];
  }

  setPriority(): void {
    throw new TypeError('priorities are fixed when an upload is queued');
  }

  remove(): void {
    throw new TypeError('waiting uploads are not removed; they end themselves when their signal aborts');
  }
}

/** What decides whether one more upload may start. */
export interface SendGate {
  open(): boolean;
  largeMayStart(): boolean;
  /** One starts now; `large`: it was taken from the line of the large ones. */
  starts(large: boolean): void;
}
