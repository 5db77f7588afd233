import { expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const NOTES = rulesOf('user_data', { check: 'basic', maxBytes: 1_000_000 });
const SETTINGS: SimSettings = { ...calmSettings([NOTES]), rescanMs: 0 };
const RESCANNED: SimSettings = { ...SETTINGS, rescanMs: 60_000 };
const HOUR_MS = 3_600_000;
const paths: readonly MirrorPath[] = Array.from({ length: 100 }, (_, index) => `user_data/${index}.txt`);

/** A world with these files, and how often any of them was looked at. */
function looking(settings: SimSettings): {
  readonly world: LongWorld<MirrorEngine>;
  readonly looks: () => number;
} {
  let looks = 0;
  const world = new LongWorld<MirrorEngine>({
    seed: 3,
    settings,
    startEngine: (ports) => {
      const look = ports.local.look.bind(ports.local);
      ports.local.look = (path) => {
        looks += 1;
        return look(path);
      };
      return startMirror(ports);
    },
    serverLifetimeSeconds: 86_400,
    expiringPurposes: [],
    skewMs: 0,
  });
  world.disk.mkdir('user_data');
  for (const [index, path] of paths.entries()) world.disk.write(path, contentOf(index, 200));
  return { world, looks: () => looks };
}

test('what is skipped is not looked at again until something happens to it', async () => {
  const { world, looks } = looking(SETTINGS);
  world.start();
  await world.pass(60_000, 0);
  expect(world.manifest.files.size).toBe(100);
  for (const path of paths) world.disk.chmod(path, false);
  await world.pass(60_000, 0);
  const status = world.engine.mirror.status();
  expect(status).toMatchObject({ phase: 'idle', counts: { skipped: 100 } });
  const before = looks();
  await world.pass(HOUR_MS, 1_000);
  expect(looks()).toBe(before);
  for (const path of paths.slice(0, 40)) world.disk.chmod(path, true);
  await world.pass(60_000, 0);
  expect(world.engine.mirror.status().counts).toMatchObject({ synced: 40, skipped: 60 });
  const asked = looks();
  await world.engine.mirror.retry([paths[99] ?? '']);
  await world.pass(60_000, 0);
  expect(looks() - asked).toBe(1);
});

test('what waits for storage is not looked at again until there is room, and is sent then, as much as fits', async () => {
  const { world, looks } = looking({ ...RESCANNED, storageBytes: 10_000 });
  world.start();
  await world.pass(60_000, 0);
  expect(world.manifest.files.size).toBe(50);
  expect(world.engine.mirror.status().halts.map(({ name }) => name)).toEqual(['storage']);
  const before = looks();
  await world.pass(HOUR_MS, 1_000);
  expect(looks()).toBe(before);
  const mirrored = new Set(world.manifest.files.keys());
  // A rescan sees what no event tells of: that one of those that wait is gone, or is another one by now.
  const [gone = '', other = ''] = paths.filter((path) => !mirrored.has(path));
  world.disk.watchers.clear();
  world.disk.remove(gone);
  world.disk.write(other, contentOf(999, 20_000));
  await world.pass(120_000, 0);
  expect(world.engine.mirror.report(gone)).toBeNull();
  expect(looks() - before).toBeLessThan(10);
  for (const path of [...mirrored].slice(0, 20)) world.disk.remove(path);
  await world.pass(180_000, 0);
  expect(world.manifest.files.size).toBe(50);
  world.engine.reconfigure({ ...SETTINGS, storageBytes: 1_000_000 });
  await world.pass(60_000, 0);
  expect(world.manifest.files.size).toBe(79);
  expect(world.engine.mirror.status().halts).toEqual([]);
  expect(world.safety.violations).toEqual([]);
});
