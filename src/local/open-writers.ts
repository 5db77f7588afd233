import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../contract/ports.ts';
import type { MirrorPath } from '../contract/types.ts';

/** How long a sweep may hold the event loop before it lets others run. */
const SLICE_MS = 8;
/** An older sweep is not asked any more. */
const SWEEP_VALID_MS = 1000;
/** File times come from a coarser clock than ours: up to 10 ms behind. */
const FILE_CLOCK_SLACK_MS = 100;
/** Access mode bits of open(2) flags: 1 write only, 2 read and write. */
const ACCESS_MODE = 0o3;

interface OpenWriter {
  readonly pid: number;
  readonly name: string;
}

export interface OpenWriters {
  /**
   * A visible process that holds this file open for writing; null when there is none, or when the system has no
   * `/proc`. `changedAtMs`: when the file last changed, by the wall clock. Answered by a sweep that started after
   * that and not long ago, then at once, or by a new one, which all who wait share.
   */
  of(path: MirrorPath, changedAtMs: number): OpenWriter | null | Promise<OpenWriter | null>;
}

export interface OpenWritersOptions {
  /** Absolute; links in it are resolved anew at every sweep. */
  readonly root: string;
  readonly clock: Clock;
  readonly procDirectory?: string;
  /** Our own readers are never writers. */
  readonly ownPid?: number;
}

interface Sweep {
  readonly startedWallMs: number;
  readonly startedMs: number;
  readonly costMs: number;
  readonly writers: ReadonlyMap<MirrorPath, OpenWriter>;
}

/**
 * Looks through `/proc/<pid>/fd` for files below the root that are open for writing. Processes of other users that
 * may not be looked into are skipped, and so are other mount namespaces: this is a help, not a lock.
 */
export function createOpenWriters(options: OpenWritersOptions): OpenWriters {
  const { clock, procDirectory = '/proc' } = options;
  const hasProc = fs.existsSync(`${procDirectory}/self/fd`);
  const budget = new SweepBudget();
  let latest: Sweep | null = null;
  let running: Promise<Sweep> | null = null;
  /** Queued, not started: all who ask before its start may wait for it. */
  let next: Promise<Sweep> | null = null;

  async function startNext(): Promise<Sweep> {
    await running;
    const pauseMs = budget.pauseMs(clock.monotonicMs());
    if (pauseMs > 0) await clock.sleep(pauseMs);
    next = null;
    running = sweep(options, procDirectory);
    latest = await running;
    budget.spend(latest.costMs, clock.monotonicMs());
    return latest;
  }

  return {
    of(path, changedAtMs) {
      if (!hasProc) return null;
      // Who opened it after that sweep has not written to it, or its times would say so; and who writes from now on
      // is found out by whoever reads it. Clocks of servers may lag, hence the limit to the age.
      const usable =
        latest !== null &&
        changedAtMs + FILE_CLOCK_SLACK_MS < latest.startedWallMs &&
        clock.monotonicMs() - latest.startedMs <= SWEEP_VALID_MS;
      if (usable) return latest?.writers.get(path) ?? null;
      return (next ??= startNext()).then(({ writers }) => writers.get(path) ?? null);
    },
  };
}

async function sweep(
  { root, clock, ownPid = process.pid }: OpenWritersOptions,
  procDirectory: string,
): Promise<Sweep> {
  const startedWallMs = clock.wallMs();
  const startedMs = clock.monotonicMs();
  const writers = new Map<MirrorPath, OpenWriter>();
  const prefix = `${realPath(root)}/`;
  let costMs = 0;
  let sliceStartedMs = startedMs;
  for (const entry of list(procDirectory)) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === ownPid) continue;
    collectWriters(`${procDirectory}/${entry}`, pid, prefix, writers);
    const sliceMs = clock.monotonicMs() - sliceStartedMs;
    if (sliceMs < SLICE_MS) continue;
    costMs += sliceMs;
    await setImmediate();
    sliceStartedMs = clock.monotonicMs();
  }
  costMs += clock.monotonicMs() - sliceStartedMs;
  return { startedWallMs, startedMs, costMs, writers };
}

function collectWriters(
  process: string,
  pid: number,
  prefix: string,
  writers: Map<MirrorPath, OpenWriter>,
): void {
  for (const descriptor of list(`${process}/fd`)) {
    try {
      const target = fs.readlinkSync(`${process}/fd/${descriptor}`);
      if (!target.startsWith(prefix)) continue;
      const flags = /^flags:\s*([0-7]+)/m.exec(
        fs.readFileSync(`${process}/fdinfo/${descriptor}`, 'latin1'),
      )?.[1];
      if (flags === undefined || (Number.parseInt(flags, 8) & ACCESS_MODE) === 0) continue;
      const name = fs.readFileSync(`${process}/comm`, 'utf8').trim();
      writers.set(target.slice(prefix.length), { pid, name });
    } catch {
      // Closed, or the process ended, while we looked.
    }
  }
}

/** The names in a directory of `/proc`; none when the process is gone or belongs to someone else. */
function list(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

function realPath(root: string): string {
  try {
    return fs.realpathSync(root);
  } catch {
    return root;
  }
}

/** In the long run sweeps may take a tenth of one core … */
const PERIOD_PER_COST = 10;
/** … and this much at once, so that files that come one by one need not wait. */
const BURST_MS = 50;

/** How soon the next sweep may start. All times by one monotonic clock. */
class SweepBudget {
  /** Cost that is not yet made up for by time that went by. */
  #debtMs = 0;
  #settledAtMs = Number.NEGATIVE_INFINITY;

  spend(costMs: number, nowMs: number): void {
    this.#settle(nowMs);
    this.#debtMs += costMs;
  }

  /** Milliseconds to wait; 0: none. */
  pauseMs(nowMs: number): number {
    this.#settle(nowMs);
    return Math.max(0, this.#debtMs - BURST_MS) * PERIOD_PER_COST;
  }

  #settle(nowMs: number): void {
    this.#debtMs = Math.max(0, this.#debtMs - (nowMs - this.#settledAtMs) / PERIOD_PER_COST);
    this.#settledAtMs = nowMs;
  }
}
