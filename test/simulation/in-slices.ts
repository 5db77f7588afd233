import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** What is counted of lives; `lives` and `failed` always. */
export type Tally = Record<'lives' | 'failed', number> & Record<string, number>;

export interface Slices {
  readonly from: number;
  readonly seeds: number;
  /** Lives that were killed leave promises behind that never settle; a new process now and then forgets them. */
  readonly livesInASlice: number;
  readonly keepGoing: boolean;
  /** The program that plays a slice when it is told `--slice --from N --seeds N`, and prints its tally as JSON. */
  readonly program: string;
  readonly options: readonly string[];
}

/** Plays lives in processes of a slice each, on all cores, until the first that fails or to the end. */
export async function inSlices<T extends Tally>(slices: Slices, nothing: T): Promise<T> {
  const { from: first, seeds, livesInASlice } = slices;
  const total: Tally = { ...nothing };
  let next = first;
  const player = async (): Promise<void> => {
    while (next < first + seeds && (total.failed === 0 || slices.keepGoing)) {
      const from = next;
      next = Math.min(first + seeds, from + livesInASlice);
      const tally = await spawnSlice(slices, from, next - from);
      for (const key of Object.keys(total)) total[key] = (total[key] ?? 0) + (tally[key] ?? 0);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, player));
  return total as T;
}

async function spawnSlice(
  { program, options, keepGoing }: Slices,
  from: number,
  seeds: number,
): Promise<Tally> {
  const slice = ['--slice', '--from', String(from), '--seeds', String(seeds), ...options];
  const child = spawn(process.execPath, [program, ...slice, ...(keepGoing ? ['--keep-going'] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the lives from seed ${from} on ended with ${code}`);
  return JSON.parse(output) as Tally;
}
