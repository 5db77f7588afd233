import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runBatchLife } from '../support/batch-sim/batch-world.ts';
import { inSlices } from './in-slices.ts';

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

const nothing = () => ({ lives: 0, failed: 0, incarnations: 0, batches: 0, virtualDays: 0 });

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

async function playAll(): Promise<void> {
  const startedMs = performance.now();
  const slices = {
    from: FROM,
    seeds: COUNT,
    livesInASlice: 100,
    keepGoing: values['keep-going'],
    program: fileURLToPath(import.meta.url),
    options: ['--lines', values.lines],
  };
  const total = await inSlices(slices, nothing());
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(
    `${total.lives} lives from seed ${FROM}: ${total.failed} failed; ${total.incarnations} incarnations, ${total.batches} batches, ${total.virtualDays.toFixed(1)} simulated days, ${seconds.toFixed(1)} s`,
  );
  process.exitCode = total.failed === 0 ? 0 : 1;
}

await (values.slice ? playSlice() : playAll());
