import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { MirrorStatus } from '../../src/contract/report.ts';
import type { Bench } from './support/bench.ts';
import { costOf, runMeasured } from './support/measured-process.ts';
import { type MirroredTree, mirroredTree, remembered } from './support/mirrored-tree.ts';
import { Daemon, type MirrorHome, runVerb, UNLIMITED, verbCommand } from './support/program.ts';
import { nowMs, type SeenDeletes, type Sink, startSink } from './support/sink.ts';

const FILES = 100_000;
const FEW = 10_000;
const MANY_ENTRIES = 1_000_000;
const CONCURRENCY = 8;
/** So often in a row the daemon must be found with nothing to do but to wait for the approval. */
const CALM_LOOKS = 10;
/** Far less than any API over a network takes. */
const DELETE_MS = 5;
const SETTINGS = {
  limits: { ...UNLIMITED.limits, concurrentDeletes: CONCURRENCY },
  deletes: { graceSeconds: 0, maxFraction: 0 },
  verifyHours: 0,
};

export const deletes: Bench = {
  name: 'deletes',
  about: `100,000 deletes from their approval to the last answer, ${CONCURRENCY} at a time at ${DELETE_MS} ms each, against the bare requests (6 minutes)`,
  runsByDefault: false,
  async run({ workshop, files, progress }) {
    await using sink = await startSink(DELETE_MS);
    const of = async (count: number, entries: number): Promise<ApprovedDeletes> => {
      progress(`${count.toLocaleString('en')} deletes, ${entries.toLocaleString('en')} other entries`);
      const tree = await remembered(workshop, await mirroredTree(workshop, entries), { gone: count });
      return await approvedDeletes(sink, tree, count);
    };
    const bareBefore = await bareDeletes(sink, FEW);
    const many = await of(files ?? FILES, 1_000);
    const few = await of(FEW, 1_000);
    const fewOfMany = await of(FEW, MANY_ENTRIES);
    const bare = (bareBefore + (await bareDeletes(sink, FEW))) / 2;
    const each = (what: string, value: number) => ({ what, unit: 'ms' as const, values: [value] });
    return {
      rows: [
        each('bare requests, each', bare),
        each(`${(files ?? FILES).toLocaleString('en')} deletes, each`, many.eachMs),
        each('10,000 deletes, each', few.eachMs),
        each('10,000 deletes among 1,000,000 other entries, each', fewOfMany.eachMs),
        each('processor time of a delete of many', many.cpuMs),
        each('processor time of a delete among 1,000,000', fewOfMany.cpuMs),
      ],
      verdicts: [
        { target: 'time against the bare requests', measured: many.eachMs / bare, atMost: 1.05 },
        { target: 'each, of many against 10,000', measured: many.eachMs / few.eachMs, atMost: 1.05 },
        {
          target: 'each, among 1,000,000 against 1,000',
          measured: fewOfMany.eachMs / few.eachMs,
          atMost: 1.05,
        },
      ],
    };
  },
};

interface ApprovedDeletes {
  /** From the approval to the last answer, by the number of deletes. */
  readonly eachMs: number;
  /** Processor time of the daemon. */
  readonly cpuMs: number;
}

/** Entries without files wait as deletes that the guard holds; then they are approved. */
async function approvedDeletes(sink: Sink, tree: MirroredTree, count: number): Promise<ApprovedDeletes> {
  const home = { ...tree, baseUrl: sink.url, settings: SETTINGS };
  const daemon = await Daemon.start(home);
  try {
    // While a scan runs, nothing is deleted; the watcher asks for one when it has begun.
    for (let calm = 0; calm < CALM_LOOKS;) {
      await sleep(500);
      calm = (await heldDeletes(home)) < count ? 0 : calm + 1;
    }
    const before = costOf(daemon.pid);
    await runVerb(['approve'], home);
    const approvedMs = nowMs();
    const seen = await allDeletes(sink, count);
    const cpuMs = (costOf(daemon.pid)?.cpuMs ?? Number.NaN) - (before?.cpuMs ?? Number.NaN);
    return {
      eachMs: (seen.lastMs - Math.min(approvedMs, seen.firstMs)) / count,
      cpuMs: cpuMs / count,
    };
  } finally {
    await daemon.stop();
  }
}

async function heldDeletes(home: MirrorHome): Promise<number> {
  const { stdout } = await runMeasured(await verbCommand(['status', '--json'], home), [0, 3, 5]);
  const { waitingDeletes = 0, halts = [], phase } = JSON.parse(stdout) as Partial<MirrorStatus>;
  return phase !== 'scanning' && halts.some(({ name }) => name === 'mass-delete') ? waitingDeletes : 0;
}

/** What one delete takes when nothing else is done: the same requests, over as many connections. */
async function bareDeletes(sink: Sink, count: number): Promise<number> {
  const ids = Array.from({ length: count }, (_, n) => `file-bare-${n}`).values();
  const deleteSome = async (): Promise<void> => {
    for (const id of ids) {
      const reply = await request(`${sink.url}/files/${id}`, { method: 'DELETE' });
      await reply.body.json();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, deleteSome));
  const { firstMs, lastMs } = await allDeletes(sink, count);
  return (lastMs - firstMs) / count;
}

/** Waits for so many; throws when it takes far longer than the server does. */
async function allDeletes(sink: Sink, count: number): Promise<SeenDeletes> {
  let all: SeenDeletes = { count: 0, firstMs: Number.POSITIVE_INFINITY, lastMs: 0 };
  for (let idle = 0; all.count < count; idle++) {
    const { count: more, firstMs, lastMs } = await sink.takeDeletes();
    if (more > 0) {
      idle = 0;
      all = { count: all.count + more, firstMs: Math.min(all.firstMs, firstMs), lastMs };
    }
    if (idle > 120) throw new Error(`only ${all.count} of ${count} files were deleted`);
    await sleep(500);
  }
  if (all.count > count) throw new Error(`${all.count} deletes instead of ${count}`);
  return all;
}
