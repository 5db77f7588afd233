/** The words of batches as plain values, and what is needed of the API for them. Times are unix seconds by the server's clock unless said otherwise. */
import type { FileId, MirrorPath } from './types.ts';

/** A UUID of ours for one submission. It goes into the batch's metadata, so that a lost reply can be looked up. */
export type SubmissionId = string;

/** Why a batch failed validation: one of the API's `errors.data`. */
export interface BatchProblem {
  readonly code: string;
  readonly message: string;
  /** Of the input, counted from 1; null: of no line. */
  readonly line: number | null;
  readonly param: string | null;
}

export interface RequestCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
}

export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/**
 * A batch as the API describes it, each field read by itself. Null: the server did not say, or not readably.
 * `status` in lower case, as it came otherwise: an unknown one is watched, and never acted upon.
 */
export interface RemoteBatch {
  readonly id: string;
  readonly status: string;
  readonly endpoint: string | null;
  readonly inputFileId: FileId | null;
  /** Empty text counts as null. */
  readonly outputFileId: FileId | null;
  readonly errorFileId: FileId | null;
  readonly createdAt: number | null;
  readonly inProgressAt: number | null;
  readonly finalizingAt: number | null;
  /** Until when it has to be done. */
  readonly expiresAt: number | null;
  /** When it ended, however it did. */
  readonly endedAt: number | null;
  /** No ledger: servers have counted wrongly. */
  readonly counts: RequestCounts | null;
  readonly usage: TokenUsage | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly problems: readonly BatchProblem[];
}

export interface BatchRequest {
  readonly inputFileId: FileId;
  readonly endpoint: string;
  /** E.g. `24h`. */
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** When the API shall expire the output, after its creation; null leaves it to the API. */
  readonly outputExpiresAfterSeconds: number | null;
  readonly submission: SubmissionId;
}

/**
 * What a fault of `BatchesApi` says by its `rule`, besides the rules that all requests have (`network`, `rate-limit`,
 * `server-400`, …). None of them halts by itself: a key without the right to batches may well upload.
 */
export type BatchFaultRule =
  /** 401 or 403: this key may not, here. */
  | 'batches-auth'
  /** No credit, or a billing limit. */
  | 'batches-quota'
  /** The model's queue at the API is full. */
  | 'token-limit'
  /** It cannot find the input file (yet). */
  | 'no-such-file'
  /** The server has no `/batches`. */
  | 'no-batches';

/** The batch side of the API. Every method throws `Fault`, or the signal's reason when it aborts. */
export interface BatchesApi {
  /**
   * One POST, never repeated by itself. The outcome of its fault is `refused` only after a plain no (4xx but 408 and
   * 409), or when nothing was sent.
   */
  create(request: BatchRequest, signal: AbortSignal): Promise<RemoteBatch>;
  /** Null when the API knows no such batch (404). */
  retrieve(id: string, signal: AbortSignal): Promise<RemoteBatch | null>;
  /** Pages of up to 100 in the server's order, which is newest first where a server keeps what it says. No batch twice. */
  list(signal: AbortSignal): AsyncIterable<readonly RemoteBatch[]>;
  /** Asks for its end; null when the API knows no such batch. */
  cancel(id: string, signal: AbortSignal): Promise<RemoteBatch | null>;
  /** As of `FilesApi`. */
  serverNowMs(): number | null;
}

/** What is known of a file of requests, from one reading of it. */
export interface RequestsFile {
  readonly requests: number;
  /** Of the lines; null: none says any, or they differ where a server allows that. */
  readonly endpoint: string | null;
  readonly model: string | null;
  /** An estimate: UTF-8 bytes of the bodies' texts divided by 4. */
  readonly inputTokens: number;
}

/** Why a submission waits. `approval`: of a flood, until a person approves. */
export const BATCH_HOLD_REASONS = [
  /** Submitting is switched off for its folder, or it was there before it was switched on. */
  'off',
  'approval',
  'budget',
  /** `batches.maxOpen` or `perHour` are reached, or the model's queue at the API is full. */
  'queue',
  'quota',
  'paused',
  /** The API cannot find the input yet, or its requests could not be read. */
  'input',
  /** The server has no `/batches`, or the key has no right to it. */
  'access',
  /** The server was not reached, or asks for less (429). */
  'server',
] as const;

export type BatchHoldReason = (typeof BATCH_HOLD_REASONS)[number];

/**
 * What came of the lines, after everything that there is was read. Every line of the input is in exactly one of
 * `answered`, `failed` and `missing`.
 */
export interface LineCounts {
  readonly answered: number;
  /** With the API's error, for good. */
  readonly failed: number;
  /** In neither file. */
  readonly missing: number;
}

/** What was written into the results folder, below the root. Null: there was nothing of it. */
export interface WrittenResults {
  readonly output: string | null;
  readonly errors: string | null;
  readonly summary: string;
  readonly lines: LineCounts;
  /** What a person has to know of the names, in one line; absent: nothing. */
  readonly note?: string | undefined;
}

/**
 * The durable record of one submission; the manifest keeps it under its `SubmissionId`.
 * `wanted`: to be submitted. `submitting`: a POST may have been stored. `open`: the API has it, it runs. `settled`: it
 * ended, its results are still to be fetched. The rest is over: `done` (every line answered), `partial` (some lines
 * failed or are missing), `failed` (it ran no line), `unavailable` (its results are gone at the API), `superseded`
 * (its answers went into a later generation's).
 */
