import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lockRoot } from '../../src/manifest/root-lock.ts';
import { lockHolder, lockStateDir } from '../../src/manifest/state-lock.ts';

const locked = { name: 'Fault', disposition: 'fatal', rule: 'locked' };

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'files-mirror-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The first thing it said. */
  readonly said: string;
}

async function start(kind: 'state' | 'root', path: string): Promise<Program> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'lock-holder.ts'), kind, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, pid: child.pid ?? 0, said };
}

async function killHard({ child }: Program): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe.for(['state', 'root'] as const)('the %s lock', (kind) => {
  const lock = kind === 'state' ? lockStateDir : lockRoot;

  test.skipIf(kind === 'root' && process.platform !== 'linux')(
    'names the pid of its holder, and is free at once after kill -9',
    async () => {
      const folder = temporaryFolder();
      const holder = await start(kind, folder);
      expect(holder.said).toBe('locked');
      await expect(lock(folder)).rejects.toMatchObject(locked);
      await expect(lock(folder)).rejects.toThrow(`another files-mirror (pid ${holder.pid}) holds ${folder}`);
      await killHard(holder);
      const mine = await lock(folder);
      const second = await start(kind, folder);
      expect(second.said).toContain(`(pid ${process.pid})`);
      await mine.close();
      await (await lock(folder)).close();
    },
  );

  test('of two folders are two locks', async () => {
    const first = await lock(temporaryFolder());
    const second = await lock(temporaryFolder());
    await first.close();
    await second.close();
  });
});

const dead = { pid: 2 ** 22 - 1, token: '00000000-dead', realm: '', started: '1' };

/** The realm of this process, as its own lock tells it. */
async function ownRecord(): Promise<typeof dead> {
  const folder = temporaryFolder();
  const lock = await lockStateDir(folder);
  const record = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')) as typeof dead;
  await lock.close();
  return record;
}

describe('a stale state lock', () => {
  test('goes to exactly one of many who find it at the same time', async () => {
    const { realm } = await ownRecord();
    const folder = temporaryFolder();
    for (let round = 0; round < 25; round += 1) {
      // A holder that was killed, or a file that a power cut emptied.
      const first = round % 3 === 0 ? '' : JSON.stringify({ ...dead, realm, token: 'dead-0' });
      writeFileSync(join(folder, 'lock'), first);
      // Somebody died while taking it over.
      if (round % 2 === 0) {
        writeFileSync(join(folder, 'lock-dead-0'), JSON.stringify({ ...dead, realm, token: 'dead-1' }));
      }
      const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => lockStateDir(folder)));
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      const reasons = outcomes
        .filter((outcome) => outcome.status === 'rejected')
        .map(({ reason }) => reason as unknown);
      expect(winners).toHaveLength(1);
      for (const reason of reasons) expect(reason).toMatchObject(locked);
      await winners[0]?.value.close();
      expect(readdirSync(folder).filter((name) => name === 'lock')).toEqual([]);
    }
  });

  test('goes to exactly one of several programs', async () => {
    const { realm } = await ownRecord();
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'lock'), JSON.stringify({ ...dead, realm }));
    const programs = await Promise.all(Array.from({ length: 4 }, () => start('state', folder)));
    expect(programs.filter(({ said }) => said === 'locked')).toHaveLength(1);
  });

  test.runIf(process.platform === 'linux')(
    'is known by the start time, though its pid lives again',
    async () => {
      const own = await ownRecord();
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'lock'), JSON.stringify({ ...own, started: '1' }));
      await (await lockStateDir(folder)).close();
      writeFileSync(join(folder, 'lock'), JSON.stringify(own));
      await expect(lockStateDir(folder)).rejects.toMatchObject(locked);
    },
  );
});

test('a starter that was slow to find its holder dead leaves the lock to the one that was quicker', async () => {
  const own = await ownRecord();
  const folder = temporaryFolder();
  const path = join(folder, 'lock');
  const sameMtime = (): void => utimesSync(path, 1_700_000_000, 1_700_000_000);
  writeFileSync(path, JSON.stringify({ ...dead, realm: 'elsewhere' }));
  sameMtime();
  const slow = lockStateDir(folder, { beatMs: 1e12, watchMs: 400 });
  // Should this be too early, the slow one meets the quick one's lock at first sight, and must yield as well.
  await delay(150);
  writeFileSync(path, JSON.stringify(own));
  sameMtime();
  await expect(slow).rejects.toThrow(`(pid ${process.pid})`);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(own);
});

