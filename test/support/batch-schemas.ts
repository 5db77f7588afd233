/** What the verbs print as JSON of batches, as scripts may rely on it. */
import { z } from 'zod';

const isoTime = z.iso.datetime().nullable();
const counts = z.strictObject({ total: z.int(), completed: z.int(), failed: z.int() });
const lines = z.strictObject({ answered: z.int(), failed: z.int(), missing: z.int() });

export const batchView = z.strictObject({
  path: z.string(),
  submission: z.uuid(),
  state: z.enum([
    'wanted',
    'submitting',
    'open',
    'settled',
    'done',
    'partial',
    'failed',
    'unavailable',
    'superseded',
  ]),
  status: z.string().nullable(),
  batch: z.string().nullable(),
  inputFileId: z.string(),
  generation: z.int(),
  attempt: z.int(),
  requests: z.int().nullable(),
  endpoint: z.string().nullable(),
  model: z.string().nullable(),
  inputTokens: z.int().nullable(),
  counts: counts.nullable(),
  hold: z.strictObject({ why: z.string(), text: z.string(), until: isoTime }).nullable(),
  problem: z.string().nullable(),
  wantedAt: z.iso.datetime(),
  createdAt: isoTime,
  expiresAt: isoTime,
  late: z.boolean(),
  lines: lines.nullable(),
  results: z
    .strictObject({ output: z.string().nullable(), errors: z.string().nullable(), summary: z.string() })
    .nullable(),
  twins: z.array(z.string()),
});

export const listed = z.array(batchView);
export const shown = batchView.extend({ version: z.literal(1) });
export const waited = z.strictObject({
  version: z.literal(1),
  outcome: z.enum(['answered', 'failed', 'halted']),
  batches: listed,
});
/** Of `submit`, `cancel`, `retry` and `resolve`. */
export const replied = z.strictObject({
  version: z.literal(1),
  replies: z.array(z.strictObject({ path: z.string(), done: z.boolean(), text: z.string() })),
  running: z.boolean(),
});
export const dryRun = z.strictObject({
  version: z.literal(1),
  files: z.array(
    z.strictObject({
      path: z.string(),
      submitted: z.boolean(),
      file: z
        .strictObject({
          requests: z.int(),
          endpoint: z.string().nullable(),
          model: z.string().nullable(),
          inputTokens: z.int(),
        })
        .nullable(),
      money: z.number().nullable(),
    }),
  ),
  total: z.strictObject({
    files: z.int(),
    requests: z.int(),
    inputTokens: z.int(),
    money: z.number().nullable(),
    models: z.array(z.string()),
  }),
  unread: z.array(z.string()),
  estimate: z.string(),
});
/** `batches` of `status`. */
export const totals = z.strictObject({
  waiting: z.int(),
  held: z.int(),
  open: z.int(),
  fetching: z.int(),
  done: z.int(),
  partial: z.int(),
  failed: z.int(),
  requestsDone: z.int(),
  requests: z.int(),
  soonestEnd: isoTime,
  nextPoll: isoTime,
  waits: z.array(z.strictObject({ why: z.string(), text: z.string(), count: z.int() })),
  problems: z.array(z.strictObject({ path: z.string(), state: z.string(), text: z.string() })),
  problemsTotal: z.int(),
});

const part = z.strictObject({ name: z.string(), bytes: z.int(), sha256: z.string() }).nullable();

/** Of `batch run`: what `a.batch.json` holds, and where the answers are. */
export const ran = z.strictObject({
  version: z.literal(1),
  path: z.string(),
  sha256: z.string(),
  state: z.enum(['done', 'partial', 'failed']),
  requests: z.int().nullable(),
  endpoint: z.string().nullable(),
  model: z.string().nullable(),
  lines: z.strictObject({ answered: z.int(), failed: z.int(), missing: z.int() }),
  output: part,
  errors: part,
  usage: z.strictObject({ inputTokens: z.int(), outputTokens: z.int() }).nullable(),
  batches: z.array(z.looseObject({ submission: z.uuid(), generation: z.int(), id: z.string().nullable() })),
  oddities: z.array(z.string()),
  outputPath: z.string().nullable(),
  errorsPath: z.string().nullable(),
  notDeleted: z.array(z.strictObject({ id: z.string(), why: z.string() })),
});
