import { counted, formatDuration } from '../contract/quantities.ts';
import { Fault } from '../contract/faults.ts';
import type { MirrorStatus, PathReport } from '../contract/report.ts';
import type { PathState } from '../contract/types.ts';

/** What `flush` waits for, in the order in which it is told. */
const OPEN: readonly PathState[] = ['uploading', 'pending', 'settling', 'deleting', 'failed'];

/** E.g. `not everything was mirrored within 5 s: 2 files are left (1 uploading, 1 pending)`. */
export function leftText({ counts, garbage }: MirrorStatus, timeoutMs: number): string {
  const open = OPEN.filter((state) => counts[state] > 0);
  const files = open.reduce((sum, state) => sum + counts[state], 0);
  const states = open.map((state) => `${counts[state]} ${state}`).join(', ');
  const left = [
    ...(files === 0 ? [] : [`${counted(files, 'file is', 'files are')} left (${states})`]),
    ...(garbage === 0
      ? []
      : [`${counted(garbage, 'remote file is', 'remote files are')} still to be deleted`]),
  ];
  const rest = left.length === 0 ? 'the last of it has just ended' : left.join(', ');
  return `not everything was mirrored within ${formatDuration(timeoutMs)}: ${rest}`;
}

/** E.g. `batch/a.jsonl was not mirrored within 5 s: it is settling: it still changes`. */
export function notMirroredText(path: string, report: PathReport | null, timeoutMs: number): string {
  return `${path} was not mirrored within ${formatDuration(timeoutMs)}: ${stateText(report)}`;
}

/** E.g. `it is rejected: line 3 is not JSON`. */
export function stateText(report: PathReport | null): string {
  if (report === null) return 'it is not known';
  return `it is ${report.state}${report.reason === null ? '' : `: ${report.reason}`}`;
}

/** Waits; when the time is up, the `Fault` says what is left, as far as that can still be asked. */
export async function untilTimeIsUp<T>(
  timeoutMs: number | null,
  wait: Promise<T>,
  left: (timeoutMs: number) => Promise<string>,
): Promise<T> {
  try {
    return await wait;
  } catch (error) {
    if (timeoutMs === null || !(error instanceof Fault) || error.rule !== 'wait-timeout') throw error;
    const message = await left(timeoutMs).catch(() => error.message);
    const { disposition, outcome, rule } = error;
    throw new Fault(message, { disposition, outcome, rule, cause: error });
  }
}
