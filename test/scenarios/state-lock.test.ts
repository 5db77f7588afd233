import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';

describe('two at once', { concurrent: true }, () => {
  test('C10: a second daemon on the same state folder exits 6 and names the pid of the first', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    for (const verb of ['run', 'sync']) {
      const { code, stderr } = await mirror.run(verb);
      expect({ code, stderr }).toEqual({
        code: 6,
        stderr: expect.stringContaining(`pid ${mirror.process.pid}`),
      });
    }
    await mirror.write('user_data/b.txt', 'the first goes on');
    await mirror.untilConverged({ posts: 2, deletes: 0 });
  });

  test('C10: a second daemon on the same root with another state folder exits 6, too', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    const { code, stderr } = await mirror.run('run', '--state-dir', join(mirror.folder, 'other'));
    expect({ code, stderr }).toEqual({
      code: 6,
      stderr: expect.stringContaining(`pid ${mirror.process.pid}`),
    });
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });

  test('C10: a daemon whose state folder another process took over ends by itself, with exit 6', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    // What a process finds that was suspended for so long that it was taken for dead.
    const lock = join(mirror.stateDir, 'lock');
    const holder = JSON.parse(await readFile(lock, 'utf8')) as object;
    await writeFile(lock, JSON.stringify({ ...holder, token: randomUUID() }));
    const remembered = async (): Promise<readonly string[]> =>
      Promise.all(
        ['manifest.json', 'manifest.journal'].map((name) => readFile(join(mirror.stateDir, name), 'utf8')),
      );
    const before = await remembered();
    const ended = mirror.process.exit();
    await mirror.write('user_data/more.txt', 'more content');
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 6, stderr: expect.stringContaining('another files-mirror') });
    expect(await remembered()).toEqual(before);
  });

  test('C10: after kill -9 of the first both locks are free at once', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    await mirror.kill9();
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });
});
