/** What a running daemon is measured by: how soon a file is sent, and what it costs at rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { rssBytesOf, threadTimeMsOf } from './support/measured-process.ts';
import { mirroredTree } from './support/mirrored-tree.ts';
import { Daemon, runVerb, UNLIMITED } from './support/program.ts';
import { type Arrival, nowMs, type Sink, startSink } from './support/sink.ts';
import { median, percentile } from './support/statistics.ts';

const DROPS = 200;
const REST_MS = 30_000;
/** Between two drops, so that each finds the daemon at rest: a look into `/proc` may take a tenth of a core, no more. */
const BETWEEN_DROPS_MS = 100;

export const latency: Bench = {
  name: 'latency',
  about: 'from rename into the folder to the arrival of its upload, settle 0, one file every 100 ms',
  runsByDefault: true,
  async run({ workshop }) {
    await using sink = await startSink();
    const home = await workshop.scratch();
    const root = join(home, 'root');
    const settings = { ...UNLIMITED, watch: { settleSeconds: 0 } };
    const daemon = await Daemon.start({ root, stateDir: join(home, 'state'), baseUrl: sink.url, settings });
    await daemon.take('scanned');
    await mkdir(join(home, 'outside'));
    const tookMs: number[] = [];
    try {
      await untilWatched(sink, root);
      for (let n = 0; n < DROPS; n++) {
        const name = `drop-${n}.txt`;
        await writeFile(join(home, 'outside', name), `drop ${n}`);
        const droppedMs = nowMs();
        await rename(join(home, 'outside', name), join(root, 'user_data', name));
        const { atMs } = await nextArrival(sink, name);
        tookMs.push(atMs - droppedMs);
        await sleep(BETWEEN_DROPS_MS);
      }
    } finally {
      await daemon.stop();
    }
    return {
      rows: [
        { what: 'median', unit: 'ms', values: [median(tookMs)] },
        { what: '99 of 100 within', unit: 'ms', values: [percentile(tookMs, 0.99)] },
        { what: 'longest', unit: 'ms', values: [Math.max(...tookMs)] },
      ],
      verdicts: [{ target: '99th percentile, ms', measured: percentile(tookMs, 0.99), atMost: 50 }],
    };
  },
};

export const atRest: Bench = {
  name: 'at-rest',
  about: 'the daemon at rest over 100,000 files: processor time, memory, and a rescan',
  runsByDefault: true,
  async run({ workshop, rounds, progress }) {
    progress('100,000 files');
    await using sink = await startSink();
    const tree = await mirroredTree(workshop, 100_000);
    const home = { ...tree, baseUrl: sink.url };
    const daemon = await Daemon.start(home);
    try {
      // The first one at the start, the second one when everything is watched.
      await daemon.take('scanned');
      await daemon.take('scanned');
      await sleep(2_000);
      progress('at rest');
      const beforeMs = threadTimeMsOf(daemon.pid);
      await sleep(REST_MS);
      const busyPercent = ((threadTimeMsOf(daemon.pid) - beforeMs) / REST_MS) * 100;
      const rssBytes = rssBytesOf(daemon.pid);
      const rescanMs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await runVerb(['rescan'], home);
        rescanMs.push((await daemon.take('scanned')).tookMs ?? Number.NaN);
      }
      return {
        rows: [
          { what: 'processor, part of a core', unit: 'percent', values: [busyPercent] },
          { what: 'resident', unit: 'bytes', values: [rssBytes] },
          { what: 'rescan', unit: 'ms', values: rescanMs },
          { what: 'resident after the rescans', unit: 'bytes', values: [rssBytesOf(daemon.pid)] },
        ],
        verdicts: [
          { target: 'processor at rest, percent of a core', measured: busyPercent, atMost: 0.2 },
          { target: 'resident, MB', measured: rssBytes / 1e6, atMost: 250 },
          { target: 'rescan, ms', measured: median(rescanMs), atMost: 1_000 },
        ],
      };
    } finally {
      await daemon.stop();
    }
  },
};

async function untilWatched(sink: Sink, root: string): Promise<void> {
  for (let n = 0; ; n++) {
    await writeFile(join(root, 'user_data', `warm-${n}.txt`), 'warm');
    await sleep(200);
    if ((await sink.takeArrivals()).length > 0) return;
  }
}

async function nextArrival(sink: Sink, fileName: string): Promise<Arrival> {
  for (;;) {
    const found = (await sink.takeArrivals()).find((each) => each.fileName === fileName);
    if (found !== undefined) return found;
    await sleep(2);
  }
}
