import { describe, expect, test } from 'vitest';
import {
  dropReplyField,
  falsifyReply,
  htmlWithSuccess,
  serverError,
} from '../../src/emulator/fault-presets.ts';
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

describe('servers that lie', { concurrent: true }, () => {
  const lies = [
    { name: 'other bytes', fields: { bytes: 1 }, reason: /1 bytes were stored, not 7/ },
    { name: 'another purpose', fields: { purpose: 'batch' }, reason: /purpose "batch", not "user_data"/ },
  ];
  for (const { name, fields, reason } of lies) {
    test(`${name} in one reply: the list tells the truth, so the file is adopted; no DELETE`, async (context) => {
      const mirror = await openTestMirror(context);
      mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply(fields), times: 1 });
      await startWithFile(mirror);
      await mirror.untilConverged({ posts: 1, deletes: 0 });
      expect(mirror.logs).toMatch(/nothing is deleted because of this/);
      expect((await mirror.status()).heldGarbage).toBe(0);
    });

    test(`${name} in every reply: named in status, the id kept aside, no DELETE`, async (context) => {
      const mirror = await openTestMirror(context);
      mirror.emulator.faults.add({ match: UPLOADS, act: falsifyReply(fields) });
      mirror.emulator.faults.add({
        match: LISTINGS,
        act: {
          kind: 'rewrite',
          patch: (reply) => ({
            ...reply,
            data: (reply['data'] as object[]).map((file) => ({ ...file, ...fields })),
          }),
        },
      });
      await startWithFile(mirror);
      const { heldGarbage } = await untilNamed(mirror, reason);
      expect(heldGarbage).toBe(1);
      const shown = await mirror.run('status');
      expect(shown.stdout).toMatch(reason);
      expect(shown.stdout).toContain('kept aside');
      await mirror.stop();
      expect(mirror.emulator.requests.deletes()).toEqual([]);
      expect(mirror.emulator.requests.uploads()).toHaveLength(1);
    });
  }

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

  test('an expiry that was asked for and not set: refused with what to do, and the copy is deleted', async (context) => {
    const mirror = await openTestMirror(context, {
      config: { folders: { user_data: { expiresAfterSeconds: 3_600 } } },
    });
    mirror.emulator.faults.add({ match: UPLOADS, act: dropReplyField('expires_at') });
    await startWithFile(mirror);
    const report = await mirror.untilReport(PATH, (each) => each?.state === 'rejected');
    expect(report?.reason).toContain('expiresAfterSeconds');
    await mirror.untilConverged({ deletes: 1, except: [PATH] });
    await mirror.flush();
    expect(mirror.emulator.requests.uploads()).toHaveLength(1);
  });
});
