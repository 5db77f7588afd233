import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { badGateway, badRequest, falsifyReply, serverError } from '../support/fault-presets.ts';
import type { FaultAct } from '../support/fault-injection.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { shiftClocks, withShiftableClocks } from '../support/clock-shift.ts';

const UPLOADS = { method: 'POST', path: /\/files$/ } as const;
const MEBIBYTE = 1024 * 1024;
/** More than the buffers between two sockets hold. */
const LARGE_BYTES = 16 * MEBIBYTE;

const uploadsOf = ({ emulator }: TestMirror, filename: string) =>
  emulator.requests.uploads().filter((upload) => upload.filename === filename);

async function startWith(
  mirror: TestMirror,
  path: string,
  content: string | Buffer = 'content',
): Promise<void> {
  await mirror.write(path, content);
  await mirror.start();
  await mirror.expectConverged({ posts: 1, deletes: 0 });
  mirror.emulator.requests.clear();
}

describe('errors of the server and of the line', { concurrent: true }, () => {
  test('D5: a 500 before anything was stored: sent again, stored once', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('body'), times: 2 });
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.untilConverged({ posts: 3, deletes: 0 }, 40_000);
  }, 60_000);

  const stored: readonly { readonly name: string; readonly act: FaultAct }[] = [
    { name: 'D6: a 500 after it was stored', act: serverError('handled') },
    { name: 'D6: a 502 with HTML after it was stored', act: badGateway('handled') },
    { name: 'D6: a connection reset after it was stored', act: { kind: 'reset', at: 'handled' } },
    { name: 'D6: half a reply', act: { kind: 'truncate', keepBytes: 20 } },
    { name: 'D8: no reply after it was stored', act: { kind: 'hang', at: 'handled' } },
    { name: 'D8: a reply of one byte in 0.1 s', act: { kind: 'drip', chunkBytes: 1, everyMs: 100 } },
  ];
  for (const { name, act } of stored) {
    test(`${name}: found in the list and adopted, not sent again`, async (context) => {
      const mirror = await openTestMirror(context, { config: { api: { timeoutSeconds: 2 } } });
      mirror.emulator.faults.add({ match: UPLOADS, act, times: 1 });
      await mirror.write('user_data/a.txt', 'content');
      await mirror.start();
      await mirror.untilConverged({ posts: 1, deletes: 0 });
      expect(mirror.logs).toContain('"adopted":true');
    });
  }

  test('D6: the list knows the file only after a while: still adopted', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('handled'), times: 1 });
    mirror.emulator.faults.add({ act: { kind: 'list-lag', ms: 1_500, retrieve: true } });
    await mirror.write('user_data/a.txt', 'content');
    await mirror.start();
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('D7: the connection breaks in the middle of the body: sent again at once, nothing left over', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({
      match: UPLOADS,
      act: { kind: 'reset', at: { afterFraction: 0.5 } },
      times: 2,
    });
    await mirror.write('user_data/a.bin', Buffer.alloc(LARGE_BYTES, 'x'));
    await mirror.start();
    await mirror.untilConverged({ posts: 3, deletes: 0 });
  });

  test('D8: a server that takes the body and says nothing: given up in time, others go on meanwhile', async (context) => {
    const mirror = await openTestMirror(context, { config: { api: { timeoutSeconds: 4 } } });
    mirror.emulator.faults.add({
      match: { filename: 'stuck.txt' },
      act: { kind: 'hang', at: 'body' },
      times: 1,
    });
    await mirror.write('user_data/stuck.txt', 'content');
    await mirror.start();
    await mirror.until(
      () => uploadsOf(mirror, 'stuck.txt').length,
      (count) => count === 1,
    );
    for (let index = 0; index < 20; index += 1) await mirror.write(`user_data/${index}.txt`, `${index}`);
    await mirror.until(
      () => mirror.emulator.files().length,
      (files) => files === 20,
    );
    expect(uploadsOf(mirror, 'stuck.txt')).toHaveLength(1);
    await mirror.untilConverged({ posts: 22, deletes: 0 }, 40_000);
  }, 60_000);

  test('D11: a file that the server refuses is parked with the server’s words until its bytes change', async (context) => {
    const mirror = await openTestMirror(context);
    const fault = mirror.emulator.faults.add({
      match: { filename: 'bad.txt' },
      act: badRequest('Line 3 is not to our taste.'),
    });
    await mirror.write('user_data/bad.txt', 'content');
    await mirror.write('user_data/good.txt', 'content');
    await mirror.start();
    await mirror.expectConverged({ deletes: 0, except: ['user_data/bad.txt'] });
    // A second time, when nothing else was granted just before.
    const sent = uploadsOf(mirror, 'bad.txt').length;
    expect(sent).toBeLessThanOrEqual(2);
    const report = await mirror.report('user_data/bad.txt');
    expect(report?.state).toBe('rejected');
    expect(report?.reason).toContain('Line 3 is not to our taste.');
    await mirror.flush();
    await mirror.kill9();
    await mirror.start();
    await mirror.flush();
    expect(uploadsOf(mirror, 'bad.txt')).toHaveLength(sent);
    expect((await mirror.report('user_data/bad.txt'))?.reason).toContain('Line 3 is not to our taste.');
    fault.remove();
    await mirror.write('user_data/bad.txt', 'better content');
    await mirror.untilConverged({ posts: sent + 2, deletes: 0 });
  });

  test('D12: what is too large for its purpose is refused before it is sent', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/good.txt', 'content');
    const large = { 'batch/large.jsonl': 200 * MEBIBYTE + 1, 'user_data/large.bin': 512 * MEBIBYTE + 1 };
    await mkdir(mirror.at('batch'));
    for (const [path, bytes] of Object.entries(large)) {
      await writeFile(mirror.at(path), '');
      await truncate(mirror.at(path), bytes);
    }
    await mirror.start();
    const { problems } = await mirror.flush();
    expect(problems.map(({ path, state }) => `${path} ${state}`).sort()).toEqual(
      Object.keys(large).map((path) => `${path} rejected`),
    );
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
  });

  test('D14: a DELETE that meets 404 is done', async (context) => {
    const mirror = await openTestMirror(context);
    await startWith(mirror, 'user_data/a.txt');
    const [file] = mirror.emulator.files();
    mirror.emulator.store.remove(file?.id ?? '');
    await rm(mirror.at('user_data/a.txt'));
    await mirror.untilConverged({ posts: 0, deletes: 1 });
    expect(await mirror.list()).toEqual([]);
  });

  test('D15: a DELETE that meets 500 after it was done: the second one finds nothing, which is as good', async (context) => {
    const mirror = await openTestMirror(context);
    await startWith(mirror, 'user_data/a.txt');
    mirror.emulator.faults.add({ match: { method: 'DELETE' }, act: serverError('handled'), times: 1 });
    await rm(mirror.at('user_data/a.txt'));
    await mirror.untilConverged({ posts: 0, deletes: 2 });
    expect(mirror.emulator.requests.deletes().map(({ status }) => status)).toEqual([500, 404]);
  });

  for (const { name, act } of [
    { name: '409', act: { kind: 'respond', status: 409, body: { error: { message: 'busy' } } } },
    { name: 'no answer', act: { kind: 'hang', at: 'arrival' } },
    {
      name: '200 that says it was not done',
      act: { kind: 'respond', status: 200, body: { id: 'x', object: 'file', deleted: false } },
    },
  ] as const) {
    test(`D15: a DELETE that meets ${name} is tried again, over a kill -9 too`, async (context) => {
      const mirror = await openTestMirror(context, { config: { api: { timeoutSeconds: 1 } } });
      await startWith(mirror, 'user_data/a.txt');
      const fault = mirror.emulator.faults.add({ match: { method: 'DELETE' }, act });
      await rm(mirror.at('user_data/a.txt'));
      await mirror.untilStatus(({ garbage }) => garbage === 1);
      await mirror.until(
        () => mirror.emulator.requests.deletes().length,
        (deletes) => deletes > 0,
      );
      await mirror.kill9();
      await mirror.start();
      const before = mirror.emulator.requests.deletes().length;
      await mirror.until(
        () => mirror.emulator.requests.deletes().length,
        (deletes) => deletes > before,
      );
      fault.remove();
      await mirror.untilConverged({ posts: 0 });
    });
  }

  test('D16: a remote file that somebody deleted is found missing and uploaded again', async (context) => {
    let aheadMs = 0;
    const mirror = await openTestMirror(context, {
      emulator: { clock: { nowMs: () => Date.now() + aheadMs } },
      config: { verifyHours: 0.0005 },
    });
    await startWith(mirror, 'user_data/a.txt');
    // A file that is younger than a minute may only be missing from the list yet.
    aheadMs = 120_000;
    const [file] = mirror.emulator.files();
    mirror.emulator.store.remove(file?.id ?? '');
    await mirror.untilConverged({ posts: 1 }, 25_000);
    expect(mirror.emulator.requests.deletes().map(({ status }) => status)).toEqual([404]);
    expect(mirror.emulator.files().map(({ id }) => id)).not.toContain(file?.id);
  });

  for (const { onExpiry, posts } of [
    { onExpiry: 'forget', posts: 0 },
    { onExpiry: 'renew', posts: 3 },
  ] as const) {
    test(`D17: remote files that expired, policy ${onExpiry}: ${posts} uploads, no DELETE that matters`, async (context) => {
      const folder = await mkdtemp(join(tmpdir(), 'clocks-'));
      context.onTestFinished(() => rm(folder, { recursive: true }));
      let aheadMs = 0;
      const mirror = await openTestMirror(context, {
        emulator: { clock: { nowMs: () => Date.now() + aheadMs } },
        env: withShiftableClocks(join(folder, 'order')),
        config: { folders: { user_data: { expiresAfterSeconds: 3_600, onExpiry, renewBeforeSeconds: 60 } } },
      });
      for (let index = 0; index < 3; index += 1) await mirror.write(`user_data/${index}.txt`, `${index}`);
      await mirror.start();
      await mirror.expectConverged({ posts: 3, deletes: 0 });
      expect((await mirror.status()).nextExpiry?.path).toMatch(/^user_data\//);
      mirror.emulator.requests.clear();

      aheadMs = 2 * 3_600_000;
      await shiftClocks(mirror.process.pid, join(folder, 'order'), { wallMs: aheadMs, monotonicMs: aheadMs });
      if (onExpiry === 'renew') {
        await mirror.untilConverged({ posts });
        return;
      }
      await mirror.untilStatus(({ counts }) => counts.expired === 3);
      await rm(mirror.at('user_data/0.txt'));
      await mirror.until(
        () => mirror.report('user_data/0.txt'),
        (report) => report === null,
      );
      const { requests } = mirror.emulator;
      expect([...requests.uploads(), ...requests.deletes()]).toEqual([]);
    });
  }

  test('D22: a reply with unknown fields, status and no expiry is understood', async (context) => {
    const mirror = await openTestMirror(context);
    const strange = { status: 'pondering', status_details: {}, expires_at: null, colour: 'green' };
    mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply(strange) });
    await mirror.write('evals/a.jsonl', '{"item":{"a":1}}\n');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });
});
