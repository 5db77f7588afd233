import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { dropReplyField, falsifyReply, serverError } from '../support/fault-presets.ts';
import { openTestMirror, type TestConfig, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

const DAY_SECONDS = 86_400;
const DAILY = { folders: { user_data: { expiresAfterSeconds: DAY_SECONDS } } } satisfies TestConfig;

/** No answer says a word on expiry, as at a server that does not know it: neither to the upload, nor later. */
function dropExpiry({ emulator }: TestMirror): void {
  emulator.faults.add({ match: { method: 'POST' }, act: dropReplyField('expires_at') });
  emulator.faults.add({
    match: { method: 'GET', path: /\/files\/[^/]+$/ },
    act: dropReplyField('expires_at'),
  });
  emulator.faults.add({
    match: { method: 'GET', path: /\/files$/ },
    act: {
      kind: 'rewrite',
      patch: (reply) => ({
        ...reply,
        data: (reply['data'] as readonly object[]).map((file) => ({ ...file, expires_at: null })),
      }),
    },
  });
}

async function expectRefused(mirror: TestMirror): Promise<void> {
  const { problems } = await mirror.flush();
  expect(problems).toMatchObject([{ path: 'user_data/a.txt', state: 'rejected', id: null }]);
  expect(problems[0]?.reason).toContain('86400 s');
  expect(mirror.logs).toContain('expiry-ignored');
  await mirror.expectConverged({ posts: 1, deletes: 1, except: ['user_data/a.txt'] });
  const { stdout } = await mirror.run('status');
  expect(stdout).toMatch(/rejected +user_data\/a\.txt: the server did not set the expiry/);
}

describe('expiry', { concurrent: true }, () => {
  test('what was asked for is in the reply, in `list --json`, and the soonest one in `status`', async (context) => {
    const mirror = await openTestMirror(context, { config: DAILY });
    await mirror.write('user_data/a.txt', 'a');
    await mirror.write('batch/b.jsonl', batchFile(1));
    await mirror.write('assistants/c.txt', 'c');
    await mirror.start();
    await mirror.expectConverged({ posts: 3 });
    const { stdout } = await mirror.run('list', '--json');
    const lives = (JSON.parse(stdout) as { path: string; createdAt: number; expiresAt: number | null }[]).map(
      ({ path, createdAt, expiresAt }) => [path, expiresAt === null ? null : expiresAt - createdAt],
    );
    expect(Object.fromEntries(lives)).toEqual({
      'user_data/a.txt': DAY_SECONDS,
      'batch/b.jsonl': 30 * DAY_SECONDS,
      'assistants/c.txt': null,
    });
    expect((await mirror.status()).nextExpiry).toMatchObject({ path: 'user_data/a.txt' });
    expect((await mirror.run('status')).stdout).toMatch(/next expiry +user_data\/a\.txt, in (23 h|24 h|1 d)/);
  });

  test('a server that drops expires_at without a word: refused, its file deleted, and it is not tried again', async (context) => {
    const mirror = await openTestMirror(context, { config: DAILY });
    dropExpiry(mirror);
    await mirror.write('user_data/a.txt', 'a');
    await mirror.start();
    await expectRefused(mirror);
  });

  test('a reply that only leaves out what a look-up of the file then shows: mirrored, with that expiry', async (context) => {
    const mirror = await openTestMirror(context, { config: DAILY });
    mirror.emulator.faults.add({ match: { method: 'POST' }, act: dropReplyField('expires_at') });
    await mirror.write('user_data/a.txt', 'a');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    const stored = mirror.emulator.files().map(({ expiresAt }) => expiresAt);
    expect(stored).toEqual([(await mirror.report('user_data/a.txt'))?.expiresAt]);
  });

  test('a server that sets another expiry than was asked for: refused', async (context) => {
    const mirror = await openTestMirror(context, { config: DAILY });
    const inAMonth = Math.floor(Date.now() / 1000) + 30 * DAY_SECONDS;
    mirror.emulator.faults.add({ match: { method: 'POST' }, act: falsifyReply({ expires_at: inAMonth }) });
    await mirror.write('user_data/a.txt', 'a');
    await mirror.start();
    await expectRefused(mirror);
  });

  test('the same when the reply was lost and the file is found in a listing', async (context) => {
    const mirror = await openTestMirror(context, { config: DAILY });
    mirror.emulator.faults.add({ match: { method: 'POST' }, act: serverError('handled'), times: 1 });
    dropExpiry(mirror);
    await mirror.write('user_data/a.txt', 'a');
    await mirror.start();
    await expectRefused(mirror);
  });

  test('once the expiry is no longer asked for, the refused file is uploaded', async (context) => {
    const mirror = await openTestMirror(context, { config: DAILY });
    dropExpiry(mirror);
    await mirror.write('user_data/a.txt', 'a');
    expect((await mirror.sync()).code).toBe(1);
    await mirror.configure({});
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 2, deletes: 1 });
  });

  test('a lead time longer than the life of a file does not renew it again and again', async (context) => {
    const renewing = { expiresAfterSeconds: 3_600, onExpiry: 'renew' as const };
    const mirror = await openTestMirror(context, { config: { folders: { user_data: renewing } } });
    await mirror.write('user_data/a.txt', 'a');
    expect((await mirror.sync()).code).toBe(0);
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });

  test('D17: an expired file that is removed here is forgotten, once the API agrees, without a DELETE', async (context) => {
    // A server that lives two days later finds the file expired; the mirror goes by its clock.
    const server = { aheadMs: 0 };
    const mirror = await openTestMirror(context, {
      config: DAILY,
      emulator: { clock: { nowMs: () => Date.now() + server.aheadMs } },
    });
    await mirror.write('user_data/a.txt', 'a');
    await mirror.write('user_data/b.txt', 'b');
    await mirror.start();
    await mirror.expectConverged({ posts: 2 });
    const id = (await mirror.report('user_data/a.txt'))?.id ?? '';
    await mirror.stop();
    server.aheadMs = 2 * DAY_SECONDS * 1000;
    expect(mirror.emulator.files()).toEqual([]);
    await mirror.start();
    // Any reply tells the time.
    await mirror.write('assistants/c.txt', 'c');
    await mirror.flush();
    await mirror.flush();
    expect(await mirror.report('user_data/a.txt')).toMatchObject({ state: 'expired', id });
    const { stdout } = await mirror.run('status');
    expect(stdout).toMatch(/expired +user_data\/a\.txt/);
    expect((await mirror.status()).nextExpiry).toBeNull();

    await rm(mirror.at('user_data/a.txt'));
    await mirror.untilReport('user_data/a.txt', (report) => report === null);
    const asked = mirror.emulator.requests
      .all()
      .filter((request) => request.id === id && request.method === 'GET');
    expect(asked.map(({ status }) => status)).toEqual([404]);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
    expect(await mirror.report('user_data/b.txt')).toMatchObject({ state: 'expired' });
  });
});
