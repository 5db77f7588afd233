/**
 * What is done next about one submission: a total table over our record, what the server last said, and what of it lies
 * here. Pure. A status that nobody knows is watched; what ended is not asked for again, but for files that are promised.
 */
import type { BatchRecord, BatchState } from '../contract/batch.ts';
import { needsWriting, saidOf } from './batch-status.ts';
import type { Said } from './batch-status.ts';

/** What of the answers lies here. */
export type Collected =
  | 'nothing'
  /** The batch ended, and its files are not named yet. */
  | 'promised'
  /** All that there is, and some lines may be tried again. */
  | 'retryable'
  /** All that there is; every line has its last word. */
  | 'whole'
  /** The API has the files no more. */
  | 'gone';

export type Action =
  | 'rest'
  /** Something holds it: it is told why. */
  | 'tell'
  | 'read-requests'
  | 'submit'
  /** Find out what became of its POST. */
  | 'resolve'
  | 'poll'
  | 'cancel'
  /** Take its end down. */
  | 'settle'
  /** The queue was full: wanted again, with the same input. */
  | 'requeue'
  | 'collect'
  /** Make a submission of the lines that may be tried again. */
  | 'retry'
  | 'give-up'
  | 'write'
  | 'clean-up'
  /** It never began, and shall not. */
  | 'drop';

export interface Situation {
  readonly record: BatchRecord;
  readonly collected: Collected;
  /** A guard or the server holds its submission. */
  readonly held: boolean;
  readonly mayRetry: boolean;
}

export function planBatch(situation: Situation): Action {
  return ROWS[situation.record.state](situation);
}

/** Of a record that nothing holds, and of which no line is to be tried again. */
export function planOf(record: BatchRecord, collected: Collected = 'nothing'): Action {
  return planBatch({ record, collected, held: false, mayRetry: false });
}

const ROWS: Readonly<Record<BatchState, (situation: Situation) => Action>> = {
  wanted: planWanted,
  submitting: () => 'resolve',
  open: planOpen,
  settled: ({ collected, mayRetry }) =>
    collected === 'retryable' && !mayRetry ? 'write' : SETTLED[collected],
  done: planOver,
  partial: planOver,
  failed: planOver,
  unavailable: planOver,
  superseded: () => 'rest',
};

function planWanted({ record, held }: Situation): Action {
  if (record.wish === 'cancel') return 'drop';
  if (held) return 'tell';
  return record.file === null ? 'read-requests' : 'submit';
}

const OPEN: Readonly<Record<Said, Action>> = {
  nothing: 'poll',
  validating: 'poll',
  running: 'poll',
  cancelling: 'poll',
  unknown: 'poll',
  completed: 'settle',
  failed: 'settle',
  'queue-full': 'requeue',
  expired: 'settle',
  cancelled: 'settle',
  lost: 'settle',
};

function planOpen({ record }: Situation): Action {
  const said = saidOf(record.batch);
  if (record.wish !== 'cancel') return OPEN[said];
  if (said === 'validating' || said === 'running') return 'cancel';
  return said === 'queue-full' ? 'settle' : OPEN[said];
}

const SETTLED: Readonly<Record<Collected, Action>> = {
  nothing: 'collect',
  promised: 'poll',
  retryable: 'retry',
  whole: 'write',
  gone: 'give-up',
};

function planOver({ record }: Situation): Action {
  if (needsWriting(record)) return 'write';
  return record.cleaned ? 'rest' : 'clean-up';
}

/** Whether failed lines of it are tried again: by a person's wish, or as often as the configuration says. */
export function mayRetry(record: BatchRecord, retries: number, submits: boolean): boolean {
  if (record.generation >= 2) return false;
  if (record.wish !== null) return record.wish === 'retry';
  const said = saidOf(record.batch);
  return (
    (said === 'completed' || said === 'expired') && record.generation < retries && (submits || record.byHand)
  );
}
