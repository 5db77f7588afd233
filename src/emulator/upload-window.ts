const WINDOW_MS = 60_000;

/**
 * The server's limit on uploads in every sliding minute. Refused attempts count too, as OpenAI's page on rate
 * limits says: who keeps hammering is not let in.
 */
export class UploadWindow {
  /** Uploads a minute. */
  readonly limit: number;
  /** Arrival times inside the window, oldest first, from `#head` on. */
  #arrivalsMs: number[] = [];
  #head = 0;

  /** `limit`: uploads a minute; null: no limit. */
  constructor(limit: number | null) {
    this.limit = limit ?? Infinity;
  }

  /** Counts an attempt. Returns null when it may pass, else in how many milliseconds another one might. */
  admit(nowMs: number): number | null {
    if (this.limit === Infinity) return null;
    this.#forget(nowMs - WINDOW_MS);
    this.#arrivalsMs.push(nowMs);
    const inWindow = this.#arrivalsMs.length - this.#head;
    if (inWindow <= this.limit) return null;
    // One more passes when at most `limit - 1` of those counted now are still in the window.
    const lastToLeaveMs = this.#arrivalsMs[this.#head + inWindow - this.limit] ?? nowMs;
    return lastToLeaveMs + WINDOW_MS - nowMs;
  }

  #forget(untilMs: number): void {
    while ((this.#arrivalsMs[this.#head] ?? Infinity) <= untilMs) this.#head += 1;
    if (this.#head > 10_000 && this.#head * 2 > this.#arrivalsMs.length) {
      this.#arrivalsMs = this.#arrivalsMs.slice(this.#head);
      this.#head = 0;
    }
  }
}
