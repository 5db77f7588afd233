import { fileURLToPath } from 'node:url';
import type { Bench } from './support/bench.ts';
import type { CheckCosts, Pass } from './support/check-batch-process.ts';
import { runMeasured } from './support/measured-process.ts';
import { median, medianRatio } from './support/statistics.ts';

const program = fileURLToPath(new URL('support/check-batch-process.ts', import.meta.url));

export const checkBatch: Bench = {
  name: 'check-batch',
  about:
    'a valid batch file of 200 MB, checked while it is read and hashed, against reading and hashing alone',
  runsByDefault: true,
  async run({ workshop, rounds }) {
    const done = await runMeasured({
      file: process.execPath,
      args: [program, await workshop.scratch(), String(rounds)],
    });
    const { wallMs, cpuMs, longestBlockMs, peakRssBytes } = JSON.parse(done.stdout) as CheckCosts;
    const time = (what: string, pass: Pass) => ({ what, unit: 'ms' as const, values: wallMs[pass] });
    return {
      rows: [
        time('read and hashed, a plain loop', 'bare'),
        time('read and hashed as the mirror does it', 'hashed'),
        time('checked as well', 'checked'),
        { what: 'processor time of the plain loop', unit: 'ms', values: cpuMs.bare },
        { what: 'processor time, checked', unit: 'ms', values: cpuMs.checked },
        { what: 'longest wait of the loop', unit: 'ms', values: longestBlockMs },
        { what: 'peak resident', unit: 'bytes', values: [peakRssBytes] },
      ],
      verdicts: [
        {
          target: 'wall time against reading and hashing',
          measured: medianRatio(wallMs.checked, wallMs.bare),
          atMost: 2.5,
        },
        { target: 'longest wait of the loop, ms', measured: median(longestBlockMs), atMost: 50 },
        { target: 'peak resident, MB', measured: peakRssBytes / 1e6, atMost: 200 },
      ],
    };
  },
};
