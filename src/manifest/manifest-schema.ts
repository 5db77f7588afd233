import * as z from 'zod';
import { batchMemory, batchRecord } from './batch-schema.ts';
import type { Entry, Garbage, Intent, Rejection, RemoteFile } from '../contract/types.ts';

/** The version of the files that this program writes. It reads version 1 too, which had no batches. */
export const manifestVersion = 2;
const version = z.union([z.literal(1), z.literal(manifestVersion)]);

const seconds = z.number().nonnegative();
const wallMs = z.number().nonnegative();
const bytes = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const stat = z.string().regex(/^\d+ -?\d+ -?\d+ \d+ \d+$/);

const entry = z.strictObject({
  id: z.string().min(1),
  purpose: z.string().min(1),
  remoteName: z.string().min(1),
  bytes,
  sha256,
  stat,
  uploadedAt: seconds,
  createdAt: seconds,
  expiresAt: seconds.nullable(),
}) satisfies z.ZodType<Entry>;

const intent = z.strictObject({
  purpose: z.string().min(1),
  remoteName: z.string().min(1),
  bytes,
  stat,
  startedAtMs: wallMs,
  serverStartedAtMs: wallMs.nullable(),
  answered: z.string().min(1).optional(),
  sent: z.boolean().optional(),
  lookedSinceMs: wallMs.optional(),
}) satisfies z.ZodType<Intent>;

const garbage = z.strictObject({
  path: z.string(),
  purpose: z.string().min(1),
  bytes,
  since: seconds,
  reason: z.enum(['deleted', 'replaced', 'void', 'mismatch', 'orphan']),
  hold: z.boolean(),
}) satisfies z.ZodType<Garbage>;

/** A file as the server described it; null: it did not say. */
const remoteFile = z.strictObject({
  id: z.string().min(1),
  bytes: bytes.nullable(),
  createdAt: z.number().nullable(),
  expiresAt: z.number().nullable(),
  filename: z.string().nullable(),
  purpose: z.string().nullable(),
}) satisfies z.ZodType<RemoteFile>;

const rejection = z.strictObject({
  stat,
  purpose: z.string().min(1),
  rulesKey: z.string(),
  rule: z.string().min(1),
  message: z.string(),
  at: seconds,
  /** Only of a version that is held; see the README, "When the server's word is in doubt". */
  sha256: sha256.optional(),
  kept: remoteFile.optional(),
}) satisfies z.ZodType<Rejection>;

/**
 * The public format of `manifest.json`, version 2. Scripts may read it; entries are keyed by path, garbage by
 * file id, batches by the id of their submission. `seq` counts the changes contained: `manifest.journal` holds those
 * after it, one a line, each a merge patch of the maps (a value sets the key, null removes it).
 */
export const manifestSchema = z.strictObject({
  version,
  mirrorId: z.uuid(),
  seq: z.int().nonnegative(),
  /** When upload attempts of the last 61 s ended, unix milliseconds; the upload window survives a restart by it. */
  attempts: z.array(wallMs).default([]),
  files: z.record(z.string(), entry),
  intents: z.record(z.string(), intent),
  garbage: z.record(z.string(), garbage),
  rejected: z.record(z.string(), rejection),
  batches: z.record(z.string(), batchRecord).default({}),
  /** What was spent on batches of late. */
  batchMemory: batchMemory,
  /**
   * CRC-32 (lower-case hex) of everything before the last line, as the program wrote it. A person who edits the
   * file removes this field: without it, the whole file is checked against this schema instead.
   */
  crc32: z.string().optional(),
});

/** The first line of a snapshot. */
export const snapshotHeaderSchema = manifestSchema.pick({ version: true, mirrorId: true, seq: true }).extend({
  attempts: z.array(wallMs),
  batchMemory: batchMemory,
  files: z.strictObject({}),
});

/** The first line of a journal. `base`: the number of the last change that is not in it. */
export const journalHeaderSchema = z.strictObject({
  version,
  mirrorId: z.uuid(),
  base: z.int().nonnegative(),
});
