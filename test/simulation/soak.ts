import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { calmProfile, chaosProfile } from '../support/sim/sim-profile.ts';
import { renderLife } from '../support/sim/sim-life.ts';
import { runLife } from '../support/sim/sim-world.ts';
import { startMirror } from './engine.ts';
import { inSlices } from './in-slices.ts';

/**
 * `npm run soak -- --seeds 20000 --from 1`: plays that many lives, on all cores, and stops at the first that fails.
 * `--keep-going` plays on and names them all; `--lines N` shows the last N lines of a failed life's trace.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    profile: { type: 'string', default: 'chaos' },
    lines: { type: 'string', default: '150' },
    'keep-going': { type: 'boolean', default: false },
    /** Set for the processes that play a slice each. */
    slice: { type: 'boolean', default: false },
  },
});
const FROM = Number(values.from);
const COUNT = Number(values.seeds);

const nothing = () => ({ lives: 0, failed: 0, incarnations: 0, uploads: 0, virtualDays: 0 });

async function playSlice(): Promise<void> {
  const tally = nothing();
  const profile = values.profile === 'calm' ? calmProfile : chaosProfile;
  for (let seed = FROM; seed < FROM + COUNT; seed += 1) {
    const result = await runLife(seed, startMirror, profile);
    tally.lives += 1;
    tally.incarnations += result.stats.incarnations;
    tally.uploads += result.stats.uploads;
    tally.virtualDays += result.stats.virtualMs / 86_400_000;
    if (result.violations.length === 0) continue;
    tally.failed += 1;
    console.error(renderLife(result, Number(values.lines)));
    if (!values['keep-going']) break;
  }
  console.log(JSON.stringify(tally));
}

async function playAll(): Promise<void> {
  const startedMs = performance.now();
  const slices = {
    from: FROM,
    seeds: COUNT,
    livesInASlice: 250,
    keepGoing: values['keep-going'],
    program: fileURLToPath(import.meta.url),
    options: ['--profile', values.profile, '--lines', values.lines],
  };
  const total = await inSlices(slices, nothing());
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${total.lives} lives from seed ${FROM} (${values.profile}): ${total.failed} failed; ${total.incarnations} incarnations, ${total.uploads} uploads, ${total.virtualDays.toFixed(1)} simulated days, ${seconds.toFixed(1)} s`,
  );
  process.exitCode = total.failed === 0 ? 0 : 1;
}

await (values.slice ? playSlice() : playAll());
