import { describe, expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const DROPS = rulesOf('batch', { check: 'basic', maxBytes: 1_000_000 });
const names = ['x.jsonl', 'y.jsonl', 'z.jsonl'];

/** Folders with files of equal names; those of `sizes` one size each. */
async function mirrored(
  folders: readonly string[],
  sizes: readonly number[],
): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 9,
    settings: { ...calmSettings([DROPS]), minDeleteCount: 1_000 },
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400 * 30,
    expiringPurposes: [],
    skewMs: 0,
  });
  world.disk.mkdir('batch');
  for (const [at, folder] of folders.entries()) {
    world.disk.mkdir(`batch/${folder}`);
    for (const [index, name] of names.entries())
      world.disk.write(`batch/${folder}/${name}`, contentOf(10 * at + index, sizes[at] ?? 0));
  }
  world.start();
  await world.pass(30_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

function swap({ disk }: LongWorld<MirrorEngine>, one: MirrorPath, other: MirrorPath): void {
  disk.rename(one, 'batch/aside');
  disk.rename(other, one);
  disk.rename('batch/aside', other);
}

const idOf = (world: LongWorld<MirrorEngine>, path: MirrorPath): string | undefined =>
  world.manifest.files.get(path)?.id;

describe('folders with files of equal names', () => {
  test.each([
    ['of equal sizes', [200, 200]],
    ['of other sizes', [200, 300]],
  ])(
    'that are swapped, %s, cost no upload and no delete, and each is read a time or two',
    async (_name, sizes) => {
      const world = await mirrored(['a', 'b'], sizes);
      const before = names.map((name) => [idOf(world, `batch/a/${name}`), idOf(world, `batch/b/${name}`)]);
      const { uploads } = world.safety;
      const inspected = world.inspected.length;
      swap(world, 'batch/a', 'batch/b');
      await world.pass(60_000, 0);
      expect(await world.problems()).toEqual([]);
      expect(names.map((name) => [idOf(world, `batch/b/${name}`), idOf(world, `batch/a/${name}`)])).toEqual(
        before,
      );
      expect(world.safety.uploads).toBe(uploads);
      expect(world.deleted.size).toBe(0);
      expect(world.inspected.length - inspected).toBeLessThanOrEqual(4 * names.length);
    },
  );

  test('that are swapped while the program is off cost no upload either', async () => {
    const world = await mirrored(['a', 'b'], [200, 300]);
    const { uploads } = world.safety;
    world.engine.mirror.pause();
    await world.restart();
    swap(world, 'batch/a', 'batch/b');
    await world.pass(60_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(world.safety.uploads).toBe(uploads);
  });

  test('that go round cost no upload; those that move on for a new one cost only that one', async () => {
    const world = await mirrored(['a', 'b', 'c'], [200, 300, 400]);
    const { uploads } = world.safety;
    const { disk } = world;
    swap(world, 'batch/a', 'batch/b');
    swap(world, 'batch/b', 'batch/c');
    await world.pass(60_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(world.safety.uploads).toBe(uploads);
    for (const [from, to] of [
      ['c', 'd'],
      ['b', 'c'],
      ['a', 'b'],
    ])
      disk.rename(`batch/${from}`, `batch/${to}`);
    disk.mkdir('batch/a');
    disk.write('batch/a/x.jsonl', contentOf(77, 200));
    await world.pass(120_000, 0);
    expect(await world.problems()).toEqual([]);
    // The newest one; and of those that moved on, what was looked at in an unlucky order.
    expect(world.safety.uploads - uploads).toBeLessThanOrEqual(1 + names.length);
  });

  test("a file that takes another one's place keeps its id, and only the other's is deleted", async () => {
    const world = await mirrored(['a', 'b'], [200, 300]);
    const [kept, replaced] = [idOf(world, 'batch/a/x.jsonl'), idOf(world, 'batch/b/x.jsonl')];
    const { uploads } = world.safety;
    world.disk.rename('batch/a/x.jsonl', 'batch/b/x.jsonl');
    await world.pass(60_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(world.safety.uploads).toBe(uploads);
    expect(idOf(world, 'batch/b/x.jsonl')).toBe(kept);
    expect([...world.deleted]).toEqual([replaced]);
  });
});
