/** What a server's words about a batch come to. Pure. */
import { isOver, type BatchRecord, type RemoteBatch } from '../contract/batch.ts';

/** As `status` of a batch that the API does not know any more (404); no server says this. */
export const LOST = 'lost (404)';

export type Said =
  | 'nothing'
  | 'validating'
  | 'running'
  | 'cancelling'
  /** A word that we do not know: watched, never acted upon. */
  | 'unknown'
  | 'completed'
  | 'failed'
  /** It ran no line, because the queue of its model was full. */
  | 'queue-full'
  | 'expired'
  | 'cancelled'
  | 'lost';

const WORDS: Readonly<Record<string, Said>> = {
  validating: 'validating',
  in_progress: 'running',
  finalizing: 'running',
  cancelling: 'cancelling',
  completed: 'completed',
  failed: 'failed',
  expired: 'expired',
  cancelled: 'cancelled',
  [LOST]: 'lost',
};

export function saidOf(batch: RemoteBatch | null): Said {
  if (batch === null) return 'nothing';
  const said = Object.hasOwn(WORDS, batch.status) ? (WORDS[batch.status] as Said) : 'unknown';
  return said === 'failed' && isQueueFull(batch) ? 'queue-full' : said;
}

function isQueueFull({ problems, outputFileId, counts }: RemoteBatch): boolean {
  const ran = outputFileId !== null || (counts?.completed ?? 0) > 0;
  return !ran && problems.some(({ code }) => code === 'token_limit_exceeded');
}

const ENDS: ReadonlySet<Said> = new Set<Said>([
  'completed',
  'failed',
  'queue-full',
  'expired',
  'cancelled',
  'lost',
]);

export const hasEnded = (said: Said): boolean => ENDS.has(said);

/** Nothing is left to be done for it, and nothing of it is looked for any more. */
export function isAtRest(record: BatchRecord): boolean {
  if (!isOver(record.state) || record.twinsUntil !== null || record.twins.some(({ ended }) => !ended))
    return false;
  return record.state === 'superseded' || (record.cleaned && !needsWriting(record));
}

/** It is over, and what there is was not written yet. What never began has nothing to write, unless others wait for it. */
export function needsWriting(record: BatchRecord): boolean {
  if (!isOver(record.state) || record.state === 'superseded' || record.results !== null) return false;
  return record.batch !== null || record.generation > 0;
}

/** Whether the server's counts, or their absence, promise a file that it does not name yet. */
export function promisesFiles({ counts, outputFileId, errorFileId, status }: RemoteBatch): boolean {
  if (status === LOST || status === 'failed') return false;
  if (outputFileId === null && errorFileId === null) {
    return status === 'completed' || counts === null || counts.completed + counts.failed > 0;
  }
  if (counts === null) return false;
  return (outputFileId === null && counts.completed > 0) || (errorFileId === null && counts.failed > 0);
}

/** The record after the server said this. A word that came late takes nothing back. */
export function afterSaid(record: BatchRecord, said: RemoteBatch, polledAt: number): BatchRecord {
  const known = record.batch;
  if (record.state !== 'open' && record.state !== 'settled') return record;
  if (known !== null && hasEnded(saidOf(known)) && !hasEnded(saidOf(said))) return record;
  const batch: RemoteBatch = {
    ...said,
    outputFileId: said.outputFileId ?? known?.outputFileId ?? null,
    errorFileId: said.errorFileId ?? known?.errorFileId ?? null,
    createdAt: said.createdAt ?? known?.createdAt ?? null,
    expiresAt: said.expiresAt ?? known?.expiresAt ?? null,
    counts: said.counts ?? known?.counts ?? null,
  };
  return { ...record, batch, polledAt };
}
