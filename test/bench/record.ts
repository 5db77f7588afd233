import { fileURLToPath } from 'node:url';
import { cp } from 'node:fs/promises';
import type { Bench } from './support/bench.ts';
import type { CommitTimes } from './support/commit-subject.ts';
import { runMeasured } from './support/measured-process.ts';
import { mirroredTree } from './support/mirrored-tree.ts';
import { median, medianRatio } from './support/statistics.ts';
import type { Workshop } from './support/workshop.ts';

const COMMITS = 300;

export const record: Bench = {
  name: 'record',
  about:
    'recording one change durably with 1,000,000 entries, against 1,000; and how long a snapshot blocks the loop',
  runsByDefault: true,
  async run({ workshop, rounds, progress }) {
    progress('a manifest of 1,000,000 entries');
    const small: number[] = [];
    const large: number[] = [];
    const snapshotMs: number[] = [];
    const blockMs: number[] = [];
    for (let round = 0; round < Math.min(rounds, 5); round++) {
      const times = await measure(await copyOfState(workshop, 1_000), await copyOfState(workshop, 1_000_000));
      small.push(median(times.smallMs));
      large.push(median(times.largeMs));
      snapshotMs.push(times.snapshotMs);
      blockMs.push(times.longestBlockMs);
    }
    return {
      rows: [
        { what: 'one change, 1,000 entries', unit: 'ms', values: small },
        { what: 'one change, 1,000,000 entries', unit: 'ms', values: large },
        { what: 'snapshot of 1,000,000 entries', unit: 'ms', values: snapshotMs },
        { what: 'longest block of the loop meanwhile', unit: 'ms', values: blockMs },
      ],
      verdicts: [
        { target: 'time against 1,000 entries', measured: medianRatio(large, small), atMost: 1.2 },
        { target: 'longest block while a snapshot is written, ms', measured: median(blockMs), atMost: 50 },
      ],
    };
  },
};

async function measure(smallDir: string, largeDir: string): Promise<CommitTimes> {
  const program = fileURLToPath(new URL('support/commit-subject.ts', import.meta.url));
  const done = await runMeasured({
    file: process.execPath,
    args: [program, smallDir, largeDir, String(COMMITS)],
  });
  return JSON.parse(done.stdout) as CommitTimes;
}

/** The shared trees' manifests must stay as they are. */
async function copyOfState(workshop: Workshop, count: number): Promise<string> {
  const { stateDir } = await mirroredTree(workshop, count);
  const copy = await workshop.scratch();
  await cp(stateDir, copy, { recursive: true });
  return copy;
}
