import * as z from 'zod';
import { BATCH_HOLD_REASONS, BATCH_STATES } from '../contract/batch.ts';
import type { BatchMemory, BatchProblem, BatchRecord, RemoteBatch } from '../contract/batch.ts';

const seconds = z.number();
const count = z.int().nonnegative();
const text = z.string();

const problem = z.strictObject({
  code: text,
  message: text,
  line: z.int().nullable(),
  param: text.nullable(),
}) satisfies z.ZodType<BatchProblem>;

/** A batch as the server described it; null: it did not say. */
const remoteBatch = z.strictObject({
  id: text.min(1),
  status: text,
  endpoint: text.nullable(),
  inputFileId: text.nullable(),
  outputFileId: text.nullable(),
  errorFileId: text.nullable(),
  createdAt: seconds.nullable(),
  inProgressAt: seconds.nullable(),
  finalizingAt: seconds.nullable(),
  expiresAt: seconds.nullable(),
  endedAt: seconds.nullable(),
  counts: z.strictObject({ total: count, completed: count, failed: count }).nullable(),
  usage: z.strictObject({ inputTokens: count, outputTokens: count }).nullable(),
  metadata: z.record(text, text).nullable(),
  problems: z.array(problem),
}) satisfies z.ZodType<RemoteBatch>;

const requestsFile = z.strictObject({
  requests: count,
  endpoint: text.nullable(),
  model: text.nullable(),
  inputTokens: count,
});

const written = z.strictObject({
  output: text.nullable(),
  errors: text.nullable(),
  summary: text,
  lines: z.strictObject({ answered: count, failed: count, missing: count }),
  note: text.optional(),
});

export const batchRecord = z.strictObject({
  path: text,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  inputFileId: text.min(1),
  file: requestsFile.nullable(),
  generation: count,
  of: text.nullable(),
  attempt: count,
  wantedAt: seconds,
  byHand: z.boolean(),
  leftAlone: z.boolean(),
  approved: z.boolean(),
  countedOn: text.nullable(),
  state: z.enum(BATCH_STATES),
  hold: z
    .strictObject({
      why: z.enum(BATCH_HOLD_REASONS),
      text,
      until: seconds.nullable(),
    })
    .nullable(),
  submission: z
    .strictObject({
      startedAtMs: z.number(),
      serverStartedAtMs: z.number().nullable(),
      lookedSinceMs: z.number().nullable(),
      looks: count,
      posts: count,
    })
    .nullable(),
  former: z.array(text),
  twins: z.array(z.strictObject({ id: text, ended: z.boolean() })),
  wish: z.enum(['cancel', 'retry']).nullable(),
  foundBy: z.enum(['reply', 'metadata', 'input', 'person']).nullable(),
  cleaned: z.boolean(),
  twinsUntil: seconds.nullable(),
  batch: remoteBatch.nullable(),
  polledAt: seconds.nullable(),
  results: written.nullable(),
  problem: text.nullable(),
}) satisfies z.ZodType<BatchRecord>;

const memory = z.strictObject({
  creates: z.array(z.strictObject({ at: seconds, count, fresh: count })),
  today: z.strictObject({ date: text, jobs: count, requests: count, inputTokens: count }).nullable(),
  submitFolders: z.array(text),
});

/** Version 1 had none. */
export const batchMemory = memory.default(() => ({
  creates: [],
  today: null,
  submitFolders: [],
})) satisfies z.ZodType<BatchMemory>;
