import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { shiftClocks, withShiftableClocks } from '../support/clock-shift.ts';

const numbered = (folder: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${folder}/${index}.txt`);

async function writeAll(mirror: TestMirror, paths: readonly string[]): Promise<void> {
  for (const path of paths) await mirror.write(path, `content of ${path}`);
}

async function removeAll(mirror: TestMirror, paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(mirror.at(path));
}

async function started(mirror: TestMirror, paths: readonly string[]): Promise<void> {
  await writeAll(mirror, paths);
  await mirror.start();
  await mirror.expectConverged({ posts: paths.length, deletes: 0 });
  mirror.emulator.requests.clear();
}

/** The halt's own words on what to do are a command that works. */
async function doAsTold(mirror: TestMirror, next: string): Promise<void> {
  const [verb = '', ...args] = /`files-mirror (.+?)`/.exec(next)?.[1]?.split(' ') ?? [];
  const { code, stderr } = await mirror.run(verb, ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

const isMassDelete = ({ halts }: { readonly halts: readonly { readonly name: string }[] }): boolean =>
  halts.some(({ name }) => name === 'mass-delete');

describe('guards over deletes', { concurrent: true }, () => {
  test('B8: 600 of 1,000 files removed: none is deleted until that is approved, uploads go on', async (context) => {
    const mirror = await openTestMirror(context, { emulator: { uploadsPerMinute: null } });
    const paths = numbered('user_data', 1_000);
    await started(mirror, paths);
    await removeAll(mirror, paths.slice(0, 600));
    const { halts, waitingDeletes } = await mirror.untilStatus(isMassDelete);
    expect(halts).toHaveLength(1);
    expect(halts[0]?.cause).toContain('600/1000');
    expect(waitingDeletes).toBe(600);
    expect((await mirror.run('status')).code).toBe(5);
    expect(mirror.logs).toContain('"event":"halted"');

    await mirror.write('user_data/new.txt', 'while halted');
    expect((await mirror.flush()).halts.map(({ name }) => name)).toEqual(['mass-delete']);
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    expect(mirror.emulator.requests.deletes()).toEqual([]);

    await doAsTold(mirror, halts[0]?.next ?? '');
    await mirror.expectConverged({ posts: 1, deletes: 600 });
    expect((await mirror.run('status')).code).toBe(0);
  });

  test('B8: files that come back end the halt, also after a crash, and nothing is sent', async (context) => {
    const mirror = await openTestMirror(context);
    const paths = numbered('user_data', 30);
    await started(mirror, paths);
    await mkdir(join(mirror.folder, 'aside'));
    const gone = paths.slice(0, 20);
    for (const path of gone) await rename(mirror.at(path), join(mirror.folder, 'aside', path.slice(10)));
    await mirror.untilStatus(isMassDelete);
    await mirror.kill9();
    await mirror.start();
    await mirror.untilStatus(isMassDelete);
    for (const path of gone) await rename(join(mirror.folder, 'aside', path.slice(10)), mirror.at(path));
    await mirror.untilStatus((status) => !isMassDelete(status));
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('B8: sync finishes what it may and exits 5', async (context) => {
    const mirror = await openTestMirror(context);
    const paths = numbered('user_data', 30);
    await writeAll(mirror, paths);
    expect((await mirror.sync()).code).toBe(0);
    await removeAll(mirror, paths.slice(0, 20));
    await mirror.write('user_data/new.txt', 'x');
    const { code, result } = await mirror.sync();
    expect(code).toBe(5);
    expect(result.halts.map(({ name }) => name)).toEqual(['mass-delete']);
    expect(mirror.emulator.requests.uploads()).toHaveLength(31);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
  });

  test('B8: 40 files removed a few at a time: half of them go, the rest waits until that is approved', async (context) => {
    const mirror = await openTestMirror(context);
    const paths = numbered('user_data', 40);
    await started(mirror, paths);
    // The next ones only when these are gone remotely: never more than five wait.
    for (let removed = 5; removed <= 20; removed += 5) {
      await removeAll(mirror, paths.slice(removed - 5, removed));
      await mirror.untilConverged({ posts: 0, deletes: removed });
    }
    await mirror.stop();
    await mirror.start();
    await removeAll(mirror, paths.slice(20, 23));
    const { halts, waitingDeletes } = await mirror.untilStatus(
      (status) => isMassDelete(status) && status.waitingDeletes === 3,
    );
    expect(halts[0]?.cause).toContain('23/40');
    expect(waitingDeletes).toBe(3);
    expect(mirror.emulator.requests.deletes()).toHaveLength(20);
    await doAsTold(mirror, halts[0]?.next ?? '');
    await mirror.untilConverged({ posts: 0, deletes: 23 });
  });

  test('B9: few files are deleted without a question: the only one, or 2 of 3', async (context) => {
    const mirror = await openTestMirror(context);
    await started(mirror, numbered('user_data', 3));
    await removeAll(mirror, numbered('user_data', 2));
    await mirror.untilConverged({ posts: 0, deletes: 2 });
    await rm(mirror.at('user_data/2.txt'));
    await mirror.untilConverged({ posts: 0, deletes: 3 });
  });

  test('B14: a purpose folder that is removed as a whole halts its deletes, others go on', async (context) => {
    const mirror = await openTestMirror(context);
    await started(mirror, [...numbered('user_data', 3), ...numbered('assistants', 2)]);
    await rm(mirror.at('user_data'), { recursive: true });
    await rm(mirror.at('assistants/0.txt'));
    const { halts } = await mirror.untilStatus(isMassDelete);
    expect(halts.map(({ folder }) => folder)).toEqual(['user_data']);
    await mirror.write('assistants/new.txt', 'while halted');
    await mirror.flush();
    await mirror.until(
      () => mirror.emulator.requests.deletes().length,
      (deletes) => deletes === 1,
    );
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    await doAsTold(mirror, halts[0]?.next ?? '');
    await mirror.expectConverged({ posts: 1, deletes: 4 });
  });

  test('B14: a purpose folder that was moved away and is put back: nothing is sent', async (context) => {
    const mirror = await openTestMirror(context);
    await started(mirror, numbered('user_data', 3));
    await rename(mirror.at('user_data'), join(mirror.folder, 'aside'));
    await mirror.untilStatus(isMassDelete);
    await rename(join(mirror.folder, 'aside'), mirror.at('user_data'));
    await mirror.untilStatus((status) => !isMassDelete(status));
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('B14: a purpose folder that is emptied at once halts, although it is a small part of the mirror', async (context) => {
    const mirror = await openTestMirror(context);
    await started(mirror, [...numbered('user_data', 40), ...numbered('assistants', 11)]);
    await removeAll(mirror, numbered('assistants', 11));
    const { halts } = await mirror.untilStatus(isMassDelete);
    expect(halts.map(({ folder }) => folder)).toEqual(['assistants']);
    expect(halts[0]?.cause).toContain('11/11');
    await mirror.flush();
    expect(mirror.emulator.requests.deletes()).toEqual([]);
  });

  test('B16: below a folder that cannot be listed nothing counts as gone; others proceed', async (context) => {
    const mirror = await openTestMirror(context, {
      withoutCapabilities: ['dac_override', 'dac_read_search'],
    });
    const hidden = numbered('user_data/closed', 3);
    await started(mirror, [...hidden, ...numbered('user_data', 3)]);
    await chmod(mirror.at('user_data/closed'), 0o000);
    await rm(mirror.at('user_data/0.txt'));
    await mirror.write('user_data/new.txt', 'meanwhile');
    await mirror.flush();
    await mirror.until(
      () => mirror.emulator.requests.deletes().length,
      (deletes) => deletes === 1,
    );
    await mirror.flush();
    expect(mirror.emulator.requests.deletes()).toHaveLength(1);
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    const { problems } = await mirror.status();
    expect(problems.map(({ path }) => path)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^user_data\/closed/)]),
    );
    expect(problems.map(({ reason }) => reason).join('\n')).toContain('EACCES');

    await chmod(mirror.at('user_data/closed'), 0o755);
    await mirror.expectConverged({ posts: 1, deletes: 1 });
    expect((await mirror.status()).problemsTotal).toBe(0);
  });

  test('B21: no DELETE leaves a paused mirror, however long; after resume the guards still hold', async (context) => {
    const orders = join(await mkdtemp(join(tmpdir(), 'clocks-')), 'order');
    const mirror = await openTestMirror(context, {
      config: { deletes: { graceSeconds: 30 } },
      env: withShiftableClocks(orders),
    });
    context.onTestFinished(() => rm(join(orders, '..'), { recursive: true }));
    await started(mirror, numbered('user_data', 3));
    await removeAll(mirror, numbered('user_data', 2));
    await mirror.untilStatus(({ waitingDeletes }) => waitingDeletes === 2);
    expect((await mirror.run('pause')).code).toBe(0);
    await shiftClocks(mirror.process.pid, orders, { wallMs: 0, monotonicMs: 3_600_000 });
    const { halts } = await mirror.flush();
    expect(halts.map(({ name }) => name)).toEqual(['paused']);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
    expect((await mirror.run('resume')).code).toBe(0);
    await mirror.expectConverged({ posts: 0, deletes: 2 });
  });
});
