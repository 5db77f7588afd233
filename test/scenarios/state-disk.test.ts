import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { mountBind, mountTmpfs, noMounts, remount, unmount } from '../support/mounts.ts';

const DISK_BYTES = 512 * 1024;
const PATHS = Array.from({ length: 60 }, (_, index) => `user_data/${index}.txt`);

describe('the disk under the state folder', { concurrent: true }, () => {
  test.skipIf(noMounts)(
    'full: uploads and deletes halt, since they could not be recorded; with space again it goes on by itself',
    async (context) => {
      const mirror = await openTestMirror(context);
      await mkdir(mirror.stateDir, { mode: 0o700 });
      mountTmpfs(mirror.stateDir, DISK_BYTES);
      await chmod(mirror.stateDir, 0o700);
      context.onTestFinished(() => unmount(mirror.stateDir, 'lazy'));
      await mirror.write('assistants/removed.txt', 'to be removed');
      await mirror.start();
      await mirror.expectConverged({ posts: 1, deletes: 0 });
      const filler = join(mirror.stateDir, 'filler');
      await expect(writeFile(filler, Buffer.alloc(DISK_BYTES))).rejects.toThrow('ENOSPC');
      for (const path of PATHS) await mirror.write(path, path);
      const { halts } = await mirror.untilStatus((status) => status.halts.length > 0);
      expect(halts.map(({ name }) => name)).toEqual(['state']);
      expect(halts[0]?.cause).toContain('ENOSPC');
      expect(halts[0]?.next).toContain('free');
      await rm(mirror.at('assistants/removed.txt'));
      await mirror.flush();
      const { requests } = mirror.emulator;
      const sent = requests.uploads().length;
      expect(sent).toBeLessThan(PATHS.length);
      expect(requests.deletes()).toEqual([]);
      expect((await mirror.run('status')).code).toBe(5);
      await mirror.flush();
      expect(requests.uploads()).toHaveLength(sent);
      // A disk that is full must not be filled with words about it.
      expect(mirror.logs.split('\n').filter((line) => line.includes('"event":"halted"'))).toHaveLength(1);
      expect(mirror.logs).not.toContain('"event":"resumed"');

      await rm(filler);
      await mirror.untilStatus((status) => status.halts.length === 0);
      await mirror.untilConverged({ posts: PATHS.length + 1, deletes: 1 });
    },
  );

  test.skipIf(noMounts)(
    'full, then kill -9: nothing is there twice after the next start',
    async (context) => {
      const mirror = await openTestMirror(context);
      await mkdir(mirror.stateDir, { mode: 0o700 });
      mountTmpfs(mirror.stateDir, DISK_BYTES);
      await chmod(mirror.stateDir, 0o700);
      context.onTestFinished(() => unmount(mirror.stateDir, 'lazy'));
      await mirror.start();
      const filler = join(mirror.stateDir, 'filler');
      await expect(writeFile(filler, Buffer.alloc(DISK_BYTES))).rejects.toThrow('ENOSPC');
      for (const path of PATHS) await mirror.write(path, path);
      await mirror.untilStatus((status) => status.halts.length > 0);
      await mirror.kill9();
      await rm(filler);
      await mirror.start();
      await mirror.untilConverged({ deletes: 0 });
      expect(mirror.emulator.files()).toHaveLength(PATHS.length);
    },
  );

  test.skipIf(noMounts)(
    'C9: read-only: exit 78 at the start, with the cause and what to do',
    async (context) => {
      const mirror = await openTestMirror(context);
      await mkdir(mirror.stateDir, { mode: 0o700 });
      mountBind(mirror.stateDir, mirror.stateDir);
      remount(mirror.stateDir, 'ro');
      context.onTestFinished(() => unmount(mirror.stateDir, 'lazy'));
      await mirror.write('user_data/a.txt', 'content');
      const exit = await mirror.launch().exit();
      expect(exit).toMatchObject({
        code: 78,
        stderr: expect.stringMatching(/EROFS.*mount its disk writable/s),
      });
      expect(mirror.emulator.requests.all()).toEqual([]);
    },
  );

  test('C9: a folder that may not be written: exit 78 at the start', async (context) => {
    const mirror = await openTestMirror(context, {
      withoutCapabilities: ['dac_override', 'dac_read_search'],
    });
    await mkdir(mirror.stateDir, { mode: 0o500 });
    await mirror.write('user_data/a.txt', 'content');
    const exit = await mirror.launch().exit();
    expect(exit).toMatchObject({ code: 78, stderr: expect.stringMatching(/EACCES/) });
    expect(mirror.emulator.requests.all()).toEqual([]);
  });
});
