import { describe, expect, test } from 'vitest';
import type { FolderRules, MirrorPath } from '../../src/mirror/types.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const DROPS: FolderRules = {
  folder: 'batch',
  purpose: 'batch',
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 86_400,
  check: 'basic',
  priority: 0,
  deletes: 'mirror',
  maxBytes: 1_000_000,
};
const NOTES: FolderRules = { ...DROPS, folder: 'user_data', purpose: 'user_data' };

const SETTINGS: SimSettings = {
  folders: [DROPS, NOTES],
  uploadsPerMinute: 900,
  concurrentUploads: 8,
  concurrentDeletes: 4,
  graceMs: 10_000,
  maxDeleteFraction: 1,
  minDeleteCount: 1_000,
  rescanMs: 600_000,
  verifyMs: 0,
  listHorizonMs: 10_000,
};

const drops: readonly MirrorPath[] = Array.from({ length: 40 }, (_, index) => `batch/${index}.jsonl`);
const note = 'user_data/note.txt';

/** A world at rest in which all files are mirrored. */
async function atRest(): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 7,
    settings: SETTINGS,
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400 * 30,
    expiringPurposes: [],
    skewMs: 0,
  });
  for (const { folder } of SETTINGS.folders) world.disk.mkdir(folder);
  for (const [index, path] of [...drops, note].entries()) world.disk.write(path, contentOf(index, 200));
  world.start();
  await world.pass(30_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

const idOf = (world: LongWorld<MirrorEngine>, path: MirrorPath): string | undefined =>
  world.manifest.files.get(path)?.id;

describe('deletes that something comes between', () => {
  test('a folder that becomes one that keeps remote files takes its waiting deletes back, and holds up no others', async () => {
    const world = await atRest();
    const { mirror } = world.engine;
    mirror.pause();
    for (const path of drops) world.disk.remove(path);
    await world.pass(15_000, 0);
    expect(mirror.status().waitingDeletes).toBe(drops.length);
    world.engine.reconfigure({ ...SETTINGS, folders: [{ ...DROPS, deletes: 'keep' }, NOTES] });
    mirror.resume();
    await world.pass(15_000, 0);
    expect(mirror.status()).toMatchObject({ waitingDeletes: 0, counts: { kept: drops.length, deleting: 0 } });
    world.disk.remove(note);
    await world.pass(30_000, 0);
    expect(world.manifest.files.has(note)).toBe(false);
    expect(world.manifest.files.size).toBe(drops.length);
  });

  test('a file that came back and is gone again has a grace period of its own', async () => {
    const world = await atRest();
    const { mirror } = world.engine;
    const path = 'batch/0.jsonl';
    const id = idOf(world, path) ?? '';
    mirror.pause();
    world.disk.remove(path);
    await world.pass(12_000, 0);
    world.disk.remove(note);
    await world.pass(1_000, 0);
    world.disk.write(path, contentOf(0, 200));
    await world.pass(1_000, 0);
    world.disk.remove(path);
    await world.pass(1_000, 0);
    mirror.resume();
    await world.pass(3_000, 0);
    expect(world.deleted.has(id)).toBe(false);
    await world.pass(20_000, 0);
    expect(world.deleted.has(id)).toBe(true);
  });
});

describe('a new configuration', () => {
  test('that switches verifications on begins to count their time', async () => {
    const world = await atRest();
    world.engine.reconfigure({ ...SETTINGS, verifyMs: 3_600_000 });
    await world.pass(3_700_000, 60_000);
    expect(world.engine.mirror.status().lastVerifyAt).not.toBeNull();
  });
});
