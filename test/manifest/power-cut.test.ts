import { describe, expect, test } from 'vitest';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import type { ManifestStore } from '../../src/manifest/manifest-store.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { Change } from '../../src/contract/types.ts';
import { ManualClock } from './manual-clock.ts';
import { changeNumber, contentAfter, contentOf, seededRandom } from './samples.ts';
import { SimulatedDisk } from './simulated-disk.ts';

interface Life {
  readonly submitted: Change[];
  acknowledged: number;
}

function open(files: SimulatedDisk): Promise<ManifestStore> {
  return openManifest({ stateDir: '/state', files, clock: new ManualClock(), onWarning: () => {} });
}

/** Lets `operations` go through, and cuts the power in the next one. Returns how many were asked for. */
function cutPowerAfter(disk: SimulatedDisk, operations: number, random: () => number): () => number {
  let asked = 0;
  disk.fate = () => {
    asked += 1;
    if (asked <= operations) return 'done';
    return asked === operations + 1 && random() < 0.5 ? 'torn' : 'failed';
  };
  return () => asked;
}

async function commit(store: ManifestStore, life: Life, random: () => number): Promise<void> {
  const change = changeNumber(life.submitted.length, random);
  life.submitted.push(change);
  await store.commit(change);
  life.acknowledged += 1;
}

/** Two runs of a program: commits alone and in groups, snapshots between and during them, a restart. */
async function live(disk: SimulatedDisk, life: Life, random: () => number): Promise<void> {
  for (let run = 0; run < 2; run += 1) {
    const store = await open(disk);
    await commit(store, life, random);
    await Promise.all([0, 1, 2].map(() => commit(store, life, random)));
    const snapshot = store.snapshotNow();
    snapshot.catch(() => {}); // Awaited below; commits go on meanwhile, and may fail first.
    for (let i = 0; i < 4; i += 1) await Promise.all([0, 1].map(() => commit(store, life, random)));
    await snapshot;
    await commit(store, life, random);
    await store.close();
  }
}

async function liveUntilCut(operations: number, seed: number): Promise<{ disk: SimulatedDisk; life: Life }> {
  const random = seededRandom(seed);
  const disk = new SimulatedDisk();
  cutPowerAfter(disk, operations, random);
  const life: Life = { submitted: [], acknowledged: 0 };
  await live(disk, life, random).catch(() => {}); // A cut while closing is no error: the journal has it all.
  return { disk: disk.afterPowerCut(random), life };
}

function expectNothingLost(store: ManifestStore, life: Life): void {
  expect(store.seq).toBeGreaterThanOrEqual(life.acknowledged);
  expect(store.seq).toBeLessThanOrEqual(life.submitted.length);
  expect(contentOf(store)).toEqual(contentAfter(life.submitted.slice(0, store.seq)));
  expect(store.isNew && store.seq > 0).toBe(false);
}

const whole = new SimulatedDisk();
const countAsked = cutPowerAfter(whole, Number.POSITIVE_INFINITY, Math.random);
await live(whole, { submitted: [], acknowledged: 0 }, seededRandom(0));
const operationsOfALife = countAsked();

describe('a power cut', () => {
  test.for([1, 2, 3, 4, 5, 6])('at any operation loses no acknowledged change (seed %i)', async (seed) => {
    expect(operationsOfALife).toBeGreaterThan(80);
    for (let operations = 0; operations < operationsOfALife; operations += 1) {
      const { disk, life } = await liveUntilCut(operations, seed * 1_000 + operations);
      const store = await open(disk);
      expectNothingLost(store, life);

      const survived = life.submitted.slice(0, store.seq);
      const change = changeNumber(999, seededRandom(seed));
      await store.commit(change);
      const again = await readManifest('/state', disk.afterPowerCut(seededRandom(seed)));
      expect(again === null ? null : contentOf(again)).toEqual(contentAfter([...survived, change]));
    }
  });

  test('during the recovery from a power cut loses nothing either', async () => {
    let cutAgain = 0;
    for (let operations = 0; operations < operationsOfALife; operations += 1) {
      const { disk, life } = await liveUntilCut(operations, operations);
      for (let recovered = 0; recovered < 4; recovered += 1) {
        const random = seededRandom(operations * 10 + recovered);
        const twice = disk.afterPowerCut(random);
        cutPowerAfter(twice, recovered, random);
        const store = await open(twice).catch(() => null);
        if (store === null) cutAgain += 1;
        const survivor = await open(twice.afterPowerCut(random));
        expectNothingLost(survivor, life);
      }
    }
    expect(cutAgain).toBeGreaterThan(10);
  });
});
