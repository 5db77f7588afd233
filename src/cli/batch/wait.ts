import { isOver } from '../../contract/batch.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchView, WaitOutcome } from '../../contract/batch-report.ts';
import { withCommands, withCommandsIn } from '../../contract/command.ts';
import { Fault, skipFault } from '../../contract/faults.ts';
import { counted, formatDuration } from '../../contract/quantities.ts';
import type { MirrorPath } from '../../contract/types.ts';
import type { MirrorApp } from '../../compose.ts';
import type { DaemonClient } from '../../service/control-client.ts';
import type { Context } from '../context.ts';
import { exitCode, exitCodeOfHalts } from '../exit-code.ts';
import { print, printJson } from '../io.ts';
import { mirrorOnce } from '../one-shot.ts';
import { timeoutMsOf } from '../verb.ts';
import type { BatchAction } from './action.ts';
import { viewLines } from './list.ts';

/** What a wait came to: how it ended, and the batches that it was for. */
export interface Waited {
  readonly outcome: WaitOutcome;
  readonly batches: readonly BatchView[];
}

export const wait: BatchAction = {
  paths: 'any',
  options: ['timeout'],
  async run(paths, { json, timeout }, context) {
    const timeoutMs = timeoutMsOf(timeout);
    const { config } = await context.loadConfig();
    const daemon = await context.findDaemon(config);
    const wanted = paths.length === 0 ? null : paths;
    let code: number = exitCode.done;
    let waited: Waited;
    if (daemon === null) {
      waited = await mirrorOnce(context, async (mirror, signal) => {
        const before = mirror.batches.list();
        const { halts } = await mirror.converge(signal);
        code = exitCodeOfHalts(halts.filter(({ folder }) => folder === null));
        return await waitHere(mirror, before, wanted, timeoutMs, signal);
      });
    } else {
      waited = await waitThere(daemon, config.root, wanted, timeoutMs);
    }
    await printWaited(waited, json, context);
    return exitCodeOfWait(waited.outcome) || code;
  },
};

/** What was just dropped belongs to it: first all that is wanted is mirrored, as it is by a pass. */
async function waitThere(
  daemon: DaemonClient,
  root: string,
  wanted: readonly MirrorPath[] | null,
  timeoutMs: number | null,
): Promise<Waited> {
  const views = () => Array.fromAsync(daemon.batches.list());
  const before = await views();
  const startedMs = performance.now();
  const leftMs = () => (timeoutMs === null ? null : Math.max(0, timeoutMs - (performance.now() - startedMs)));
  const waiting = async (): Promise<WaitOutcome> => {
    if (wanted === null) await daemon.flush(leftMs());
    else for (const path of wanted) await untilKnown(path, daemon, existsSync(join(root, path)), leftMs);
    return await daemon.batches.wait(wanted, leftMs());
  };
  const outcome = await orTimeIsUp(timeoutMs, waiting(), views);
  return waitedFor(outcome, before, await views(), wanted);
}

/** Throws `Fault` (`no-entry`) when there is no batch of it, and none is about to be. */
async function untilKnown(
  path: MirrorPath,
  daemon: DaemonClient,
  isFile: boolean,
  leftMs: () => number | null,
): Promise<void> {
  const { batches } = daemon;
  if ((await batches.show(path)) !== null) return;
  if (isFile || (await daemon.report(path)) !== null) await daemon.waitFor(path, leftMs());
  // It is wanted right after it is mirrored, and not in the same moment.
  for (let tries = 0; tries < 10; tries += 1) {
    if ((await batches.show(path)) !== null) return;
    await sleep(100);
  }
  throw noBatchOf(path);
}

function noBatchOf(path: MirrorPath): Fault {
  return skipFault('no-entry', `no batch of ${path}`);
}

/** Until the batches of this mirror, which is open, have ended. `before`: as they were when it was opened. */
export async function waitHere(
  { batches }: Pick<MirrorApp, 'batches'>,
  before: readonly BatchView[],
  wanted: readonly MirrorPath[] | null,
  timeoutMs: number | null,
  signal: AbortSignal,
): Promise<Waited> {
  requireKnown(wanted, batches.list());
  const limit = timeoutMs === null ? [] : [AbortSignal.timeout(Math.min(timeoutMs, 2 ** 31 - 1))];
  const waiting = batches.wait(wanted, AbortSignal.any([signal, ...limit]));
  const outcome = await orTimeIsUp(timeoutMs, waiting, async () => batches.list());
  return waitedFor(outcome, before, batches.list(), wanted);
}

export function exitCodeOfWait(outcome: WaitOutcome): number {
  if (outcome === 'halted') return exitCode.halted;
  return outcome === 'failed' ? exitCode.someFailed : exitCode.done;
}

/** Without paths, those that were not over at the beginning, and what came since, however soon it ended. */
function waitedFor(
  outcome: WaitOutcome,
  before: readonly BatchView[],
  after: readonly BatchView[],
  wanted: readonly MirrorPath[] | null,
): Waited {
  const over = new Set(before.filter(({ state }) => isOver(state)).map(({ submission }) => submission));
  const batches = after.filter(({ path, submission }) =>
    wanted === null ? !over.has(submission) : wanted.includes(path),
  );
  if (wanted !== null || outcome !== 'answered') return { outcome, batches };
  const hasFailed = batches.some(({ state }) => isOver(state) && state !== 'done');
  return { outcome: hasFailed ? 'failed' : outcome, batches };
}

function requireKnown(wanted: readonly MirrorPath[] | null, views: readonly BatchView[]): void {
  const unknown = (wanted ?? []).find((path) => !views.some((view) => view.path === path));
  if (unknown !== undefined) throw noBatchOf(unknown);
}

/** When the time is up, it is said what is left. */
async function orTimeIsUp<T>(
  timeoutMs: number | null,
  waiting: Promise<T>,
  views: () => Promise<readonly BatchView[]>,
): Promise<T> {
  try {
    return await waiting;
  } catch (error) {
    if (timeoutMs === null || !isTimeUp(error)) throw error;
    const left = (await views()).filter(({ state }) => !isOver(state)).length;
    throw skipFault(
      'wait-timeout',
      `not all batches ended within ${formatDuration(timeoutMs)}: ${counted(left, 'batch is', 'batches are')} left`,
    );
  }
}

function isTimeUp(error: unknown): boolean {
  return error instanceof Fault
    ? error.rule === 'wait-timeout'
    : error instanceof Error && error.name === 'TimeoutError';
}

async function printWaited({ outcome, batches }: Waited, json: boolean, context: Context): Promise<void> {
  const invocation = await context.invocation();
  if (json) {
    await printJson(context.io, { version: 1, outcome, batches: withCommandsIn(batches, invocation) });
    return;
  }
  const lines = batches.length === 0 ? 'no batches were waited for' : viewLines(batches, Date.now() / 1_000);
  await print(context.io, withCommands(`${lines}\n`, invocation));
}
