import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runBatchLife } from '../support/batch-sim/batch-world.ts';

/**
 * `npm run soak:batches -- --seeds 10000 --from 1`: plays that many lives of batches, on all cores, and stops at the
 * first that fails. `--keep-going` plays on and names them all; `--lines N` shows the last N lines of its trace.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    lines: { type: 'string', default: '150' },
    'keep-going': { type: 'boolean', default: false },
    /** Set for the processes that play a slice each. */
    slice: { type: 'boolean', default: false },
  },
});
const FROM = Number(values.from);
const COUNT = Number(values.seeds);
/** Lives that were killed leave promises behind that never settle; a new process now and then forgets them. */
const LIVES_IN_A_SLICE = 100;

const nothing = () => ({ lives: 0, failed: 0, incarnations: 0, batches: 0, virtualDays: 0 });
type Tally = ReturnType<typeof nothing>;

async function playSlice(): Promise<void> {
  const tally = nothing();
  for (let seed = FROM; seed < FROM + COUNT; seed += 1) {
    const { violations, stats, trace } = await runBatchLife(seed);
    tally.lives += 1;
    tally.incarnations += stats.incarnations;
    tally.batches += stats.batches;
    tally.virtualDays += stats.virtualMs / 86_400_000;
    if (violations.length === 0) continue;
    tally.failed += 1;
    console.error(
      [
        `seed ${seed}`,
        ...violations.map((each) => `  - ${each}`),
        ...trace().slice(-Number(values.lines)),
      ].join('\n'),
    );
    if (!values['keep-going']) break;
  }
  console.log(JSON.stringify(tally));
}

async function spawnSlice(from: number, count: number): Promise<Tally> {
  const options = ['--slice', '--from', String(from), '--seeds', String(count), '--lines', values.lines];
  const keepGoing = values['keep-going'] ? ['--keep-going'] : [];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...options, ...keepGoing], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the lives from seed ${from} on ended with ${code}`);
  return JSON.parse(output) as Tally;
}

async function playAll(): Promise<void> {
  const startedMs = performance.now();
  const total = nothing();
  let next = FROM;
  const player = async (): Promise<void> => {
    while (next < FROM + COUNT && (total.failed === 0 || values['keep-going'])) {
      const from = next;
      next = Math.min(FROM + COUNT, from + LIVES_IN_A_SLICE);
      const tally = await spawnSlice(from, next - from);
      for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key];
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, player));
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(
    `${total.lives} lives from seed ${FROM}: ${total.failed} failed; ${total.incarnations} incarnations, ${total.batches} batches, ${total.virtualDays.toFixed(1)} simulated days, ${seconds.toFixed(1)} s`,
  );
  process.exitCode = total.failed === 0 ? 0 : 1;
}

await (values.slice ? playSlice() : playAll());
