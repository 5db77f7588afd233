/**
 * How long an upload attempt counts after its end: the server's window of 60 s, and one more for the way there.
 */
const attemptWindowMs = 61_000;

/**
 * When upload attempts ended, by the wall clock in milliseconds, as far back as the upload window reaches.
 * It lives in the manifest so that the window survives a restart.
 */
export class AttemptLog {
  #endedAtMs: number[];
  #pruneAtLength = 2048;

  constructor(endedAtMs: readonly number[] = []) {
    this.#endedAtMs = [...endedAtMs];
  }

  add(endedAtMs: number): void {
    const last = this.#endedAtMs.at(-1);
    if (last !== undefined && last > endedAtMs) {
      // The wall clock was set back. Taken as ended now, the older ones still age out, only later than need be.
      this.#endedAtMs = this.#endedAtMs.map((earlier) => Math.min(earlier, endedAtMs));
    }
    this.#endedAtMs.push(endedAtMs);
    if (this.#endedAtMs.length >= this.#pruneAtLength) {
      this.#endedAtMs = this.recent(endedAtMs);
      this.#pruneAtLength = Math.max(2048, 2 * this.#endedAtMs.length);
    }
  }

  /** Those that may still count at `nowMs`. One that seems to lie in the future counts as ended now. */
  recent(nowMs: number): number[] {
    return this.#endedAtMs
      .filter((endedAtMs) => endedAtMs > nowMs - attemptWindowMs)
      .map((endedAtMs) => Math.min(endedAtMs, nowMs));
  }
}