describe('the lock of a holder in another container', () => {
  const timing = { beatMs: 50, watchMs: 400 };
  const foreign = JSON.stringify({ ...dead, pid: 1, realm: 'elsewhere' });

  test('is told to those who ask, as long as it beats', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'lock');
    writeFileSync(path, foreign);
    expect(await lockHolder(folder, timing)).toMatchObject({ pid: 1, isForeign: true });
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    expect(await lockHolder(folder, timing)).toBeNull();
  });

  test('holds while it shows signs of life', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'lock');
    writeFileSync(path, foreign);
    const beat = setInterval(() => utimesSync(path, new Date(), new Date()), 50);
    onTestFinished(() => clearInterval(beat));
    await expect(lockStateDir(folder, timing)).rejects.toThrow('(pid 1, in another container or host)');
  });

  test('is free when it shows none, and whoever takes it over shows them', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'lock');
    writeFileSync(path, foreign);
    const lock = await lockStateDir(folder, timing);
    const { mtimeMs } = statSync(path);
    await expect.poll(() => statSync(path).mtimeMs).toBeGreaterThan(mtimeMs);
    await lock.close();
  });

  test('is free at once when it has been silent for long, and the watching can be broken off', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'lock');
    writeFileSync(path, foreign);
    const stop = new AbortController();
    const waiting = lockStateDir(folder, { beatMs: 5_000, watchMs: 3_600_000 }, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    utimesSync(path, 1, 1);
    await (await lockStateDir(folder, { beatMs: 5_000, watchMs: 3_600_000 })).close();
  });

  test('is known to be lost by who was suspended meanwhile, and is not shown alive by that one any more', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'lock');
    const lock = await lockStateDir(folder, timing);
    lock.assertHeld();
    writeFileSync(path, foreign);
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    await expect
      .poll(() => {
        try {
          return lock.assertHeld();
        } catch (error) {
          return error;
        }
      })
      .toMatchObject({
        ...locked,
        message: expect.stringContaining('(pid 1, in another container or host)'),
      });
    expect(statSync(path).mtimeMs).toBe(1_700_000_000_000);
    await lock.close();
    expect(readFileSync(path, 'utf8')).toBe(foreign);
  });

  test('is known to be lost by the first question after a suspension, before any beat', async () => {
    const folder = temporaryFolder();
    const lock = await lockStateDir(folder, { beatMs: 3_600_000, watchMs: 7_300_000 });
    lock.assertHeld();
    writeFileSync(join(folder, 'lock'), foreign);
    expect(() => lock.assertHeld()).toThrow('(pid 1, in another container or host)');
    // That one is done: what it wrote is newer all the same.
    rmSync(join(folder, 'lock'));
    expect(() => lock.assertHeld()).toThrow('(pid 1, in another container or host)');
  });

  test('is lost, too, when it is gone after a suspension: another may have come and gone', async () => {
    const folder = temporaryFolder();
    const lock = await lockStateDir(folder, timing);
    rmSync(join(folder, 'lock'));
    // Taken away by hand, and nobody could have taken this process for dead.
    lock.assertHeld();
    suspend(3 * timing.beatMs);
    expect(() => lock.assertHeld()).toThrow(`another files-mirror may have worked on ${folder}`);
    await delay(2 * timing.beatMs);
    expect(() => lock.assertHeld()).toThrow(`another files-mirror may have worked on ${folder}`);
    await lock.close();
  });

  test('is still held after a suspension that nobody used', async () => {
    const lock = await lockStateDir(temporaryFolder(), timing);
    suspend(3 * timing.beatMs);
    lock.assertHeld();
    await lock.close();
  });
});

/** As a paused container: no timer fires, and the clocks go on. */
function suspend(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('who holds a state folder', () => {
  test('is told with what it does, and whether it was stopped; nobody once it is dead', async () => {
    const folder = temporaryFolder();
    expect(await lockHolder(folder)).toBeNull();
    const mine = await lockStateDir(folder, undefined, undefined, 'sync');
    const me = { pid: process.pid, verb: 'sync', isForeign: false, isStopped: false };
    expect(await lockHolder(folder)).toEqual(me);
    await mine.close();
    expect(await lockHolder(folder)).toBeNull();

    const other = await start('state', folder);
    other.child.kill('SIGSTOP');
    const stopped = { pid: other.pid, verb: null, isForeign: false, isStopped: process.platform === 'linux' };
    await expect.poll(() => lockHolder(folder)).toEqual(stopped);
    await killHard(other);
    expect(await lockHolder(folder)).toBeNull();
  });
});
