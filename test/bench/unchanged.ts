import { cp } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { type FinishedProcess, runMeasured } from './support/measured-process.ts';
import { type MirroredTree, mirroredTree } from './support/mirrored-tree.ts';
import { runVerb } from './support/program.ts';
import { findTree, rcloneSync } from './support/rivals.ts';
import { median, medianRatio } from './support/statistics.ts';

const HUNDRED_THOUSAND = 100_000;
const MILLION = 1_000_000;
/** Nothing listens there: who has nothing to send must not need it. */
const NO_API = 'http://127.0.0.1:9/v1';

export const unchangedFiles: Bench = {
  name: 'unchanged',
  about:
    'sync of 100,000 unchanged files, the whole process, against rclone to an equal local copy, and find',
  runsByDefault: true,
  async run({ workshop, rounds, progress }) {
    progress('100,000 files and their copy');
    const tree = await mirroredTree(workshop, HUNDRED_THOUSAND);
    const files = join(tree.root, 'user_data');
    const copy = await workshop.shared('copy-100000', (to) =>
      cp(files, to, { recursive: true, preserveTimestamps: true }),
    );
    const runs: Record<'ours' | 'rclone' | 'find', FinishedProcess[]> = { ours: [], rclone: [], find: [] };
    for (let round = 0; round <= rounds; round++) {
      const ours = await syncUnchanged(tree);
      const rclone = existsSync('/usr/bin/rclone') ? await runMeasured(rcloneSync(files, copy)) : null;
      const find = await runMeasured(findTree(files));
      if (round === 0) continue;
      runs.ours.push(ours);
      if (rclone !== null) runs.rclone.push(rclone);
      runs.find.push(find);
    }
    const wall = (who: keyof typeof runs): number[] => runs[who].map(({ wallMs }) => wallMs);
    const peak = runs.ours.map(({ peakRssBytes }) => peakRssBytes);
    return {
      rows: [
        { what: 'files-mirror sync', unit: 'ms', values: wall('ours') },
        { what: 'rclone sync (local to local)', unit: 'ms', values: wall('rclone') },
        { what: 'find -type f -newermt', unit: 'ms', values: wall('find') },
        { what: 'files-mirror, processor time', unit: 'ms', values: runs.ours.map(({ cpuMs }) => cpuMs) },
        { what: 'rclone, processor time', unit: 'ms', values: runs.rclone.map(({ cpuMs }) => cpuMs) },
        { what: 'files-mirror, peak resident', unit: 'bytes', values: peak },
        {
          what: 'rclone, peak resident',
          unit: 'bytes',
          values: runs.rclone.map(({ peakRssBytes }) => peakRssBytes),
        },
      ],
      verdicts: [
        {
          target: 'wall time against rclone',
          measured: medianRatio(wall('ours'), wall('rclone')),
          atMost: 1,
        },
        { target: 'peak resident, MB', measured: median(peak) / 1e6, atMost: 200 },
      ],
    };
  },
};

export const millionUnchanged: Bench = {
  name: 'unchanged-million',
  about: 'sync of 1,000,000 unchanged files, against 100,000',
  runsByDefault: true,
  async run({ workshop, rounds, progress }) {
    progress('1,000,000 files; making them takes minutes');
    const small = await mirroredTree(workshop, HUNDRED_THOUSAND);
    const large = await mirroredTree(workshop, MILLION);
    const wall: { small: number[]; large: number[] } = { small: [], large: [] };
    const peak: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const ofSmall = await syncUnchanged(small);
      const ofLarge = await syncUnchanged(large);
      if (round === 0) continue;
      wall.small.push(ofSmall.wallMs);
      wall.large.push(ofLarge.wallMs);
      peak.push(ofLarge.peakRssBytes);
    }
    return {
      rows: [
        { what: '100,000 files', unit: 'ms', values: wall.small },
        { what: '1,000,000 files', unit: 'ms', values: wall.large },
        { what: '1,000,000 files, peak resident', unit: 'bytes', values: peak },
      ],
      verdicts: [
        { target: 'wall time against 100,000', measured: medianRatio(wall.large, wall.small), atMost: 11 },
        { target: 'peak resident, MB', measured: median(peak) / 1e6, atMost: 900 },
      ],
    };
  },
};

/** Throws when there was anything to do. */
export async function syncUnchanged({ root, stateDir }: MirroredTree): Promise<FinishedProcess> {
  const done = await runVerb(['sync', '--log-level', 'warn'], { root, stateDir, baseUrl: NO_API });
  if (!done.stdout.includes('nothing to do')) throw new Error(`the tree was not unchanged: ${done.stdout}`);
  return done;
}
