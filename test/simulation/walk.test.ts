import { expect, test } from 'vitest';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import type { SimPorts } from '../support/sim/sim-world.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const NOTES = rulesOf('user_data', { check: 'basic', maxBytes: 1_000_000 });
const PATH = 'user_data/new.txt';
/** The target of `src/README.md`'s walk. */
const MOST_FILES = 10;

/** The files of `mirror/` that the running call has come through, awaits included. */
function filesOfStack(): readonly string[] {
  return [...(new Error('where').stack ?? '').matchAll(/\/src\/mirror\/([\w/-]+\.ts)/g)].map(
    (match) => match[1] ?? '',
  );
}

/** The same, and told of each call of one function. */
function spied<T extends object>(real: T, name: keyof T, told: (args: readonly unknown[]) => void): T {
  return new Proxy(real, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]) => {
        if (key === name) told(args);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

test('a new file’s path passes few files of the engine, from the hint to its record', async () => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100;
  // A hint and a lane end the chain of calls: what lies before the one and around the other is named here.
  const passed = new Set(['mirror.ts', 'waiting/worklist.ts', 'acts/storage.ts']);
  const note = (): void => filesOfStack().forEach((file) => passed.add(file));
  const aboutPath = ([first]: readonly unknown[]): boolean => JSON.stringify(first).includes(PATH);
  const startEngine = (ports: SimPorts): MirrorEngine =>
    startMirror({
      ...ports,
      local: spied(ports.local, 'look', (args) => aboutPath(args) && note()),
      api: spied(ports.api, 'upload', () => note()),
      manifest: spied(ports.manifest, 'commit', (args) => aboutPath(args) && note()),
    });
  const world = new LongWorld<MirrorEngine>({
    seed: 3,
    settings: calmSettings([NOTES]),
    startEngine,
    serverLifetimeSeconds: 86_400,
    expiringPurposes: [],
    skewMs: 0,
  });
  world.disk.mkdir(NOTES.folder);
  world.start();
  await world.pass(30_000, 0);
  world.disk.write(PATH, contentOf(1, 200));
  await world.pass(30_000, 0);
  Error.stackTraceLimit = limit;
  expect(world.manifest.files.has(PATH)).toBe(true);
  expect(passed.size).toBeGreaterThan(5);
  expect(passed.size).toBeLessThanOrEqual(MOST_FILES);
});
