import { DEFAULT_BATCH_SETTINGS } from '../../../src/contract/batch-settings.ts';
import type { BatchSettings } from '../../../src/contract/batch-settings.ts';
import type { SimRandom } from '../sim/sim-random.ts';

/** What one life of batches is made of. Probabilities are of single calls. */
export interface BatchProfile {
  readonly settings: BatchSettings;
  readonly lastsMs: number;
  readonly drops: number;
  /** The server. */
  readonly dropsMetadata: boolean;
  readonly isUnordered: boolean;
  readonly pageSize: number;
  readonly tellsTime: boolean;
  /** Until a new batch is in the list. */
  readonly listLagMs: number;
  /** Until an upload can be found. */
  readonly inputLagMs: number;
  readonly outputLagMs: number;
  readonly windowMs: number;
  /** Requests that a model's queue holds. */
  readonly queueRequests: number;
  readonly othersPerHour: number;
  readonly liesInCounts: boolean;
  /** The network. */
  readonly lostBefore: number;
  readonly lostAfter: number;
  /** The server stores it when we have given up already. */
  readonly storedLate: number;
  readonly storedLateMs: number;
  readonly refused: number;
  readonly failedReads: number;
  readonly crashes: number;
  readonly jumps: number;
  readonly fullDisks: number;
  readonly switches: boolean;
  readonly personPerHour: number;
  readonly goneResults: number;
}

export function chaosProfile(random: SimRandom): BatchProfile {
  const lookSeconds = random.pick([60, 300, 600]);
  const isBad = random.chance(0.15);
  const chance = (probability: number, value: number): number => (random.chance(probability) ? value : 0);
  return {
    settings: settingsOf(random, lookSeconds),
    lastsMs: random.int(1, 8) * 3_600_000,
    drops: random.int(1, 9),
    dropsMetadata: random.chance(0.25),
    isUnordered: random.chance(0.2),
    pageSize: random.pick([3, 10, 100]),
    tellsTime: random.chance(0.8),
    listLagMs: chance(0.6, random.int(0, lookSeconds * (isBad ? 4_000 : 900))),
    inputLagMs: chance(0.5, random.int(0, lookSeconds * 500)),
    outputLagMs: chance(0.5, random.int(0, Math.min(60, lookSeconds / 2) * 1_000)),
    windowMs: random.pick([1, 3, 24]) * 3_600_000,
    queueRequests: random.pick([12, 40, 10_000]),
    othersPerHour: random.pick([0, 2, 20]),
    liesInCounts: random.chance(0.3),
    lostBefore: chance(0.5, random.next() * 0.3),
    lostAfter: chance(0.7, random.next() * 0.5),
    storedLate: chance(isBad ? 1 : 0, random.next() * 0.3),
    storedLateMs: random.int(1, 3_000_000),
    refused: chance(0.5, random.next() * 0.3),
    failedReads: chance(0.6, random.next() * 0.4),
    crashes: random.pick([0, 1, 3, 8]),
    jumps: random.chance(0.3) ? random.int(1, 3) : 0,
    fullDisks: chance(0.2, 2),
    switches: random.chance(0.2),
    personPerHour: random.pick([0, 1, 4]),
    goneResults: chance(0.2, 0.1),
  };
}

function settingsOf(random: SimRandom, lookSeconds: number): BatchSettings {
  const limit = (probability: number, value: number): number | null =>
    random.chance(probability) ? value : null;
  return {
    ...DEFAULT_BATCH_SETTINGS,
    submitFolders: new Set(['batch']),
    maxOpen: random.pick([1, 2, 5, 50]),
    perHour: random.pick([1, 3, 1_900]),
    maxAtOnce: random.pick([2, 5, 20]),
    maxPerDay: { jobs: limit(0.2, 4), requests: limit(0.2, 20), inputTokens: limit(0.1, 3_000) },
    pollSeconds: limit(0.1, 30),
    lookSeconds,
    retries: random.int(0, 2),
    onRemove: random.pick(['finish', 'cancel']),
    onChange: random.pick(['finish', 'cancel']),
    cleanUp: random.pick(['none', 'results', 'all']),
    metadata: random.chance(0.3) ? { team: 'a' } : {},
  };
}
