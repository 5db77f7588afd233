import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { runMeasured } from './support/measured-process.ts';
import { runVerb, UNLIMITED } from './support/program.ts';
import { curlUploads, sdkUploads } from './support/rivals.ts';
import { startSink } from './support/sink.ts';
import { median, medianRatio } from './support/statistics.ts';
import { forgetMirror } from './support/mirrored-tree.ts';
import { writeSmallFiles } from './support/workshop.ts';

const COUNT = 3_000;
const SIZE_BYTES = 1_000;

export const smallFiles: Bench = {
  name: 'small-files',
  about: `${COUNT} files of ${SIZE_BYTES} bytes, from start to exit, hashed and remembered durably, against bare upload loops`,
  runsByDefault: true,
  async run({ workshop, rounds }) {
    await using sink = await startSink();
    const tree = await workshop.shared(`small-${COUNT}`, (root) =>
      writeSmallFiles(join(root, 'user_data'), COUNT, SIZE_BYTES),
    );
    const files = join(tree, 'user_data');
    const wallMs: Record<'ours' | 'sdk' | 'curl', number[]> = { ours: [], sdk: [], curl: [] };
    const peak: { ours: number[]; sdk: number[] } = { ours: [], sdk: [] };
    const cpuMs: { ours: number[]; sdk: number[] } = { ours: [], sdk: [] };
    // Round 0 warms caches up and does not count.
    for (let round = 0; round <= rounds; round++) {
      const ours = await runVerb(['sync', '--log-level', 'warn'], await freshHome(tree, sink.url));
      if ((await sink.takeArrivals()).length !== COUNT) throw new Error('not every file was uploaded once');
      const sdk = await runMeasured(sdkUploads(sink.url, files));
      const curl = await runMeasured(await curlUploads(sink.url, files, await workshop.scratch()));
      await sink.takeArrivals();
      if (round === 0) continue;
      wallMs.ours.push(ours.wallMs);
      wallMs.sdk.push(sdk.wallMs);
      wallMs.curl.push(curl.wallMs);
      cpuMs.ours.push(ours.cpuMs);
      cpuMs.sdk.push(sdk.cpuMs);
      peak.ours.push(ours.peakRssBytes);
      peak.sdk.push(sdk.peakRssBytes);
    }
    return {
      rows: [
        { what: 'files-mirror sync', unit: 'ms', values: wallMs.ours },
        { what: 'official SDK, 8 in parallel', unit: 'ms', values: wallMs.sdk },
        { what: 'curl, one process, 8 in parallel', unit: 'ms', values: wallMs.curl },
        { what: 'files-mirror, per file', unit: 'ms', values: [median(wallMs.ours) / COUNT] },
        { what: 'files-mirror, processor time', unit: 'ms', values: cpuMs.ours },
        { what: 'official SDK, processor time', unit: 'ms', values: cpuMs.sdk },
        { what: 'files-mirror, peak resident', unit: 'bytes', values: peak.ours },
        { what: 'official SDK, peak resident', unit: 'bytes', values: peak.sdk },
      ],
      verdicts: [
        { target: 'wall time against the SDK', measured: medianRatio(wallMs.ours, wallMs.sdk), atMost: 0.5 },
      ],
    };

    /** The same files, seen for the first time: a state folder of its own, and no marker from the round before. */
    async function freshHome(root: string, baseUrl: string) {
      await forgetMirror(root);
      return { root, stateDir: join(await workshop.scratch(), 'state'), baseUrl, settings: UNLIMITED };
    }
  },
};
