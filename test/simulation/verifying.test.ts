import { describe, expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const HOUR_MS = 3_600_000;
const DROPS = rulesOf('batch', { check: 'basic', maxBytes: 1_000_000 });
const SETTINGS: SimSettings = { ...calmSettings([DROPS]), verifyMs: 24 * HOUR_MS };
const paths: readonly MirrorPath[] = Array.from({ length: 20 }, (_, index) => `batch/${index}.jsonl`);
const first = 'batch/0.jsonl';
const last = 'batch/19.jsonl';

async function mirrored(settings = SETTINGS, prepare: (world: LongWorld<MirrorEngine>) => void = () => {}) {
  const world = new LongWorld<MirrorEngine>({
    seed: 5,
    settings,
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400 * 30,
    expiringPurposes: ['batch'],
    skewMs: 0,
  });
  prepare(world);
  world.disk.mkdir('batch');
  for (const [index, path] of paths.entries()) world.disk.write(path, contentOf(index, 200));
  world.start();
  await world.pass(30_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

const idOf = (world: LongWorld<MirrorEngine>, path: MirrorPath): string =>
  world.manifest.files.get(path)?.id ?? '';

describe('verifying', () => {
  test('comes round every day, although the program is restarted every 20 hours', async () => {
    const world = await mirrored();
    world.server.remove(idOf(world, first), 'others');
    await world.pass(20 * HOUR_MS, 60_000);
    expect(world.engine.mirror.status().lastVerifyAt).toBeNull();
    await world.restart();
    await world.pass(5 * HOUR_MS, 60_000);
    expect(world.engine.mirror.status().lastVerifyAt).not.toBeNull();
    expect(await world.problems()).toEqual([]);
    const { lastVerifyAt } = world.engine.mirror.status();
    await world.restart();
    expect(world.engine.mirror.status().lastVerifyAt).toBe(lastVerifyAt);
  });

  test('does not put off the next one when it was only asked what is lost', async () => {
    const world = await mirrored();
    await world.pass(23 * HOUR_MS, 60_000);
    world.server.remove(idOf(world, first), 'others');
    const asked = world.engine.mirror.verify(false, new AbortController().signal);
    await world.pass(60_000, 0);
    expect((await asked).missing).toHaveLength(1);
    await world.pass(2 * HOUR_MS, 60_000);
    expect(await world.problems()).toEqual([]);
  });

  test('does not forget what it found lost: neither when that is renamed before it can be sent again, nor over a restart', async () => {
    for (const meanwhile of ['rename', 'restart'] as const) {
      const world = await mirrored();
      // Old enough to be judged by a listing.
      await world.pass(120_000, 0);
      world.engine.mirror.pause();
      const lost = idOf(world, first);
      world.server.remove(lost, 'others');
      const verified = world.engine.mirror.verify(true, new AbortController().signal);
      await world.pass(60_000, 0);
      expect((await verified).missing).toMatchObject([{ path: first, id: lost }]);
      if (meanwhile === 'rename') {
        world.disk.mkdir('batch/x');
        world.disk.rename(first, 'batch/x/0.jsonl');
        await world.pass(60_000, 0);
        world.engine.mirror.resume();
      } else {
        await world.restart();
        // One that found losses is not on record before they are made good.
        world.engine.mirror.pause();
        await world.pass(60_000, 0);
        await world.restart();
        await world.pass(24 * HOUR_MS, 60_000);
      }
      await world.pass(120_000, 0);
      expect(
        [...world.manifest.files.values()].map(({ id }) => id),
        `after a ${meanwhile}`,
      ).not.toContain(lost);
      expect(await world.problems(), `after a ${meanwhile}`).toEqual([]);
    }
  });

  test('leaves the expiry of a file alone that was replaced since it was listed', async () => {
    // The replies to the first uploads gave another expiry than the listing does, so that all are corrected.
    const world = await mirrored(SETTINGS, (each) => {
      each.replyOf = (file) => ({ ...file, expiresAt: (file.expiresAt ?? 0) + 5_000 });
    });
    world.replyOf = (file) => file;
    await world.pass(2 * HOUR_MS, 60_000);
    world.commitMs = 2_000;
    const verified = world.engine.mirror.verify(false, new AbortController().signal);
    world.disk.write(last, contentOf(99, 300));
    await world.pass(120_000, 0);
    await verified;
    for (const [path, { id, expiresAt }] of world.manifest.files)
      expect(expiresAt, `of ${path}`).toBe(world.server.get(id)?.expiresAt);
  });
});

describe('a rejection', () => {
  const demanding = rulesOf('batch', { check: 'basic', maxBytes: 250 });

  test('ends with its cause: good, too large, and the good one again', async () => {
    const world = await mirrored({ ...SETTINGS, folders: [demanding] });
    world.disk.write(first, contentOf(50, 400));
    await world.pass(30_000, 0);
    expect([...world.manifest.rejected.keys()]).toEqual([first]);
    world.disk.write(first, contentOf(0, 200));
    await world.pass(30_000, 0);
    expect([...world.manifest.rejected.keys()]).toEqual([]);
    expect(await world.problems()).toEqual([]);
  });

  test('ends with its cause while the program is off: the next start finds it out', async () => {
    const world = await mirrored({ ...SETTINGS, folders: [demanding] });
    world.disk.mkdir('aside');
    world.disk.rename(first, 'aside/kept.jsonl');
    world.disk.write(first, contentOf(50, 400));
    await world.pass(30_000, 0);
    expect([...world.manifest.rejected.keys()]).toEqual([first]);
    world.disk.rename('aside/kept.jsonl', first);
    await world.restart();
    await world.pass(30_000, 0);
    expect([...world.manifest.rejected.keys()]).toEqual([]);
    expect(await world.problems()).toEqual([]);
  });
});

test('a refused key is not tried again while the mirror is paused, or its root is away', async () => {
  for (const what of ['paused', 'root'] as const) {
    const world = await mirrored();
    world.server.begin('auth');
    world.disk.write(first, contentOf(60, 210));
    await world.pass(30_000, 0);
    expect(world.engine.mirror.status().halts.map(({ name }) => name)).toEqual(['auth']);
    if (what === 'paused') world.engine.mirror.pause();
    else world.disk.takeAway('unmounted');
    await world.pass(10_000, 0);
    const before = world.requests;
    await world.pass(600_000, 0);
    expect(world.requests, `while ${what}`).toBe(before);
    world.server.begin('none');
    if (what === 'paused') world.engine.mirror.resume();
    else world.disk.bringBack(false);
    await world.pass(120_000, 0);
    expect(world.engine.mirror.status().halts).toEqual([]);
    expect(await world.problems()).toEqual([]);
  }
});
