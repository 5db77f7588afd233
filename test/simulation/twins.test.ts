import { expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const SETTINGS = calmSettings([rulesOf('batch', { check: 'basic', maxBytes: 1_000_000 })]);

const twins: readonly MirrorPath[] = Array.from({ length: 200 }, (_, index) => `batch/${index}/data.jsonl`);

async function atRest(settings = SETTINGS, paths = twins): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 3,
    settings,
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400 * 30,
    expiringPurposes: [],
    skewMs: 0,
  });
  world.disk.mkdir('batch');
  for (const [index, path] of paths.entries()) {
    world.disk.mkdir(path.slice(0, path.lastIndexOf('/')));
    world.disk.write(path, contentOf(index, 200));
  }
  world.start();
  await world.pass(120_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

test('files of equal name and size are uploaded one after another, and each is read once for that', async () => {
  const world = await atRest();
  for (const [index, path] of twins.entries()) world.disk.write(path, contentOf(1_000 + index, 200));
  await world.pass(120_000, 0);
  expect(await world.problems()).toEqual([]);
  expect(world.inspected).toHaveLength(twins.length);
});

test('twins that are gone, or of another size by now, do not keep those behind them waiting', async () => {
  const world = await atRest();
  for (const [index, path] of twins.entries()) world.disk.write(path, contentOf(1_000 + index, 200));
  await world.pass(5_000, 0);
  const waiting = twins.filter((path) => world.engine.mirror.report(path)?.state === 'pending');
  expect(waiting.length).toBeGreaterThan(100);
  for (const [index, path] of waiting.slice(0, -1).entries()) {
    if (index % 2 === 0) world.disk.remove(path);
    else world.disk.write(path, contentOf(index, 300 + index));
  }
  // No scan happens in this time: whoever waits must be told.
  await world.pass(60_000, 0);
  expect(world.engine.mirror.status().counts).toMatchObject({ pending: 0, uploading: 0 });
  expect(await world.problems()).toEqual([]);
});

test('where a server is not believed about sizes, files of equal name and any size wait for one that may have arrived and cannot be looked at', async () => {
  const trustReply = new Set([...SETTINGS.trustReply].filter((field) => field !== 'bytes'));
  const [lost = '', other = ''] = twins;
  const world = await atRest({ ...SETTINGS, trustReply }, [lost, other]);
  world.isOpaque = true;
  world.disk.write(lost, contentOf(1_000, 200));
  await world.pass(5_000, 0);
  expect(world.manifest.intents.has(lost)).toBe(true);
  world.isOpaque = false;
  world.disk.setListable('batch/0', false);
  world.disk.write(other, contentOf(1_001, 300));
  await world.pass(3_600_000, 1_000);
  expect(world.engine.mirror.report(other)?.state).toBe('pending');
  // Nobody could tell which of the two a listing shows.
  expect(await world.problems()).toEqual([]);
  world.disk.setListable('batch/0', true);
  await world.pass(120_000, 0);
  expect(world.engine.mirror.report(other)?.state).toBe('synced');
  expect(world.manifest.intents.size).toBe(0);
  expect(await world.problems()).toEqual([]);
});
