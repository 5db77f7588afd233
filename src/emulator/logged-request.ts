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
  /** The file or batch it is about: of the path, or the one that was created. */
  readonly id: string | null;
  /** True when the connection ended before the reply was sent completely, by whichever side. */
  readonly aborted: boolean;
  /** The kinds of faults that were injected, in order. */
  readonly faults: readonly string[];
}

/** The server's own, growing view of a request. */
export type OpenRequest = { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] } & { faults: string[] };
