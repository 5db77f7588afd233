/** What batches tell: events for who listens, and views for `batch list`, `show` and `status`. */
import type {
  BatchHoldReason,
  BatchState,
  LineCounts,
  RequestCounts,
  SubmissionId,
  RequestsFile,
} from './batch.ts';
import { command } from './command.ts';
import type { FileId, Halt, MirrorPath } from './types.ts';

export type BatchEvent =
  | {
      readonly kind: 'batch-submitted';
      readonly path: MirrorPath;
      readonly batch: string;
      readonly requests: number | null;
      readonly generation: number;
      /** It was found in the list, after a reply had been lost. */
      readonly found: boolean;
    }
  | {
      readonly kind: 'batch-progress';
      readonly path: MirrorPath;
      readonly batch: string;
      readonly status: string;
      readonly counts: RequestCounts | null;
    }
  | {
      readonly kind: 'batch-ended';
      readonly path: MirrorPath;
      readonly batch: string;
      readonly status: string;
      readonly problem: string | null;
    }
  | {
      readonly kind: 'results-written';
      readonly path: MirrorPath;
      readonly state: BatchState;
      readonly output: string | null;
      readonly errors: string | null;
      readonly summary: string;
      readonly lines: LineCounts;
    }
  | ({ readonly kind: 'halted' } & Pick<Halt<'mass-submit'>, 'name' | 'cause' | 'held' | 'next'>)
  | { readonly kind: 'resumed'; readonly name: 'mass-submit' }
  | { readonly kind: 'warning'; readonly message: string };

/** What the halt of a flood says besides its cause. */
export const massSubmit = {
  name: 'mass-submit',
  held: 'these files are mirrored, and not submitted',
  next: `submit them with: ${command('approve', '--submits')}`,
} as const;

/** What the halt of a results folder that takes nothing says besides its cause; its folder is that one. */
export const unwritableResults = {
  name: 'state',
  held: 'results are kept and written later; uploads and submissions go on',
  next: 'free disk space, or make the folder writable; it then goes on by itself',
} as const;

export type BatchHalt = Halt<'mass-submit' | 'state'>;

export type BatchListener = (event: BatchEvent) => void;

/** One submission with its later generations, as `batch list --json` shows it. Times are ISO. */
export interface BatchView {
  readonly path: MirrorPath;
  readonly submission: SubmissionId;
  /** Of the latest generation. */
  readonly state: BatchState;
  readonly status: string | null;
  readonly batch: string | null;
  readonly inputFileId: FileId;
  readonly generation: number;
  readonly attempt: number;
  readonly requests: number | null;
  readonly endpoint: string | null;
  readonly model: string | null;
  readonly inputTokens: number | null;
  readonly counts: RequestCounts | null;
  readonly hold: {
    readonly why: BatchHoldReason;
    readonly text: string;
    readonly until: string | null;
  } | null;
  readonly problem: string | null;
  readonly wantedAt: string;
  /** By the server's clock. */
  readonly createdAt: string | null;
  readonly expiresAt: string | null;
  /** The server's clock is past `expiresAt`, and the batch has not ended. */
  readonly late: boolean;
  readonly lines: LineCounts | null;
  readonly results: {
    readonly output: string | null;
    readonly errors: string | null;
    readonly summary: string;
  } | null;
  readonly twins: readonly string[];
}

/** What became of a verb for one path, in words. `done` false: nothing was changed, and why. */
export interface VerbReply {
  readonly path: MirrorPath;
  readonly done: boolean;
  readonly text: string;
}

/** Of one file. `submitted`: its version was submitted before. Null: its requests cannot be read now. */
export interface DryFile {
  readonly path: MirrorPath;
  readonly submitted: boolean;
  readonly file: RequestsFile | null;
  /** By `batches.prices`, of the input tokens; null: its model has no price there. */
  readonly money: number | null;
}

export interface DryRun {
  readonly files: readonly DryFile[];
  /** Of those that were not submitted before. */
  readonly total: {
    readonly files: number;
    readonly requests: number;
    readonly inputTokens: number;
    /** Null: some have no price. */
    readonly money: number | null;
    readonly models: readonly string[];
  };
}

/** All submissions at one glance; later generations count with the first one. */
export interface BatchTotals {
  /** To be submitted, those that something holds included. */
  readonly waiting: number;
  readonly held: number;
  /** At the API, or perhaps there. */
  readonly open: number;
  /** Ended; their results are being fetched. */
  readonly fetching: number;
  readonly done: number;
  readonly partial: number;
  /** It ran no line, or its results are gone. */
  readonly failed: number;
  /** Of the open ones, as far as the API has counted. */
  readonly requestsDone: number;
  readonly requests: number;
  /** When the first of the open ones has to be done; ISO. */
  readonly soonestEnd: string | null;
  /** When the API is asked next, by the local clock; ISO. Null: nothing is open, or no daemon runs. */
  readonly nextPoll: string | null;
  /** Why some wait, and how many of them. */
  readonly waits: readonly {
    readonly why: BatchHoldReason;
    readonly text: string;
    readonly count: number;
  }[];
  /** What a person should look at, the latest first: at most 100. */
  readonly problems: readonly {
    readonly path: MirrorPath;
    readonly state: BatchState;
    readonly text: string;
  }[];
  readonly problemsTotal: number;
}

export const NO_BATCH_TOTALS: BatchTotals = {
  waiting: 0,
  held: 0,
  open: 0,
  fetching: 0,
  done: 0,
  partial: 0,
  failed: 0,
  requestsDone: 0,
  requests: 0,
  soonestEnd: null,
  nextPoll: null,
  waits: [],
  problems: [],
  problemsTotal: 0,
};

/** How a wait for batches ended: all lines answered; some failed; or only what waits for a person is left. */
export type WaitOutcome = 'answered' | 'failed' | 'halted';

/** What may be asked of batches; the control socket and the verbs stand on this. */
export interface BatchControl {
  list(): readonly BatchView[];
  totals(): BatchTotals;
  /** The latest at this path; null: there is none. */
  show(path: MirrorPath): BatchView | null;
  /** By hand. `again`: also what was submitted before. */
  submit(paths: readonly MirrorPath[], options?: { readonly again?: boolean }): Promise<readonly VerbReply[]>;
  cancel(paths: readonly MirrorPath[]): Promise<readonly VerbReply[]>;
  retry(paths: readonly MirrorPath[]): Promise<readonly VerbReply[]>;
  /** A person's word on a submission of unknown outcome; null: it is looked for now. Throws `Fault`. */
  resolve(path: MirrorPath, word: { readonly batch: string } | 'none' | null): Promise<VerbReply>;
  /** Lets a flood go; how many. */
  approveSubmits(): Promise<number>;
  /** A flood that a person has to approve; a results folder that takes nothing. */
  halts(): readonly BatchHalt[];
  /** Until all of these (null: all that there are) have ended, or only what waits for a person is left. */
  wait(paths: readonly MirrorPath[] | null, signal: AbortSignal): Promise<WaitOutcome>;
}
