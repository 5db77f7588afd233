/** What a short command costs, against a Node that does nothing. */
import type { Bench } from './support/bench.ts';
import { type Command, runMeasured, untilQuiet } from './support/measured-process.ts';
import { mirroredTree, remembered } from './support/mirrored-tree.ts';
import { Daemon, verbCommand } from './support/program.ts';
import { startSink } from './support/sink.ts';
import { medianRatio } from './support/statistics.ts';

/** `status` says with these exit codes that all is well, and that no daemon runs. */
const RUNNING = 0;
const NOT_RUNNING = 3;
const FILES = 1_000;

export const startUp: Bench = {
  name: 'startup',
  about: '--help, and status with and without a daemon, from start to exit, against node -e 0',
  runsByDefault: true,
  async run({ workshop, rounds }) {
    await using sink = await startSink();
    const tree = await mirroredTree(workshop, FILES);
    const home = { ...(await remembered(workshop, tree)), baseUrl: sink.url };
    const idle = { ...(await remembered(workshop, tree)), baseUrl: sink.url };
    const daemon = await Daemon.start(home);
    const commands = {
      node: { file: process.execPath, args: ['-e', '0'] },
      help: await verbCommand(['--help'], home),
      status: await verbCommand(['status'], home),
      idleStatus: await verbCommand(['status'], idle),
    } satisfies Record<string, Command>;
    const wallMs = { node: [], help: [], status: [], idleStatus: [] } as Record<
      keyof typeof commands,
      number[]
    >;
    try {
      await daemon.take('scanned');
      await untilQuiet(daemon.pid);
      // Short as they are, each is measured many times. The first round warms caches up and does not count.
      for (let round = 0; round <= rounds * 5; round++) {
        for (const name of Object.keys(commands) as (keyof typeof commands)[]) {
          const done = await runMeasured(commands[name], [RUNNING, NOT_RUNNING]);
          if (round > 0) wallMs[name].push(done.wallMs);
        }
      }
    } finally {
      await daemon.stop();
    }
    const against = (name: keyof typeof commands): number => medianRatio(wallMs[name], wallMs.node);
    return {
      rows: [
        { what: 'node -e 0', unit: 'ms', values: wallMs.node },
        { what: 'files-mirror --help', unit: 'ms', values: wallMs.help },
        { what: 'files-mirror status, of a daemon', unit: 'ms', values: wallMs.status },
        { what: 'files-mirror status, without one', unit: 'ms', values: wallMs.idleStatus },
      ],
      verdicts: [
        { target: '--help against node -e 0', measured: against('help'), atMost: 3 },
        { target: 'status against node -e 0', measured: against('status'), atMost: 5 },
        { target: 'status without a daemon against node -e 0', measured: against('idleStatus'), atMost: 5 },
      ],
    };
  },
};
