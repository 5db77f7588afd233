import PQueue from 'p-queue';
import { LANES, type Clock, type Lane, type SendQueue, type UploadSlot } from '../contract/ports.ts';
import { backoffMs } from './backoff.ts';
import { Holds } from './holds.ts';
import { LARGE_BYTES, turnMs } from '../contract/turn.ts';
import { UploadWindow } from './upload-window.ts';

export interface SendLimits {
  /** Null: no window. */
  readonly uploadsPerMinute: number | null;
  readonly concurrentUploads: number;
  readonly concurrentDeletes: number;
  readonly concurrentQuestions: number;
}

export interface SendQueueOptions extends SendLimits {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Ends of attempts of the last minute in earlier runs, unix milliseconds by the wall clock. */
  readonly recentAttemptsMs: readonly number[];
}

/** The lanes on p-queue: uploads under the window of 60 s, in the order of their turn (`turnMs`); deletes; and questions. */
export class LaneQueue implements SendQueue {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #window: UploadWindow;
  readonly #lanes: Readonly<Record<Lane, PQueue>> = {
    upload: new PQueue(),
    delete: new PQueue(),
    ask: new PQueue(),
  };
  /** Large uploads pass through here first, so that they never hold every place of the upload lane. */
  readonly #large = new PQueue();
  readonly #holds: Readonly<Record<Lane, Holds>>;
  readonly #places: Record<Lane, number>;
  readonly #probing: Record<Lane, boolean> = { upload: false, delete: false, ask: false };
  #running = 0;
  #windowTimer: Promise<void> | null = null;
  readonly #closed = new AbortController();

  constructor(options: SendQueueOptions) {
    const { clock } = options;
    this.#clock = clock;
    this.#random = options.random;
    this.#window = new UploadWindow(options.uploadsPerMinute, toMonotonic(options.recentAttemptsMs, clock));
    this.#places = {
      upload: options.concurrentUploads,
      delete: options.concurrentDeletes,
      ask: options.concurrentQuestions,
    };
    this.#holds = {
      upload: new Holds(clock, () => this.#openOrClose('upload')),
      delete: new Holds(clock, () => this.#openOrClose('delete')),
      ask: new Holds(clock, () => this.#openOrClose('ask')),
    };
    for (const lane of LANES) this.#applyPlaces(lane);
    this.#openOrClose('upload');
  }

  async upload<T>(
    slot: UploadSlot,
    attempt: (sending: () => void) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    // Who comes looks at the clock as well: it may have gone on faster than the timer.
    this.#openOrClose('upload');
    const priority = -turnMs(this.#clock.monotonicMs(), slot.priority, slot.sizeBytes);
    const options = { priority, signal };
    const inLane = (): Promise<T> => runIn(this.#lanes.upload, () => this.#inWindow(attempt), options);
    return slot.sizeBytes < LARGE_BYTES ? await inLane() : await runIn(this.#large, inLane, options);
  }

  async delete<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return await runIn(this.#lanes.delete, attempt, { signal });
  }

  async ask<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return await runIn(this.#lanes.ask, attempt, { signal });
  }

  hold(lane: Lane, name: string, why: string, forMs: number | null): void {
    this.#holds[lane].hold(name, why, forMs);
  }

  release(lane: Lane, name: string): void {
    this.#holds[lane].release(name);
  }

  holds(
    lane: Lane,
  ): readonly { readonly name: string; readonly why: string; readonly remainingMs: number | null }[] {
    return this.#holds[lane].all();
  }

  setProbing(lane: Lane, on: boolean): void {
    if (this.#probing[lane] === on) return;
    this.#probing[lane] = on;
    this.#applyPlaces(lane);
  }

  setLimits(limits: SendLimits): void {
    this.#window.setLimit(limits.uploadsPerMinute);
    this.#places.upload = limits.concurrentUploads;
    this.#places.delete = limits.concurrentDeletes;
    this.#places.ask = limits.concurrentQuestions;
    for (const lane of LANES) this.#applyPlaces(lane);
    this.#openOrClose('upload');
  }

  backoffMs(failures: number): number {
    return backoffMs(failures, this.#random);
  }

  uploadWindow(): {
    readonly inWindow: number;
    readonly limit: number | null;
    readonly waiting: number;
    readonly running: number;
  } {
    return {
      inWindow: this.#window.inWindow(this.#clock.monotonicMs()),
      limit: this.#window.limit,
      waiting: this.#lanes.upload.size + this.#large.size,
      running: this.#running,
    };
  }

  /** Stops the timers. What still waits never starts. */
  close(): void {
    this.#closed.abort();
    this.#large.pause();
    for (const lane of LANES) {
      this.#lanes[lane].pause();
      this.#holds[lane].close();
    }
  }

  /** Runs an attempt whose turn it is: takes its unit of the window before p-queue may start another. */
  async #inWindow<T>(attempt: (sending: () => void) => Promise<T>): Promise<T> {
    this.#window.take();
    this.#running += 1;
    this.#openOrClose('upload');
    let sent = false;
    try {
      return await attempt(() => {
        sent = true;
      });
    } finally {
      this.#running -= 1;
      this.#window.giveBack(this.#clock.monotonicMs(), sent);
      this.#openOrClose('upload');
    }
  }

  #applyPlaces(lane: Lane): void {
    this.#lanes[lane].concurrency = this.#probing[lane] ? 1 : this.#places[lane];
    if (lane === 'upload') this.#large.concurrency = Math.max(1, Math.ceil(this.#places.upload / 2));
  }

  /** A lane is paused while something holds it; the upload lane also while the window has no unit left. */
  #openOrClose(lane: Lane): void {
    if (this.#closed.signal.aborted) return;
    const isFull = lane === 'upload' && !this.#window.allowsOne(this.#clock.monotonicMs());
    if (isFull || this.#holds[lane].any()) this.#lanes[lane].pause();
    else this.#lanes[lane].start();
    if (isFull) this.#awaitUnit();
  }

  /**
   * INVARIANT: while the window is full, either an attempt that runs or this timer will look again. Nothing is
   * concluded from another look at the clock: a unit may have come back since.
   */
  #awaitUnit(): void {
    if (this.#windowTimer !== null) return;
    const now = this.#clock.monotonicMs();
    const nextFreeMs = this.#window.nextFreeMs();
    if (nextFreeMs === null && this.#running > 0) return;
    const waitMs = Math.max(1, (nextFreeMs ?? now) - now);
    this.#windowTimer = this.#clock.sleep(waitMs, this.#closed.signal).then(
      () => {
        this.#windowTimer = null;
        this.#openOrClose('upload');
      },
      () => {},
    );
  }
}

/**
 * Runs a task in its turn. An abort rejects who waits, and the task never starts; a task that runs is waited for, since
 * p-queue would let go of it before it has ended.
 */
async function runIn<T>(
  queue: PQueue,
  task: () => Promise<T>,
  options: { readonly priority?: number; readonly signal: AbortSignal },
): Promise<T> {
  const running: { task?: Promise<T> } = {};
  const start = (): Promise<T> => {
    running.task = task();
    return running.task;
  };
  try {
    return await queue.add(start, options);
  } catch (error) {
    if (running.task !== undefined) return await running.task;
    throw error;
  }
}

/** A wall clock that was set back meanwhile must not free units early: nothing can have ended in the future. */
function toMonotonic(wallTimesMs: readonly number[], clock: Clock): readonly number[] {
  const wallNow = clock.wallMs();
  const now = clock.monotonicMs();
  return wallTimesMs.map((wallMs) => now - Math.max(0, wallNow - wallMs));
}
