import { cp } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { type FinishedProcess, runMeasured } from './support/measured-process.ts';
import { type MirroredTree, mirroredTree } from './support/mirrored-tree.ts';
import { runVerb } from './support/program.ts';
import { findTree, rcloneSync } from './support/rivals.ts';
import { type Sink, startSink } from './support/sink.ts';
import { median, medianRatio } from './support/statistics.ts';

const HUNDRED_THOUSAND = 100_000;
const MILLION = 1_000_000;

export const unchangedFiles: Bench = {
  name: 'unchanged',
  about:
    'sync of 100,000 unchanged files, the whole process, against rclone to an equal local copy, and find',
  runsByDefault: true,
  async run({ workshop, rounds, progress }) {
    progress('100,000 files and their copy');
    await using sink = await startSink();
    const tree = await mirroredTree(workshop, HUNDRED_THOUSAND);
    const files = join(tree.root, 'user_data');
    const copy = await workshop.shared('copy-100000', (to) =>
      cp(files, to, { recursive: true, preserveTimestamps: true }),
    );
    const runs: Record<'ours' | 'rclone' | 'find', FinishedProcess[]> = { ours: [], rclone: [], find: [] };
    for (let round = 0; round <= rounds; round++) {
      const ours = await syncUnchanged(tree, sink);
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
          atMost: 0.9,
        },
        { target: 'peak resident, MB', measured: median(peak) / 1e6, atMost: 150 },
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
    await using sink = await startSink();
    const small = await mirroredTree(workshop, HUNDRED_THOUSAND);
    const large = await mirroredTree(workshop, MILLION);
    const wall: { small: number[]; large: number[] } = { small: [], large: [] };
    const peak: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const ofSmall = await syncUnchanged(small, sink);
      const ofLarge = await syncUnchanged(large, sink);
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

/** Throws when there was anything to do. The first one at this server asks it whether it knows the recorded ids. */
export async function syncUnchanged(
  { root, stateDir }: MirroredTree,
  { url }: Sink,
): Promise<FinishedProcess> {
  const done = await runVerb(['sync', '--log-level', 'warn'], { root, stateDir, baseUrl: url });
  if (!done.stdout.includes('nothing to do')) throw new Error(`the tree was not unchanged: ${done.stdout}`);
  return done;
}
