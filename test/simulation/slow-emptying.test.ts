import { describe, expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const DROPS = rulesOf('batch', { check: 'basic', maxBytes: 1_000_000 });
const EVALS = rulesOf('evals', { check: 'basic', maxBytes: 1_000_000 });
const SETTINGS: SimSettings = {
  ...calmSettings([DROPS, EVALS]),
  graceMs: 500,
  maxDeleteFraction: 0.5,
  minDeleteCount: 10,
};

const numbered = (folder: string, count: number): MirrorPath[] =>
  Array.from({ length: count }, (_, index) => `${folder}/${index}.jsonl`);

async function mirrored(paths: readonly MirrorPath[]): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 11,
    settings: SETTINGS,
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400 * 30,
    expiringPurposes: [],
    skewMs: 0,
  });
  for (const { folder } of SETTINGS.folders) world.disk.mkdir(folder);
  for (const [index, path] of paths.entries()) world.disk.write(path, contentOf(index, 200));
  world.start();
  await world.pass(30_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

const halts = (world: LongWorld<MirrorEngine>) =>
  world.engine.mirror.status().halts.filter(({ name }) => name === 'mass-delete');

async function removeSlowly(
  world: LongWorld<MirrorEngine>,
  paths: readonly MirrorPath[],
  everyMs: number,
): Promise<void> {
  for (const path of paths) {
    world.disk.remove(path);
    await world.pass(everyMs, 0);
  }
}

describe('a folder that is emptied slowly', () => {
  test('is held as one that is emptied at once: 40 files, one every 1.5 s, and no more than half of them go', async () => {
    const paths = numbered('batch', 40);
    const world = await mirrored(paths);
    await removeSlowly(world, paths, 1_500);
    await world.pass(MINUTE_MS, 0);
    expect(world.deleted.size).toBe(20);
    expect(halts(world)).toMatchObject([
      {
        cause: expect.stringContaining(
          '40 of 40 mirrored files disappeared; 20 of them are deleted remotely',
        ),
        held: '20 deletes wait; uploads go on',
      },
    ]);
    world.engine.approve();
    await world.pass(MINUTE_MS, 0);
    expect(world.deleted.size).toBe(40);
    expect(await world.problems()).toEqual([]);
  });

  test('is held across restarts, ordered ones and crashes', async () => {
    const paths = numbered('batch', 40);
    const world = await mirrored(paths);
    for (let at = 0; at < paths.length; at += 5) {
      await removeSlowly(world, paths.slice(at, at + 5), 1_500);
      await world.restart();
      await world.pass(10_000, 0);
    }
    expect(world.deleted.size).toBe(20);
    expect(halts(world)).not.toEqual([]);
  });

  test('keeps its last file, although it is a small part of the mirror', async () => {
    const evals = numbered('evals', 12);
    const world = await mirrored([...numbered('batch', 200), ...evals]);
    await removeSlowly(world, evals, 5_000);
    expect(world.deleted.size).toBe(11);
    expect(halts(world)).toMatchObject([{ folder: 'evals', held: '1 delete waits; uploads go on' }]);
  });

  test('what was approved does not count again: the next few deletes go without a question', async () => {
    const paths = numbered('batch', 60);
    const world = await mirrored(paths);
    await removeSlowly(world, paths.slice(0, 35), 1_500);
    expect(world.deleted.size).toBe(30);
    world.engine.approve();
    await removeSlowly(world, paths.slice(35, 45), 1_500);
    await world.pass(MINUTE_MS, 0);
    expect(halts(world)).toEqual([]);
    expect(world.deleted.size).toBe(45);
  });

  test('in small parts over hours is what a person does, and goes', async () => {
    const paths = numbered('batch', 40);
    const world = await mirrored(paths);
    for (let at = 0; at < 30; at += 10) {
      await removeSlowly(world, paths.slice(at, at + 10), 1_500);
      await world.pass(1.1 * HOUR_MS, 10_000);
    }
    expect(halts(world)).toEqual([]);
    expect(world.deleted.size).toBe(30);
  });
});

describe.each([
  ['an ordered restart', 0, (world: LongWorld<MirrorEngine>) => world.restart()],
  ['a crash some seconds later', 6_000, async (world: LongWorld<MirrorEngine>) => world.crash()],
])('after %s', (_title, waitMs, startAnew) => {
  const paths = numbered('batch', 30);

  test('what was put back makes up for what went before it', async () => {
    const world = await mirrored(paths);
    for (const path of paths.slice(0, 14)) world.disk.remove(path);
    await world.pass(MINUTE_MS, 0);
    expect(world.deleted.size).toBe(14);
    for (const [index, path] of paths.slice(0, 14).entries()) world.disk.write(path, contentOf(index, 200));
    expect(await world.problems()).toEqual([]);
    await world.pass(waitMs, 0);
    await startAnew(world);
    for (const path of paths.slice(0, 9)) world.disk.remove(path);
    await world.pass(MINUTE_MS, 0);
    expect(halts(world)).toEqual([]);
    expect(world.deleted.size).toBe(23);
  });

  test('what was not put back still counts', async () => {
    const world = await mirrored(paths);
    for (const path of paths.slice(0, 14)) world.disk.remove(path);
    await world.pass(MINUTE_MS, 0);
    for (const [index, path] of paths.slice(0, 7).entries()) world.disk.write(path, contentOf(index, 200));
    expect(await world.problems()).toEqual([]);
    await world.pass(waitMs, 0);
    await startAnew(world);
    for (const path of paths.slice(14, 23)) world.disk.remove(path);
    await world.pass(MINUTE_MS, 0);
    expect(halts(world)).toMatchObject([
      { cause: expect.stringContaining('16 of 30 mirrored files disappeared; 7 of them are deleted') },
    ]);
    expect(world.deleted.size).toBe(14);
  });
});

test('a busy drop folder, 100 in and 100 out an hour with 20 there, is never held', async () => {
  const hours = 5;
  const perHour = 100;
  const resident = 20;
  const path = (number: number): MirrorPath => `batch/drop-${number}.jsonl`;
  const world = await mirrored(Array.from({ length: resident }, (_, number) => path(number)));
  for (let number = resident; number < resident + hours * perHour; number += 1) {
    world.disk.remove(path(number - resident));
    await world.pass(HOUR_MS / perHour / 2, 1_000);
    world.disk.write(path(number), contentOf(number, 200));
    await world.pass(HOUR_MS / perHour / 2, 1_000);
    expect(halts(world), `after ${number} files`).toEqual([]);
    if (number % 90 === 0) await world.restart();
  }
  expect(world.deleted.size).toBe(hours * perHour);
  expect(await world.problems()).toEqual([]);
});
