/** What follows from files that go, come back and change their names (cases B of the list, the guards apart). */
import { appendFile, chmod, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test, type TestContext } from 'vitest';
import { rateLimited } from '../support/fault-presets.ts';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  type TestConfig,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';

/** A running mirror that has mirrored these files; the request log is empty. */
async function mirroring(
  context: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
  config: TestConfig = {},
  options: TestMirrorOptions = {},
): Promise<TestMirror> {
  const mirror = await openTestMirror(context, { ...options, config });
  for (const [path, content] of Object.entries(files)) await mirror.write(path, content);
  await mirror.start();
  await mirror.untilWatching();
  await mirror.expectConverged({ posts: Object.keys(files).length, deletes: 0 });
  mirror.emulator.requests.clear();
  return mirror;
}

function numbered(count: number, pathOf: (n: number) => string): Record<string, Buffer> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [pathOf(n), pdfFile(n)]));
}

async function idsByPath(mirror: TestMirror): Promise<Record<string, string | null>> {
  return Object.fromEntries((await mirror.list()).map(({ path, id }) => [path, id]));
}

/** The methods and ids of what changed the server, in order. */
function mutations({ emulator }: TestMirror): readonly string[] {
  return emulator.requests
    .all()
    .filter(({ method }) => method !== 'GET')
    .map(({ method, status }) => `${method} ${status}`);
}

describe.concurrent('removing', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('B1: the remote file of a removed file is deleted, and its entry is gone', async (context) => {
    const { expect } = context;
    const mirror = await mirroring(context, { 'batch/a.jsonl': batchFile(1), 'batch/b.jsonl': batchFile(2) });
    const id = (await mirror.report('batch/a.jsonl'))?.id;
    await unlink(mirror.at('batch/a.jsonl'));
    await mirror.untilConverged({ posts: 0, deletes: 1 });
    expect(mirror.emulator.requests.deletes()[0]).toMatchObject({ id, status: 200 });
    expect(Object.keys(await idsByPath(mirror))).toEqual(['batch/b.jsonl']);
  });

  test('B2: a file that comes back within the grace period keeps its id', async (context) => {
    const { expect } = context;
    const config = { deletes: { graceSeconds: 60 } };
    const mirror = await mirroring(context, { 'batch/a.jsonl': batchFile(1) }, config);
    const before = await idsByPath(mirror);
    await unlink(mirror.at('batch/a.jsonl'));
    const waiting = await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'deleting');
    expect(waiting?.reason).toContain('60 s');
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.untilConverged({ posts: 0, deletes: 0 });
    await mirror.expectConverged({ posts: 0, deletes: 0 });
    expect(await idsByPath(mirror)).toEqual(before);
    expect((await mirror.status()).waitingDeletes).toBe(0);
  });

  test('B3: a file that comes back with other bytes is sent before its old id is deleted', async (context) => {
    const config = { deletes: { graceSeconds: 60 } };
    const mirror = await mirroring(context, { 'batch/a.jsonl': batchFile(1) }, config);
    await unlink(mirror.at('batch/a.jsonl'));
    await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'deleting');
    await mirror.write('batch/a.jsonl', batchFile(2));
    await mirror.untilConverged({ posts: 1, deletes: 1 });
    context.expect(mutations(mirror)).toEqual(['POST 200', 'DELETE 200']);
  });

  test('B16: what lies below a folder that cannot be listed is unknown, not gone', async (context) => {
    const { expect } = context;
    const files = {
      'batch/closed/a.jsonl': batchFile(1),
      'batch/closed/b.jsonl': batchFile(2),
      'batch/c.jsonl': batchFile(3),
      'batch/d.jsonl': batchFile(4),
    };
    // A superuser may list everything, unless this right is taken away.
    const isSuperuser = process.getuid?.() === 0;
    const mirror = await mirroring(
      context,
      files,
      {},
      isSuperuser ? { withoutCapabilities: ['dac_override', 'dac_read_search'] } : {},
    );
    await chmod(mirror.at('batch/closed'), 0o000);
    await unlink(mirror.at('batch/c.jsonl'));
    await mirror.write('batch/d.jsonl', batchFile(5));
    await mirror.until(
      () => mutations(mirror),
      (found) => found.length === 3,
    );
    const { problems } = await mirror.flush();
    expect(problems).toContainEqual(
      expect.objectContaining({
        path: 'batch/closed',
        state: 'skipped',
        reason: expect.stringContaining('EACCES'),
      }),
    );
    await chmod(mirror.at('batch/closed'), 0o755);
    await mirror.expectConverged({ posts: 1, deletes: 2 });
    expect((await mirror.status()).problems).toEqual([]);
  });

  test('B17: a pattern that is added to the ignore file deletes nothing', async (context) => {
    const { expect } = context;
    const mirror = await mirroring(context, { 'batch/a.jsonl': batchFile(1), 'batch/b.jsonl': batchFile(2) });
    await writeFile(mirror.at('.filesignore'), 'a.jsonl\n');
    await mirror.untilReport('batch/a.jsonl', (report) => report?.state === 'ignored');
    await appendFile(mirror.at('batch/a.jsonl'), batchFile(3));
    await mirror.expectConverged({ keeps: ['batch/a.jsonl'], posts: 0, deletes: 0 });
    expect(await mirror.report('batch/a.jsonl')).toMatchObject({
      state: 'ignored',
      reason: expect.stringContaining('a.jsonl (.filesignore)'),
    });
    await unlink(mirror.at('.filesignore'));
    await mirror.untilConverged({ posts: 1, deletes: 1 });
  });

  test('B17: an ignore file that can no longer be read is named, once, and what it keeps back stays back', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('.filesignore', '*.log\n');
    await mirror.write('user_data/a.log', 'x');
    await mirror.start();
    await mirror.untilWatching();
    // In one step: without an ignore file, even for a moment, nothing is to be kept back.
    await symlink('.', mirror.at('.new'));
    await rename(mirror.at('.new'), mirror.at('.filesignore'));
    const report = await mirror.untilReport('.filesignore', (found) => found?.state === 'skipped');
    expect(report?.reason).toMatch(/^unreadable: EISDIR.*; the rules it held before stay in force$/);
    await (await mirror.daemon()).rescan();
    expect(mirror.logs.match(/skipped \.filesignore/g)).toHaveLength(1);
    expect(await mirror.report('user_data/a.log')).toMatchObject({ state: 'ignored' });
    await unlink(mirror.at('.filesignore'));
    await mirror.untilReport('user_data/a.log', (found) => found?.state === 'synced');
    expect(await mirror.report('.filesignore')).toBeNull();
  });

  test('B19: what is removed during a pause is deleted after it', async (context) => {
    const { expect } = context;
    const mirror = await mirroring(
      context,
      numbered(8, (n) => `user_data/${n}.pdf`),
    );
    const daemon = await mirror.daemon();
    await daemon.pause();
    for (const n of [1, 2, 3]) await unlink(mirror.at(`user_data/${n}.pdf`));
    await mirror.untilStatus(({ waitingDeletes }) => waitingDeletes === 3);
    const { halts } = await mirror.flush();
    expect(halts.map(({ name }) => name)).toEqual(['paused']);
    expect(mutations(mirror)).toEqual([]);
    await daemon.resume();
    await mirror.untilConverged({ posts: 0, deletes: 3 });
  });

  test('B21: a pause that comes while deletes wait holds them', async (context) => {
    const { expect } = context;
    const graceSeconds = 1;
    const config = { deletes: { graceSeconds } };
    const mirror = await mirroring(
      context,
      numbered(4, (n) => `user_data/${n}.pdf`),
      config,
    );
    const daemon = await mirror.daemon();
    await unlink(mirror.at('user_data/1.pdf'));
    await mirror.untilReport('user_data/1.pdf', (report) => report?.state === 'deleting');
    await daemon.pause();
    // Only time can show that nothing happens: grace and quiet period are over long before this ends.
    await sleep(graceSeconds * 1000 + 1500);
    expect(mutations(mirror)).toEqual([]);
    await daemon.resume();
    await mirror.untilConverged({ posts: 0, deletes: 1 });
  });
});

