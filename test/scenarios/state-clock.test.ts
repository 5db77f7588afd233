import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { openTestMirror, type TestConfig, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { shiftClocks, withShiftableClocks, type ClockShift } from '../support/clock-shift.ts';

const ONE_DAY_MS = 86_400_000;

async function withClocks(
  context: TestContext,
  config: TestConfig,
): Promise<{ mirror: TestMirror; shift: (shift: ClockShift) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'clocks-'));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const order = join(folder, 'order');
  const mirror = await openTestMirror(context, { config, env: withShiftableClocks(order) });
  return { mirror, shift: (shift) => shiftClocks(mirror.process.pid, order, shift) };
}

describe('clocks that jump', { concurrent: true }, () => {
  for (const { name, wallMs } of [
    { name: 'a day ahead', wallMs: ONE_DAY_MS },
    { name: 'a day back', wallMs: -ONE_DAY_MS },
  ]) {
    test(`C14: the wall clock jumps ${name}: no burst of uploads, and no stall`, async (context) => {
      const limit = 10;
      const { mirror, shift } = await withClocks(context, { limits: { uploadsPerMinute: limit } });
      for (let index = 0; index < 15; index += 1) await mirror.write(`user_data/${index}.txt`, `${index}`);
      await mirror.start();
      const { requests } = mirror.emulator;
      const full = (uploads: number) => uploads === limit;
      await mirror.until(() => requests.uploads().length, full);
      await shift({ wallMs, monotonicMs: 0 });
      await mirror.write('user_data/after.txt', 'after the jump');
      const { uploads } = await mirror.untilStatus(
        (status) => status.uploads.waiting >= 5 && status.uploads.running === 0,
      );
      expect(uploads.inWindow).toBe(limit);
      expect(requests.uploads()).toHaveLength(limit);
      // A minute later by the clock that cannot jump.
      await shift({ wallMs, monotonicMs: 61_500 });
      await mirror.write('user_data/wake.txt', 'the next event');
      await mirror.until(
        () => requests.uploads().length,
        (count) => count === 17,
      );
      await mirror.untilConverged({ posts: 17, deletes: 0 });
    });
  }

  test('C14: the wall clock jumps a day ahead: a delete still waits for its grace period', async (context) => {
    const { mirror, shift } = await withClocks(context, { deletes: { graceSeconds: 600 } });
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    await rm(mirror.at('user_data/a.txt'));
    await mirror.untilStatus(({ waitingDeletes }) => waitingDeletes === 1);
    await shift({ wallMs: ONE_DAY_MS, monotonicMs: 0 });
    await (await mirror.daemon()).rescan();
    expect((await mirror.status()).waitingDeletes).toBe(1);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
    await shift({ wallMs: ONE_DAY_MS, monotonicMs: 601_000 });
    await mirror.untilConverged({ posts: 1, deletes: 1 });
  });
});
