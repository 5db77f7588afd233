import { setTimeout as timeout } from 'node:timers/promises';
import type { Clock } from '../contract/ports.ts';

/** A timer for more than 2^31 − 1 ms fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clocks. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      const waitMs = Math.min(Math.max(0, ms), LONGEST_TIMER_MS);
      await timeout(waitMs, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // The promised reason, not the AbortError that wraps it.
      signal?.throwIfAborted();
      throw error;
    }
  },
};
