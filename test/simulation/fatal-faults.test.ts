import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const NOTES = rulesOf('user_data', { check: 'basic', maxBytes: 1_000_000 });
const PATH = 'user_data/a.txt';
/** Empty, so that there is something of which a person may ask that it be tried again. */
const REFUSED_PATH = 'user_data/empty.txt';

/** As it is thrown when another process took the state folder over. */
const LOCKED = new Fault('another files-mirror holds the state folder', {
  disposition: 'fatal',
  outcome: 'refused',
  rule: 'locked',
});

async function mirrored(): Promise<{ world: LongWorld<MirrorEngine>; ended: () => unknown }> {
  const world = new LongWorld<MirrorEngine>({
    seed: 3,
    settings: { ...calmSettings([NOTES]), verifyMs: 60_000 },
    startEngine: startMirror,
    serverLifetimeSeconds: 86_400,
    expiringPurposes: [],
    skewMs: 0,
  });
  world.disk.mkdir(NOTES.folder);
  world.disk.write(PATH, contentOf(1, 200));
  world.disk.write(REFUSED_PATH, new Uint8Array(0));
  world.start();
  await world.pass(30_000, 0);
  expect(await world.problems()).toEqual([]);
  let why: unknown = null;
  world.engine.mirror.ended().catch((error: unknown) => (why = error));
  return { world, ended: () => why };
}

/** What makes the engine want to record something. */
const acts: Readonly<Record<string, (world: LongWorld<MirrorEngine>) => void>> = {
  'a new file': ({ disk }) => disk.write('user_data/b.txt', contentOf(2, 100)),
  'a changed file': ({ disk }) => disk.write(PATH, contentOf(3, 300)),
  'a touched file': ({ disk }) => disk.touch(PATH, disk.nowNs() - 1_000_000_000n),
  'a renamed file': ({ disk }) => {
    disk.mkdir('user_data/x');
    disk.rename(PATH, 'user_data/x/a.txt');
  },
  'a removed file': ({ disk }) => disk.remove(PATH),
  'a refused file': ({ disk }) => disk.write('user_data/c.txt', new Uint8Array(0)),
  'what a person asks for': ({ engine }) => void engine.mirror.retry([REFUSED_PATH]).catch(() => {}),
};

describe('a state folder that another process took over ends the engine, which spins no loop before', () => {
  test.each(Object.entries(acts))('%s', async (_name, act) => {
    const { world, ended } = await mirrored();
    world.commitFault = LOCKED;
    act(world);
    const stepsBefore = world.clock.steps;
    await world.pass(30_000, 0);
    expect(ended()).toBe(LOCKED);
    expect(world.clock.steps - stepsBefore).toBeLessThan(2_000);
  });

  test('while the manifest could not be written before', async () => {
    const { world, ended } = await mirrored();
    world.commitFault = new Fault('the disk is full', {
      disposition: 'halt',
      outcome: 'refused',
      halt: 'state',
      rule: 'state',
    });
    world.disk.write('user_data/b.txt', contentOf(2, 100));
    await world.pass(30_000, 0);
    expect(ended()).toBeNull();
    world.commitFault = LOCKED;
    await world.pass(30_000, 0);
    expect(ended()).toBe(LOCKED);
  });
});
