import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { runMeasured } from './support/measured-process.ts';
import { runVerb, UNLIMITED } from './support/program.ts';
import { curlUploads, sdkUploads } from './support/rivals.ts';
import { type Arrival, startSink } from './support/sink.ts';
import { medianRatio } from './support/statistics.ts';
import { type Workshop, writeLargeFile } from './support/workshop.ts';
import { forgetMirror } from './support/mirrored-tree.ts';

const SIZE_BYTES = 512_000_000;
const MANY = 8;

export const largeFile: Bench = {
  name: 'large-file',
  about: 'one file of 512 MB, hashed on the way, against curl; throughput as the server sees it',
  runsByDefault: true,
  async run({ workshop, rounds }) {
    await using sink = await startSink();
    const root = await largeTree(workshop, 1);
    const files = join(root, 'user_data');
    const speed: { ours: number[]; curl: number[] } = { ours: [], curl: [] };
    for (let round = 0; round <= rounds; round++) {
      await sync(workshop, root, sink.url);
      const [ours] = await sink.takeArrivals();
      await runMeasured(await curlUploads(sink.url, files, await workshop.scratch()));
      const [curl] = await sink.takeArrivals();
      if (round === 0) continue;
      speed.ours.push(bytesPerSecond(ours));
      speed.curl.push(bytesPerSecond(curl));
    }
    return {
      rows: [
        { what: 'files-mirror sync', unit: 'bytes/s', values: speed.ours },
        { what: 'curl', unit: 'bytes/s', values: speed.curl },
      ],
      verdicts: [
        { target: 'throughput against curl', measured: medianRatio(speed.ours, speed.curl), atLeast: 0.7 },
      ],
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
  // The eight may all be on their way at the same time.
  const settings = { ...UNLIMITED, limits: { ...UNLIMITED.limits, concurrentUploads: 2 * MANY } };
  const done = await runVerb(['sync', '--log-level', 'warn'], { root, stateDir, baseUrl, settings });
  await rm(stateDir, { recursive: true });
  return done;
}

function bytesPerSecond(arrival: Arrival | undefined): number {
  if (arrival?.bytes !== SIZE_BYTES) throw new Error('the file did not arrive as a whole');
  return arrival.bytes / ((arrival.endMs - arrival.atMs) / 1000);
}
