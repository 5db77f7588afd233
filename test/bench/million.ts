/** What keeps the loop of a daemon over a million files from everything else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
import { untilQuiet } from './support/measured-process.ts';
import { mirroredTree, remembered } from './support/mirrored-tree.ts';
import type { LongestTurn } from './support/probed-process.ts';
import { Daemon, runVerb, UNLIMITED } from './support/program.ts';
import { startSink } from './support/sink.ts';

const MILLION = 1_000_000;
const FOLDERS = 50;
/** Expiries are looked for each half minute. */
const SWEEP_MS = 65_000;
/** So many files expire one a second, from a minute after the start on. */
const EXPIRING = 600;
const MONTH_SECONDS = 30 * 86_400;
const LIMIT_MS = 50;

export const million: Bench = {
  name: 'million',
  about: '1,000,000 files under run: the longest turn of the loop, by the processor time of its thread',
  runsByDefault: false,
  async run({ workshop, files, progress }) {
    progress('a million files; making them takes minutes');
    await using sink = await startSink();
    const nowSeconds = Math.floor(Date.now() / 1000);
    const tree = await remembered(workshop, await mirroredTree(workshop, files ?? MILLION), {
      expiresAt: (n) => nowSeconds + (n < EXPIRING ? 60 + n : MONTH_SECONDS),
    });
    const folder = join(tree.root, 'user_data');
    const settings = { ...UNLIMITED, watch: { settleSeconds: 0 }, verifyHours: 0 };
    const home = { ...tree, baseUrl: sink.url, settings };
    const made = Array.from({ length: FOLDERS }, (_, n) => join(folder, `made-${n}`));
    const dropped = join(folder, 'dropped.txt');
    const daemon = await Daemon.startProbed(home);
    const turns = new Map<string, LongestTurn>();
    const during = async (what: string, happens: () => Promise<unknown>): Promise<void> => {
      progress(what);
      await happens();
      await untilQuiet(daemon.pid);
      turns.set(what, await daemon.longestTurn());
    };
    try {
      await during('the start', () => daemon.take('scanned'));
      await during('expiry sweeps', () => sleep(SWEEP_MS));
      await during('50 mkdir', async () => {
        for (const path of made) await mkdir(path);
      });
      await during('one dropped file', async () => {
        await writeFile(dropped, 'dropped');
        while ((await sink.takeArrivals()).length === 0) await sleep(100);
      });
      await during('flush', () => runVerb(['flush'], home));
    } finally {
      await daemon.stop();
      for (const path of [...made, dropped]) await rm(path, { recursive: true, force: true });
    }
    const judged = [...turns].filter(([what]) => what !== 'the start');
    return {
      rows: [...turns].flatMap(([what, { cpuMs, wallMs }]) => [
        { what: `${what}, longest turn`, unit: 'ms', values: [cpuMs] },
        { what: `${what}, others' processor time included`, unit: 'ms', values: [wallMs] },
      ]),
      verdicts: judged.map(([what, { cpuMs }]) => ({
        target: `longest turn during ${what}, ms`,
        measured: cpuMs,
        atMost: LIMIT_MS,
      })),
    };
  },
};
