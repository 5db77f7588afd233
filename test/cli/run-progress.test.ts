import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RunProgress } from '../../src/cli/batch/run-progress.ts';
import type { BatchView } from '../../src/contract/batch-report.ts';
import { recordedViews } from '../../src/batches/batch-views.ts';
import { newRecord } from '../../src/batches/wanting.ts';

const wanted = newRecord('batch/a.jsonl', { id: 'file-1', purpose: 'batch', sha256: 'aa' }, 0);
const [waiting] = recordedViews(new Map([['u-1', wanted]])) as readonly [BatchView];

function running(completed: number, failed: number): BatchView {
  const counts = { total: 9, completed, failed };
  return { ...waiting, state: 'open', status: 'in_progress', requests: 9, counts };
}

function progressOn(isTerminal: boolean, look: () => BatchView | null, quiet = false) {
  const stderr = Object.assign(new PassThrough(), { columns: 60 });
  const io = {
    stdout: new PassThrough(),
    stderr,
    stderrIsTerminal: isTerminal,
    env: {},
    cwd: '/',
    homeDir: '/',
  };
  const progress = new RunProgress(io, 'a.jsonl', quiet, look);
  return { progress, written: () => String(stderr.read() ?? '') };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('on a terminal one line is drawn anew, no longer than that is wide, and gives way to lines that stay', () => {
  let view = running(3, 0);
  const { progress, written } = progressOn(true, () => view);
  vi.advanceTimersByTime(250);
  expect(written()).toBe('\r\u001b[Ka.jsonl: in_progress, 3 of 9 requests done');
  vi.advanceTimersByTime(250);
  expect(written(), 'nothing is new').toBe('');
  vi.advanceTimersByTime(500);
  expect(written()).toBe('\r\u001b[Ka.jsonl: in_progress, 3 of 9 requests done, 1 s so far');
  view = running(3, 1);
  vi.advanceTimersByTime(250);
  expect(written()).toBe('\r\u001b[Ka.jsonl: in_progress, 4 of 9 requests done, 1 failed, 1 s s');
  progress.listener({ kind: 'warning', message: 'the server is slow' });
  expect(written()).toBe('\r\u001b[Kthe server is slow\n');
  progress[Symbol.dispose]();
  vi.advanceTimersByTime(5_000);
  expect(written(), 'it is over').toBe('');
});

test('elsewhere a line is written when the state changes, and counts alone are no change', () => {
  let view: BatchView | null = null;
  const { progress, written } = progressOn(false, () => view);
  vi.advanceTimersByTime(1_000);
  expect(written()).toBe('a.jsonl: is being uploaded\n');
  for (view of [running(1, 0), running(5, 1)]) vi.advanceTimersByTime(1_000);
  expect(written()).toBe('a.jsonl: in_progress, 1 of 9 requests done\n');
  progress[Symbol.dispose]();
});

test('quiet, only what a person must know is told', () => {
  const { progress, written } = progressOn(true, () => running(1, 0), true);
  vi.advanceTimersByTime(1_000);
  progress.listener({
    kind: 'batch-submitted',
    path: 'batch/a.jsonl',
    batch: 'batch_1',
    requests: 9,
    generation: 0,
    found: false,
  });
  expect(written()).toBe('');
  progress.listener({ kind: 'warning', message: 'the disk is full' });
  expect(written()).toBe('the disk is full\n');
});
