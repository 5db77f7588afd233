/** What a running daemon is measured by: how soon a file is sent, and what it costs at rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { busyPercent, rssBytesOf, start, untilQuiet } from './support/measured-process.ts';
import { forgetMirror, mirroredTree } from './support/mirrored-tree.ts';
import { Daemon, type MirrorHome, runVerb, UNLIMITED, verbCommand } from './support/program.ts';
import { type Arrival, nowMs, type Sink, startSink } from './support/sink.ts';
import { median, percentile } from './support/statistics.ts';
import { type Workshop, writeTree } from './support/workshop.ts';

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
      await untilQuiet(daemon.pid);
      progress('at rest');
      const rss = [rssBytesOf(daemon.pid)];
      const busy = await busyPercent(daemon.pid, REST_MS);
      rss.push(rssBytesOf(daemon.pid));
      const rescanMs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await runVerb(['rescan'], home);
        rescanMs.push((await daemon.take('scanned')).tookMs ?? Number.NaN);
        rss.push(rssBytesOf(daemon.pid));
        await sleep(2_000);
        rss.push(rssBytesOf(daemon.pid));
      }
      return {
        rows: [
          { what: 'processor, part of a core', unit: 'percent', values: [busy] },
          { what: 'rescan', unit: 'ms', values: rescanMs },
          { what: 'resident, whenever it was looked at', unit: 'bytes', values: rss },
        ],
        verdicts: [
          { target: 'processor at rest, percent of a core', measured: busy, atMost: 0.15 },
          { target: 'resident, MB', measured: Math.max(...rss) / 1e6, atMost: 220 },
          { target: 'rescan, ms', measured: median(rescanMs), atMost: 1_000 },
        ],
      };
    } finally {
      await daemon.stop();
    }
  },
};

export const held: Bench = {
  name: 'held',
  about:
    'the daemon at rest over 100,000 files that wait for storage, and over 100,000 links: processor time',
  runsByDefault: true,
  async run({ workshop, files, progress }) {
    const count = files ?? 100_000;
    await using sink = await startSink();
    const settings = { limits: { ...UNLIMITED.limits, storageBytes: 0 }, verifyHours: 0 };
    progress('files that wait for storage');
    const tree = await unsentTree(workshop, count);
    const ofHeld = await restOf({ ...tree, baseUrl: sink.url, settings }, async () => {});
    progress('links, made while the daemon runs');
    const root = join(await workshop.scratch(), 'root');
    const home = { root, stateDir: await workshop.scratch(), baseUrl: sink.url, settings };
    const ofLinks = await restOf(home, () => writeLinks(join(root, 'user_data'), count));
    return {
      rows: [
        { what: 'files that wait for storage, part of a core', unit: 'percent', values: [ofHeld] },
        { what: 'links, part of a core', unit: 'percent', values: [ofLinks] },
      ],
      verdicts: [
        { target: 'held files at rest, percent of a core', measured: ofHeld, atMost: 0.5 },
        { target: 'links at rest, percent of a core', measured: ofLinks, atMost: 0.5 },
      ],
    };
  },
};

export const flush: Bench = {
  name: 'flush',
  about: 'a flush that waits for 100,000 files behind a window of one a minute: processor time',
  runsByDefault: true,
  async run({ workshop, files, progress }) {
    await using sink = await startSink();
    const tree = await unsentTree(workshop, files ?? 100_000);
    const settings = { limits: { uploadsPerMinute: 1 }, verifyHours: 0 };
    const daemon = await Daemon.start({ ...tree, baseUrl: sink.url, settings });
    try {
      await daemon.take('scanned');
      await untilQuiet(daemon.pid);
      progress('at rest');
      const alone = await busyPercent(daemon.pid, REST_MS);
      const flushing = start(
        await verbCommand(['flush', '--timeout', '3600'], { ...tree, baseUrl: sink.url, settings }),
      );
      // It looks at everything first, once.
      await sleep(5_000);
      await untilQuiet(daemon.pid);
      const beside = await busyPercent(daemon.pid, REST_MS);
      flushing.kill();
      return {
        rows: [
          { what: 'without a flush, part of a core', unit: 'percent', values: [alone] },
          { what: 'beside a flush, part of a core', unit: 'percent', values: [beside] },
        ],
        verdicts: [{ target: 'beside a flush, percent of a core', measured: beside, atMost: 1 }],
      };
    } finally {
      await daemon.stop();
    }
  },
};

/** What part of a core a daemon uses when there is nothing that it could do, after this happened. */
async function restOf(home: MirrorHome, happens: () => Promise<void>): Promise<number> {
  const daemon = await Daemon.start(home);
  try {
    await daemon.take('scanned');
    await untilQuiet(daemon.pid);
    await happens();
    await untilQuiet(daemon.pid);
    return await busyPercent(daemon.pid, REST_MS);
  } finally {
    await daemon.stop();
  }
}

/** Files of which nothing is known yet. */
async function unsentTree(
  workshop: Workshop,
  count: number,
): Promise<{ readonly root: string; readonly stateDir: string }> {
  const root = await workshop.shared(`unsent-${count}`, (home) => writeTree(join(home, 'user_data'), count));
  await forgetMirror(root);
  return { root, stateDir: await workshop.scratch() };
}

async function writeLinks(directory: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const folder = join(directory, `d${Math.floor(n / 1_000)}`);
    if (n % 1_000 === 0) await mkdir(folder, { recursive: true });
    await symlink('/dev/null', join(folder, `link-${n}`));
  }
}

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
