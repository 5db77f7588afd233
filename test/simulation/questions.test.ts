import { describe, expect, test } from 'vitest';
import type { MirrorPath } from '../../src/contract/types.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { badReplyFault, rateLimitedFor } from '../support/sim/sim-fates.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const LIFETIME_SECONDS = 86_400 * 30;
const DROPS = rulesOf('batch', { check: 'basic', maxBytes: 1_000_000 });
const NOTES = rulesOf('user_data', { check: 'basic', maxBytes: 1_000_000 });
const SETTINGS: SimSettings = calmSettings([DROPS, NOTES]);
const drops: readonly MirrorPath[] = Array.from({ length: 80 }, (_, index) => `batch/${index}.jsonl`);
const late = 'user_data/late.txt';

/** All files are mirrored; those of `batch` expire. */
async function mirrored(): Promise<LongWorld<MirrorEngine>> {
  const world = new LongWorld<MirrorEngine>({
    seed: 11,
    settings: SETTINGS,
    startEngine: startMirror,
    serverLifetimeSeconds: LIFETIME_SECONDS,
    expiringPurposes: ['batch'],
    skewMs: 0,
  });
  for (const { folder } of SETTINGS.folders) world.disk.mkdir(folder);
  for (const [index, path] of drops.entries()) world.disk.write(path, contentOf(index, 200));
  world.start();
  await world.pass(60_000, 0);
  expect(await world.problems()).toEqual([]);
  return world;
}

/** Every file of `batch` has expired, and is gone from the disk by then. */
async function expiredAndRemoved(
  prepare: (world: LongWorld<MirrorEngine>) => void,
): Promise<LongWorld<MirrorEngine>> {
  const world = await mirrored();
  await world.pass((LIFETIME_SECONDS + 600) * 1_000, 60_000);
  await world.pass(60_000, 0);
  prepare(world);
  for (const path of drops) world.disk.remove(path);
  return world;
}

/** The reply to an upload of the first file was lost. */
async function unknownUpload(
  prepare: (world: LongWorld<MirrorEngine>) => void,
): Promise<LongWorld<MirrorEngine>> {
  const world = await mirrored();
  prepare(world);
  world.isOpaque = true;
  world.disk.write(drops[0] ?? '', contentOf(500, 210));
  await world.clock.runUntil(() => world.manifest.intents.size > 0, world.clock.monotonicMs() + 30_000);
  await world.pass(1_000, 0);
  world.isOpaque = false;
  return world;
}

const withinMs = (world: LongWorld<MirrorEngine>, fromMs: number, ms: number): number =>
  world.questionsAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + ms).length;

describe('questions', () => {
  test('keep the Retry-After of each other, however many paths wait for an answer', async () => {
    const world = await expiredAndRemoved((each) => {
      each.onQuestion = async () => {
        throw rateLimitedFor(60_000);
      };
    });
    await world.clock.runUntil(() => world.questionsAtMs.length > 0, world.clock.monotonicMs() + 30_000);
    const firstMs = world.questionsAtMs[0] ?? 0;
    await world.pass(90_000, 0);
    // Those that were under way together; then one, to find out.
    expect(withinMs(world, firstMs, 59_000)).toBeLessThanOrEqual(8);
    expect(withinMs(world, firstMs + 59_000, 30_000)).toBeLessThanOrEqual(1);
    world.onQuestion = async () => {};
    await world.pass(600_000, 0);
    expect(world.manifest.files.size).toBe(0);
    expect(await world.problems()).toEqual([]);
  });

  test('are not repeated by scans, neither in a Retry-After nor while one failure is waited out', async () => {
    for (const [fault, most] of [
      [rateLimitedFor(3_600_000), 1],
      [badReplyFault('refused'), 40],
    ] as const) {
      const world = await unknownUpload((each) => {
        each.engine.reconfigure({ ...SETTINGS, rescanMs: 1_000, lookMs: 60_000 });
        each.onQuestion = async () => {
          throw fault;
        };
      });
      const fromMs = world.clock.monotonicMs();
      await world.pass(1_800_000, 0);
      expect(withinMs(world, fromMs, 1_800_000)).toBeLessThanOrEqual(most);
      world.onQuestion = async () => {};
      await world.pass(4_000_000, 1_000);
      expect(world.manifest.intents.size).toBe(0);
      expect(await world.problems()).toEqual([]);
    }
  });

  test('that are not answered keep no change on the disk from being seen', async () => {
    const world = await expiredAndRemoved((each) => {
      each.onQuestion = (kind) => (kind === 'retrieve' ? each.clock.sleep(600_000) : Promise.resolve());
    });
    await world.pass(30_000, 0);
    expect(world.questionsAtMs.length).toBeGreaterThan(0);
    world.disk.write(late, contentOf(900, 100));
    await world.pass(20_000, 0);
    expect(world.manifest.files.has(late)).toBe(true);
  });

  test('that wait for their turn are not sent after the mirror was paused', async () => {
    const world = await expiredAndRemoved((each) => {
      each.onQuestion = () => each.clock.sleep(1_000);
    });
    await world.clock.runUntil(() => world.questionsAtMs.length > 0, world.clock.monotonicMs() + 30_000);
    await world.pass(200, 0);
    world.engine.mirror.pause();
    const before = world.questionsAtMs.length;
    await world.pass(600_000, 0);
    expect(world.questionsAtMs.length).toBe(before);
    world.engine.mirror.resume();
    await world.pass(120_000, 0);
    expect(world.manifest.files.size).toBe(0);
    expect(await world.problems()).toEqual([]);
  });
});
