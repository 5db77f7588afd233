import { describe, expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const SETTINGS = calmSettings([rulesOf('user_data', { check: 'basic', maxBytes: 1_000_000 })]);
const KEY_OF_OTHER = { key: 'sk-other', project: 'other' } as const;
const ROTATED = { key: 'sk-rotated', project: 'home' } as const;

const paths: readonly MirrorPath[] = Array.from({ length: 8 }, (_, index) => `user_data/${index}.txt`);

/** A world at rest in which all files are mirrored, and old enough to be shown. */
async function atRest(count = paths.length): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 11,
    settings: SETTINGS,
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400 * 30,
    expiringPurposes: [],
    skewMs: 0,
  });
  world.disk.mkdir('user_data');
  for (const [index, path] of paths.slice(0, count).entries()) world.disk.write(path, contentOf(index, 200));
  world.start();
  await world.pass(120_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

/** As after a SIGHUP. */
function reload(world: LongWorld<MirrorEngine>, account: LongWorld<MirrorEngine>['account']): void {
  world.account = account;
  world.engine.reconfigure(SETTINGS);
}

const haltsOf = (world: LongWorld<MirrorEngine>) =>
  world.engine.mirror.status().halts.map(({ name }) => name);

/** Ids that the manifest knows in any way. */
const known = ({ manifest }: LongWorld<MirrorEngine>): ReadonlySet<string> =>
  new Set([...[...manifest.files.values()].map(({ id }) => id), ...manifest.garbage.keys()]);

describe('a key of another project', () => {
  for (const { how, exchange } of [
    {
      how: 'after a reload',
      exchange: async (world: LongWorld<MirrorEngine>) => reload(world, KEY_OF_OTHER),
    },
    {
      how: 'after a restart',
      exchange: async (world: LongWorld<MirrorEngine>) => {
        world.account = KEY_OF_OTHER;
        await world.restart();
      },
    },
  ]) {
    test(`deletes, uploads and forgets nothing ${how}, and says so; put back, all that waited is done`, async () => {
      const world = await atRest();
      const before = known(world);
      const uploads = world.safety.uploads;
      await exchange(world);
      world.disk.remove(paths[0] ?? '');
      world.disk.write('user_data/new.txt', contentOf(99, 300));
      await world.pass(300_000, 0);
      expect(haltsOf(world)).toEqual(['scope']);
      const [halt] = world.engine.mirror.status().halts;
      expect(halt?.cause).toContain('the key changed');
      expect([world.deleted.size, world.safety.uploads - uploads]).toEqual([0, 0]);
      expect(known(world)).toEqual(before);
      expect(world.events.filter(({ kind }) => kind === 'deleted')).toEqual([]);
      reload(world, { key: 'key 0', project: 'home' });
      await world.pass(120_000, 0);
      expect(haltsOf(world)).toEqual([]);
      expect(await world.problems()).toEqual([]);
      expect(world.manifest.files.has('user_data/new.txt')).toBe(true);
    });
  }

  test('does not make a verification upload everything again', async () => {
    const world = await atRest();
    const uploads = world.safety.uploads;
    reload(world, KEY_OF_OTHER);
    const refused = world.engine.mirror.verify(true, new AbortController().signal).then(
      () => null,
      (error: unknown) => error,
    );
    await world.pass(300_000, 0);
    expect(await refused).toMatchObject({ halt: 'scope' });
    expect([world.safety.uploads - uploads, haltsOf(world)]).toEqual([0, ['scope']]);
  });

  test('is noticed although nothing changed here, when none of many ids is known', async () => {
    const world = await atRest();
    const before = known(world);
    // The same key: a gateway that now leads elsewhere.
    world.account = { ...world.account, project: 'other' };
    for (const path of paths.slice(0, 3)) world.disk.remove(path);
    await world.pass(120_000, 0);
    expect(haltsOf(world)).toEqual(['scope']);
    expect(known(world)).toEqual(before);
    const uploads = world.safety.uploads;
    const refused = world.engine.mirror
      .verify(true, new AbortController().signal)
      .catch((error: unknown) => error);
    await world.pass(120_000, 0);
    expect(await refused).toMatchObject({ halt: 'scope' });
    // It leads home again: found out by itself within a minute.
    world.account = { ...world.account, project: 'home' };
    await world.pass(120_000, 0);
    expect([haltsOf(world), world.safety.uploads]).toEqual([[], uploads]);
    expect(await world.problems()).toEqual([]);
    expect(world.manifest.files.size).toBe(paths.length - 3);
  });

  test('takes no open upload for lost', async () => {
    const world = await atRest();
    world.isOpaque = true;
    world.disk.write('user_data/sent.txt', contentOf(50, 300));
    await world.pass(8_000, 0);
    expect(world.manifest.intents.has('user_data/sent.txt')).toBe(true);
    world.isOpaque = false;
    reload(world, KEY_OF_OTHER);
    await world.pass(120_000, 0);
    expect(world.manifest.intents.has('user_data/sent.txt')).toBe(true);
    reload(world, { key: 'key 0', project: 'home' });
    await world.pass(120_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(world.server.all().filter(({ filename }) => filename === 'sent.txt')).toHaveLength(1);
  });
});

describe('another key of the same project', () => {
  test('goes on after one look-up, and is remembered', async () => {
    const world = await atRest();
    reload(world, ROTATED);
    world.disk.remove(paths[0] ?? '');
    await world.pass(60_000, 0);
    expect(await world.problems()).toEqual([]);
    expect([haltsOf(world), world.retrieved.size, world.apiRecord.idsKey]).toEqual([[], 1, ROTATED.key]);
    world.retrieved.clear();
    await world.restart();
    world.disk.remove(paths[1] ?? '');
    await world.pass(60_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(world.retrieved.size).toBe(0);
  });
});

describe('remote files that others deleted', () => {
  test('are forgotten when their local file is removed, as long as others are known', async () => {
    const world = await atRest();
    for (const path of paths.slice(0, 4)) {
      world.server.remove(world.manifest.files.get(path)?.id ?? '', 'others');
      world.disk.remove(path);
    }
    await world.pass(120_000, 0);
    expect([haltsOf(world), world.manifest.garbage.size]).toEqual([[], 0]);
    expect(await world.problems()).toEqual([]);
  });

  test('are uploaded again when they were the only ones, and few', async () => {
    const world = await atRest(2);
    for (const { id } of world.manifest.files.values()) world.server.remove(id, 'others');
    const verified = world.engine.mirror.verify(true, new AbortController().signal);
    await world.pass(120_000, 0);
    expect((await verified).missing).toHaveLength(2);
    expect(await world.problems()).toEqual([]);
  });
});
