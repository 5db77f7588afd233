import type { Clock } from '../contract/ports.ts';
import { unlessAborted } from '../contract/unless-aborted.ts';

/** Jobs in lanes, one at a time in each, and the loop that asks what is due. */
export class Lanes {
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #ended = Promise.withResolvers<void>();
  #sleep: AbortController | null = null;
  #isWoken = false;
  readonly #whenIdle = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    // Whoever does not ask for the end shall not be struck by it.
    this.#ended.promise.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** `tick` says when, monotonic, it wants to be called again. */
  start(tick: () => number): void {
    void this.#loop(tick).catch((error: unknown) => this.#break(error));
  }

  ended(): Promise<void> {
    return this.#ended.promise;
  }

  wake(): void {
    this.#isWoken = true;
    this.#sleep?.abort(new Error('woken'));
  }

  /** Resolves when it was looked what is due, nothing was, and nothing runs. Rejects with the signal's reason. */
  async idle(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle.add(resolve);
    this.wake();
    try {
      await unlessAborted(promise, signal);
    } finally {
      this.#whenIdle.delete(resolve);
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('stopping'));
    this.wake();
    while (this.#running.size > 0) await Promise.allSettled(this.#running.values());
    this.#ended.resolve();
  }

  /** Runs the job if it is due and its lane is free. */
  try(lane: string, isDue: boolean, job: (signal: AbortSignal) => Promise<void>): void {
    if (isDue && !this.#running.has(lane) && !this.#abort.signal.aborted) this.#run(lane, job);
  }

  /** Runs the job as soon as its lane is free. */
  async alone(lane: string, job: () => Promise<void>): Promise<void> {
    while (this.#running.has(lane)) await this.#running.get(lane);
    this.#abort.signal.throwIfAborted();
    const turn = job();
    this.#run(lane, () => turn.catch(() => {}));
    await turn;
  }

  /** Lanes of this name, as `results 1`, that are taken. */
  countOf(name: string): number {
    let count = 0;
    for (const lane of this.#running.keys()) if (lane.startsWith(`${name} `)) count += 1;
    return count;
  }

  #run(lane: string, job: (signal: AbortSignal) => Promise<void>): void {
    const turn = (async () => {
      try {
        await job(this.#abort.signal);
      } catch (error) {
        if (!this.#abort.signal.aborted) this.#break(error);
      } finally {
        this.#running.delete(lane);
        this.wake();
      }
    })();
    this.#running.set(lane, turn);
  }

  #break(error: unknown): void {
    this.#ended.reject(error);
    this.#abort.abort(error);
    this.wake();
  }

  async #loop(tick: () => number): Promise<void> {
    while (!this.#abort.signal.aborted) {
      this.#isWoken = false;
      const nextMs = tick();
      if (this.#running.size === 0 && !this.#isWoken) for (const resolve of this.#whenIdle) resolve();
      await this.#sleepUntil(nextMs);
    }
  }

  async #sleepUntil(untilMs: number): Promise<void> {
    if (this.#isWoken) {
      // A turn of its own, so that who woke it goes on first.
      await Promise.resolve();
      return;
    }
    const sleep = new AbortController();
    this.#sleep = sleep;
    try {
      await this.#clock.sleep(Math.max(0, untilMs - this.#clock.monotonicMs()), sleep.signal);
    } catch (error) {
      if (!sleep.signal.aborted) throw error;
    } finally {
      this.#sleep = null;
    }
  }
}
