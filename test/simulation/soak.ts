import { parseArgs } from 'node:util';
import { renderLife } from '../support/sim/sim-life.ts';
import { runLife } from '../support/sim/sim-world.ts';
import { calmProfile, chaosProfile } from '../support/sim/sim-profile.ts';
import { startMirror } from './engine.ts';

/** `npm run soak -- --seeds 20000 --from 1`: plays that many lives and stops at the first that fails. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    profile: { type: 'string', default: 'chaos' },
    lines: { type: 'string', default: '150' },
    keepGoing: { type: 'boolean', default: false },
  },
});
const profile = values.profile === 'calm' ? calmProfile : chaosProfile;
const from = Number(values.from);
const count = Number(values.seeds);
const startedMs = performance.now();
let uploads = 0;
let incarnations = 0;
let virtualMs = 0;
const failed: number[] = [];
for (let seed = from; seed < from + count; seed += 1) {
  const result = await runLife(seed, startMirror, profile);
  uploads += result.stats.uploads;
  incarnations += result.stats.incarnations;
  virtualMs += result.stats.virtualMs;
  if (result.violations.length === 0) continue;
  failed.push(seed);
  if (values.keepGoing) {
    console.log(`seed ${seed}: ${result.violations.join(' | ').slice(0, 400)}`);
    continue;
  }
  console.log(renderLife(result, Number(values.lines)));
  break;
}
const seconds = (performance.now() - startedMs) / 1000;
console.log(
  `${count} lives from seed ${from} (${values.profile}): ${failed.length} failed; ${incarnations} incarnations, ${uploads} uploads, ${(virtualMs / 86_400_000).toFixed(1)} simulated days, ${seconds.toFixed(1)} s`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