describe.concurrent('renaming', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('B4: a file that moves between folders of one purpose keeps its id', async (context) => {
    const mirror = await mirroring(context, { 'batch/2026/a.jsonl': batchFile(1) });
    const before = await idsByPath(mirror);
    await mirror.rename('batch/2026/a.jsonl', 'batch/2027/a.jsonl');
    await mirror.untilConverged({ posts: 0, deletes: 0 });
    context.expect(await idsByPath(mirror)).toEqual({ 'batch/2027/a.jsonl': before['batch/2026/a.jsonl'] });
  });

  test('B4: another base name is sent before the old id is deleted', async (context) => {
    const mirror = await mirroring(context, { 'batch/old.jsonl': batchFile(1) });
    await mirror.rename('batch/old.jsonl', 'batch/new.jsonl');
    await mirror.untilConverged({ posts: 1, deletes: 1 });
    context.expect(mutations(mirror)).toEqual(['POST 200', 'DELETE 200']);
  });

  test('B5: under another purpose a file is sent anew, and the old id stays until that worked', async (context) => {
    const mirror = await mirroring(context, { 'batch/a.jsonl': batchFile(1) });
    mirror.emulator.faults.add({
      match: { method: 'POST' },
      act: rateLimited({ milliseconds: 200 }),
      times: 2,
    });
    await mirror.rename('batch/a.jsonl', 'user_data/a.jsonl');
    await mirror.untilConverged({ posts: 3, deletes: 1 });
    context.expect(mutations(mirror)).toEqual(['POST 429', 'POST 429', 'POST 200', 'DELETE 200']);
  });

  test('B6: a folder of 500 files that is renamed keeps every id, and alarms nobody', async (context) => {
    const { expect } = context;
    const mirror = await mirroring(
      context,
      numbered(500, (n) => `user_data/old/${n % 10}/${n}.pdf`),
    );
    const before = await idsByPath(mirror);
    await mirror.rename('user_data/old', 'user_data/new');
    await mirror.untilConverged({ posts: 0, deletes: 0 });
    expect((await mirror.status()).halts).toEqual([]);
    expect(mirror.logs).not.toContain('mass-delete');
    expect(await idsByPath(mirror)).toEqual(
      Object.fromEntries(Object.entries(before).map(([path, id]) => [path.replace('/old/', '/new/'), id])),
    );
  });

  test('B20: what changed, went, came and was renamed while no daemon ran is caught up with', async (context) => {
    const { expect } = context;
    const mirror = await mirroring(
      context,
      numbered(12, (n) => `user_data/${n}.pdf`),
    );
    await mirror.stop();
    const before = await idsByPath(mirror);
    await mirror.write('user_data/0.pdf', pdfFile(100));
    await rm(mirror.at('user_data/1.pdf'));
    await mirror.rename('user_data/2.pdf', 'user_data/sub/2.pdf');
    await mirror.rename('user_data/3.pdf', 'assistants/3.pdf');
    await mirror.write('user_data/new.pdf', pdfFile(101));
    await mirror.start();
    await mirror.untilConverged({ posts: 3, deletes: 3 });
    const after = await idsByPath(mirror);
    expect(after['user_data/sub/2.pdf']).toBe(before['user_data/2.pdf']);
  });
});
