import { describe, expect, test } from 'vitest';
import { remoteNameOf } from '../../src/contract/mirror-path.ts';
import type { MirrorEvent } from '../../src/contract/ports.ts';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { badReplyFault, conflictFault } from '../support/sim/sim-fates.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const DROPS = rulesOf('batch', { check: 'basic', maxBytes: 1_000_000 });
const NOTES = rulesOf('user_data', { check: 'basic', maxBytes: 1_000_000 });
const SETTINGS = calmSettings([DROPS, NOTES]);

const LIFETIME_SECONDS = 86_400 * 30;

const drops: readonly MirrorPath[] = Array.from({ length: 40 }, (_, index) => `batch/${index}.jsonl`);
const note = 'user_data/note.txt';

/** A world at rest in which all files are mirrored. */
async function atRest({ skewMs = 0 } = {}): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 7,
    settings: SETTINGS,
    startEngine: startMirror,
    serverLifetimeSeconds: LIFETIME_SECONDS,
    expiringPurposes: ['batch'],
    skewMs,
  });
  for (const { folder } of SETTINGS.folders) world.disk.mkdir(folder);
  for (const [index, path] of [...drops, note].entries()) world.disk.write(path, contentOf(index, 200));
  world.start();
  await world.pass(30_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

const told = (world: LongWorld<MirrorEngine>, kind: MirrorEvent['kind']): readonly MirrorEvent[] =>
  world.events.filter((event) => event.kind === kind);

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

describe('deletes that the API refuses', () => {
  const removeAll = (world: LongWorld<MirrorEngine>): void => {
    for (const path of drops) world.disk.remove(path);
  };

  test('hold the whole lane: one DELETE at a time, ever more seldom, and few words', async () => {
    const world = await atRest();
    world.server.begin('no-deletes');
    removeAll(world);
    await world.pass(900_000, 0);
    // Four were under way together; then one after each wait, which grows up to five minutes.
    expect(world.safety.deletes).toBeLessThanOrEqual(40);
    expect(world.safety.deletes).toBeGreaterThan(8);
    expect(told(world, 'failed')).toEqual([]);
    expect(told(world, 'warning').length).toBeLessThanOrEqual(6);
    expect(JSON.stringify(told(world, 'warning')[0])).toMatch(/deletes wait .* 429/);
    // Uploads have a lane of their own, and what came back by then is only to be looked at.
    world.disk.write(note, contentOf(99, 300));
    await world.pass(10_000, 0);
    expect(world.manifest.files.get(note)?.bytes).toBe(300);
    world.server.begin('none');
    expect(await world.problems()).toEqual([]);
    expect(world.manifest.files.size).toBe(1);
  });

  test('do not keep one pass from ending, which says why', async () => {
    const world = await atRest();
    world.server.begin('no-deletes');
    removeAll(world);
    const { mirror } = world.engine;
    let why: unknown = null;
    mirror.converge(new AbortController().signal).catch((error: unknown) => (why = error));
    await world.pass(600_000, 0);
    expect(why).toMatchObject({ rule: 'unreachable', message: expect.stringContaining('429') });
  });

  test('one id that is refused for itself waits alone', async () => {
    const world = await atRest();
    const [refused, later] = drops as readonly [MirrorPath, MirrorPath];
    const idOfLater = idOf(world, later) ?? '';
    world.stubborn.set(idOf(world, refused) ?? '', conflictFault());
    world.disk.remove(refused);
    await world.pass(1_800_000, 1_000);
    expect(told(world, 'failed').length).toBeGreaterThan(2);
    expect(told(world, 'failed').length).toBeLessThanOrEqual(5);
    expect(told(world, 'warning')).toEqual([]);
    world.disk.remove(later);
    await world.pass(20_000, 0);
    expect(world.server.get(idOfLater)?.gone?.by).toBe('mirror');
    world.stubborn.clear();
    expect(await world.problems()).toEqual([]);
  });

  for (const { name, fault, count, withinMs } of [
    { name: 'refused (409)', fault: conflictFault(), count: 38, withinMs: 20_000 },
    // They look like an API in trouble; one long wait may just have begun when the new one comes.
    { name: 'answered with nonsense', fault: badReplyFault('unknown'), count: 8, withinMs: 620_000 },
  ]) {
    test(`${count} ids that are ${name} for ever do not stand in the way of one that is not`, async () => {
      const world = await atRest();
      const [later, ...others] = drops as readonly [MirrorPath, ...MirrorPath[]];
      const idOfLater = idOf(world, later) ?? '';
      for (const path of others.slice(0, count)) {
        world.stubborn.set(idOf(world, path) ?? '', fault);
        world.disk.remove(path);
      }
      await world.pass(1_800_000, 1_000);
      world.disk.remove(later);
      await world.pass(withinMs, 0);
      expect(world.server.get(idOfLater)?.gone?.by).toBe('mirror');
      expect(world.manifest.garbage.size).toBe(count);
    });
  }
});

test('a file that was found lost and is renamed while an upload of it may have arrived is sent from there, and the copies are deleted', async () => {
  const world = await atRest();
  await world.pass(120_000, 0);
  // It seems to be gone remotely, is uploaded again, and that seems to be lost too.
  world.isOpaque = true;
  // All gone would be another project.
  world.shown.add(idOf(world, note) ?? '');
  void world.engine.mirror.verify(true, new AbortController().signal);
  const sentAgain = (): MirrorPath | undefined =>
    drops.find(
      (path) => world.server.all().filter(({ filename }) => filename === remoteNameOf(path)).length === 2,
    );
  await world.clock.runUntil(() => sentAgain() !== undefined, world.clock.monotonicMs() + 30_000);
  // Its reply is lost by then.
  await world.pass(500, 0);
  const from = sentAgain() ?? 'batch/none';
  const to = `batch/elsewhere/${remoteNameOf(from)}`;
  const id = idOf(world, from) ?? '';
  expect(world.manifest.intents.has(from)).toBe(true);
  world.isOpaque = false;
  world.disk.mkdir('batch/elsewhere');
  world.disk.rename(from, to);
  await world.pass(60_000, 0);
  expect(await world.problems()).toEqual([]);
  expect(idOf(world, to)).not.toBe(id);
  expect(world.deleted).toContain(id);
  expect(world.manifest.garbage.size).toBe(0);
});

describe('an old path that is in use again by the time that a rename is recorded', () => {
  test('keeps its id when it is the same file again', async () => {
    const world = await atRest();
    const [from] = drops as readonly [MirrorPath];
    const to = 'user_data/1.jsonl';
    const id = idOf(world, from) ?? '';
    world.disk.rename(from, to);
    // It is sent under its new purpose; meanwhile the old path is in use again.
    await world.clock.runUntil(() => world.manifest.intents.has(to), world.clock.monotonicMs() + 30_000);
    expect(world.manifest.intents.has(to)).toBe(true);
    world.disk.write(from, contentOf(0, 200));
    await world.pass(120_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(idOf(world, from)).toBe(id);
    expect(world.deleted).not.toContain(id);
  });

  test('does not get the id of the new one when the reading of the moved one takes long', async () => {
    const world = await atRest();
    const [from] = drops as readonly [MirrorPath];
    const to: MirrorPath = `batch/done/${remoteNameOf(from)}`;
    world.inspectMs = 60_000;
    world.disk.mkdir('batch/done');
    world.disk.rename(from, to);
    await world.clock.runUntil(() => world.inspected.includes(to), world.clock.monotonicMs() + 30_000);
    expect(world.inspected).toContain(to);
    world.disk.write(from, contentOf(501, 350));
    await world.pass(20_000, 0);
    await world.pass(600_000, 0);
    expect(await world.problems()).toEqual([]);
    expect(world.manifest.files.get(to)?.bytes).toBe(200);
    expect(world.manifest.files.get(from)?.bytes).toBe(350);
  });
});

test('two files of names that a server may take for one are not under way together', async () => {
  const world = await atRest();
  const names = ['user_data/\u00e9.txt', 'user_data/e\u0301.txt'];
  for (const [index, path] of names.entries()) world.disk.write(path, contentOf(600 + index, 111));
  let most = 0;
  await world.clock.runUntil(() => {
    most = Math.max(most, names.filter((path) => world.manifest.intents.has(path)).length);
    return false;
  }, world.clock.monotonicMs() + 20_000);
  expect(most).toBe(1);
  expect(await world.problems()).toEqual([]);
});

test('an id that the server gives to two uploads at a time belongs to one path', async () => {
  const world = await atRest();
  const names = ['user_data/a.txt', 'user_data/b.txt'];
  let first: string | null = null;
  const both = Promise.withResolvers<void>();
  world.commitMs = 20;
  world.replyOf = async (file) => {
    if (first === null) first = file.id;
    else both.resolve();
    await both.promise;
    return { ...file, id: first };
  };
  for (const path of names) world.disk.write(path, contentOf(700, 90));
  await world.pass(60_000, 0);
  expect(names.filter((path) => idOf(world, path) === first)).toHaveLength(1);
  expect(world.events.filter(({ kind }) => kind === 'failed')).not.toEqual([]);
});

test('a rescan that is due more often than scans may follow each other does not keep everything else from its turn', async () => {
  const world = await atRest();
  world.engine.reconfigure({ ...SETTINGS, rescanMs: 500 });
  const scansBefore = told(world, 'scanned').length;
  await world.pass(60_000, 0);
  const scans = told(world, 'scanned').length - scansBefore;
  expect(scans).toBeGreaterThan(20);
  expect(scans).toBeLessThanOrEqual(31);
});

describe('files that disappeared together', () => {
  const guarded: SimSettings = { ...SETTINGS, maxDeleteFraction: 0.5, minDeleteCount: 10 };

  async function missing(): Promise<LongWorld<MirrorEngine>> {
    const world = await atRest();
    world.engine.reconfigure(guarded);
    await world.pass(5_000, 0);
    for (const path of drops.slice(0, 30)) world.disk.remove(path);
    return world;
  }

  const held = (world: LongWorld<MirrorEngine>): boolean =>
    world.engine.mirror.status().halts.some(({ name }) => name === 'mass-delete');

  test('stay held when new files come, before the guard trips or after', async () => {
    const world = await missing();
    for (let index = 0; index < 30; index++)
      world.disk.write(`batch/new-${index}.jsonl`, contentOf(800 + index, 70));
    await world.pass(60_000, 0);
    expect(held(world)).toBe(true);
    for (let index = 30; index < 90; index++)
      world.disk.write(`batch/new-${index}.jsonl`, contentOf(800 + index, 70));
    await world.pass(300_000, 0);
    expect(held(world)).toBe(true);
    expect(world.deleted.size).toBe(0);
    world.engine.approve();
    await world.pass(60_000, 0);
    expect(world.deleted.size).toBe(30);
    expect(await world.problems()).toEqual([]);
  });

  test('once approved, are waited for by who asks at that moment', async () => {
    const world = await missing();
    await world.pass(60_000, 0);
    expect(held(world)).toBe(true);
    const { mirror } = world.engine;
    expect(await mirror.approve(null)).toBe(30);
    expect(mirror.status().counts.held).toBe(0);
    const flushed = mirror.flush(new AbortController().signal);
    await world.pass(120_000, 0);
    expect(await flushed).toEqual({ problems: [], halts: [] });
    expect(world.deleted.size).toBe(30);
  });

  test('stay held while they are put back one by one, and the halt ends with the last', async () => {
    const world = await missing();
    await world.pass(60_000, 0);
    for (const [index, path] of drops.slice(0, 30).entries()) {
      expect(held(world)).toBe(true);
      world.disk.write(path, contentOf(index, 200));
      await world.pass(15_000, 0);
    }
    expect(held(world)).toBe(false);
    expect(world.deleted.size).toBe(0);
    expect(await world.problems()).toEqual([]);
  });
});

describe('files of which a look can tell nothing for a while', () => {
  test('stay held, if they disappeared together with others', async () => {
    const world = await atRest();
    world.engine.reconfigure({ ...SETTINGS, maxDeleteFraction: 0.5, minDeleteCount: 10 });
    await world.pass(5_000, 0);
    for (const path of drops.slice(0, 30)) world.disk.remove(path);
    await world.pass(60_000, 0);
    for (const [index, path] of drops.slice(0, 28).entries()) world.disk.write(path, contentOf(index, 200));
    await world.pass(60_000, 0);
    world.disk.setListable('batch', false);
    void world.engine.mirror.rescan();
    for (const path of drops.slice(28, 30)) world.engine.mirror.hint({ kind: 'path', path });
    await world.pass(60_000, 0);
    world.disk.setListable('batch', true);
    await world.pass(120_000, 0);
    expect(world.engine.mirror.status().halts).toMatchObject([{ name: 'mass-delete' }]);
    expect(world.deleted.size).toBe(0);
    world.engine.approve();
    await world.pass(60_000, 0);
    expect(world.deleted.size).toBe(2);
    expect(await world.problems()).toEqual([]);
  });
});

describe('while it is paused', () => {
  test('nothing is sent, not even to find out about an earlier upload or an expired file; a verification that is asked for is', async () => {
    const world = await atRest();
    const { mirror } = world.engine;
    const [changed, expired] = drops as readonly [MirrorPath, MirrorPath];
    world.isOpaque = true;
    world.disk.write(changed, contentOf(77, 200));
    await world.clock.runUntil(() => world.manifest.intents.has(changed), world.clock.monotonicMs() + 30_000);
    await world.pass(1_000, 0);
    mirror.pause();
    world.isOpaque = false;
    await world.pass(1_000, 0);
    const before = world.requests;
    // Long enough for every file to expire.
    world.disk.remove(expired);
    await world.pass((LIFETIME_SECONDS + 600) * 1_000, 60_000);
    expect(world.requests).toBe(before);
    expect(mirror.report(expired)?.reason).toMatch(/expired/);
    const flushed = mirror.flush(new AbortController().signal);
    await world.pass(10_000, 0);
    expect((await flushed).halts.map(({ name }) => name)).toEqual(['paused']);
    const verified = mirror.verify(false, new AbortController().signal);
    await world.pass(30_000, 0);
    expect((await verified).expired.length).toBeGreaterThan(1);
    mirror.resume();
    await world.pass(60_000, 0);
    expect(world.manifest.intents.size).toBe(0);
    expect(world.manifest.files.has(expired)).toBe(false);
  });
});

test('a verification that is due while the root is away waits for it, or what it repairs would be forgotten', async () => {
  const world = await atRest();
  world.engine.reconfigure({ ...SETTINGS, verifyMs: 3_600_000 });
  await world.pass(120_000, 0);
  const path = drops[0] ?? '';
  world.server.remove(idOf(world, path) ?? '', 'others');
  world.disk.takeAway('unmounted');
  await world.pass(3_700_000, 1_000);
  world.disk.bringBack(false);
  await world.pass(120_000, 0);
  expect(await world.problems()).toEqual([]);
});

test('who asks for a rescan after the end is not kept waiting', async () => {
  const world = await atRest();
  const { mirror } = world.engine;
  void mirror.stop(1_000);
  await world.pass(10_000, 0);
  let answered = false;
  void mirror.rescan().then(() => (answered = true));
  await world.pass(1_000, 0);
  expect(answered).toBe(true);
});

describe('a new configuration', () => {
  test('that switches verifications on begins to count their time', async () => {
    const world = await atRest();
    world.engine.reconfigure({ ...SETTINGS, verifyMs: 3_600_000 });
    await world.pass(3_700_000, 60_000);
    expect(world.engine.mirror.status().lastVerifyAt).not.toBeNull();
  });
});

test('an engine that is stuck can be told from one that rests', async () => {
  let isStuck = false;
  const world = new LongWorld<MirrorEngine>({
    seed: 7,
    settings: SETTINGS,
    startEngine: (ports) => {
      const local = new Proxy(ports.local, {
        get(target, name) {
          if (name === 'lookRoot' && isStuck) return () => new Promise<never>(() => {});
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
      return startMirror({ ...ports, local });
    },
    serverLifetimeSeconds: LIFETIME_SECONDS,
    expiringPurposes: ['batch'],
    skewMs: 0,
  });
  for (const { folder } of SETTINGS.folders) world.disk.mkdir(folder);
  world.start();
  await world.pass(600_000, 0);
  expect(world.engine.mirror.sinceTickMs()).toBeLessThan(10_000);
  isStuck = true;
  await world.pass(600_000, 0);
  expect(world.engine.mirror.sinceTickMs()).toBeGreaterThan(500_000);
});

test('many removed files that look expired before the server’s clock is known are not asked for one by one with a key that is refused', async () => {
  const world = await atRest({ skewMs: -2_000 * LIFETIME_SECONDS });
  for (const path of drops) world.disk.remove(path);
  world.server.begin('auth');
  const before = world.requests;
  await world.restart();
  await world.pass(30_000, 0);
  expect(world.engine.mirror.status().halts.map(({ name }) => name)).toEqual(['auth']);
  expect(world.requests - before).toBeLessThanOrEqual(4);
  expect(world.manifest.files.size).toBe(drops.length + 1);
  world.server.begin('none');
  await world.pass(120_000, 0);
  expect(world.manifest.files.size).toBe(1);
  // By the server's clock they had not expired.
  expect(world.deleted.size).toBe(drops.length);
  expect(world.retrieved.size).toBe(0);
  expect(await world.problems()).toEqual([]);
});
