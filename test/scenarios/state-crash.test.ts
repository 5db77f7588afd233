import { rm } from 'node:fs/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';

const MEBIBYTE = 1024 * 1024;

/** The server stored user_data/a.txt ("content"), and the mirror died before it read the reply. */
async function killedBeforeTheReply(context: TestContext): Promise<TestMirror> {
  const mirror = await openTestMirror(context);
  mirror.emulator.faults.add({ match: { method: 'POST' }, act: { kind: 'hang', at: 'handled' }, times: 1 });
  await mirror.write('user_data/a.txt', 'content');
  await mirror.start();
  await mirror.until(
    () => mirror.emulator.files().length,
    (files) => files === 1,
  );
  await mirror.kill9();
  return mirror;
}

describe('kill -9', { concurrent: true }, () => {
  test('C1: while a body is in flight: the file is there once afterwards, after at most 2 POSTs', async (context) => {
    // What was surely not stored need not be looked for.
    const api = { lookSeconds: 300 };
    const mirror = await openTestMirror(context, {
      config: { api, limits: { uploadBytesPerSecond: MEBIBYTE, uploadsPerMinute: null } },
    });
    await mirror.write('user_data/a.bin', Buffer.alloc(4 * MEBIBYTE, 'x'));
    await mirror.start();
    await mirror.until(
      () => mirror.emulator.requests.uploads()[0]?.bytes ?? 0,
      (bytes) => bytes > 0,
    );
    await mirror.kill9();
    expect(mirror.emulator.files()).toEqual([]);
    await mirror.configure({ api });
    await mirror.start();
    await mirror.untilConverged({ posts: 2, deletes: 0 }, 25_000);
  });

  test('C2: after the server stored it, before the reply was read: adopted, not sent again', async (context) => {
    const mirror = await killedBeforeTheReply(context);
    await mirror.start();
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    expect(mirror.logs).toContain('"adopted":true');
  });

  test('C2: the same, and the file changed meanwhile: the stored one is deleted, the new one is there once', async (context) => {
    const mirror = await killedBeforeTheReply(context);
    await mirror.write('user_data/a.txt', 'other content');
    await mirror.start();
    await mirror.untilConverged({ posts: 2, deletes: 1 });
  });

  test('C2: the same, and the file was removed meanwhile: nothing is left at the server', async (context) => {
    const mirror = await killedBeforeTheReply(context);
    await rm(mirror.at('user_data/a.txt'));
    await mirror.start();
    await mirror.untilConverged({ posts: 1, deletes: 1 });
    expect(mirror.emulator.files()).toEqual([]);
  });

  test('C3: after the new version was recorded, before the old id was deleted: deleted at the next start', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.txt', 'old');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    const fault = mirror.emulator.faults.add({
      match: { method: 'DELETE' },
      act: { kind: 'hang', at: 'arrival' },
    });
    await mirror.write('user_data/a.txt', 'new content');
    await mirror.untilStatus(({ garbage }) => garbage === 1);
    await mirror.kill9();
    expect(mirror.emulator.files()).toHaveLength(2);
    fault.remove();
    await mirror.start();
    await mirror.untilConverged({ posts: 2 });
  });
});
