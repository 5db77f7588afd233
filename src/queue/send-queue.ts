import PQueue from 'p-queue';
import type { Clock, Lane, SendQueue, UploadSlot } from '../mirror/ports.ts';
import { AbortFan } from './abort-fan.ts';
import { backoffMs } from './backoff.ts';
import { Holds } from './holds.ts';
import { SendOrder, virtualArrivalMs, type SendOptions } from './send-order.ts';
import { UploadWindow } from './upload-window.ts';

/** Uploads from this size on count as large. */
const LARGE_BYTES = 16_000_000;

export interface SendLimits {
  /** Null: no window. */
  readonly uploadsPerMinute: number | null;
  readonly concurrentUploads: number;
  readonly concurrentDeletes: number;
}

export interface SendQueueOptions extends SendLimits {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Ends of attempts of the last minute in earlier runs, unix milliseconds by the wall clock. */
  readonly recentAttemptsMs: readonly number[];
}

/** The two lanes on p-queue: uploads under the window of 60 s, in the order of `virtualArrivalMs`; and deletes. */
export class LaneQueue implements SendQueue {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #window: UploadWindow;
  readonly #order: SendOrder;
  readonly #uploads: PQueue<SendOrder, SendOptions>;
  readonly #deletes: PQueue;
  readonly #holds: Readonly<Record<Lane, Holds>>;
  readonly #places: Record<Lane, number>;
  readonly #probing: Record<Lane, boolean> = { upload: false, delete: false };
  /** Uploads that wait and have not given up; the order below also holds those that have. */
  #waiting = 0;
  #running = 0;
  #runningLarge = 0;
  #windowTimer: Promise<void> | null = null;
  readonly #closed = new AbortController();
  readonly #aborts = new AbortFan();

  constructor(options: SendQueueOptions) {
    const { clock } = options;
    this.#clock = clock;
    this.#random = options.random;
    this.#window = new UploadWindow(options.uploadsPerMinute, toMonotonic(options.recentAttemptsMs, clock));
    this.#places = { upload: options.concurrentUploads, delete: options.concurrentDeletes };
    this.#order = new SendOrder({
      open: () => this.#window.allowsOne(clock.monotonicMs()),
      largeMayStart: () => this.#runningLarge < this.#placesForLarge(),
      starts: (large) => {
        this.#window.take();
        if (large) this.#runningLarge += 1;
      },
    });
    const order = this.#order;
    // p-queue makes its queue itself; ours needs the gate above.
    const queueClass = function queueOfThisLane(): SendOrder {
      return order;
    } as unknown as new () => SendOrder;
    this.#uploads = new PQueue<SendOrder, SendOptions>({
      concurrency: options.concurrentUploads,
      queueClass,
    });
    this.#deletes = new PQueue({ concurrency: options.concurrentDeletes });
    this.#holds = {
      upload: new Holds(clock, () => this.#apply('upload')),
      delete: new Holds(clock, () => this.#apply('delete')),
    };
  }

  async upload<T>(
    slot: UploadSlot,
    attempt: (sending: () => void) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const large = slot.sizeBytes >= LARGE_BYTES;
    const turnMs = virtualArrivalMs(this.#clock.monotonicMs(), slot.priority, slot.sizeBytes);
    signal.throwIfAborted();
    this.#waiting += 1;
    const leave = (): void => {
      this.#waiting -= 1;
    };
    const place = { priority: -turnMs, large };
    const started = this.#enqueue(this.#uploads, signal, place, leave, async (isWanted) => {
      this.#running += 1;
      let sent = false;
      const sending = (): void => {
        sent = true;
      };
      try {
        return isWanted ? { value: await attempt(sending) } : null;
      } finally {
        this.#running -= 1;
        if (large) this.#runningLarge -= 1;
        this.#window.giveBack(this.#clock.monotonicMs(), sent);
        this.#kick();
      }
    });
    this.#kick();
    return await started;
  }

  async delete<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return await this.#enqueue(
      this.#deletes,
      signal,
      {},
      () => {},
      async (isWanted) => (isWanted ? { value: await attempt() } : null),
    );
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
    this.#kick();
  }

  setLimits(limits: SendLimits): void {
    this.#window.setLimit(limits.uploadsPerMinute);
    this.#places.upload = limits.concurrentUploads;
    this.#places.delete = limits.concurrentDeletes;
    for (const lane of ['upload', 'delete'] as const) this.#applyPlaces(lane);
    this.#kick();
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
      waiting: this.#waiting,
      running: this.#running,
    };
  }

  /** Stops the timers. What still waits never starts. */
  close(): void {
    this.#uploads.pause();
    this.#deletes.pause();
    this.#closed.abort();
    for (const holds of Object.values(this.#holds)) holds.close();
  }

  /**
   * Waits for a place in the queue. An abort rejects the waiter at once; its place, when it comes, is passed on
   * unused (`isWanted` false), so that what the queue counted when it gave the place is always given back.
   * `leave`: called once, when it waits no more.
   */
  async #enqueue<T>(
    queue: PQueue<SendOrder, SendOptions> | PQueue,
    signal: AbortSignal,
    options: SendOptions,
    leave: () => void,
    run: (isWanted: boolean) => Promise<{ readonly value: T } | null>,
  ): Promise<T> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stopWaiting = this.#aborts.wait(signal, (reason) => {
      leave();
      reject(reason);
    });
    const task = async (): Promise<void> => {
      stopWaiting();
      if (!signal.aborted) leave();
      try {
        const result = await run(!signal.aborted);
        if (result !== null) resolve(result.value);
      } catch (error) {
        reject(error);
      }
    };
    void queue.add(task, options);
    return await promise;
  }

  #queueOf(lane: Lane): PQueue<SendOrder, SendOptions> | PQueue {
    return lane === 'upload' ? this.#uploads : this.#deletes;
  }

  /** Also makes p-queue ask again whether something may start. */
  #applyPlaces(lane: Lane): void {
    this.#queueOf(lane).concurrency = this.#probing[lane] ? 1 : this.#places[lane];
  }

  #placesForLarge(): number {
    return Math.max(1, Math.ceil(this.#places.upload / 2));
  }

  #apply(lane: Lane): void {
    const queue = this.#queueOf(lane);
    if (this.#holds[lane].any()) queue.pause();
    else queue.start();
    if (lane === 'upload') this.#kick();
  }

  /** Lets p-queue ask again whether something may start, now and when the next unit of the window comes back. */
  #kick(): void {
    if (this.#closed.signal.aborted || this.#uploads.isPaused) return;
    this.#applyPlaces('upload');
    if (this.#order.waiting === 0 || this.#windowTimer !== null || this.#window.limit === null) return;
    // INVARIANT: as long as something waits, either an attempt that runs or this timer will kick again. Nothing is
    // concluded from another look at the clock: a unit may have come back since p-queue asked.
    const now = this.#clock.monotonicMs();
    const nextFreeMs = this.#window.nextFreeMs();
    if (nextFreeMs === null && this.#running > 0) return;
    const waitMs = Math.max(1, (nextFreeMs ?? now) - now);
    this.#windowTimer = this.#clock.sleep(waitMs, this.#closed.signal).then(
      () => {
        this.#windowTimer = null;
        this.#kick();
      },
      () => {},
    );
  }
}

/** A wall clock that was set back meanwhile must not free units early: nothing can have ended in the future. */
function toMonotonic(wallTimesMs: readonly number[], clock: Clock): readonly number[] {
  const wallNow = clock.wallMs();
  const now = clock.monotonicMs();
  return wallTimesMs.map((wallMs) => now - Math.max(0, wallNow - wallMs));
}
