import type { Clock } from '../../contract/ports.ts';

const MIN_PAUSE_MS = 2;

/** A sleep that can be cut short, or shortened to an earlier time. */
export class Wakeup {
  readonly #clock: Clock;
  #untilMs = Number.POSITIVE_INFINITY;
  #asked = false;
  #sleeping: AbortController | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes the sleeper at once; if nobody sleeps, the next sleep ends at once. */
  now(): void {
    this.#asked = true;
    this.#sleeping?.abort();
  }

  /** Wakes the sleeper no later than at this monotonic time. */
  at(atMs: number): void {
    if (atMs < this.#untilMs) this.now();
  }

  /**
   * Sleeps until then, or until woken, or until the signal aborts. Never rejects. INVARIANT: there is always a pause,
   * or a time that has passed already, or being woken all the time, would keep all others from their turn.
   */
  async sleepUntil(atMs: number, signal: AbortSignal): Promise<void> {
    const ms = Math.max(atMs - this.#clock.monotonicMs(), MIN_PAUSE_MS);
    if (this.#asked) await this.#clock.sleep(0);
    else if (!signal.aborted) {
      this.#untilMs = atMs;
      const sleeping = new AbortController();
      this.#sleeping = sleeping;
      // Not AbortSignal.any: one of those a second, for months, on a signal that lives as long as the process.
      const stop = (): void => sleeping.abort();
      signal.addEventListener('abort', stop, { once: true });
      await this.#clock.sleep(ms, sleeping.signal).catch(() => {});
      signal.removeEventListener('abort', stop);
      this.#sleeping = null;
    }
    this.#untilMs = Number.POSITIVE_INFINITY;
    this.#asked = false;
  }
}
