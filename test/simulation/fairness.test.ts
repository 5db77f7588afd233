import { expect, test } from 'vitest';
import type { FolderRules } from '../../src/contract/types.ts';
import { allTrusted } from '../support/sim/sim-profile.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { startMirror } from './engine.ts';

const RULES: Omit<FolderRules, 'folder' | 'purpose' | 'priority'> = {
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 86_400,
  check: 'basic',
  deletes: 'mirror',
  maxBytes: 1_000_000,
};

/** A folder of high priority that gets more files than may be sent, all the time. */
function floodedWorld(rescanMs = 0): LongWorld<ReturnType<typeof startMirror>> {
  const world = new LongWorld({
    seed: 7,
    settings: {
      folders: [
        { ...RULES, folder: 'batch', purpose: 'batch', priority: 3 },
        { ...RULES, folder: 'user_data', purpose: 'user_data', priority: 0 },
      ],
      uploadsPerMinute: 60,
      concurrentUploads: 8,
      concurrentDeletes: 4,
      graceMs: 10_000,
      maxDeleteFraction: 0.5,
      minDeleteCount: 10,
      rescanMs,
      verifyMs: 0,
      lookMs: 10_000,
      trustReply: allTrusted,
    },
    startEngine: startMirror,
    serverLifetimeSeconds: 30 * 86_400,
    expiringPurposes: [],
    skewMs: 0,
  });
  for (const folder of ['batch', 'user_data']) world.disk.mkdir(folder);
  return world;
}

test.each([0, 600_000])(
  'a folder of higher priority that never rests does not keep a file of a lower one waiting for ever, with a rescan every %i ms',
  async (rescanMs) => {
    const world = floodedWorld(rescanMs);
    world.start();
    let written = 0;
    const isSent = (): boolean => world.manifest.files.has('user_data/patient.jsonl');
    for (let minute = 0; minute < 180 && !isSent(); minute += 1) {
      // By then hundreds wait already, in every place that there is.
      if (minute === 15) world.disk.write('user_data/patient.jsonl', contentOf(1, 100));
      for (let count = 0; count < 90; count += 1) {
        written += 1;
        world.disk.write(`batch/${written}.jsonl`, contentOf(written + 1, 100));
      }
      await world.pass(60_000, 1_000);
    }
    expect(isSent()).toBe(true);
    expect(world.safety.violations).toEqual([]);
  },
);

test('what comes late into a folder of higher priority goes before a long backlog of a lower one', async () => {
  const world = floodedWorld();
  for (let count = 0; count < 600; count += 1)
    world.disk.write(`user_data/${count}.jsonl`, contentOf(count + 1, 100));
  world.start();
  await world.pass(180_000, 1_000);
  world.disk.write('batch/urgent.jsonl', contentOf(9_999, 100));
  const before = world.manifest.files.size;
  await world.pass(20_000, 0);
  expect(world.manifest.files.has('batch/urgent.jsonl')).toBe(true);
  expect(world.manifest.files.size - before).toBeLessThan(70);
});
