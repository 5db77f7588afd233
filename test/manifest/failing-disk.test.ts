import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openManifest } from '../../src/manifest/manifest-store.ts';
import type { ManifestStore } from '../../src/manifest/manifest-store.ts';
import { lockedBy } from '../../src/manifest/state-lock.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { Change } from '../../src/contract/types.ts';
import { ManualClock } from './manual-clock.ts';
import { changeNumber, contentAfter, contentOf, entry, seededRandom } from './samples.ts';
import type { DiskOperation, Fate } from './simulated-disk.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const haltState = { name: 'Fault', disposition: 'halt', halt: 'state', outcome: 'refused', rule: 'state' };

function open(files: SimulatedDisk): Promise<ManifestStore> {
  return openManifest({ stateDir: '/state', files, clock: new ManualClock(), onWarning: () => {} });
}

async function survivors(disk: SimulatedDisk, seed = 1): Promise<unknown> {
  const view = await readManifest('/state', disk.afterPowerCut(seededRandom(seed)));
  return view === null ? null : contentOf(view);
}

const first: Change = { files: { 'batch/a.jsonl': entry('file-1') } };
const second: Change = { files: { 'batch/b.jsonl': entry('file-2') } };
const third: Change = { files: { 'batch/c.jsonl': entry('file-3') } };

