import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, Row } from './support/bench.ts';
import { growthChart } from './support/growth-chart.ts';
import { runMeasured } from './support/measured-process.ts';
import { mirroredTree } from './support/mirrored-tree.ts';
import { findTree } from './support/rivals.ts';
import { startSink } from './support/sink.ts';
import { median } from './support/statistics.ts';
import { syncUnchanged } from './unchanged.ts';

const COUNTS = [1_000, 10_000, 100_000, 1_000_000] as const;
const chart = new URL('growth.svg', import.meta.url);

export const growth: Bench = {
  name: 'growth',
  about:
    'sync of 1 k to 1 M unchanged files: time and memory grow no faster than the number of files; draws growth.svg',
  runsByDefault: true,
  async run({ workshop, rounds, progress }) {
    await using sink = await startSink();
    const rows: Row[] = [];
    const points = [];
    for (const count of COUNTS) {
      progress(`${count.toLocaleString('en')} files`);
      const tree = await mirroredTree(workshop, count);
      const wallMs: number[] = [];
      const peak: number[] = [];
      const findMs: number[] = [];
      for (let round = 0; round <= rounds; round++) {
        const done = await syncUnchanged(tree, sink);
        const find = await runMeasured(findTree(join(tree.root, 'user_data')));
        if (round === 0) continue;
        wallMs.push(done.wallMs);
        peak.push(done.peakRssBytes);
        findMs.push(find.wallMs);
      }
      const label = `${count.toLocaleString('en')} files`;
      rows.push({ what: `${label}, sync`, unit: 'ms', values: wallMs });
      rows.push({ what: `${label}, find`, unit: 'ms', values: findMs });
      rows.push({ what: `${label}, peak resident`, unit: 'bytes', values: peak });
      points.push({ count, wallMs: median(wallMs), findMs: median(findMs), peakRssBytes: median(peak) });
    }
    await writeFile(chart, growthChart(points));
    const [first, , , last] = points;
    if (first === undefined || last === undefined) throw new TypeError('nothing was measured');
    const perThousand = (last.wallMs - first.wallMs) / ((last.count - first.count) / 1000);
    const memoryPerFile = (last.peakRssBytes - first.peakRssBytes) / (last.count - first.count);
    return {
      rows: [...rows, { what: 'time for each thousand files more', unit: 'ms', values: [perThousand] }],
      verdicts: [{ target: 'memory for each file more, bytes', measured: memoryPerFile, atMost: 1_000 }],
    };
  },
};
