import type { Clock } from '../contract/ports.ts';

const WINDOW_MS = 1000;
/** More events than this in a window make a burst: the kernel's queue may have overflowed, which nobody reports. */
const BURST_EVENTS = 500;
const QUIET_MS = 500;
/** At most this many events in `QUIET_MS` count as the end of a burst. */
const QUIET_EVENTS = 25;
/** A burst that does not end is answered this often. */
const MAX_BURST_MS = 10_000;

/** Calls `onBurstOver` once shortly after a burst of events ended, or every ten seconds while it lasts. */
export class BurstAlarm {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onBurstOver: () => void;
  #total = 0;
  #windowStartMs = 0;
  #windowStartTotal = 0;
  #inBurst = false;

  constructor(clock: Clock, signal: AbortSignal, onBurstOver: () => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onBurstOver = onBurstOver;
  }

  /** One event came in. */
  count(): void {
    this.#total += 1;
    if (this.#inBurst) return;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowStartMs > WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#windowStartTotal = this.#total;
    }
    if (this.#total - this.#windowStartTotal < BURST_EVENTS) return;
    this.#inBurst = true;
    void this.#waitForEnd(nowMs);
  }

  async #waitForEnd(startMs: number): Promise<void> {
    try {
      let before: number;
      do {
        before = this.#total;
        await this.#clock.sleep(QUIET_MS, this.#signal);
      } while (this.#total - before > QUIET_EVENTS && this.#clock.monotonicMs() - startMs < MAX_BURST_MS);
    } catch {
      return; // The watch is over.
    }
    this.#inBurst = false;
    this.#windowStartMs = this.#clock.monotonicMs();
    this.#windowStartTotal = this.#total;
    this.#onBurstOver();
  }
}
