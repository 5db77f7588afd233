import type { Clock } from '../contract/ports.ts';

/** A limit on bytes per second, shared by everyone who takes from it. */
export interface Throttle {
  /** The most that should be taken at once, so that the flow stays even and waits stay short. */
  readonly sliceBytes: number;
  /** Resolves, in the order of the calls, when these bytes may go. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** Slices a second: smooth enough for a network, seldom enough for timers. */
const SLICES_PER_SECOND = 10;
const MIN_SLICE_BYTES = 1024;

/**
 * A token bucket one slice deep, kept as a schedule: each taker is given the moment at which the bytes before
 * it have gone at the given rate. Whoever gives up leaves a hole, which only ever makes the flow slower.
 */
export function createThrottle(bytesPerSecond: number, clock: Clock): Throttle {
  let freeAtMs = Number.NEGATIVE_INFINITY;
  return {
    sliceBytes: Math.max(MIN_SLICE_BYTES, Math.floor(bytesPerSecond / SLICES_PER_SECOND)),
    async take(bytes, signal) {
      signal.throwIfAborted();
      const nowMs = clock.monotonicMs();
      const startMs = Math.max(nowMs, freeAtMs);
      freeAtMs = startMs + (bytes / bytesPerSecond) * 1000;
      if (startMs > nowMs) await clock.sleep(startMs - nowMs, signal);
    },
  };
}
