/** The window that the API counts in. */
const WINDOW_MS = 60_000;
/** For timers of 1 ms and clocks that do not tick quite alike. */
const MARGIN_MS = 50;

/**
 * At most `limit` uploads in every sliding window of 60 s, as the server sees them.
 *
 * Each attempt takes one unit when it starts and gives it back 60 s after it **ended**. The server sees an
 * attempt somewhere between its start s and its end e. Were there limit + 1 of them inside one window of 60 s at
 * the server, the last would have started before the unit of the first came back: s(last) ≤ seen(last) <
 * seen(first) + 60 s ≤ e(first) + 60 s, which is what this class forbids. So no margin for the way is needed,
 * however long it is.
 */
export class UploadWindow {
  #limit: number | null;
  #running = 0;
  /** Monotonic times at which attempts ended, oldest first, from `#head` on. */
  #endedMs: number[] = [];
  #head = 0;

  /** `limit` null: no window. `endedMs`: attempts of an earlier run, by this run's monotonic clock. */
  constructor(limit: number | null, endedMs: readonly number[]) {
    this.#limit = limit;
    this.#endedMs = [...endedMs].sort((a, b) => a - b);
  }

  get limit(): number | null {
    return this.#limit;
  }

  setLimit(limit: number | null): void {
    this.#limit = limit;
  }

  /** Units that are taken now. */
  inWindow(nowMs: number): number {
    this.#expire(nowMs);
    return this.#running + this.#endedMs.length - this.#head;
  }

  allowsOne(nowMs: number): boolean {
    return this.#limit === null || this.inWindow(nowMs) < this.#limit;
  }

  take(): void {
    this.#running += 1;
  }

  /** The attempt ended; `sent` false: it never reached the network, and its unit is free at once. */
  giveBack(nowMs: number, sent: boolean): void {
    this.#running -= 1;
    if (sent) this.#endedMs.push(nowMs);
    // Without a limit nobody else would ever ask what has expired.
    this.#expire(nowMs);
  }

  /** Monotonic time at which the next unit comes back; null when only running attempts hold any. */
  nextFreeMs(): number | null {
    const oldest = this.#endedMs[this.#head];
    return oldest === undefined ? null : oldest + WINDOW_MS + MARGIN_MS;
  }

  #expire(nowMs: number): void {
    let oldest = this.#endedMs[this.#head];
    while (oldest !== undefined && oldest + WINDOW_MS + MARGIN_MS <= nowMs) {
      this.#head += 1;
      oldest = this.#endedMs[this.#head];
    }
    if (this.#head > 1_000 && this.#head > this.#endedMs.length / 2) {
      this.#endedMs = this.#endedMs.slice(this.#head);
      this.#head = 0;
    }
  }
}
