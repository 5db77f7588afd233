import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, BenchContext, Row, Verdict } from './support/bench.ts';
import { runMeasured } from './support/measured-process.ts';
import { forgetMirror } from './support/mirrored-tree.ts';
import { runVerb, UNLIMITED } from './support/program.ts';
import { curlUploads, sdkUploads } from './support/rivals.ts';
import { startSink } from './support/sink.ts';
import { medianRatio } from './support/statistics.ts';
import { startTarget } from './support/target.ts';
import { type Workshop, writeLargeFile } from './support/workshop.ts';

const SIZE_BYTES = 512_000_000;
const MANY = 8;

export const largeFile: Bench = {
  name: 'large-file',
  about:
    'one file of 512 MB, hashed on the way, from start to exit, against curl and sha256sum, started together',
  runsByDefault: true,
  async run(context) {
    const reports = [await sendLarge(context, 'emulator'), await sendLarge(context, 'sink')];
    return {
      rows: reports.flatMap(({ rows }) => rows),
      verdicts: reports.flatMap(({ verdicts }) => verdicts),
    };
  },
};

export const manyLargeFiles: Bench = {
  name: 'many-large-files',
  about: 'eight files of 512 MB at once: memory, against the official SDK with one',
  runsByDefault: true,
  async run({ workshop, rounds }) {
    await using sink = await startSink();
    const root = await largeTree(workshop, MANY);
    const one = join(await largeTree(workshop, 1), 'user_data');
    const ours: number[] = [];
    const sdk: number[] = [];
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      ours.push((await sync(workshop, root, sink.url)).peakRssBytes);
      sdk.push((await runMeasured(sdkUploads(sink.url, one))).peakRssBytes);
    }
    return {
      rows: [
        { what: 'files-mirror, eight files, peak resident', unit: 'bytes', values: ours },
        { what: 'official SDK, one file, peak resident', unit: 'bytes', values: sdk },
      ],
      verdicts: [{ target: 'peak resident, MB', measured: Math.max(...ours) / 1e6, atMost: 150 }],
    };
  },
};

async function sendLarge(
  { workshop, rounds }: BenchContext,
  program: 'sink' | 'emulator',
): Promise<{ readonly rows: readonly Row[]; readonly verdicts: readonly Verdict[] }> {
  await using target = await startTarget(program);
  const root = await largeTree(workshop, 1);
  const files = join(root, 'user_data');
  const wallMs: { ours: number[]; rivals: number[]; curl: number[] } = { ours: [], rivals: [], curl: [] };
  const peaks: number[] = [];
  // Round 0 warms caches up and does not count.
  for (let round = 0; round <= rounds; round++) {
    const ours = await sync(workshop, root, target.url);
    const startedMs = performance.now();
    const [curl] = await Promise.all([
      runMeasured(await curlUploads(target.url, files, await workshop.scratch())),
      runMeasured({ file: 'sha256sum', args: [join(files, 'large-0.bin')] }),
    ]);
    const rivalsMs = performance.now() - startedMs;
    if (round === 0) continue;
    peaks.push(ours.peakRssBytes);
    wallMs.ours.push(ours.wallMs);
    wallMs.rivals.push(rivalsMs);
    wallMs.curl.push(curl.wallMs);
  }
  return {
    rows: [
      { what: `files-mirror sync, to the ${program}`, unit: 'ms', values: wallMs.ours },
      { what: `curl and sha256sum, to the ${program}`, unit: 'ms', values: wallMs.rivals },
      { what: 'curl of these', unit: 'ms', values: wallMs.curl },
      { what: 'files-mirror, peak resident', unit: 'bytes', values: peaks },
    ],
    verdicts: [
      {
        target: `wall time against curl and sha256sum, to the ${program}`,
        measured: medianRatio(wallMs.ours, wallMs.rivals),
        atMost: 1.15,
      },
      { target: 'peak resident of one upload, MB', measured: Math.max(...peaks) / 1e6, atMost: 150 },
    ],
  };
}

function largeTree(workshop: Workshop, count: number): Promise<string> {
  return workshop.shared(`large-${count}`, async (root) => {
    const folder = join(root, 'user_data');
    await mkdir(folder);
    for (let n = 0; n < count; n++) await writeLargeFile(join(folder, `large-${n}.bin`), SIZE_BYTES);
  });
}

async function sync(workshop: Workshop, root: string, baseUrl: string) {
  await forgetMirror(root);
  const stateDir = await workshop.scratch();
  // Of the places at most half are for large files; all eight shall be on their way at the same time.
  const settings = { limits: { ...UNLIMITED.limits, concurrentUploads: 2 * MANY } };
  const done = await runVerb(['sync'], { root, stateDir, baseUrl, settings });
  await rm(stateDir, { recursive: true });
  return done;
}
