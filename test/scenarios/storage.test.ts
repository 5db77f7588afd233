import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { insufficientQuota } from '../support/fault-presets.ts';
import type { Halt } from '../../src/contract/types.ts';
import {
  openTestMirror,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { shiftClocks, withShiftableClocks } from '../support/clock-shift.ts';

const file = (letter: string, sizeBytes: number): string => letter.repeat(sizeBytes);

function haltIn(halts: readonly Halt[], name: Halt['name']): Halt | undefined {
  return halts.find((halt) => halt.name === name);
}

interface TimeMachine {
  readonly mirror: TestMirror;
  /** As if so many seconds had passed for the daemon. */
  readonly forward: (seconds: number) => Promise<void>;
}

async function openTimeMachine(context: TestContext, options: TestMirrorOptions): Promise<TimeMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'clocks-'));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const orders = join(folder, 'order');
  const mirror = await openTestMirror(context, { ...options, env: withShiftableClocks(orders) });
  let monotonicMs = 0;
  return {
    mirror,
    forward: async (seconds) => {
      monotonicMs += seconds * 1000;
      await shiftClocks(mirror.process.pid, orders, { wallMs: 0, monotonicMs });
    },
  };
}

describe('limits.storageBytes', { concurrent: true }, () => {
  test('an upload that would pass the limit is held with a reason, smaller ones go on, and it is sent when there is room', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits: { storageBytes: 1_000 } } });
    await mirror.write('user_data/first.txt', file('a', 600));
    await mirror.start();
    await mirror.expectConverged({ posts: 1 });
    await mirror.write('user_data/second.txt', file('b', 700));
    await mirror.write('user_data/small.txt', file('c', 300));
    const { problems, halts } = await mirror.flush();
    expect(problems).toMatchObject([{ path: 'user_data/second.txt', state: 'held' }]);
    expect(problems[0]?.reason).toContain('of 1000 bytes are used (limits.storageBytes)');
    expect(haltIn(halts, 'storage')?.next).toContain('limits.storageBytes');
    expect(mirror.emulator.requests.uploads()).toHaveLength(2);
    const { code, stdout } = await mirror.run('status');
    expect(code).toBe(5);
    expect(stdout).toContain('HALTED storage');

    await rm(mirror.at('user_data/first.txt'));
    await mirror.untilConverged({ posts: 3, deletes: 1 });
    expect((await mirror.run('status')).code).toBe(0);
  });

  test('uploads that fit one by one, but not together, do not pass it together', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits: { storageBytes: 1_000 } } });
    for (let n = 0; n < 8; n += 1) await mirror.write(`user_data/${n}.txt`, file(String(n), 400));
    const { code, result } = await mirror.sync();
    expect(code).toBe(5);
    expect(haltIn(result.halts, 'storage')).toBeDefined();
    expect(result.problems.map(({ state }) => state)).toEqual(Array.from({ length: 6 }, () => 'held'));
    expect(mirror.emulator.requests.uploads()).toHaveLength(2);
    expect(mirror.emulator.files().reduce((sum, { bytes }) => sum + bytes, 0)).toBe(800);
  });

  test('a held file that is removed, or replaced by one that fits, holds nothing any more', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits: { storageBytes: 1_000 } } });
    await mirror.start();
    await mirror.write('user_data/a.txt', file('a', 1_001));
    await mirror.write('user_data/b.txt', file('b', 1_002));
    expect((await mirror.flush()).problems).toHaveLength(2);
    await rm(mirror.at('user_data/a.txt'));
    await mirror.write('user_data/b.txt', file('b', 900));
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    expect((await mirror.status()).halts).toEqual([]);
  });
});

describe('storage that others use', { concurrent: true }, () => {
  test('counts once a verification has seen it, and no longer once one has seen that it went', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits: { storageBytes: 1_000 } } });
    const others = await mirror.emulator.store.add({
      purpose: 'assistants',
      filename: 'theirs.txt',
      content: file('x', 800),
    });
    await mirror.start();
    expect((await mirror.run('verify')).code).toBe(0);
    await mirror.write('user_data/a.txt', file('a', 300));
    const { problems } = await mirror.flush();
    expect(problems).toMatchObject([{ path: 'user_data/a.txt', state: 'held' }]);
    expect(problems[0]?.reason).toContain('800 of 1000 bytes');
    expect(mirror.emulator.requests.uploads()).toEqual([]);

    mirror.emulator.store.remove(others.id);
    expect((await mirror.run('verify')).code).toBe(0);
    await mirror.untilConverged({ posts: 1 });
  });
});

describe('a quota that the API reports', { concurrent: true }, () => {
  test('D13: storage full (400) halts uploads, deletes go on, and it ends by itself', async (context) => {
    const { mirror, forward } = await openTimeMachine(context, { emulator: { storageBytes: 1_000 } });
    await mirror.write('user_data/first.txt', file('a', 600));
    await mirror.start();
    await mirror.expectConverged({ posts: 1 });
    await mirror.write('user_data/second.txt', file('b', 700));
    const halted = haltIn((await mirror.flush()).halts, 'quota');
    expect(halted?.cause).toMatch(/400 .*quota/);
    expect(halted?.next).toContain('tries again by itself');
    expect(await mirror.report('user_data/second.txt')).toMatchObject({ id: null });
    expect((await mirror.run('status')).code).toBe(5);

    await mirror.write('user_data/third.txt', file('c', 10));
    await rm(mirror.at('user_data/first.txt'));
    await mirror.until(
      () => mirror.emulator.files().length,
      (count) => count === 0,
    );
    await forward(50);
    await mirror.flush();
    expect(mirror.emulator.requests.uploads(), 'uploads while halted').toHaveLength(2);
    await forward(11);
    await mirror.untilConverged({ posts: 4, deletes: 1 });
    expect((await mirror.status()).halts).toEqual([]);
  });

  test('D13: no credit (429 insufficient_quota) halts, with one try after ever longer waits', async (context) => {
    const { mirror, forward } = await openTimeMachine(context, {});
    const noCredit = mirror.emulator.faults.add({ match: { method: 'POST' }, act: insufficientQuota() });
    await mirror.start();
    await mirror.write('user_data/a.txt', 'a');
    expect(haltIn((await mirror.flush()).halts, 'quota')?.cause).toContain('insufficient_quota');
    await mirror.write('user_data/b.txt', 'b');
    await mirror.write('user_data/c.txt', 'c');
    await mirror.flush();
    expect(noCredit.hits).toBe(1);

    await forward(61);
    await mirror.until(
      () => noCredit.hits,
      (hits) => hits === 2,
    );
    await mirror.untilStatus(({ halts }) => haltIn(halts, 'quota') !== undefined);
    await forward(61);
    await mirror.flush();
    expect(noCredit.hits, 'the second wait is longer').toBe(2);
    noCredit.remove();
    await forward(61);
    await mirror.untilConverged({ posts: 5, deletes: 0 });
    expect((await mirror.status()).halts).toEqual([]);
  });
});
