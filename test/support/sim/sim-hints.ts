import type { Hint } from '../../../src/contract/ports.ts';
import type { SimDisk } from './sim-disk.ts';
import type { Incarnation } from './sim-process.ts';
import type { LifeKnobs } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimClock } from './sim-clock.ts';

export interface HintTools {
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly incarnation: Incarnation;
  readonly knobs: LifeKnobs;
  readonly random: SimRandom;
}

/**
 * Watches the disk as badly as real watchers do: hints come late, twice, in another order or not at all; a queue
 * that overflows loses many, and mostly, but not always, says so. Returns the function that ends it.
 */
export function watchDisk(tools: HintTools, listener: (hint: Hint) => void): () => void {
  const { clock, disk, incarnation, knobs, random } = tools;
  let overflowUntilMs = 0;
  let isWatching = true;
  const deliver = (hint: Hint): void => {
    const delayMs = random.chance(knobs.hintFaults) ? random.int(100, 5_000) : random.int(0, 20);
    clock.schedule(delayMs, () => isWatching && listener(hint), incarnation);
  };
  const onChange = (kind: 'path' | 'tree', path: string): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs < overflowUntilMs || path === '') return;
    if (random.chance(knobs.hintFaults * 0.05)) {
      overflowUntilMs = nowMs + random.int(1_000, 20_000);
      if (random.chance(0.6)) deliver({ kind: 'everything', why: 'the queue overflowed' });
      return;
    }
    if (random.chance(knobs.hintFaults * 0.5)) return;
    deliver({ kind, path });
    if (random.chance(knobs.hintFaults)) deliver({ kind, path });
  };
  disk.watchers.add(onChange);
  const end = (): void => {
    isWatching = false;
    disk.watchers.delete(onChange);
  };
  incarnation.onDeath(end);
  return end;
}
