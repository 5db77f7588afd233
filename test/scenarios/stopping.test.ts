import { readdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import type { FaultAct } from '../support/fault-injection.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';

const IN_FLIGHT = 20;
const PATHS = Array.from({ length: 40 }, (_, index) => `user_data/${index}.txt`);

/** Forty files to send, of which the first twenty are on their way and meet `act`. */
async function withUploadsInFlight(context: TestContext, act: FaultAct): Promise<TestMirror> {
  const mirror = await openTestMirror(context, {
    config: { limits: { concurrentUploads: IN_FLIGHT, uploadsPerMinute: null } },
  });
  mirror.emulator.faults.add({ match: { method: 'POST' }, act, times: IN_FLIGHT });
  for (const path of PATHS) await mirror.write(path, path);
  await mirror.start();
  await mirror.until(
    () => mirror.emulator.requests.uploads().length,
    (uploads) => uploads === IN_FLIGHT,
  );
  return mirror;
}

describe('stopping and reloading', { concurrent: true }, () => {
  test('C12: SIGTERM with 20 uploads in flight: they end, no other starts, exit 0', async (context) => {
    const mirror = await withUploadsInFlight(context, { kind: 'delay', at: 'handled', ms: 2_000 });
    await mirror.stop();
    expect(mirror.emulator.requests.uploads().map(({ status }) => status)).toEqual(
      Array<number>(IN_FLIGHT).fill(200),
    );
    await mirror.start();
    await mirror.expectConverged({ posts: PATHS.length, deletes: 0 });
  });

  test('C12: SIGTERM with 20 uploads that never end: exit 0 within 20 s; what was stored is adopted later', async (context) => {
    const mirror = await withUploadsInFlight(context, { kind: 'hang', at: 'handled' });
    const startedMs = performance.now();
    await mirror.stop();
    expect(performance.now() - startedMs).toBeLessThan(20_000);
    expect(mirror.emulator.requests.uploads()).toHaveLength(IN_FLIGHT);
    await mirror.start();
    await mirror.expectConverged({ posts: PATHS.length, deletes: 0 });
  }, 60_000);

  test('Ctrl-C in a sync: says at once what it waits for, then what was done; exit 130', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits: { concurrentUploads: 2 } } });
    mirror.emulator.faults.add({
      match: { method: 'POST' },
      act: { kind: 'delay', at: 'handled', ms: 1_500 },
    });
    for (const path of PATHS) await mirror.write(path, path);
    const sync = mirror.begin('sync');
    await mirror.until(
      () => mirror.emulator.requests.uploads().length,
      (uploads) => uploads === 2,
    );
    sync.signal('SIGINT');
    await mirror.until(
      () => sync.log,
      (log) =>
        log.includes('stopping: waits until 2 uploads have ended, 15 s at most; a second Ctrl-C breaks off'),
      1_000,
    );
    expect(await sync.exit()).toMatchObject({ code: 130, stdout: '2 uploaded\n' });
  });

  test('a second Ctrl-C in a sync breaks it off; the next one counts what it finds and sends', async (context) => {
    const mirror = await openTestMirror(context, { config: { api: { lookSeconds: 0.5 } } });
    const hang = mirror.emulator.faults.add({
      match: { method: 'POST' },
      act: { kind: 'hang', at: 'handled' },
    });
    await mirror.write('user_data/a.txt', 'a');
    const sync = mirror.begin('sync', '--json');
    await mirror.until(
      () => mirror.emulator.requests.uploads().length,
      (uploads) => uploads === 1,
    );
    sync.signal('SIGINT');
    await sleep(400);
    sync.signal('SIGINT');
    expect((await sync.exit(5_000)).code).toBe(130);
    hang.remove();
    await mirror.write('user_data/b.txt', 'b');
    const { result } = await mirror.sync();
    expect(result).toMatchObject({ done: { uploaded: 1, adopted: 1, replaced: 0, deleted: 0, failed: 0 } });
    await mirror.write('user_data/b.txt', 'other b');
    await mirror.rename('user_data/a.txt', 'user_data/c.txt');
    const renamed = await mirror.run('sync');
    expect(renamed.stdout).toBe('1 uploaded, 1 replaced, 1 deleted\n');
    expect(renamed.stderr).toContain('of user_data/a.txt: a remote file of another name took its place');
    expect(renamed.stderr).toContain('of user_data/b.txt: a newer version took its place');
  });

  test('C12: a second SIGTERM ends it at once; nothing is lost', async (context) => {
    const mirror = await withUploadsInFlight(context, { kind: 'hang', at: 'handled' });
    const startedMs = performance.now();
    while (mirror.isRunning) {
      mirror.process.signal('SIGTERM');
      await sleep(100);
    }
    expect((await mirror.process.exited).code).toBe(143);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await mirror.start();
    await mirror.expectConverged({ posts: PATHS.length, deletes: 0 });
  });

  test('C13: SIGHUP with a bad configuration keeps the old one and says why', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.start();
    for (const bad of ['{ "watch": ', '{ "wach": {} }']) {
      await writeFile(mirror.configFile, bad);
      const before = mirror.logs.length;
      mirror.process.signal('SIGHUP');
      await mirror.until(
        () => mirror.logs.slice(before),
        (logs) =>
          /not reloaded: .*config\.json/.test(logs) && logs.includes('the old configuration stays in force'),
      );
    }
    expect(mirror.logs).toContain('watch');
    await mirror.write('user_data/a.txt', 'still mirrored');
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('C13: SIGHUP with a good configuration applies it, and nothing that waits is lost', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { limits: { concurrentUploads: 1, uploadsPerMinute: null } },
    });
    mirror.emulator.faults.add({ match: { method: 'POST' }, act: { kind: 'delay', ms: 200 } });
    for (const path of PATHS) await mirror.write(path, path);
    await mirror.start();
    await mirror.untilStatus(({ uploads }) => uploads.running === 1);
    await mirror.configure({
      limits: { concurrentUploads: 16, uploadsPerMinute: null },
      watch: { ignore: ['*.skip'] },
      folders: { extra: { purpose: 'user_data' } },
    });
    mirror.process.signal('SIGHUP');
    await mirror.untilStatus(({ uploads }) => uploads.running > 1);
    await mirror.write('user_data/new.skip', 'ignored from now on');
    await mirror.untilConverged({ posts: PATHS.length, deletes: 0, except: ['user_data/new.skip'] });
    await mirror.expectConverged({ posts: PATHS.length, deletes: 0, except: ['user_data/new.skip'] });
    expect((await mirror.report('user_data/new.skip'))?.state).toBe('ignored');
    expect(await readdir(mirror.root)).toContain('extra');
  });

  test('C13: SIGHUP with another base URL is refused until a restart', async (context) => {
    const mirror = await openTestMirror(context, { env: { OPENAI_BASE_URL: '' } });
    await mirror.configure({ api: { baseUrl: mirror.emulator.url } });
    await mirror.start();
    await mirror.configure({ api: { baseUrl: 'http://127.0.0.1:9/v1' } });
    mirror.process.signal('SIGHUP');
    await mirror.until(
      () => mirror.logs,
      (logs) => logs.includes('needs a restart'),
    );
    await mirror.write('user_data/a.txt', 'still mirrored');
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });
});
