import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { badRequest, forbidden, unauthorized } from '../support/fault-presets.ts';
import type { LoggedRequest } from '../../src/emulator/logged-request.ts';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';

const PATHS = Array.from({ length: 6 }, (_, index) => `user_data/${index}.txt`);

describe('a refusal of one is not a refusal of all', { concurrent: true }, () => {
  for (const { status, act } of [
    { status: 401, act: unauthorized() },
    { status: 403, act: forbidden() },
  ]) {
    test(`D11: ${status} to one file, while others are accepted, rejects that file alone`, async (context) => {
      const mirror = await openTestMirror(context);
      mirror.emulator.faults.add({ match: { filename: 'bad.txt' }, act });
      await mirror.write('user_data/bad.txt', 'content');
      for (const path of PATHS) await mirror.write(path, `content of ${path}`);
      await mirror.start();
      await mirror.expectConverged({ deletes: 0, except: ['user_data/bad.txt'] });
      const { halts } = await mirror.status();
      expect(halts).toEqual([]);
      expect(await mirror.report('user_data/bad.txt')).toMatchObject({
        state: 'rejected',
        reason: expect.stringContaining(String(status)),
      });
      // For good: over a restart too.
      const sent = mirror.emulator.requests.uploads().length;
      await mirror.stop();
      await mirror.start();
      await mirror.flush();
      expect(mirror.emulator.requests.uploads()).toHaveLength(sent);
      expect((await mirror.run('status')).code).toBe(0);
    });
  }

  test('D11: a key that may list and not upload rejects no file; when it may, all are mirrored', async (context) => {
    const mirror = await openTestMirror(context);
    const fault = mirror.emulator.faults.add({ match: { method: 'POST' }, act: forbidden() });
    for (const path of PATHS) await mirror.write(path, `content of ${path}`);
    await mirror.start();
    await mirror.until(
      () => fault.hits,
      (hits) => hits >= PATHS.length + 2,
    );
    const { uploads, counts, halts } = await mirror.untilStatus((status) => status.uploads.pause !== null);
    expect({ rejected: counts.rejected, halts }).toEqual({ rejected: 0, halts: [] });
    expect(uploads.pause?.why).toContain('may this key upload files?');
    // One at a time, ever more seldom.
    expect(fault.hits).toBeLessThan(20);
    fault.remove();
    await mirror.untilConverged({ deletes: 0 });
  });

  test('D14: 403 to one DELETE halts nothing; that remote file stays ours, and is named', async (context) => {
    const mirror = await openTestMirror(context);
    for (const path of PATHS) await mirror.write(path, `content of ${path}`);
    await mirror.start();
    await mirror.expectConverged({ posts: PATHS.length });
    const stuck = (await mirror.report('user_data/0.txt'))?.id ?? '';
    const fault = mirror.emulator.faults.add({
      match: { method: 'DELETE', path: new RegExp(`${stuck}$`) },
      act: forbidden(),
    });
    await rm(mirror.at('user_data/0.txt'));
    await rm(mirror.at('user_data/1.txt'));
    await mirror.write('user_data/more.txt', 'more');
    await mirror.until(
      () => mirror.emulator.files().length,
      (files) => files === PATHS.length,
    );
    await mirror.until(
      () => fault.hits,
      (hits) => hits >= 2,
    );
    const { halts, garbage } = await mirror.status();
    expect({ halts, garbage }).toEqual({ halts: [], garbage: 1 });
    expect(mirror.logs).toContain(`deleting ${stuck}`);
    fault.remove();
    await mirror.untilConverged();
  });

  test('D11: a refusal that every request meets rejects no file; when it is over, all are mirrored', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/first.txt', 'first');
    await mirror.start();
    await mirror.expectConverged({ posts: 1 });
    const fault = mirror.emulator.faults.add({ act: badRequest('Header x-portkey-provider is missing.') });
    for (const path of PATHS) await mirror.write(path, `content of ${path}`);
    await mirror.until(
      () => fault.hits,
      (hits) => hits >= 2,
    );
    const { uploads } = await mirror.untilStatus((status) => status.uploads.pause !== null);
    expect(uploads.pause?.why).toContain('x-portkey-provider');
    // What was under way together met it together; after that one at a time finds out.
    const gets = (request: LoggedRequest): boolean => request.method === 'GET';
    expect(mirror.emulator.requests.all().filter(gets).length).toBeGreaterThan(0);
    expect((await mirror.status()).counts.rejected).toBe(0);
    fault.remove();
    await mirror.untilConverged({ deletes: 0 });
  });

  test('D11: retry tries rejected files again as they are, with a daemon and without', async (context) => {
    const mirror = await openTestMirror(context);
    const fault = mirror.emulator.faults.add({ match: { filename: /^bad/ }, act: badRequest('not yet') });
    for (const name of ['bad1.txt', 'bad2.txt', 'good.txt']) await mirror.write(`user_data/${name}`, name);
    await mirror.write('user_data/empty.txt', '');
    await mirror.start();
    const except = ['user_data/bad1.txt', 'user_data/bad2.txt', 'user_data/empty.txt'];
    await mirror.expectConverged({ except });
    expect(await mirror.run('retry', 'user_data/good.txt')).toMatchObject({ code: 1 });
    fault.remove();
    const named = await mirror.run('retry', mirror.at('user_data/bad1.txt'), '--json');
    expect(JSON.parse(named.stdout)).toEqual({
      version: 1,
      retried: ['user_data/bad1.txt'],
      running: true,
    });
    expect(named.code).toBe(0);
    await mirror.untilConverged({ except: except.slice(1) });
    await mirror.stop();
    // What our own rules refuse would be refused again: only what the server refused.
    expect(await mirror.run('retry')).toMatchObject({
      code: 0,
      stdout: 'the next sync or run tries 1 file again\n',
    });
    expect(await mirror.run('retry')).toMatchObject({ code: 0, stdout: 'the API has refused nothing\n' });
    await mirror.sync();
    expect(await mirror.differences({ except: except.slice(2) })).toEqual([]);
  });
});
