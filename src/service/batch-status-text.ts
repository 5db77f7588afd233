/** The block of `status` about batches. */
import type { BatchTotals } from '../contract/batch-report.ts';
import { command } from '../contract/command.ts';
import { counted, formatDuration } from '../contract/quantities.ts';
import { printable } from '../contract/shown-text.ts';
import { aligned, type Row } from './table.ts';

/** So many are named; the others are counted. */
const MOST_PROBLEMS = 5;

/** Nothing when there never was a batch. */
export function batchFacts(totals: BatchTotals, nowSeconds: number): readonly Row[] {
  const { waiting, open, fetching, done, partial, failed, requests, requestsDone, waits } = totals;
  if (waiting + open + fetching + done + partial + failed === 0) return [];
  const some = (count: number, what: string): readonly string[] => (count === 0 ? [] : [`${count} ${what}`]);
  const progress = open === 0 ? [] : [`${requestsDone} of ${counted(requests, 'request')} done`];
  const parts = [
    ...some(open, 'open'),
    ...progress,
    ...some(waiting, 'waiting'),
    ...some(fetching, 'being fetched'),
    ...some(done, 'answered'),
    ...some(partial, 'answered in part'),
    ...some(failed, 'failed'),
  ];
  const times = [
    ...timeText('next poll', totals.nextPoll, nowSeconds),
    ...timeText('soonest end', totals.soonestEnd, nowSeconds),
  ];
  return [
    ['batches', parts.join(', ')],
    ...waits.map(({ text, count }): Row => ['waiting', `${count}: ${printable(text)}`]),
    ...(times.length === 0 ? [] : [['polling', times.join(', ')]]),
  ];
}

/** One line for each that a person should look at. */
export function batchProblems({ problems, problemsTotal }: BatchTotals): string {
  const shown = problems.slice(0, MOST_PROBLEMS);
  const more = problemsTotal - shown.length;
  return aligned([
    ...shown.map(({ path, state, text }): Row => [
      `batch ${state}`,
      `${printable(path)}: ${printable(text)}`,
    ]),
    ...(more > 0 ? [['batch', `… and ${more} more; all of them: ${command('batch', 'list')}`]] : []),
  ]);
}

function timeText(what: string, iso: string | null, nowSeconds: number): readonly string[] {
  if (iso === null) return [];
  const leftMs = Date.parse(iso) - nowSeconds * 1_000;
  return [`${what} ${leftMs <= 0 ? 'now' : `within ${formatDuration(leftMs)}`}`];
}
