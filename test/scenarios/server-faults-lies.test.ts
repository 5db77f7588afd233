import { rm, utimes } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { dropReplyField, falsifyReply, htmlWithSuccess, serverError } from '../support/fault-presets.ts';
import type { TestConfig } from '../support/blackbox/fast-config.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';

const UPLOADS = { method: 'POST', path: /\/files$/ } as const;
const LISTINGS = { method: 'GET', path: /\/files$/ } as const;
const PATH = 'user_data/a.txt';

async function startWithFile(mirror: TestMirror): Promise<void> {
  await mirror.write(PATH, 'content');
  await mirror.start();
}

const untilNamed = (mirror: TestMirror, reason: RegExp) =>
  mirror.untilStatus(({ problems }) =>
    problems.some((problem) => problem.path === PATH && reason.test(problem.reason ?? '')),
  );

const trustAllBut = (field: string): TestConfig => ({
  api: {
    trustReply: (['bytes', 'purpose', 'filename', 'expires_at'] as const).filter((each) => each !== field),
  },
});
/** A gateway that describes every file so, whatever it is asked. */
const rewriteAll = (mirror: TestMirror, fields: object): void => {
  const patched = (file: object): object => ({ ...file, ...fields });
  mirror.emulator.faults.add({
    match: LISTINGS,
    act: {
      kind: 'rewrite',
      patch: (reply) => ({ ...reply, data: (reply['data'] as object[]).map(patched) }),
    },
  });
  mirror.emulator.faults.add({
    match: { path: /\/files(\/[^/]+)?$/ },
    act: { kind: 'rewrite', patch: (reply) => ('data' in reply ? reply : patched(reply)) },
  });
};

