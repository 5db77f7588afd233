/**
 * How files come to be: written at once, slowly, in bursts, by editors and transfer tools (cases A of the list).
 * Rescans are off, so what is seen here is seen by the watcher.
 */
import { appendFile, link, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test, type TestContext } from 'vitest';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { batchFile, bigBatchFile, pdfFile } from '../support/blackbox/samples.ts';

const THIRTY_DAYS_SECONDS = 30 * 86_400;
const MEBIBYTE = 1024 * 1024;

/** A running mirror whose files need so long to settle. */
async function running(
  context: TestContext,
  settleSeconds = 0.2,
  options: TestMirrorOptions = {},
): Promise<TestMirror> {
  const mirror = await openTestMirror(context, {
    ...options,
    config: { ...options.config, watch: { settleSeconds } },
  });
  await mirror.start();
  await mirror.untilWatching();
  return mirror;
}

/** Writes one step after another, each with a pause behind it. */
async function slowly(
  steps: number,
  pauseMs: number,
  write: (step: number) => Promise<unknown>,
): Promise<void> {
  for (let step = 1; step <= steps; step += 1) {
    await write(step);
    await sleep(pauseMs);
  }
}

describe.concurrent('writing', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('A1: a file that is written in one go is uploaded once, and known with all that there is to know', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    const content = bigBatchFile(1, 10 * MEBIBYTE);
    await mirror.write('batch/a.jsonl', content);
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    const report = await mirror.report('batch/a.jsonl');
    expect(report).toMatchObject({ state: 'synced', purpose: 'batch', bytes: content.length });
    const { createdAt, expiresAt, sha256, id } = report ?? {};
    expect((expiresAt ?? 0) - (createdAt ?? 0)).toBe(THIRTY_DAYS_SECONDS);
    expect(mirror.emulator.files()).toMatchObject([{ id, sha256, purpose: 'batch', filename: 'a.jsonl' }]);
  });

  test('A2: a file that grows by a piece every 100 ms is uploaded once, complete', async (context) => {
    const mirror = await running(context, 1);
    await mirror.write('batch/slow.jsonl', '');
    await slowly(50, 100, (step) => appendFile(mirror.at('batch/slow.jsonl'), batchFile(step)));
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test.runIf(process.platform === 'linux')(
    'A3: a file that a process holds open for writing waits, however long it pauses',
    async (context) => {
      const mirror = await running(context);
      await mirror.write('batch/held.jsonl', '');
      const file = await open(mirror.at('batch/held.jsonl'), 'a');
      try {
        for (const piece of [1, 2]) {
          await file.appendFile(batchFile(piece));
          await mirror.untilReport(
            'batch/held.jsonl',
            (report) => report?.state === 'settling' && (report.reason ?? '').includes(`pid ${process.pid}`),
          );
        }
        context.expect(mirror.emulator.requests.uploads()).toEqual([]);
      } finally {
        await file.close();
      }
      await mirror.untilConverged({ posts: 1, deletes: 0 });
    },
  );

  test('A3: pauses longer than the settling leave the last version, complete and alone', async (context) => {
    const mirror = await running(context, 0.1);
    for (const piece of [1, 2, 3]) {
      await mirror.write('batch/pauses.jsonl', batchFile(piece, piece));
      await mirror.untilConverged({ posts: piece, deletes: piece - 1 });
    }
  });

  test('A5: a file that grows while it is being uploaded ends as one remote file with the final bytes', async (context) => {
    const mirror = await running(context, 0.2, {
      config: { limits: { uploadBytesPerSecond: 2 * MEBIBYTE } },
    });
    await mirror.write('batch/grows.jsonl', bigBatchFile(1, 3 * MEBIBYTE));
    await mirror.until(
      () => mirror.emulator.requests.uploads()[0]?.bytes ?? 0,
      (arrivedBytes) => arrivedBytes > 0,
    );
    await appendFile(mirror.at('batch/grows.jsonl'), batchFile(2));
    await mirror.untilConverged({ posts: 2 });
    await mirror.expectConverged({ posts: 2 });
  });

  test('A5: a file that changes between its last byte and the reply is replaced', async (context) => {
    const mirror = await running(context);
    mirror.emulator.faults.add({
      match: { method: 'POST' },
      act: { kind: 'delay', at: 'body', ms: 1500 },
      times: 1,
    });
    await mirror.write('batch/late.jsonl', batchFile(1));
    await mirror.until(
      () => mirror.emulator.requests.uploads()[0]?.sha256 ?? null,
      (sha256) => sha256 !== null,
    );
    await mirror.write('batch/late.jsonl', batchFile(2));
    await mirror.untilConverged({ posts: 2, deletes: 1 });
  });

  test('A7: a file that is removed while it is being uploaded leaves nothing behind', async (context) => {
    const { expect } = context;
    const mirror = await running(context, 0.2, {
      config: { limits: { uploadBytesPerSecond: 2 * MEBIBYTE } },
    });
    await mirror.write('batch/gone.jsonl', bigBatchFile(1, 3 * MEBIBYTE));
    await mirror.until(
      () => mirror.emulator.requests.uploads()[0]?.bytes ?? 0,
      (arrivedBytes) => arrivedBytes > 0,
    );
    await unlink(mirror.at('batch/gone.jsonl'));
    await mirror.until(
      () => mirror.emulator.requests.uploads()[0],
      (upload) => upload?.aborted === true || upload?.status !== null,
    );
    await mirror.untilConverged({ posts: 1 });
    expect(await mirror.list()).toEqual([]);
    expect(mirror.emulator.files()).toEqual([]);
    expect(mirror.logs).not.toContain('"level":"error"');
  });

  test('A8: the atomic save of an editor is one replacement, and its temporary name is never sent', async (context) => {
    const mirror = await running(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.untilConverged({ posts: 1 });
    const before = mirror.emulator.files()[0]?.id;
    await mirror.write('batch/a.jsonl.tmp', batchFile(2));
    await rename(mirror.at('batch/a.jsonl.tmp'), mirror.at('batch/a.jsonl'));
    await mirror.untilConverged({ posts: 2, deletes: 1 });
    const { requests } = mirror.emulator;
    context.expect(requests.deletes().map(({ id }) => id)).toEqual([before]);
    context.expect(requests.uploads().map(({ filename }) => filename)).toEqual(['a.jsonl', 'a.jsonl']);
  });

  test("A9: of vim's backup dance and of office lock files only the document is sent", async (context) => {
    const mirror = await running(context);
    await mirror.write('assistants/notes.md', 'one');
    await mirror.untilConverged({ posts: 1 });
    await mirror.write('assistants/.notes.md.swp', 'vim');
    await mirror.write('assistants/4913', '');
    await unlink(mirror.at('assistants/4913'));
    await rename(mirror.at('assistants/notes.md'), mirror.at('assistants/notes.md~'));
    await mirror.write('assistants/notes.md', 'two');
    await mirror.write('assistants/~$report.docx', 'who has it open');
    await unlink(mirror.at('assistants/notes.md~'));
    await unlink(mirror.at('assistants/.notes.md.swp'));
    await mirror.untilConverged({ except: ['assistants/~$report.docx'], posts: 2, deletes: 1 });
    const names = mirror.emulator.requests.uploads().map(({ filename }) => filename);
    context.expect(names).toEqual(['notes.md', 'notes.md']);
  });

  test('A10: what WinSCP links to its name is seen without a rescan', async (context) => {
    const mirror = await running(context);
    await mirror.write('user_data/x.pdf.filepart', pdfFile(1));
    await link(mirror.at('user_data/x.pdf.filepart'), mirror.at('user_data/x.pdf'));
    await unlink(mirror.at('user_data/x.pdf.filepart'));
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('A11: what rsync renames to its name is sent under that name', async (context) => {
    const mirror = await running(context);
    await mirror.write('batch/.x.jsonl.Ab12Cd', batchFile(1));
    await rename(mirror.at('batch/.x.jsonl.Ab12Cd'), mirror.at('batch/x.jsonl'));
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    context.expect(mirror.emulator.requests.uploads()[0]?.filename).toBe('x.jsonl');
  });

  test('A12: a touch sends nothing, and is remembered', async (context) => {
    const mirror = await running(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.untilConverged({ posts: 1 });
    await utimes(mirror.at('batch/a.jsonl'), new Date(), new Date());
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    await mirror.stop();
    const manifest = JSON.parse(await readFile(join(mirror.stateDir, 'manifest.json'), 'utf8')) as {
      readonly files: Readonly<Record<string, { readonly stat: string }>>;
    };
    const { mtimeNs } = await stat(mirror.at('batch/a.jsonl'), { bigint: true });
    context.expect(manifest.files['batch/a.jsonl']?.stat.split(' ')[1]).toBe(String(mtimeNs));
  });

  test('A13: other bytes of the same size under the old modification time are noticed', async (context) => {
    const mirror = await running(context);
    await mirror.write('user_data/a.txt', 'one');
    await mirror.untilConverged({ posts: 1 });
    const { atime, mtime } = await stat(mirror.at('user_data/a.txt'));
    await mirror.write('user_data/a.txt', 'two');
    await utimes(mirror.at('user_data/a.txt'), atime, mtime);
    await mirror.untilConverged({ posts: 2, deletes: 1 });
  });

  test('A15: of many saves in a row few are sent, and the last one stays', async (context) => {
    const mirror = await running(context, 1);
    await slowly(40, 75, (save) => mirror.write('batch/busy.jsonl', batchFile(save)));
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('A16: an empty file is named with its reason, and sent when it has content', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    await mirror.write('batch/empty.jsonl', '');
    const report = await mirror.untilReport('batch/empty.jsonl', (found) => found?.state === 'rejected');
    expect(report?.reason).toContain('empty');
    const { problems } = await mirror.flush();
    expect(problems.map(({ path, state }) => ({ path, state }))).toEqual([
      { path: 'batch/empty.jsonl', state: 'rejected' },
    ]);
    await mirror.expectConverged({ posts: 0 });
    await mirror.write('batch/empty.jsonl', batchFile(1));
    await mirror.untilConverged({ posts: 1 });
    expect((await mirror.status()).problems).toEqual([]);
  });

  test('A17: a log that grows is shown as settling, holds nobody up, and is sent once when it rests', async (context) => {
    const { expect } = context;
    const mirror = await running(context, 1);
    const log = 'user_data/service.log';
    await mirror.write(log, 'start\n');
    let mirroredMeanwhile: unknown = null;
    await mirror.write('batch/other.jsonl', batchFile(1));
    await slowly(30, 100, async (line) => {
      await appendFile(mirror.at(log), `line ${line}\n`);
      mirroredMeanwhile ??= (await mirror.report('batch/other.jsonl'))?.id ?? null;
    });
    expect(await mirror.report(log)).toMatchObject({
      state: 'settling',
      reason: expect.stringMatching(/ s ago/),
    });
    expect(mirroredMeanwhile).toMatch(/^file-/);
    await mirror.untilConverged({ posts: 2, deletes: 0 });
  });

  test('A18: a file that lives for less than it needs to settle is never sent', async (context) => {
    const mirror = await running(context, 0.5);
    await mirror.write('batch/blink.jsonl', batchFile(1));
    await mirror.untilReport('batch/blink.jsonl', (report) => report?.state === 'settling');
    await unlink(mirror.at('batch/blink.jsonl'));
    await mirror.untilReport('batch/blink.jsonl', (report) => report === null);
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });
});
