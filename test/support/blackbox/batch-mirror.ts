/** A mirror that submits what is dropped, over an emulator whose batches take no time. */
import { readFile, readdir } from 'node:fs/promises';
import type { TestContext } from 'vitest';
import type { BatchView } from '../../../src/contract/batch-report.ts';
import type { EmulatorOptions } from '../faulty-emulator.ts';
import { openTestMirror, type TestConfig, type TestMirror } from './mirror-process.ts';

/** Done in a third of a second. */
export const QUICK_PACE = {
  validatingMs: 100,
  workingMs: 100,
  perRequestMs: 0,
  finalizingMs: 100,
  cancellingMs: 100,
};

/** In progress until it is cancelled, or the clock jumps. */
export const ENDLESS_PACE = { ...QUICK_PACE, workingMs: 50 * 3_600_000 };

export type BatchesConfig = NonNullable<TestConfig['batches']>;

export function submitting(batches: BatchesConfig = {}, more: TestConfig = {}): TestConfig {
  return {
    folders: { batch: { submit: true } },
    ...more,
    batches: { pollSeconds: 1, lookSeconds: 3, ...batches },
  };
}

export interface BatchMirrorOptions {
  readonly batches?: BatchesConfig;
  readonly config?: TestConfig;
  readonly emulator?: EmulatorOptions;
}

/** Its daemon runs, and has seen that nothing was there before: what is dropped from now on is submitted. */
export async function openBatchMirror(
  context: TestContext,
  { batches = {}, config = {}, emulator = {} }: BatchMirrorOptions = {},
): Promise<TestMirror> {
  const mirror = await openTestMirror(context, {
    config: submitting(batches, config),
    emulator: { batchPace: QUICK_PACE, ...emulator },
  });
  await mirror.start();
  await mirror.untilWatching();
  return mirror;
}

/** A server whose clock can be moved. */
export function movableClock(): { nowMs: () => number; jump: (ms: number) => void } {
  let offsetMs = 0;
  return {
    nowMs: () => Date.now() + offsetMs,
    jump: (ms) => {
      offsetMs += ms;
    },
  };
}

export async function viewOf(mirror: TestMirror, path: string): Promise<BatchView | null> {
  return await (await mirror.daemon()).batches.show(path);
}

export async function untilView(
  mirror: TestMirror,
  path: string,
  is: (view: BatchView) => boolean,
): Promise<BatchView> {
  const view = await mirror.until(
    () => viewOf(mirror, path),
    (each) => each !== null && is(each),
  );
  return view as BatchView;
}

/** Over, whatever came of it. */
export async function untilOver(mirror: TestMirror, path: string): Promise<BatchView> {
  return await untilView(
    mirror,
    path,
    ({ state }) => !['wanted', 'submitting', 'open', 'settled'].includes(state),
  );
}

export interface ResultLine {
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly body: unknown } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The lines of a result, as they lie there. */
export async function resultLines(mirror: TestMirror, name: string): Promise<readonly ResultLine[]> {
  const text = await readFile(mirror.at(`results/${name}`), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as ResultLine);
}

export async function resultIds(mirror: TestMirror, name: string): Promise<readonly string[]> {
  return (await resultLines(mirror, name)).map(({ custom_id: id }) => id);
}

/** Everything that lies in the results folder, hidden files too, sorted. */
export async function resultNames(mirror: TestMirror): Promise<readonly string[]> {
  try {
    const found = await readdir(mirror.at('results'), { recursive: true, withFileTypes: true });
    return found
      .filter((each) => each.isFile())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function lineIds(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `line-${from + index}`);
}

/** How often batches were asked for, and got one or not. */
export function submissions(mirror: TestMirror): number {
  return mirror.emulator.requests.submissions().length;
}
