/** What is shown of batches. Pure. */
import {
  isOver,
  type BatchHoldReason,
  type BatchRecord,
  type BatchState,
  type SubmissionId,
} from '../contract/batch.ts';
import { massSubmit, type BatchTotals, type BatchView, type WaitOutcome } from '../contract/batch-report.ts';
import { isoOf } from '../contract/times.ts';
import type { Halt } from '../contract/types.ts';
import { BatchIndex, type Records } from './batch-index.ts';
import { hasEnded, needsWriting, saidOf } from './batch-status.ts';
import type { Hold } from './cost-guards.ts';

export interface ViewInput {
  readonly index: BatchIndex;
  /** Why this one waits now. */
  readonly holdOf: (id: SubmissionId, record: BatchRecord) => Hold | null;
  /** With the latest word on its batch. */
  readonly latest: (id: SubmissionId, record: BatchRecord) => BatchRecord['batch'];
  readonly serverNowMs: number | null;
}

/** One line for each submission, with what became of its later generations; oldest first. */
export function viewsOf(input: ViewInput): BatchView[] {
  const views: BatchView[] = [];
  for (const [id, record] of input.index.records) {
    if (record.generation === 0) views.push(viewOf(id, input));
  }
  return views;
}

export function viewOf(origin: SubmissionId, { index, holdOf, latest, serverNowMs }: ViewInput): BatchView {
  const first = index.records.get(origin) as BatchRecord;
  const lastId = index.lastOf(origin);
  const last = index.records.get(lastId) as BatchRecord;
  const batch = latest(lastId, last);
  const hold = holdOf(lastId, last);
  const { path, inputFileId, file } = first;
  const expiresAt = batch?.expiresAt ?? null;
  const runs = last.state === 'open' && !hasEnded(saidOf(batch));
  return {
    path,
    submission: origin,
    state: last.state,
    status: batch?.status ?? null,
    batch: batch?.id ?? null,
    inputFileId,
    generation: last.generation,
    attempt: last.attempt,
    requests: file?.requests ?? null,
    endpoint: file?.endpoint ?? null,
    model: file?.model ?? null,
    inputTokens: file?.inputTokens ?? null,
    counts: batch?.counts ?? null,
    hold: hold && { why: hold.why, text: hold.text, until: isoOf(hold.until) },
    problem: last.problem,
    wantedAt: isoOf(first.wantedAt) ?? '',
    createdAt: isoOf(batch?.createdAt),
    expiresAt: isoOf(expiresAt),
    late: runs && expiresAt !== null && serverNowMs !== null && serverNowMs > expiresAt * 1_000,
    lines: last.results?.lines ?? null,
    results: last.results && {
      output: last.results.output,
      errors: last.results.errors,
      summary: last.results.summary,
    },
    twins: index.family(origin).flatMap((id) => (index.records.get(id)?.twins ?? []).map((twin) => twin.id)),
  };
}

const HALTING: ReadonlySet<Hold['why']> = new Set<Hold['why']>([
  'off',
  'approval',
  'paused',
  'quota',
  'access',
]);

/** It does not end by itself, or not soon. */
export const isHalting = ({ why }: Hold): boolean => HALTING.has(why);

/** Nothing more will come of it by itself. */
export function isFinished(record: BatchRecord): boolean {
  return isOver(record.state) && !needsWriting(record);
}

/**
 * What a wait for these submissions of generation 0 comes to; null: it goes on. Halted: only what waits for a person, or
 * for what the API withholds, is left.
 */
export function outcomeOf(
  origins: Iterable<SubmissionId>,
  index: BatchIndex,
  isHalted: (id: SubmissionId, record: BatchRecord) => boolean,
): WaitOutcome | null {
  let hasFailed = false;
  let hasHalted = false;
  for (const origin of origins) {
    const id = index.lastOf(origin);
    const record = index.records.get(id);
    if (record === undefined) continue;
    if (isFinished(record)) hasFailed ||= record.state !== 'done';
    else if (isHalted(id, record)) hasHalted = true;
    else return null;
  }
  if (hasHalted) return 'halted';
  return hasFailed ? 'failed' : 'answered';
}

/** As many problems are named. */
const MOST_PROBLEMS = 100;

/** `nextPoll`: ISO; null: nobody asks. */
export function totalsOf(views: readonly BatchView[], nextPoll: string | null = null): BatchTotals {
  const count = (...states: readonly BatchState[]): number =>
    views.filter(({ state }) => states.includes(state)).length;
  const open = views.filter(({ state }) => state === 'submitting' || state === 'open');
  const problems = problemsOf(views);
  const ends = open.map(({ expiresAt }) => expiresAt).filter((each) => each !== null);
  const sum = (of: (view: BatchView) => number): number => open.reduce((all, each) => all + of(each), 0);
  return {
    waiting: count('wanted'),
    held: views.filter(({ state, hold }) => state === 'wanted' && hold !== null).length,
    open: open.length,
    fetching: count('settled'),
    done: count('done'),
    partial: count('partial'),
    failed: count('failed', 'unavailable'),
    requestsDone: sum(({ counts }) => (counts === null ? 0 : counts.completed + counts.failed)),
    requests: sum(({ requests }) => requests ?? 0),
    soonestEnd: ends.sort()[0] ?? null,
    nextPoll,
    waits: waitsOf(views),
    problems: problems.slice(0, MOST_PROBLEMS),
    problemsTotal: problems.length,
  };
}

function waitsOf(views: readonly BatchView[]): BatchTotals['waits'] {
  const waits = new Map<BatchHoldReason, { why: BatchHoldReason; text: string; count: number }>();
  for (const { state, hold } of views) {
    if (state !== 'wanted' || hold === null) continue;
    const { why, text } = hold;
    waits.set(why, { why, text, count: (waits.get(why)?.count ?? 0) + 1 });
  }
  return [...waits.values()];
}

/** What went wrong, or stands in the way of one that is not over; the latest first. */
function problemsOf(views: readonly BatchView[]): BatchTotals['problems'] {
  return views
    .flatMap(({ path, state, problem, hold, lines, twins, wantedAt }) => {
      const texts = [
        ...(problem === null ? [] : [problem]),
        ...(state === 'wanted' || hold === null ? [] : [hold.text]),
        ...(lines === null || lines.failed + lines.missing === 0
          ? []
          : [`${lines.failed + lines.missing} of its requests have no answer`]),
        ...(twins.length === 0 ? [] : [`it was begun twice: ${twins.join(', ')}`]),
      ];
      const isBad = state === 'partial' || state === 'failed' || state === 'unavailable';
      if (texts.length === 0 && !isBad) return [];
      return [{ path, state, text: texts.join('; ') || 'it ran no line', wantedAt }];
    })
    .sort((a, b) => (a.wantedAt < b.wantedAt ? 1 : -1))
    .map(({ path, state, text }) => ({ path, state, text }));
}

/** From the records alone, while nothing runs. */
export function recordedViews(records: Records): readonly BatchView[] {
  return viewsOf({
    index: new BatchIndex(records),
    holdOf: (_id, { hold }) => hold,
    latest: (_id, { batch }) => batch,
    serverNowMs: null,
  });
}

/** The flood that a person has to approve; nothing when there is none. */
export function floodHalts(records: Iterable<BatchRecord>): readonly Halt<'mass-submit'>[] {
  const held = [...records].filter(({ hold }) => hold?.why === 'approval');
  const [first] = held;
  if (first === undefined) return [];
  const since = Math.min(...held.map(({ wantedAt }) => wantedAt));
  return [{ ...massSubmit, since, cause: first.hold?.text ?? '', folder: null }];
}
