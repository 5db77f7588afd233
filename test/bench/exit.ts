import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { mirroredTree } from './support/mirrored-tree.ts';
import { runVerb } from './support/program.ts';
import { startSink } from './support/sink.ts';
import { medianRatio } from './support/statistics.ts';

const MILLION = 1_000_000;

export const exit: Bench = {
  name: 'exit',
  about: 'sync of 1,000,000 files with one new one, to the exit, against the same without it',
  runsByDefault: true,
  async run({ workshop, rounds, files, progress }) {
    progress('a million files; making them takes minutes');
    await using sink = await startSink();
    const { root, stateDir } = await mirroredTree(workshop, files ?? MILLION);
    const copy = await workshop.scratch();
    await cp(stateDir, copy, { recursive: true });
    const home = { root, stateDir: copy, baseUrl: sink.url, settings: { watch: { settleSeconds: 0 } } };
    const wallMs: { unchanged: number[]; changed: number[] } = { unchanged: [], changed: [] };
    const added = join(root, 'user_data', 'one-more.txt');
    try {
      // Round 0 warms caches up and does not count.
      for (let round = 0; round <= rounds; round++) {
        const unchanged = await runVerb(['sync', '--log-level', 'warn'], home);
        // Another content each time: the state folder remembers the one before.
        await writeFile(added, `${round}`);
        const changed = await runVerb(['sync', '--log-level', 'warn'], home);
        if ((await sink.takeArrivals()).length !== 1) throw new Error('not one file was uploaded');
        if (round === 0) continue;
        wallMs.unchanged.push(unchanged.wallMs);
        wallMs.changed.push(changed.wallMs);
      }
    } finally {
      await rm(added, { force: true });
    }
    return {
      rows: [
        { what: 'nothing changed', unit: 'ms', values: wallMs.unchanged },
        { what: 'one file changed', unit: 'ms', values: wallMs.changed },
      ],
      verdicts: [
        {
          target: 'one change and exit against none',
          measured: medianRatio(wallMs.changed, wallMs.unchanged),
          atMost: 1.5,
        },
      ],
    };
  },
};
