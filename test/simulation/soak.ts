import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { calmProfile, chaosProfile } from '../support/sim/sim-profile.ts';
import { renderLife } from '../support/sim/sim-life.ts';
import { runLife } from '../support/sim/sim-world.ts';
import { startMirror } from './engine.ts';

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
/** Lives that were killed leave promises behind that never settle; a new process now and then forgets them. */
const LIVES_IN_A_SLICE = 250;

interface Tally {
  lives: number;
  failed: number;
  incarnations: number;
  uploads: number;
  virtualDays: number;
}

const nothing = (): Tally => ({ lives: 0, failed: 0, incarnations: 0, uploads: 0, virtualDays: 0 });

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

async function spawnSlice(from: number, count: number): Promise<Tally> {
  const keepGoing = values['keep-going'] ? ['--keep-going'] : [];
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(import.meta.url),
      '--slice',
      '--from',
      String(from),
      '--seeds',
      String(count),
      '--profile',
      values.profile,
      '--lines',
      values.lines,
      ...keepGoing,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
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
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${total.lives} lives from seed ${FROM} (${values.profile}): ${total.failed} failed; ${total.incarnations} incarnations, ${total.uploads} uploads, ${total.virtualDays.toFixed(1)} simulated days, ${seconds.toFixed(1)} s`,
  );
  process.exitCode = total.failed === 0 ? 0 : 1;
}

await (values.slice ? playSlice() : playAll());
