/** When what happens to a batch: computed from its record and the clock alone, so that a clock may run or jump as it likes. */
import type { BatchEnd, LinesDone, StoredBatch } from './stored-batch.ts';

/** How long the stages last, in milliseconds by the server's clock. */
export interface BatchPace {
  readonly validatingMs: number;
  /** Of the whole batch, besides what its requests take. */
  readonly workingMs: number;
  readonly perRequestMs: number;
  readonly finalizingMs: number;
  readonly cancellingMs: number;
}

/** Five requests are done in less than three seconds, 50,000 in 13, and the time that it takes to write their answers. */
export const DEFAULT_PACE: BatchPace = {
  validatingMs: 500,
  workingMs: 1500,
  perRequestMs: 0.2,
  finalizingMs: 500,
  cancellingMs: 500,
};

export type BatchStatus = 'validating' | 'in_progress' | 'finalizing' | 'cancelling' | BatchEnd['status'];

export function statusAt(batch: StoredBatch, nowMs: number): BatchStatus {
  if (batch.end !== null) return batch.end.status;
  if (batch.cancellingAtMs !== null) return 'cancelling';
  if (batch.inProgressAtMs === null) return 'validating';
  return batch.finalizingAtMs !== null && batch.finalizingAtMs <= nowMs ? 'finalizing' : 'in_progress';
}

const HOUR_MS = 60 * 60 * 1000;

/** Null: no window of any server. */
export function hoursOf(window: string): number | null {
  const match = /^(\d{1,4})([hd])$/.exec(window);
  return match === null ? null : Number(match[1]) * (match[2] === 'd' ? 24 : 1);
}

export function windowEndMs(batch: StoredBatch): number {
  return batch.createdAtMs + (hoursOf(batch.completionWindow) ?? 24) * HOUR_MS;
}

/** `read`: its input is to be read and judged; `admit`: it begins, or fails; `end`: its results are to be made. */
export type BatchStep = 'read' | 'admit' | 'end';

/** What is due and not done. */
export function dueStep(
  batch: StoredBatch,
  nowMs: number,
  pace: BatchPace,
  expires: boolean,
): BatchStep | null {
  if (batch.end !== null) return null;
  if (batch.reading === null) return 'read';
  const waits = batch.inProgressAtMs === null && batch.cancellingAtMs === null;
  if (waits && nowMs >= batch.createdAtMs + pace.validatingMs) return 'admit';
  return plannedEnd(batch, pace, expires).atMs <= nowMs ? 'end' : null;
}

export interface PlannedEnd {
  readonly status: Exclude<BatchEnd['status'], 'failed'>;
  readonly atMs: number;
  /** Until when its lines are answered. */
  readonly workedUntilMs: number;
}

/** Its end as far as it is known now: whatever comes first. */
export function plannedEnd(batch: StoredBatch, pace: BatchPace, expires: boolean): PlannedEnd {
  const { finalizingAtMs: done, cancellingAtMs: cancelled } = batch;
  const ends: PlannedEnd[] = [{ status: 'completed', atMs: Infinity, workedUntilMs: Infinity }];
  if (done !== null)
    ends.push({ status: 'completed', atMs: done + pace.finalizingMs, workedUntilMs: Infinity });
  if (cancelled !== null)
    ends.push({ status: 'cancelled', atMs: cancelled + pace.cancellingMs, workedUntilMs: cancelled });
  const windowEnd = windowEndMs(batch);
  if (expires) ends.push({ status: 'expired', atMs: windowEnd, workedUntilMs: windowEnd });
  return ends.reduce((first, next) => (next.atMs < first.atMs ? next : first));
}

/** How many lines the clock has answered. */
export function linesWorked(batch: StoredBatch, atMs: number): number {
  const { reading, inProgressAtMs: from, finalizingAtMs: to, cancellingAtMs } = batch;
  if (reading === null || from === null || to === null) return 0;
  const untilMs = Math.min(atMs, cancellingAtMs ?? Infinity);
  if (untilMs >= to) return reading.requests;
  return Math.max(0, Math.floor((reading.requests * (untilMs - from)) / (to - from)));
}

/** The counts of a batch that runs by the clock, whose failing lines are spread over it. */
export function linesDone(batch: StoredBatch, nowMs: number): LinesDone {
  const { end, reading } = batch;
  if (end !== null) return end;
  const worked = linesWorked(batch, nowMs);
  const failed =
    reading === null ? 0 : Math.floor((worked * reading.failing) / Math.max(1, reading.requests));
  return { completed: worked - failed, failed };
}

/** From its creation as the pace will have it, when it has begun. */
export function beginning(
  batch: StoredBatch,
  pace: BatchPace,
): Pick<StoredBatch, 'inProgressAtMs' | 'finalizingAtMs'> {
  const inProgressAtMs = batch.createdAtMs + pace.validatingMs;
  const workMs = pace.workingMs + pace.perRequestMs * (batch.reading?.requests ?? 0);
  return { inProgressAtMs, finalizingAtMs: batch.byUpstream ? null : inProgressAtMs + workMs };
}
