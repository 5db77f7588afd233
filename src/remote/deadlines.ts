import type { Clock } from '../contract/ports.ts';

interface Watched {
  /** Milliseconds until it is over; may grow meanwhile. */
  readonly leftMs: () => number;
  readonly onOver: () => void;
}

/**
 * Notices what takes too long. One sleep serves all that are watched: an abortable sleep for each would cost a
 * small upload more than writing its request does.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  readonly #closed = new AbortController();
  /** The sleep under way, by when it ends. */
  #sleep: { readonly untilMs: number; readonly cut: AbortController } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onOver` once no time is left, unless the returned function was called before. */
  watch(leftMs: () => number, onOver: () => void): () => void {
    const watched = { leftMs, onOver };
    this.#watched.add(watched);
    this.#sleepUntil(this.#clock.monotonicMs() + leftMs());
    return () => this.#watched.delete(watched);
  }

  close(): void {
    this.#watched.clear();
    this.#closed.abort();
  }

  #sleepUntil(dueMs: number): void {
    if (this.#closed.signal.aborted || (this.#sleep !== null && this.#sleep.untilMs <= dueMs)) return;
    this.#sleep?.cut.abort();
    const sleep = { untilMs: dueMs, cut: new AbortController() };
    this.#sleep = sleep;
    const waitMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    const signal = AbortSignal.any([sleep.cut.signal, this.#closed.signal]);
    this.#clock.sleep(waitMs, signal).then(
      () => {
        this.#sleep = null;
        this.#check();
      },
      () => {}, // An earlier one took its place, or all is over.
    );
  }

  #check(): void {
    let nextLeftMs = Number.POSITIVE_INFINITY;
    for (const watched of this.#watched) {
      const leftMs = watched.leftMs();
      if (leftMs > 0) {
        nextLeftMs = Math.min(nextLeftMs, leftMs);
      } else {
        this.#watched.delete(watched);
        watched.onOver();
      }
    }
    if (nextLeftMs !== Number.POSITIVE_INFINITY) this.#sleepUntil(this.#clock.monotonicMs() + nextLeftMs);
  }
}
