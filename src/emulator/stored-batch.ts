import { z } from 'zod';

/** One of `errors.data`. */
const problemSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
  /** Of the input, counted from 1. */
  line: z.int().nullable(),
});

const tokensSchema = z.strictObject({ input: z.int(), output: z.int() });

/** Times are unix milliseconds by the server's clock. */
export const storedBatchSchema = z.strictObject({
  id: z.string(),
  /** Order of creation. */
  sequence: z.int(),
  createdAtMs: z.number(),
  endpoint: z.string(),
  inputFileId: z.string(),
  completionWindow: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  outputExpiresAfterSeconds: z.int().nullable(),
  idempotencyKey: z.string().nullable(),
  /** Its lines are answered by another server, as fast as that is; else by the clock. */
  byUpstream: z.boolean(),
  /** What its input says; null: not read yet. */
  reading: z
    .strictObject({
      requests: z.int(),
      /** How many of them ask to fail. */
      failing: z.int(),
      /** An estimate. */
      tokens: z.int(),
      model: z.string().nullable(),
      problems: z.array(problemSchema),
    })
    .nullable(),
  inProgressAtMs: z.number().nullable(),
  /** When all lines are answered; null: not known yet. */
  finalizingAtMs: z.number().nullable(),
  cancellingAtMs: z.number().nullable(),
  end: z
    .strictObject({
      status: z.enum(['completed', 'failed', 'expired', 'cancelled']),
      atMs: z.number(),
      outputFileId: z.string().nullable(),
      errorFileId: z.string().nullable(),
      completed: z.int(),
      failed: z.int(),
      tokens: tokensSchema,
    })
    .nullable(),
});

/** A batch as the emulator keeps it. */
export type StoredBatch = Readonly<z.infer<typeof storedBatchSchema>>;
export type BatchReading = NonNullable<StoredBatch['reading']>;
export type BatchProblem = z.infer<typeof problemSchema>;
export type BatchEnd = NonNullable<StoredBatch['end']>;
export type Tokens = z.infer<typeof tokensSchema>;

export interface LinesDone {
  readonly completed: number;
  readonly failed: number;
}
