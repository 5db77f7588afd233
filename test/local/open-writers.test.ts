import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/contract/ports.ts';
import { createOpenWriters } from '../../src/local/open-writers.ts';
import { systemClock, temporaryDirectory } from './fixtures.ts';

/** A shell that has redirected something, and is over when it is told so. */
async function shellHolding(redirection: string, cwd: string) {
  const shell = spawn('sh', ['-c', `exec 3${redirection}; echo ready; read line`], { cwd });
  onTestFinished(() => void shell.kill('SIGKILL'));
  await once(shell.stdout, 'data');
  return {
    pid: shell.pid,
    async end() {
      shell.stdin.end();
      await once(shell, 'close');
    },
  };
}

describe.runIf(process.platform === 'linux')('on Linux', () => {
  test.each(['>> sub/held', '<> sub/held'])(
    'a process with %s is found, by name, until it closes',
    async (redirection) => {
      const root = temporaryDirectory();
      fs.mkdirSync(join(root, 'sub'));
      fs.writeFileSync(join(root, 'sub/held'), '');
      const writers = createOpenWriters({ root, clock: systemClock });
      const shell = await shellHolding(redirection, root);
      expect(await writers.of('sub/held', Date.now())).toEqual({ pid: shell.pid, name: 'sh' });
      expect(await writers.of('sub/other', 0)).toBeNull();
      await shell.end();
      expect(await writers.of('sub/held', Date.now())).toBeNull();
    },
  );

  test('a reader is no writer, and neither are we', async () => {
    const root = temporaryDirectory();
    fs.writeFileSync(join(root, 'read'), '');
    const own = fs.openSync(join(root, 'own'), 'w');
    onTestFinished(() => fs.closeSync(own));
    await shellHolding('< read', root);
    const writers = createOpenWriters({ root, clock: systemClock });
    expect(await writers.of('read', Date.now())).toBeNull();
    expect(await writers.of('own', Date.now())).toBeNull();
  });

  test('a root that is reached through a link is the same root', async () => {
    const directory = temporaryDirectory();
    fs.mkdirSync(join(directory, 'real'));
    fs.symlinkSync('real', join(directory, 'link'));
    await shellHolding('> real/held', directory);
    const writers = createOpenWriters({ root: join(directory, 'link'), clock: systemClock });
    expect(await writers.of('held', Date.now())).not.toBeNull();
  });
});

describe('how often it looks', () => {
  /** A `/proc` without processes, and a clock that counts the sweeps by the walls' times they start at. */
  function setUp() {
    const procDirectory = temporaryDirectory();
    fs.mkdirSync(join(procDirectory, 'self/fd'), { recursive: true });
    const time = { nowMs: 1_000_000, sweeps: 0, sleeps: [] as number[] };
    const clock: Clock = {
      wallMs: () => ((time.sweeps += 1), time.nowMs),
      // Every look at the clock takes 2 ms, so that a sweep costs something.
      monotonicMs: () => (time.nowMs += 2),
      async sleep(ms) {
        time.sleeps.push(ms);
        time.nowMs += ms;
      },
    };
    return { time, writers: createOpenWriters({ root: procDirectory, clock, procDirectory }) };
  }

  test('all who ask in the meantime share one sweep', async () => {
    const { time, writers } = setUp();
    await Promise.all(Array.from({ length: 50 }, async () => writers.of('a', time.nowMs)));
    expect(time.sweeps).toBe(1);
  });

  test('a file that changed before the last sweep is answered by it, for a second', async () => {
    const { time, writers } = setUp();
    const changedAtMs = time.nowMs - 5000;
    await writers.of('a', changedAtMs);
    await writers.of('b', changedAtMs);
    expect(time.sweeps).toBe(1);
    time.nowMs += 1500;
    await writers.of('b', changedAtMs);
    expect(time.sweeps).toBe(2);
  });

  test('a file that changed after it gets a new one, at once', async () => {
    const { time, writers } = setUp();
    await writers.of('a', time.nowMs);
    await writers.of('a', time.nowMs);
    expect(time.sweeps).toBe(2);
    expect(time.sleeps).toEqual([]);
  });

  test('many that follow each other wait, so that the cost stays at a tenth in the long run', async () => {
    const { time, writers } = setUp();
    const startMs = time.nowMs;
    for (let count = 0; count < 200; count++) await writers.of('a', time.nowMs);
    expect(time.sweeps).toBe(200);
    // Each costs 2 ms by this clock; the first 50 ms of cost come at once.
    expect(time.nowMs - startMs).toBeGreaterThan(10 * (200 * 2 - 60));
    expect(time.nowMs - startMs).toBeLessThan(10 * 200 * 2 + 200 * 20);
  });
});

test('without /proc nobody is ever seen writing', async () => {
  const root = temporaryDirectory();
  const writers = createOpenWriters({ root, clock: systemClock, procDirectory: join(root, 'no-proc') });
  expect(await writers.of('a', Date.now())).toBeNull();
});
