/** What the server saw of one request. Grows while the request runs; the key itself is never kept. */
export interface LoggedRequest {
  readonly method: string;
  /** Without the query, as sent: `/v1/files/file-abc`. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** By a clock that never jumps (`performance.now()` unless the options say otherwise), milliseconds. */
  readonly arrivedMonotonicMs: number;
  /** By the server's wall clock, unix milliseconds. */
  readonly arrivedWallMs: number;
  /** True when the request carried a key in any accepted header. */
  readonly authorized: boolean;
  /** Null until answered, and for good when the connection ended first. */
  readonly status: number | null;
  readonly requestId: string;
  /** Uploads: as far as they were read. */
  readonly purpose: string | null;
  readonly filename: string | null;
  /** Uploads: bytes of the file's content that arrived; null before its part began. */
  readonly bytes: number | null;
  /** Uploads: of the whole content, lower-case hex; null when it never was complete. */
  readonly sha256: string | null;
  /** The file it is about: of the path, or the one an upload created. */
  readonly id: string | null;
  /** True when the connection ended before the reply was sent completely, by whichever side. */
  readonly aborted: boolean;
  /** The kinds of faults that were injected, in order. */
  readonly faults: readonly string[];
}

/** The log's own, growing view of a request. */
export type OpenRequest = { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] } & { faults: string[] };

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
