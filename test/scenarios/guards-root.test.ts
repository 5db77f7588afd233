import { chmod, copyFile, cp, mkdir, open, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import {
  openTestMirror,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { mountBind, mountTmpfs, noMounts, unmount } from '../support/mounts.ts';

const PATHS = ['user_data/1.txt', 'user_data/2.txt', 'assistants/3.txt'];
const MARKER = '.files-mirror.json';
const DISK_BYTES = 4 * 1024 * 1024;

/** A mirror with three files at rest, whose request log is empty. */
async function settled(context: TestContext, options: TestMirrorOptions = {}): Promise<TestMirror> {
  const mirror = await openTestMirror(context, options);
  await fill(mirror);
  return mirror;
}

async function fill(mirror: TestMirror): Promise<void> {
  for (const path of PATHS) await mirror.write(path, `content of ${path}`);
  await mirror.start();
  await mirror.expectConverged({ posts: 3, deletes: 0 });
  mirror.emulator.requests.clear();
}

/** The same with the root on a disk of its own, mounted by `mountRoot`. */
async function settledOnDisk(
  context: TestContext,
): Promise<{ mirror: TestMirror; disk: string; mountRoot: () => void }> {
  const mirror = await openTestMirror(context);
  const disk = await makeDisk(context, join(mirror.folder, 'disk'));
  const mountRoot = (): void => mountBind(disk, mirror.root);
  mountRoot();
  context.onTestFinished(() => unmountIfMounted(mirror.root));
  await fill(mirror);
  return { mirror, disk, mountRoot };
}

async function makeDisk(context: TestContext, folder: string): Promise<string> {
  await mkdir(folder);
  mountTmpfs(folder, DISK_BYTES);
  context.onTestFinished(() => unmount(folder, 'lazy'));
  return folder;
}

function unmountIfMounted(folder: string): void {
  try {
    unmount(folder, 'lazy');
  } catch {
    // The test left it unmounted.
  }
}

async function untilHalted(mirror: TestMirror, cause: RegExp): Promise<void> {
  const { halts } = await mirror.untilStatus((status) => status.halts.some((halt) => cause.test(halt.cause)));
  expect(halts.map(({ name }) => name)).toEqual(['root']);
  expect((await mirror.run('status')).code).toBe(5);
}

const untilResumed = (mirror: TestMirror) => mirror.untilStatus(({ halts }) => halts.length === 0);

function expectNothingSent({ emulator: { requests } }: TestMirror): void {
  expect([...requests.uploads(), ...requests.deletes()]).toEqual([]);
}

describe('the guard over the root', { concurrent: true }, () => {
  for (const how of ['plain', 'lazy'] as const) {
    const command = how === 'plain' ? 'umount' : 'umount -l';
    test.skipIf(noMounts)(
      `B10: ${command} of the root while running halts; mounted again it goes on by itself`,
      async (context) => {
        const { mirror, disk, mountRoot } = await settledOnDisk(context);
        // A file that is open keeps the disk busy, which only a lazy unmount ignores.
        const busy = how === 'lazy' ? await open(mirror.at(PATHS[0] ?? '')) : null;
        unmount(mirror.root, how);
        await untilHalted(mirror, /marker|unmounted|device|moved/);
        await writeFile(join(disk, 'user_data', 'new.txt'), 'written elsewhere meanwhile');
        await mirror.flush();
        expectNothingSent(mirror);
        expect(await readdir(mirror.root)).toEqual([]);
        mountRoot();
        await busy?.close();
        await untilResumed(mirror);
        await mirror.untilConverged({ posts: 1, deletes: 0 });
      },
    );
  }

  test.skipIf(noMounts)(
    'B10: the same files on another disk in its place: nothing is sent',
    async (context) => {
      const { mirror, disk } = await settledOnDisk(context);
      const other = await makeDisk(context, join(mirror.folder, 'other'));
      await cp(disk, other, { recursive: true, preserveTimestamps: true });
      unmount(mirror.root);
      await untilHalted(mirror, /./);
      mountBind(other, mirror.root);
      await untilResumed(mirror);
      await mirror.expectConverged({ posts: 0, deletes: 0 });
    },
  );

  test.skipIf(noMounts)(
    'B10: another mirror’s disk in its place halts, whatever is on it',
    async (context) => {
      const { mirror, disk, mountRoot } = await settledOnDisk(context);
      const other = await makeDisk(context, join(mirror.folder, 'other'));
      const marker = { version: 1, mirrorId: '00000000-0000-4000-8000-000000000000' };
      await writeFile(join(other, MARKER), JSON.stringify(marker));
      await cp(join(disk, 'assistants'), join(other, 'assistants'), { recursive: true });
      unmount(mirror.root);
      mountBind(other, mirror.root);
      await untilHalted(mirror, /belongs to another mirror/);
      await mirror.flush();
      expectNothingSent(mirror);
      unmount(mirror.root);
      mountRoot();
      await untilResumed(mirror);
      await mirror.expectConverged({ posts: 0, deletes: 0 });
    },
  );

  test.skipIf(noMounts)(
    'B10: another mirror’s disk mounted over it, on which nothing is missing: its other files are not sent',
    async (context) => {
      const { mirror, disk } = await settledOnDisk(context);
      const other = await makeDisk(context, join(mirror.folder, 'other'));
      await cp(disk, other, { recursive: true, preserveTimestamps: true });
      const marker = { version: 1, mirrorId: '00000000-0000-4000-8000-000000000000' };
      await writeFile(join(other, MARKER), JSON.stringify(marker));
      const foreign = join(other, 'assistants', 'foreign.txt');
      await writeFile(foreign, 'somebody else’s, and settled long ago');
      await utimes(foreign, 1_700_000_000, 1_700_000_000);
      mountBind(other, mirror.root);
      await untilHalted(mirror, /belongs to another mirror/);
      expectNothingSent(mirror);
      unmount(mirror.root);
      await untilResumed(mirror);
      await mirror.expectConverged({ posts: 0, deletes: 0 });
    },
  );

  test.skipIf(noMounts)(
    'B10: a purpose folder on a disk of its own, unmounted: its files are not deleted',
    async (context) => {
      const mirror = await openTestMirror(context);
      const disk = await makeDisk(context, join(mirror.folder, 'disk'));
      await mkdir(mirror.at('user_data'), { recursive: true });
      mountBind(disk, mirror.at('user_data'));
      context.onTestFinished(() => unmountIfMounted(mirror.at('user_data')));
      await fill(mirror);
      unmount(mirror.at('user_data'));
      const { halts } = await mirror.untilStatus((status) => status.halts.length > 0);
      expect(halts.map(({ name, folder }) => `${name} ${folder}`)).toEqual(['mass-delete user_data']);
      expect(halts[0]?.cause).toContain('another disk');
      await mirror.write('assistants/new.txt', 'uploads go on');
      await mirror.flush();
      expect(mirror.emulator.requests.uploads()).toHaveLength(1);
      expect(mirror.emulator.requests.deletes()).toEqual([]);
      mountBind(disk, mirror.at('user_data'));
      await untilResumed(mirror);
      await mirror.expectConverged({ posts: 1, deletes: 0 });
    },
  );

  test.skipIf(noMounts)(
    'B11: started while the root is unmounted: nothing is planned, created or deleted',
    async (context) => {
      const { mirror, mountRoot } = await settledOnDisk(context);
      await mirror.stop();
      unmount(mirror.root);
      const { code, result } = await mirror.sync();
      expect(code).toBe(5);
      expect(result.halts.map(({ name }) => name)).toEqual(['root']);
      await mirror.start();
      await untilHalted(mirror, /may not be mounted/);
      await mirror.flush();
      expect(await readdir(mirror.root)).toEqual([]);
      expectNothingSent(mirror);
      mountRoot();
      await untilResumed(mirror);
      await mirror.expectConverged({ posts: 0, deletes: 0 });
    },
  );

  test('B11: started without the root: refused with exit 78 and what to do', async (context) => {
    const mirror = await settled(context);
    await mirror.stop();
    await rename(mirror.root, join(mirror.folder, 'aside'));
    const exit = await mirror.launch().exit();
    expect(exit.code).toBe(78);
    expect(exit.stderr).toMatch(/does not exist; mount it/);
    await rename(join(mirror.folder, 'aside'), mirror.root);
    await mirror.start();
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('a root that is renamed away and back again: nothing is sent', async (context) => {
    const mirror = await settled(context);
    await rename(mirror.root, join(mirror.folder, 'aside'));
    await untilHalted(mirror, /cannot be read/);
    await mirror.flush();
    expectNothingSent(mirror);
    await rename(join(mirror.folder, 'aside'), mirror.root);
    await untilResumed(mirror);
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('a root that is a file now halts', async (context) => {
    const mirror = await settled(context);
    await rename(mirror.root, join(mirror.folder, 'aside'));
    await writeFile(mirror.root, '');
    await untilHalted(mirror, /not a directory/);
    expectNothingSent(mirror);
    await rm(mirror.root);
    await rename(join(mirror.folder, 'aside'), mirror.root);
    await untilResumed(mirror);
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('a root that lost everything, its marker too, halts; the marker is not written anew', async (context) => {
    const mirror = await settled(context);
    await copyFile(mirror.at(MARKER), join(mirror.folder, 'marker'));
    for (const name of await readdir(mirror.root)) await rm(mirror.at(name), { recursive: true });
    await untilHalted(mirror, /marker/);
    await mirror.flush();
    expectNothingSent(mirror);
    expect(await readdir(mirror.root)).toEqual([]);
    for (const path of PATHS) await mirror.write(path, `content of ${path}`);
    await copyFile(join(mirror.folder, 'marker'), mirror.at(MARKER));
    await untilResumed(mirror);
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('a root that may not be read halts until it may', async (context) => {
    const mirror = await settled(context, { withoutCapabilities: ['dac_override', 'dac_read_search'] });
    await chmod(mirror.root, 0o000);
    await untilHalted(mirror, /EACCES/);
    await mirror.flush();
    expectNothingSent(mirror);
    await chmod(mirror.root, 0o755);
    await untilResumed(mirror);
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });
});
