/** How well the upload window is used, and that it is never exceeded, by the server's own log. Takes minutes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, BenchContext, BenchReport } from './support/bench.ts';
import { Daemon, type MirrorHome } from './support/program.ts';
import { type Arrival, nowMs, type Sink, startSink } from './support/sink.ts';
import { writeSmallFiles } from './support/workshop.ts';

const COUNT = 3_000;
const LIMIT = 990;
const WINDOW_MS = 60_000;
const BACKLOG = 5_000;
/** A window small enough to be used up by the backlog at once. */
const SMALL_LIMIT = 60;

export const uploadWindow: Bench = {
  name: 'window',
  about: `${COUNT} files at once with the default window of ${LIMIT} a minute: used up, never exceeded (3 minutes)`,
  runsByDefault: false,
  run: (context) => useWindow(context, false),
};

export const uploadWindowOverRestart: Bench = {
  name: 'window-restart',
  about: 'the same, stopped and started again in the middle (3 minutes)',
  runsByDefault: false,
  run: (context) => useWindow(context, true),
};

export const priority: Bench = {
  name: 'priority',
  about: `a file of higher priority behind a backlog of ${BACKLOG}: sent with the next free unit of the window (1 minute)`,
  runsByDefault: false,
  async run({ workshop, progress }) {
    await using sink = await startSink();
    const home = await workshop.scratch();
    const root = join(home, 'root');
    await writeSmallFiles(join(root, 'user_data'), BACKLOG, 100);
    await mkdir(join(root, 'batch'));
    const settings = { limits: { uploadsPerMinute: SMALL_LIMIT }, folders: { batch: { check: 'off' } } };
    const daemon = await Daemon.start({ root, stateDir: join(home, 'state'), baseUrl: sink.url, settings });
    try {
      const arrivals: Arrival[] = [];
      while (arrivals.length < SMALL_LIMIT) arrivals.push(...(await arrivalsAfter(sink, 500)));
      await writeFile(join(root, 'batch', 'urgent.jsonl'), '{}\n');
      progress('the window is used up; waiting for its next free unit');
      while (!arrivals.some(({ fileName }) => fileName === 'urgent.jsonl'))
        arrivals.push(...(await arrivalsAfter(sink, 500)));
      const place = arrivals.findIndex(({ fileName }) => fileName === 'urgent.jsonl');
      const waitedMs = (arrivals[place]?.atMs ?? 0) - (arrivals[0]?.endMs ?? 0);
      return {
        rows: [
          {
            what: 'others sent before it, of the new window',
            unit: 'uploads',
            values: [place - SMALL_LIMIT],
          },
          { what: 'sent after the first of the old window ended', unit: 'ms', values: [waitedMs] },
        ],
        verdicts: [{ target: 'others sent before it', measured: place - SMALL_LIMIT, atMost: 0 }],
      };
    } finally {
      await daemon.stop();
    }
  },
};

async function useWindow({ workshop, progress }: BenchContext, restart: boolean): Promise<BenchReport> {
  await using sink = await startSink();
  const home = await workshop.scratch();
  const root = join(home, 'root');
  await writeSmallFiles(join(root, 'user_data'), COUNT, 1_000);
  const mirror: MirrorHome = { root, stateDir: join(home, 'state'), baseUrl: sink.url };
  const arrivals: Arrival[] = [];
  let daemon = await Daemon.start(mirror);
  try {
    let restarted = false;
    while (arrivals.length < COUNT) {
      const news = await arrivalsAfter(sink, 1_000);
      arrivals.push(...news);
      if (news.length > 0) progress(`${arrivals.length} of ${COUNT} uploaded`);
      if (restart && !restarted && arrivals.length > 0) {
        restarted = true;
        await daemon.stop();
        daemon = await Daemon.start(mirror);
      }
    }
  } finally {
    await daemon.stop();
  }
  const times = arrivals.map(({ atMs }) => atMs).sort((a, b) => a - b);
  const perMinute = sustained(times);
  return {
    rows: [
      { what: 'uploads a minute, sustained', unit: 'uploads', values: [perMinute] },
      { what: 'most in any 60 s', unit: 'uploads', values: [mostInWindow(times)] },
      { what: 'from the first to the last', unit: 'ms', values: [(times.at(-1) ?? 0) - (times[0] ?? 0)] },
    ],
    verdicts: [
      { target: 'sustained rate against the limit', measured: perMinute / LIMIT, atLeast: 0.97 },
      { target: 'most in any 60 s', measured: mostInWindow(times), atMost: LIMIT },
    ],
  };
}

async function arrivalsAfter(sink: Sink, waitMs: number): Promise<readonly Arrival[]> {
  await sleep(waitMs);
  return await sink.takeArrivals();
}

/** Uploads a minute over as many whole windows as were filled, from the first upload of one to the first of another. */
function sustained(timesMs: readonly number[]): number {
  const windows = Math.floor((timesMs.length - 1) / LIMIT);
  const first = timesMs[0] ?? nowMs();
  const last = timesMs[windows * LIMIT] ?? nowMs();
  return (windows * LIMIT * WINDOW_MS) / (last - first);
}

function mostInWindow(timesMs: readonly number[]): number {
  let most = 0;
  let from = 0;
  for (const [index, timeMs] of timesMs.entries()) {
    while ((timesMs[from] ?? timeMs) <= timeMs - WINDOW_MS) from += 1;
    most = Math.max(most, index - from + 1);
  }
  return most;
}