export const BATCH_STATES = [
  'wanted',
  'submitting',
  'open',
  'settled',
  'done',
  'partial',
  'failed',
  'unavailable',
  'superseded',
] as const;

export type BatchState = (typeof BATCH_STATES)[number];

const OVER: ReadonlySet<BatchState> = new Set<BatchState>([
  'done',
  'partial',
  'failed',
  'unavailable',
  'superseded',
]);

/** The API has nothing of it to do any more. */
export const isOver = (state: BatchState): boolean => OVER.has(state);

export interface BatchRecord {
  /** Where the input lies, or lay; follows renames. */
  readonly path: MirrorPath;
  /** Of the input. A version of a path is submitted once. */
  readonly sha256: string;
  readonly inputFileId: FileId;
  /** Null: not read yet. */
  readonly file: RequestsFile | null;
  /** 0: the input itself; 1 and 2: a file of lines that are tried again. */
  readonly generation: number;
  /** The submission of generation 0 whose lines these are; null: this one is it. */
  readonly of: SubmissionId | null;
  /** How often the API was asked to begin it: counts what its queue refused. Goes into the metadata. */
  readonly attempt: number;
  /** By the local clock. */
  readonly wantedAt: number;
  /** A person asked for it: neither `off` nor the flood holds it. */
  readonly byHand: boolean;
  /** It was there before submitting was switched on: it goes only by hand. */
  readonly leftAlone: boolean;
  /** A person approved the flood that it was a part of. */
  readonly approved: boolean;
  /** The day, `2026-11-25` in local time, for which it was counted last; null: it was not yet. */
  readonly countedOn: string | null;
  readonly state: BatchState;
  readonly hold: {
    readonly why: BatchHoldReason;
    readonly text: string;
    /** Not before this, unix seconds by the local clock; null: until the cause ends. */
    readonly until: number | null;
  } | null;
  /** Of `submitting`; null otherwise. Unix milliseconds. */
  readonly submission: {
    readonly startedAtMs: number;
    readonly serverStartedAtMs: number | null;
    /** Since when it is looked for in the list, by the server's clock. */
    readonly lookedSinceMs: number | null;
    /** Whole looks at the list that did not find it. */
    readonly looks: number;
    /** POSTs under this UUID and attempt; at most 2. */
    readonly posts: number;
  } | null;
  /** Batches of earlier attempts: what the queue refused, what a person tried again. */
  readonly former: readonly string[];
  /** Younger batches with the same UUID and attempt; `ended`: their end was seen, or asked for and answered. */
  readonly twins: readonly { readonly id: string; readonly ended: boolean }[];
  /** Its end (by a person, or by `onRemove` and `onChange`), or by a person that its failed lines are tried again. */
  readonly wish: 'cancel' | 'retry' | null;
  /** How the batch came to be known: `input` is a guess, where the metadata did not say. */
  readonly foundBy: 'reply' | 'metadata' | 'input' | 'person' | null;
  /** What was to be deleted remotely after its end (`cleanUp`) is. */
  readonly cleaned: boolean;
  /** Until then a second batch with this UUID would be a twin, which is cancelled. Unix seconds, server's clock. */
  readonly twinsUntil: number | null;
  /** What the server last said. */
  readonly batch: RemoteBatch | null;
  /** When it was last asked for, by the local clock. */
  readonly polledAt: number | null;
  readonly results: WrittenResults | null;
  /** What a person has to know, in one line; null: nothing. */
  readonly problem: string | null;
}

/** Creates within one minute. */
export interface CreatesOfMinute {
  /** When it began, unix seconds by the local clock. */
  readonly at: number;
  /** POSTs. */
  readonly count: number;
  /** Of them new submissions that nobody asked for or approved: what the flood guard counts. */
  readonly fresh: number;
}

/** What is remembered of batches besides the records; durable with them. */
export interface BatchMemory {
  /** Of the last hour, oldest first. Counted before each POST. */
  readonly creates: readonly CreatesOfMinute[];
  /** What the latest day has used of `maxPerDay`. */
  readonly today: {
    /** E.g. `2026-11-25`, in local time. */
    readonly date: string;
    readonly jobs: number;
    readonly requests: number;
    readonly inputTokens: number;
  } | null;
  /** Folders with `submit`, whose files of before were seen to: what comes now is submitted. */
  readonly submitFolders: readonly string[];
}

export const NO_BATCH_MEMORY: BatchMemory = { creates: [], today: null, submitFolders: [] };

/** Everything that is remembered of batches. */
export interface BatchesView {
  readonly batches: ReadonlyMap<SubmissionId, BatchRecord>;
  readonly batchMemory: BatchMemory;
}

export const NO_BATCHES: BatchesView = { batches: new Map(), batchMemory: NO_BATCH_MEMORY };

/**
 * What became of one path in one change of the manifest; told after it is durable. `adopted`: by the verb `adopt`, not
 * by looking up an upload. A move is told as two: of the new path and of the old one.
 */
export interface PathRecorded {
  readonly path: MirrorPath;
  readonly before: Mirrored | null;
  readonly after: Mirrored | null;
  readonly why: 'uploaded' | 'moved' | 'replaced' | 'deleted' | 'expired' | 'adopted';
}

/** Of an entry, what batches need. */
export interface Mirrored {
  readonly id: FileId;
  readonly purpose: string;
  readonly sha256: string;
}
