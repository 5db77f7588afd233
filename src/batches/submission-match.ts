/** Which of the listed batches are of one submission. Pure. */
import type { BatchRecord, RemoteBatch, SubmissionId } from '../contract/batch.ts';
import { ATTEMPT_KEY, SUBMISSION_KEY } from './submission-request.ts';

/** Whether the server shows the metadata that it was given. */
export type MetadataHabit = 'keeps' | 'drops' | 'unknown';

/** How far a time in a `Date` header and a creation time may differ. */
const SLACK_SECONDS = 5;
/** A list is read back to this long before the start. */
const BACK_SECONDS = 300;

/** What one batch of ours shows of the server's habit; null: nothing. */
export function habitShown(id: SubmissionId, record: BatchRecord): MetadataHabit | null {
  const { batch, foundBy } = record;
  if (batch === null) return null;
  if (batch.metadata?.[SUBMISSION_KEY] === id) return 'keeps';
  return foundBy === 'reply' ? 'drops' : null;
}

export interface Match {
  readonly batch: RemoteBatch;
  readonly by: 'metadata' | 'input';
}

/** Oldest first. `isTaken`: another submission of ours has that batch. */
export function matchesOf(
  id: SubmissionId,
  record: BatchRecord,
  listed: Iterable<RemoteBatch>,
  habit: MetadataHabit,
  isTaken: (batchId: string) => boolean,
): Match[] {
  const found: Match[] = [];
  for (const batch of listed) {
    if (record.former.includes(batch.id) || isTaken(batch.id)) continue;
    const by = matchedBy(id, record, batch, habit);
    if (by !== null) found.push({ batch, by });
  }
  return found.sort((a, b) => (a.batch.createdAt ?? 0) - (b.batch.createdAt ?? 0));
}

function matchedBy(
  id: SubmissionId,
  record: BatchRecord,
  { metadata, inputFileId, createdAt }: RemoteBatch,
  habit: MetadataHabit,
): Match['by'] | null {
  const submission = metadata?.[SUBMISSION_KEY];
  if (submission !== undefined) {
    return submission === id && metadata?.[ATTEMPT_KEY] === String(record.attempt) ? 'metadata' : null;
  }
  // Other people's metadata is a sign of other people; none at all is one only where the server keeps it.
  if (habit === 'keeps' || Object.keys(metadata ?? {}).length > 0) return null;
  if (inputFileId === null || inputFileId !== (record.batch?.inputFileId ?? record.inputFileId)) return null;
  return createdAt === null || createdAt >= notBefore(record) ? 'input' : null;
}

/**
 * Unix seconds by the server's clock: no batch of this submission was created earlier. Where that clock was not known at
 * the start, the local one is no help: it may have been set since, or be wrong by years.
 */
function notBefore({ submission, batch }: BatchRecord): number {
  if (submission === null) return batch?.createdAt ?? Number.POSITIVE_INFINITY;
  const { serverStartedAtMs } = submission;
  return serverStartedAtMs === null ? 0 : Math.floor(serverStartedAtMs / 1_000) - SLACK_SECONDS;
}

/** How far back a list has to be read for it; minus infinity: to its end. */
export function readBackTo({ submission, batch }: BatchRecord): number {
  const started = submission?.serverStartedAtMs ?? null;
  if (started !== null) return Math.floor(started / 1_000) - BACK_SECONDS;
  return (batch?.createdAt ?? Number.NEGATIVE_INFINITY) - BACK_SECONDS;
}
