/** What batches are told as, in the log. */
import type { BatchEvent, BatchView } from '../contract/batch-report.ts';
import type { LineCounts } from '../contract/batch.ts';
import { counted, formatDuration } from '../contract/quantities.ts';
import { printable } from '../contract/shown-text.ts';

type Told = Exclude<BatchEvent, { kind: 'halted' | 'resumed' | 'warning' }>;

export function batchMessage(event: Told): string {
  const path = printable(event.path);
  switch (event.kind) {
    case 'batch-submitted': {
      const requests = event.requests === null ? '' : ` (${counted(event.requests, 'request')})`;
      const again = event.generation === 0 ? '' : ', lines that are tried again';
      const how = event.found ? 'found in the list' : 'submitted';
      return `${how}: ${path} as ${printable(event.batch)}${requests}${again}; its answers are fetched when it has ended`;
    }
    case 'batch-progress': {
      const counts =
        event.counts === null
          ? ''
          : `, ${event.counts.completed + event.counts.failed} of ${counted(event.counts.total, 'request')} done`;
      return `${printable(event.batch)} of ${path} is ${printable(event.status)}${counts}`;
    }
    case 'batch-ended':
      return `${printable(event.batch)} of ${path} is ${printable(event.status)}${event.problem === null ? '' : `: ${printable(event.problem)}`}`;
    case 'results-written':
      return `answers of ${path} are here: ${linesText(event.lines)}; read ${printable(event.output ?? event.errors ?? event.summary)}`;
  }
}

/** E.g. `4 answered, 1 failed`. */
export function linesText({ answered, failed, missing }: LineCounts): string {
  const parts = [`${answered} answered`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (missing > 0) parts.push(`${missing} without an answer`);
  return parts.join(', ');
}

/** E.g. `in_progress, 3 of 5 requests done, ends within 23 h`. `nowSeconds`: unix time. */
export function batchText(view: BatchView, nowSeconds: number): string {
  const { state, hold, lines, results, problem, late } = view;
  const why = hold === null ? [] : [`${printable(hold.text)}${untilText(hold.until, nowSeconds)}`];
  const what = problem === null ? [] : [printable(problem)];
  const where = results?.output ?? results?.errors ?? results?.summary ?? null;
  switch (state) {
    case 'wanted':
      return ['waits', ...why, ...what].join(': ');
    case 'submitting':
      return ['is being submitted', ...why].join(': ');
    case 'open':
      return [progressText(view), ...(late ? ['late'] : endText(view, nowSeconds)), ...why].join(', ');
    case 'settled':
      return [`${printable(view.status ?? 'ended')}, its results are being fetched`, ...why].join(': ');
    default:
      return [
        ...(lines === null ? [] : [linesText(lines)]),
        ...what,
        ...(where === null ? [] : [`see ${printable(where)}`]),
      ].join('; ');
  }
}

/** E.g. `in_progress, 3 of 5 requests done`. */
export function progressText({
  status,
  counts,
  requests,
}: Pick<BatchView, 'status' | 'counts' | 'requests'>): string {
  const total = requests ?? counts?.total ?? null;
  const done =
    counts === null || total === null
      ? []
      : [`${counts.completed + counts.failed} of ${counted(total, 'request')} done`];
  return [printable(status ?? 'open'), ...done].join(', ');
}

function endText({ expiresAt }: BatchView, nowSeconds: number): readonly string[] {
  if (expiresAt === null) return [];
  const leftMs = Date.parse(expiresAt) - nowSeconds * 1_000;
  return leftMs <= 0 ? [] : [`ends within ${formatDuration(leftMs)}`];
}

function untilText(until: string | null, nowSeconds: number): string {
  const leftMs = until === null ? 0 : Date.parse(until) - nowSeconds * 1_000;
  return leftMs <= 0 ? '' : `, for ${formatDuration(leftMs)} more`;
}
