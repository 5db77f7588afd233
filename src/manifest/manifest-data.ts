import { NO_BATCH_MEMORY } from '../contract/batch.ts';
import type { BatchMemory, BatchRecord, SubmissionId } from '../contract/batch.ts';
import type {
  Change,
  Entry,
  FileId,
  Garbage,
  Intent,
  ManifestView,
  MirrorPath,
  Rejection,
} from '../contract/types.ts';
import { AttemptLog } from './attempt-log.ts';

/** The maps of a manifest, in the order in which the snapshot holds them; version 1 had no `batches`. */
export const sectionNames = ['files', 'intents', 'garbage', 'rejected', 'batches'] as const;
export type SectionName = (typeof sectionNames)[number];

/** The whole manifest in memory. Only `applyChange` changes it. */
export interface ManifestData extends ManifestView {
  readonly mirrorId: string;
  /** Number of the last change that is contained. */
  seq: number;
  readonly attempts: AttemptLog;
  readonly files: Map<MirrorPath, Entry>;
  readonly intents: Map<MirrorPath, Intent>;
  readonly garbage: Map<FileId, Garbage>;
  readonly rejected: Map<MirrorPath, Rejection>;
  readonly batches: Map<SubmissionId, BatchRecord>;
  batchMemory: BatchMemory;
}

export function emptyData(mirrorId: string, seq = 0, attempts: readonly number[] = []): ManifestData {
  return {
    mirrorId,
    seq,
    attempts: new AttemptLog(attempts),
    files: new Map(),
    intents: new Map(),
    garbage: new Map(),
    rejected: new Map(),
    batches: new Map(),
    batchMemory: NO_BATCH_MEMORY,
  };
}

/**
 * Applies the change numbered `seq`, made at `atMs` by the wall clock. Depends on nothing else, so that a replay
 * of the journal leads to the same state as the life before it.
 */
export function applyChange(data: ManifestData, change: Change, seq: number, atMs: number): void {
  if (change.intents !== undefined) noteEndedAttempts(data, change.intents, atMs);
  patch(data.files, change.files);
  patch(data.intents, change.intents);
  patch(data.garbage, change.garbage);
  patch(data.rejected, change.rejected);
  patch(data.batches, change.batches);
  if (change.batchMemory !== undefined) data.batchMemory = change.batchMemory;
  data.seq = seq;
}

/** Upload attempts that may still count in the window of 60 s. One that is not known to have ended ends now. */
export function recentAttempts(data: ManifestData, nowMs: number): number[] {
  return [...data.attempts.recent(nowMs), ...Array.from(data.intents, () => nowMs)];
}

/** An intent that is cleared, or replaced by a later one, was an attempt that has ended by now. */
function noteEndedAttempts(data: ManifestData, intents: NonNullable<Change['intents']>, atMs: number): void {
  for (const [path, next] of Object.entries(intents)) {
    const open = data.intents.get(path);
    if (open !== undefined && open.startedAtMs !== next?.startedAtMs) data.attempts.add(atMs);
  }
}

function patch<T>(section: Map<string, T>, changes: Readonly<Record<string, T | null>> | undefined): void {
  if (changes === undefined) return;
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) section.delete(key);
    else section.set(key, value);
  }
}
