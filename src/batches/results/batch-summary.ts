import type { BatchRecord, LineCounts, RemoteBatch, SubmissionId, TokenUsage } from '../../contract/batch.ts';
import { isoOf } from '../../contract/times.ts';

/** One file of results, as `a.batch.json` names it. */
export interface SummaryFile {
  /** Beside the summary. */
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What the API was asked to do, and what it said of it. Times are ISO, by the server's clock; null: it did not say. */
export interface SummaryBatch {
  readonly submission: SubmissionId;
  /** 0: the input itself; 1 and 2: lines that were tried again. */
  readonly generation: number;
  /** How often the API was asked to begin it. */
  readonly attempts: number;
  readonly id: string | null;
  readonly status: string | null;
  readonly inputFileId: string;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  readonly counts: RemoteBatch['counts'];
  readonly usage: TokenUsage | null;
  readonly createdAt: string | null;
  readonly inProgressAt: string | null;
  readonly finalizingAt: string | null;
  readonly endedAt: string | null;
  readonly expiresAt: string | null;
  /** Why it failed validation, with lines of the input. */
  readonly problems: RemoteBatch['problems'];
}

/** The content of `a.batch.json`. Fields may be added, and keep their meaning. */
export interface BatchSummary {
  readonly version: 1;
  readonly path: string;
  /** Of the input. */
  readonly sha256: string;
  /** `done`: every line was answered; `partial`: not every one; `failed`: it ran no line. */
  readonly state: 'done' | 'partial' | 'failed';
  /** Null: the input was never read. */
  readonly requests: number | null;
  readonly endpoint: string | null;
  readonly model: string | null;
  /** Every line of the input is in exactly one of them. */
  readonly lines: LineCounts;
  readonly output: SummaryFile | null;
  readonly errors: SummaryFile | null;
  /** Of all batches together; null: no server said any. */
  readonly usage: TokenUsage | null;
  readonly batches: readonly SummaryBatch[];
  /** What was in the files of the API and belongs to no line. */
  readonly oddities: readonly string[];
}

export interface Summed {
  /** Of generation 0. */
  readonly record: BatchRecord;
  /** All of them, by generation. */
  readonly generations: readonly (readonly [SubmissionId, BatchRecord])[];
  readonly lines: LineCounts;
  readonly oddities: readonly string[];
  readonly output: SummaryFile | null;
  readonly errors: SummaryFile | null;
}

export function summaryOf({ record, generations, ...found }: Summed): BatchSummary {
  const { lines, output, errors, oddities } = found;
  const { requests = null, endpoint = null, model = null } = record.file ?? {};
  return {
    version: 1,
    path: record.path,
    sha256: record.sha256,
    state: stateOf(lines, ranNothing(generations.map(([, each]) => each))),
    requests,
    endpoint,
    model,
    lines,
    output,
    errors,
    usage: generations.map(([, { batch }]) => batch?.usage ?? null).reduce(sum, null),
    batches: generations.map(([submission, each]) => batchOf(submission, each)),
    oddities,
  };
}

/** Every batch failed validation: no line was tried, and none is to be named for it. */
export function ranNothing(records: readonly BatchRecord[]): boolean {
  return records.every(
    ({ batch }) => batch?.status === 'failed' && batch.outputFileId === null && batch.errorFileId === null,
  );
}

function stateOf({ failed, missing }: LineCounts, isFailed: boolean): BatchSummary['state'] {
  if (isFailed) return 'failed';
  return failed + missing === 0 ? 'done' : 'partial';
}

function batchOf(submission: SubmissionId, record: BatchRecord): SummaryBatch {
  const { batch, generation, attempt, inputFileId } = record;
  return {
    submission,
    generation,
    attempts: attempt,
    id: batch?.id ?? null,
    status: batch?.status ?? null,
    inputFileId,
    outputFileId: batch?.outputFileId ?? null,
    errorFileId: batch?.errorFileId ?? null,
    counts: batch?.counts ?? null,
    usage: batch?.usage ?? null,
    createdAt: isoOf(batch?.createdAt),
    inProgressAt: isoOf(batch?.inProgressAt),
    finalizingAt: isoOf(batch?.finalizingAt),
    endedAt: isoOf(batch?.endedAt),
    expiresAt: isoOf(batch?.expiresAt),
    problems: batch?.problems ?? [],
  };
}

function sum(total: TokenUsage | null, usage: TokenUsage | null): TokenUsage | null {
  if (total === null || usage === null) return total ?? usage;
  return {
    inputTokens: total.inputTokens + usage.inputTokens,
    outputTokens: total.outputTokens + usage.outputTokens,
  };
}