describe('servers that lie', { concurrent: true, timeout: 90_000 }, () => {
  const lies = [
    { name: 'other bytes', fields: { bytes: 1 }, field: 'bytes', reason: /1 bytes were stored, not 7/ },
    {
      name: 'another purpose',
      fields: { purpose: 'batch' },
      field: 'purpose',
      reason: /its purpose is "batch", not "user_data"/,
    },
  ] as const;
  for (const { name, fields, field, reason } of lies) {
    test(`${name} in one reply: a look-up tells the truth, so the file is recorded; no DELETE`, async (context) => {
      const mirror = await openTestMirror(context);
      mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply(fields), times: 1 });
      await startWithFile(mirror);
      await mirror.untilConverged({ posts: 1, deletes: 0 });
      expect((await mirror.status()).heldGarbage).toBe(0);
    });

    test(`${name} in every reply: held by name, not sent again by a touch, a restart or a sync`, async (context) => {
      const mirror = await openTestMirror(context);
      rewriteAll(mirror, fields);
      await startWithFile(mirror);
      const { heldGarbage } = await untilNamed(mirror, reason);
      expect(heldGarbage).toBe(1);
      const shown = await mirror.run('status');
      expect(shown.stdout).toMatch(reason);
      expect(shown.stdout).toContain('kept aside');
      await utimes(mirror.at(PATH), 1_700_000_000, 1_700_000_000);
      await mirror.flush();
      await mirror.stop();
      expect((await mirror.list())[0]?.reason).toMatch(reason);
      for (let pass = 0; pass < 2; pass += 1) {
        const { code, result } = await mirror.sync();
        expect(code).toBe(1);
        expect(result.problems).toMatchObject([{ path: PATH, state: 'rejected' }]);
      }
      expect(mirror.emulator.requests.deletes()).toEqual([]);
      expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    });

    test(`${name} in every reply, and said so in the configuration: what is held is recorded, and nothing is sent`, async (context) => {
      const mirror = await openTestMirror(context);
      rewriteAll(mirror, fields);
      await startWithFile(mirror);
      await untilNamed(mirror, reason);
      await mirror.stop();
      await mirror.configure(trustAllBut(field));
      await mirror.start();
      await mirror.untilConverged({ posts: 1, deletes: 0 });
      // A lost reply is found as well, and a verification has nothing to say about it.
      mirror.emulator.faults.add({ match: UPLOADS, act: serverError('handled'), times: 1 });
      await mirror.write('user_data/b.txt', 'another');
      await mirror.untilConverged({ posts: 2, deletes: 0 });
      await mirror.stop();
      expect((await mirror.run('verify')).code).toBe(0);
    });
  }

  test('what is held is deleted with its file, and replaced by its next version', async (context) => {
    const mirror = await openTestMirror(context);
    rewriteAll(mirror, { bytes: 1 });
    await startWithFile(mirror);
    await untilNamed(mirror, /1 bytes/);
    await mirror.write(PATH, 'other content');
    await untilNamed(mirror, /1 bytes were stored, not 13/);
    await mirror.until(
      () => mirror.emulator.files().length,
      (count) => count === 1,
    );
    await rm(mirror.at(PATH));
    await mirror.untilConverged({ posts: 2, deletes: 2 });
  });

  test('`retry` deletes what is held, and sends the file anew', async (context) => {
    const mirror = await openTestMirror(context);
    const fault = mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply({ bytes: 1 }) });
    const blind = mirror.emulator.faults.add({ act: { kind: 'list-lag', ms: 60_000, retrieve: true } });
    await startWithFile(mirror);
    await untilNamed(mirror, /1 bytes/);
    fault.remove();
    blind.remove();
    expect((await mirror.run('retry', PATH)).code).toBe(0);
    await mirror.untilConverged({ posts: 2, deletes: 1 });
  });

  const silences = [
    { name: 'an empty purpose', fields: { purpose: '' } },
    { name: 'no bytes', fields: { bytes: null } },
    { name: 'no purpose, no name and no time', fields: { purpose: null, filename: null, created_at: null } },
  ];
  for (const { name, fields } of silences) {
    test(`a server that says ${name} contradicts nothing: four files are four uploads, whatever comes after`, async (context) => {
      const mirror = await openTestMirror(context);
      rewriteAll(mirror, fields);
      for (const letter of ['a', 'b', 'c', 'd'])
        await mirror.write(`user_data/${letter}.txt`, `content ${letter}`);
      for (let pass = 0; pass < 3; pass += 1) expect((await mirror.sync()).code).toBe(0);
      await mirror.expectConverged({ posts: 4, deletes: 0 });
      expect((await mirror.run('verify')).code).toBe(0);
    });
  }

  test('two files of which one may be a lost upload: neither is used or deleted, and nothing is sent again', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('handled'), times: 1 });
    await mirror.addForeign('user_data', 'a.txt', 'CONTENT');
    await startWithFile(mirror);
    await untilNamed(mirror, /several listed files may be it/);
    const orphans = await mirror.run('orphans', 'delete');
    expect(orphans.code).toBe(0);
    await mirror.flush();
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
    expect(mirror.emulator.files()).toHaveLength(2);
  });

  test('an upload that may have arrived says since when it is looked for, and when it is sent again', async (context) => {
    const mirror = await openTestMirror(context, { config: { api: { lookSeconds: 300 } } });
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('body'), times: 1 });
    await startWithFile(mirror);
    await untilNamed(
      mirror,
      /500.*looked for as "a\.txt" with 7 bytes in the list since 20.*until 20.*sent again/,
    );
  });

  for (const status of [408, 409]) {
    test(`a ${status} after the file was stored: found in the list, not sent again`, async (context) => {
      const mirror = await openTestMirror(context);
      const body = { error: { message: 'try again', type: 'server_error', param: null, code: null } };
      mirror.emulator.faults.add({
        match: UPLOADS,
        act: { kind: 'respond', at: 'handled', status, body },
        times: 1,
      });
      await startWithFile(mirror);
      await mirror.untilConverged({ posts: 1, deletes: 0 });
    });
  }

  test('a reply that comes before the end of the body: the file is looked for, not sent again', async (context) => {
    const mirror = await openTestMirror(context, { config: { api: { lookSeconds: 300 } } });
    mirror.emulator.faults.add({
      match: UPLOADS,
      act: { kind: 'respond', at: 'arrival', status: 200, body: { id: 'file-early', object: 'file' } },
      times: 1,
    });
    await mirror.write(PATH, Buffer.alloc(3_000_000, 'x'));
    await mirror.start();
    await untilNamed(mirror, /looked for as "a\.txt"/);
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
  });

  test('an id of another file, and no true one in the list: named, and never sent again by itself', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/first.txt', 'the first');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply({ id: mirror.emulator.files()[0]?.id }) });
    mirror.emulator.faults.add({ act: { kind: 'list-lag', ms: 600_000, retrieve: false } });
    await mirror.write(PATH, 'content');
    await untilNamed(mirror, /belongs to user_data\/first\.txt, and does not list it/);
    await mirror.flush();
    await mirror.stop();
    expect((await mirror.sync()).code).toBe(1);
    expect(mirror.emulator.requests.uploads()).toHaveLength(2);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
  });

  test('an id that already belongs to another file: named, neither file is touched, no DELETE', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/first.txt', 'the first');
    await mirror.start();
    await mirror.expectConverged({ posts: 1, deletes: 0 });
    const [first] = mirror.emulator.files();
    const reply = { id: first?.id };
    mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply(reply), times: 1 });
    // So that the truth comes late enough for the lie to be seen.
    mirror.emulator.faults.add({ act: { kind: 'list-lag', ms: 1_500, retrieve: false } });
    await mirror.write(PATH, 'content');
    await untilNamed(mirror, /which already belongs to user_data\/first\.txt/);
    await mirror.untilConverged({ posts: 2, deletes: 0 });
    expect((await mirror.report('user_data/first.txt'))?.id).toBe(first?.id);
  });

  test('HTML with 200 instead of the API: nothing counts as stored, nothing as refused', async (context) => {
    const mirror = await openTestMirror(context);
    const fault = mirror.emulator.faults.add({ act: htmlWithSuccess('arrival') });
    await startWithFile(mirror);
    await untilNamed(mirror, /200, but .*doctype/i);
    const { counts } = await mirror.status();
    expect(counts.rejected + counts.synced).toBe(0);
    fault.remove();
    await mirror.untilConverged({ deletes: 0 }, 25_000);
    expect(mirror.emulator.files()).toHaveLength(1);
  });

  test('HTML with 200 after it was stored: found in the list and adopted', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: UPLOADS, act: htmlWithSuccess('handled'), times: 1 });
    await startWithFile(mirror);
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('a list that never ends: the lost upload is found in it all the same', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('handled'), times: 1 });
    mirror.emulator.faults.add({ match: LISTINGS, act: { kind: 'list-endless' } });
    await startWithFile(mirror);
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('a list that never ends and does not have it: the search ends, and it is sent again', async (context) => {
    const mirror = await openTestMirror(context);
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('body'), times: 1 });
    mirror.emulator.faults.add({ match: LISTINGS, act: { kind: 'list-endless' } });
    await mirror.addForeign('user_data', 'other.txt', 'somebody else’s');
    await startWithFile(mirror);
    await mirror.untilConverged({ posts: 2, deletes: 0 }, 25_000);
  });

  test('an older file of somebody else with the same name and size is neither adopted nor deleted', async (context) => {
    let aheadMs = -3_600_000;
    const mirror = await openTestMirror(context, {
      emulator: { clock: { nowMs: () => Date.now() + aheadMs } },
    });
    await mirror.addForeign('user_data', 'a.txt', 'CONTENT');
    aheadMs = 0;
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('body'), times: 1 });
    await startWithFile(mirror);
    await mirror.untilConverged({ posts: 2, deletes: 0 }, 25_000);
  });

  test('an expiry that was asked for, and that only the reply leaves out: a look-up tells it', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { folders: { user_data: { expiresAfterSeconds: 3_600 } } },
    });
    mirror.emulator.faults.add({ match: UPLOADS, act: dropReplyField('expires_at') });
    await startWithFile(mirror);
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    expect((await mirror.report(PATH))?.expiresAt).not.toBeNull();
  });

  test('an expiry that was asked for and not set: refused with what to do, and the copy is deleted', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { folders: { user_data: { expiresAfterSeconds: 3_600 } } },
    });
    rewriteAll(mirror, { expires_at: null });
    await startWithFile(mirror);
    const report = await mirror.untilReport(PATH, (each) => each?.state === 'rejected');
    expect(report?.reason).toContain('expiresAfterSeconds');
    await mirror.untilConverged({ deletes: 1, except: [PATH] });
    await mirror.flush();
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
  });
});
