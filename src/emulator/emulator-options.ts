import type { Meddle } from './meddling.ts';
import type { Authorization } from './access.ts';
import type { BatchRules } from './batch-rules.ts';
import type { BatchPace } from './batch-timeline.ts';
import type { DialectName, ListRules } from './dialects.ts';
import type { UpstreamOptions } from './upstream-run.ts';

/** The server's own clock: for `created_at`, expiry and the `Date` header, and for the upload limit. */
export interface EmulatorClock {
  /** Unix milliseconds. May jump. */
  nowMs(): number;
  /** Never jumps. Default: `performance.now()`. */
  monotonicMs?(): number;
}

export interface EmulatorOptions {
  /** Default: `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Where files live across restarts. Default: a temporary folder that `close` removes. */
  readonly dataDir?: string;
  /** Default `any`: a key must be shown, no matter which. */
  readonly authorization?: Authorization;
  /** Which server to be like. Default: `openai`. */
  readonly dialect?: DialectName;
  /** Uploads in any 60 s before a 429; null: no limit. Default: 1,000. */
  readonly uploadsPerMinute?: number | null;
  /** Bytes of all files together before the quota 400; null: no limit. Default: 2.5 TB. */
  readonly storageBytes?: number | null;
  /** Pages of a listing are never longer than this, whatever `limit` asks for. Default: no such bound. */
  readonly maxPageSize?: number;
  /** How its listing differs from the dialect's. */
  readonly list?: Partial<ListRules>;
  /**
   * True: `GET /files/{id}/content` gives every file's content, which is useful locally. False: only that of the
   * purposes that the server gives out, at OpenAI neither assistants nor vision nor user_data. Default: false.
   */
  readonly contentReadable?: boolean;
  /** True: contents are neither hashed nor kept, only metadata; for measuring clients. Default: false. */
  readonly discard?: boolean;
  /** How its batches differ from the dialect's. Nothing for a dialect without `/batches`. */
  readonly batches?: Partial<BatchRules>;
  /** How long the stages of a batch last, by the clock. Default: five requests are done in less than three seconds. */
  readonly batchPace?: Partial<BatchPace>;
  /** Decides the order of outputs. Default: 1. */
  readonly batchSeed?: number;
  /** Tokens of all batches of one model in progress, before `token_limit_exceeded`; null: no limit. Default: null. */
  readonly batchQueueTokens?: number | null;
  /**
   * A server that answers the lines of batches. A batch that was created with one waits for one after a restart.
   * Default: the emulator echoes them.
   */
  readonly upstream?: UpstreamOptions;
  readonly clock?: EmulatorClock;
  /** What befalls each request; for tests. Default: nothing. */
  readonly meddle?: Meddle;
  /** Told of errors that the emulator did not expect; the request got a 500. */
  readonly onInternalError?: (error: unknown) => void;
}
