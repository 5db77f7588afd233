import type { LoggedRequest, OpenRequest } from '../../src/emulator/logged-request.ts';

/** The requests in order of arrival, the latest `limit` of them. */
export class RequestLog {
  readonly #limit: number;
  #entries: LoggedRequest[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  open(entry: OpenRequest): void {
    this.#entries.push(entry);
    // Cutting half of it now and then keeps the price of forgetting constant.
    if (this.#entries.length >= this.#limit * 2) this.#entries = this.#entries.slice(-this.#limit);
  }

  /** Everything remembered, oldest first. */
  all(): readonly LoggedRequest[] {
    return this.#entries.slice(-this.#limit);
  }

  /** The attempts to upload: `POST …/files`. */
  uploads(): readonly LoggedRequest[] {
    return this.all().filter((entry) => entry.method === 'POST' && entry.path.endsWith('/files'));
  }

  /** The attempts to create a batch: `POST …/batches`. */
  submissions(): readonly LoggedRequest[] {
    return this.all().filter((entry) => entry.method === 'POST' && entry.path.endsWith('/batches'));
  }

  deletes(): readonly LoggedRequest[] {
    return this.all().filter((entry) => entry.method === 'DELETE');
  }

  /** The most uploads that arrived in any sliding window of this length. */
  peakUploads(windowMs: number): number {
    const arrivalsMs = this.uploads().map((entry) => entry.arrivedMonotonicMs);
    let peak = 0;
    let first = 0;
    for (const [index, arrivalMs] of arrivalsMs.entries()) {
      while ((arrivalsMs[first] ?? Infinity) <= arrivalMs - windowMs) first += 1;
      peak = Math.max(peak, index - first + 1);
    }
    return peak;
  }

  clear(): void {
    this.#entries = [];
  }
}