describe('a change that cannot be made durable', () => {
  test.for<{ name: string; operation: DiskOperation; fate: Fate; code: string; remedy: string }>([
    { name: 'the disk is full', operation: 'write', fate: 'torn', code: 'ENOSPC', remedy: 'free space' },
    {
      name: 'the disk became read-only',
      operation: 'write',
      fate: 'failed',
      code: 'EROFS',
      remedy: 'writable',
    },
    { name: 'the sync fails', operation: 'sync', fate: 'failed', code: 'EIO', remedy: 'check the disk' },
  ])(
    'is refused and leaves memory as it was, and the next one succeeds: $name',
    async ({ operation, fate, code, remedy }) => {
      const disk = new SimulatedDisk();
      const store = await open(disk);
      await store.commit(first);
      const journal = disk.read('manifest.journal');
      disk.errorCode = code;
      disk.fate = (asked) => (asked === operation ? fate : 'done');
      const refused = store.commit(second);
      await expect(refused).rejects.toMatchObject(haltState);
      await expect(refused).rejects.toThrow(`/state/manifest.journal`);
      await expect(refused).rejects.toThrow(code);
      await expect(refused).rejects.toThrow(remedy);
      await expect(store.commit(second)).rejects.toMatchObject(haltState);
      expect(contentOf(store)).toEqual(contentAfter([first]));
      expect(disk.read('manifest.journal')).toEqual(journal);

      disk.fate = () => 'done';
      await store.commit(third);
      expect(contentOf(store)).toEqual(contentAfter([first, third]));
      for (let seed = 0; seed < 20; seed += 1) {
        expect(await survivors(disk, seed)).toEqual(contentAfter([first, third]));
      }
    },
  );

  test('because the folder is another process’s by now leaves that one’s files alone', async () => {
    const disk = new SimulatedDisk();
    let isHeld = true;
    const store = await openManifest({
      stateDir: '/state',
      files: disk,
      clock: new ManualClock(),
      onWarning: () => {},
      assertHeld() {
        if (!isHeld) throw lockedBy(7, '/state');
      },
    });
    await store.commit(first);
    const successor = await open(disk);
    await successor.commit(second);
    const theirs = [disk.read('manifest.json'), disk.read('manifest.journal')];
    isHeld = false;
    await expect(store.commit(third)).rejects.toMatchObject({ rule: 'locked', disposition: 'fatal' });
    await store.close();
    expect([disk.read('manifest.json'), disk.read('manifest.journal')]).toEqual(theirs);
    expect(await survivors(disk)).toEqual(contentAfter([first, second]));
  });

  test('because the folder became another process’s in the middle leaves that one’s files alone', async () => {
    const disk = new SimulatedDisk();
    let isHeld = true;
    const store = await openManifest({
      stateDir: '/state',
      files: disk,
      clock: new ManualClock(),
      onWarning: () => {},
      assertHeld() {
        if (!isHeld) throw lockedBy(7, '/state');
      },
    });
    await store.commit(first);
    const successor = await open(disk);
    await successor.commit(second);
    const theirs = [disk.read('manifest.json'), disk.read('manifest.journal')];
    disk.fate = (asked) => {
      if (asked === 'sync') isHeld = false;
      return 'done';
    };
    await expect(store.snapshotNow()).rejects.toMatchObject({ rule: 'locked' });
    expect([disk.read('manifest.json'), disk.read('manifest.journal')]).toEqual(theirs);
    expect(await survivors(disk)).toEqual(contentAfter([first, second]));
  });

  test('stands for its whole group, and the order is kept', async () => {
    const disk = new SimulatedDisk();
    const store = await open(disk);
    disk.fate = (asked) => (asked === 'write' ? 'torn' : 'done');
    const outcomes = await Promise.allSettled([first, second, third].map((change) => store.commit(change)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(store.seq).toBe(0);
  });

  test.for(Array.from({ length: 40 }, (_, seed) => seed))(
    'never disturbs the others, whatever fails (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const disk = new SimulatedDisk();
      const store = await open(disk);
      const done: Change[] = [];
      const tryCommit = async (n: number): Promise<void> => {
        const change = changeNumber(n, random);
        await store.commit(change).then(
          () => done.push(change),
          (error: unknown) => expect(error).toMatchObject(haltState),
        );
      };
      for (let n = 0; n < 60; n += 3) {
        const failures = random() < 0.5 ? 0 : random() * 0.5;
        disk.fate = () => (random() < failures ? (random() < 0.5 ? 'torn' : 'failed') : 'done');
        if (random() < 0.2) void store.snapshotNow().catch(() => {});
        await Promise.all([tryCommit(n), tryCommit(n + 1), tryCommit(n + 2)]);
        expect(contentOf(store)).toEqual(contentAfter(done));
      }
      disk.fate = () => 'done';
      await store.commit(first);
      expect(done.length).toBeGreaterThan(10);
      expect(await survivors(disk, seed)).toEqual(contentAfter([...done, first]));
    },
  );
});

describe('the journal of a running program', () => {
  test.for<{ what: string; meddle: (disk: SimulatedDisk) => Promise<void> }>([
    {
      what: 'cut it',
      meddle: async (disk) => (await disk.open('manifest.journal', 'update'))?.truncate(150),
    },
    {
      what: 'wrote to it',
      meddle: async (disk) => (await disk.open('manifest.journal', 'update'))?.write(Buffer.from('x'), 5_000),
    },
  ])('is made again when someone $what', async ({ meddle }) => {
    const disk = new SimulatedDisk();
    const store = await open(disk);
    await store.commit(first);
    await meddle(disk);
    await store.commit(second);
    expect(await survivors(disk)).toEqual(contentAfter([first, second]));
  });

  test('is made again when someone removed it', async () => {
    const disk = new SimulatedDisk();
    const store = await open(disk);
    await store.commit(first);
    await disk.remove('manifest.journal');
    await disk.remove('manifest.json');
    await store.commit(second);
    expect(await survivors(disk)).toEqual(contentAfter([first, second]));
  });
});

describe('a snapshot that cannot be written', () => {
  test('loses nothing, leaves no partial file, and says why', async () => {
    const disk = new SimulatedDisk();
    const store = await open(disk);
    await store.commit(first);
    const before = disk.read('manifest.json');
    disk.errorCode = 'ENOSPC';
    disk.fate = (asked, name) => (asked === 'write' && name === 'manifest.json.tmp' ? 'torn' : 'done');
    await expect(store.snapshotNow()).rejects.toThrow(/manifest\.json.*ENOSPC.*free space/);
    expect(disk.read('manifest.json')).toEqual(before);
    expect(disk.read('manifest.json.tmp')).toBeNull();
    await store.commit(second);
    expect(await survivors(disk)).toEqual(contentAfter([first, second]));
  });

  test('is a warning at the end, and the journal keeps what it would have held', async () => {
    const disk = new SimulatedDisk();
    const warnings: string[] = [];
    const onWarning = (message: string): number => warnings.push(message);
    const store = await openManifest({
      stateDir: '/state',
      files: disk,
      clock: new ManualClock(),
      onWarning,
    });
    await store.commit(first);
    disk.fate = () => 'failed';
    await store.close();
    expect(warnings).toEqual([expect.stringContaining('EIO')]);
    expect(await survivors(disk)).toEqual(contentAfter([first]));
  });
});

function mountTinyDisk(): string | null {
  const mountPoint = mkdtempSync(join(tmpdir(), 'files-mirror-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mountPoint], { stdio: 'ignore' });
    return mountPoint;
  } catch {
    rmSync(mountPoint, { recursive: true });
    return null;
  }
}

test('a disk that is really full refuses changes until there is space again', async ({ skip }) => {
  const mountPoint = mountTinyDisk();
  if (mountPoint === null) {
    skip('needs the right to mount a tmpfs');
    return;
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', mountPoint]);
    rmSync(mountPoint, { recursive: true });
  });
  const stateDir = join(mountPoint, 'state');
  const store = await openManifest({ stateDir, clock: new ManualClock(), onWarning: () => {} });
  await store.commit(first);
  const ballast = join(mountPoint, 'ballast');
  expect(() => writeFileSync(ballast, Buffer.alloc(1 << 20))).toThrow('ENOSPC');

  const done: Change[] = [first];
  const upTo = async (n: number): Promise<unknown> => {
    if (n === 100) return null;
    const change: Change = { files: { [`batch/${n}`]: entry(`file-${n}`, { remoteName: 'x'.repeat(200) }) } };
    try {
      await store.commit(change);
    } catch (error) {
      return error;
    }
    done.push(change);
    return upTo(n + 1);
  };
  expect(await upTo(0)).toMatchObject(haltState);
  await expect(store.commit({ files: { 'batch/long': entry('x'.repeat(9_000)) } })).rejects.toThrow('ENOSPC');
  expect(contentOf(store)).toEqual(contentAfter(done));

  rmSync(ballast);
  await store.commit(second);
  const view = await readManifest(stateDir);
  expect(view === null ? null : contentOf(view)).toEqual(contentAfter([...done, second]));
  await store.close();
});
