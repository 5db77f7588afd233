import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import type { Check } from '../../src/cli/diagnosis.ts';
import { startEmulator, type Emulator } from '../support/faulty-emulator.ts';
import { badRequest, falsifyReply, unauthorized } from '../support/fault-presets.ts';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';

const PATHS = Array.from({ length: 5 }, (_, index) => `user_data/${index}.txt`);

/** The address is that of the configuration. */
const OPTIONS = { env: { OPENAI_BASE_URL: '' } } as const;

/** Five files are mirrored to the mirror's own server; the second one, on another port, knows none of them. */
async function twoServers(context: TestContext): Promise<{ mirror: TestMirror; other: Emulator }> {
  const mirror = await openTestMirror(context, OPTIONS);
  const other = await startEmulator();
  context.onTestFinished(() => other.close());
  await pointTo(mirror, mirror.emulator);
  // Longer ago than a new file may be missing from lists and look-ups.
  const longAgo = Math.floor(Date.now() / 1000) - 3_600;
  const aged = mirror.emulator.faults.add({
    match: { method: 'POST' },
    act: falsifyReply({ created_at: longAgo }),
  });
  for (const path of PATHS) await mirror.write(path, `content of ${path}`);
  await mirror.start();
  await mirror.expectConverged({ posts: PATHS.length });
  await mirror.stop();
  aged.remove();
  return { mirror, other };
}

const pointTo = (mirror: TestMirror, { url }: Emulator): Promise<void> =>
  mirror.configure({ api: { baseUrl: url } });

/** What would change anything there. */
const changing = (requests: Emulator['requests']) => requests.all().filter(({ method }) => method !== 'GET');

describe('ids of another project', { concurrent: true }, () => {
  test('D14: another server on the same host knows none of the ids: HALTED scope, nothing sent, nothing forgotten', async (context) => {
    const { mirror, other } = await twoServers(context);
    const garbageBefore = mirror.emulator.files().length;
    await pointTo(mirror, other);
    await rm(mirror.at('user_data/0.txt'));
    await mirror.write('user_data/new.txt', 'new');
    await mirror.start();
    const { halts } = await mirror.untilStatus((status) => status.halts.length > 0);
    expect(halts).toMatchObject([
      {
        name: 'scope',
        cause: expect.stringContaining('the base URL changed'),
        held: expect.stringContaining('nothing is sent'),
      },
    ]);
    expect((await mirror.flush()).halts.map(({ name }) => name)).toEqual(['scope']);
    const shown = await mirror.run('status');
    expect(shown.code).toBe(5);
    expect(shown.stdout).toContain('HALTED scope');
    expect((await mirror.run('verify', '--repair')).code).toBe(5);
    await mirror.stop();
    for (const verb of ['sync', 'verify', 'adopt']) {
      expect({ verb, code: (await mirror.run(verb)).code }).toEqual({ verb, code: 5 });
    }
    expect([changing(other.requests), other.files()]).toEqual([[], []]);
    expect(mirror.emulator.files()).toHaveLength(garbageBefore);
    // Back at the server that the ids are of, all that waited is done.
    await pointTo(mirror, mirror.emulator);
    await mirror.start();
    await mirror.expectConverged();
    expect((await mirror.list()).map(({ path }) => path).sort()).toEqual(
      [...PATHS.slice(1), 'user_data/new.txt'].sort(),
    );
  }, 90_000);

  test('D14: the same server under another address is recognised by its ids, and remembered', async (context) => {
    const { mirror } = await twoServers(context);
    const url = new URL(mirror.emulator.url);
    url.hostname = 'localhost';
    await mirror.configure({ api: { baseUrl: url.href.replace(/\/$/, '') } });
    const before = await readFile(join(mirror.stateDir, 'api.json'), 'utf8');
    await rm(mirror.at('user_data/0.txt'));
    await mirror.start();
    await mirror.expectConverged({ deletes: 1 });
    expect((await mirror.status()).halts).toEqual([]);
    const after = await readFile(join(mirror.stateDir, 'api.json'), 'utf8');
    expect(after).not.toBe(before);
    expect(`${before}${after}`).not.toContain('sk-test');
  });
});

describe('a changed scope while nothing is to be sent', { concurrent: true }, () => {
  test('D14: at another server the start says HALTED scope by itself; flush, sync and doctor fail', async (context) => {
    const { mirror, other } = await twoServers(context);
    await pointTo(mirror, other);
    expect((await mirror.run('sync')).code).toBe(5);
    const alone = await doctorOf(mirror);
    expect(alone).toMatchObject({ code: 1, failed: [{ what: 'ids' }] });
    await mirror.start();
    const { halts } = await mirror.untilStatus((status) => status.halts.length > 0);
    expect(halts).toMatchObject([{ name: 'scope', cause: expect.stringContaining('the base URL changed') }]);
    expect((await mirror.run('flush')).code).toBe(5);
    const beside = await doctorOf(mirror);
    expect(beside).toMatchObject({
      code: 1,
      failed: [
        { what: 'halted', detail: `scope: ${halts[0]?.cause}`, next: expect.stringContaining('reload') },
        { what: 'ids', next: expect.stringContaining('the key, project and address') },
      ],
    });
    expect(changing(other.requests)).toEqual([]);
  });

  test('D14: at an API that does not answer, flush and sync end with 69', async (context) => {
    const { mirror } = await twoServers(context);
    const url = new URL(mirror.emulator.url);
    url.hostname = 'localhost';
    await mirror.configure({ api: { baseUrl: url.href.replace(/\/$/, '') } });
    const away = mirror.emulator.faults.add({ act: { kind: 'reset', at: 'arrival' } });
    expect((await mirror.run('sync')).code).toBe(69);
    await mirror.start();
    expect((await mirror.run('flush')).code).toBe(69);
    // It answers again, and has the ids: found out by itself.
    away.remove();
    await mirror.until(
      () => mirror.run('flush').then(({ code }) => code),
      (code) => code === 0,
    );
    expect((await mirror.status()).halts).toEqual([]);
  });

  test('D14: a key that is refused is told as such', async (context) => {
    const { mirror } = await twoServers(context);
    await mirror.configure({ api: { baseUrl: mirror.emulator.url, project: 'proj_other' } });
    const refused = mirror.emulator.faults.add({ act: unauthorized() });
    expect((await mirror.run('sync')).code).toBe(77);
    refused.remove();
    expect((await mirror.run('sync')).code).toBe(0);
    // It is remembered by then.
    const asked = mirror.emulator.requests.all().length;
    expect((await mirror.run('sync')).code).toBe(0);
    expect(mirror.emulator.requests.all()).toHaveLength(asked);
    expect(await doctorOf(mirror)).toMatchObject({ code: 0, failed: [] });
  });

  test('nothing changed: a start asks nothing', async (context) => {
    const { mirror } = await twoServers(context);
    const before = mirror.emulator.requests.all().length;
    expect((await mirror.run('sync')).code).toBe(0);
    await mirror.start();
    await mirror.untilConverged();
    await mirror.flush();
    expect(mirror.emulator.requests.all()).toHaveLength(before);
  });
});

async function doctorOf(mirror: TestMirror): Promise<{ code: number | null; failed: readonly Check[] }> {
  const { code, stdout } = await mirror.run('doctor', '--json');
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
  return { code, failed: checks.filter(({ level }) => level === 'fail') };
}

describe('what the server refused is tried again', { concurrent: true }, () => {
  test('D11: after a restart with another header, and after a reload with another key', async (context) => {
    const mirror = await openTestMirror(context, { env: { OPENAI_API_KEY: '' } });
    const apiKeyFile = join(mirror.folder, 'key');
    await writeFile(apiKeyFile, 'sk-first\n');
    await mirror.configure({ api: { apiKeyFile } });
    const fault = mirror.emulator.faults.add({ match: { filename: /^bad/ }, act: badRequest('no provider') });
    await mirror.write('user_data/bad.txt', 'bad');
    await mirror.write('user_data/good.txt', 'good');
    await mirror.start();
    const except = ['user_data/bad.txt'];
    await mirror.expectConverged({ except });
    // Nothing of it changes: nothing is tried again.
    await mirror.stop();
    const sent = mirror.emulator.requests.uploads().length;
    await mirror.start();
    await mirror.expectConverged({ except, posts: sent });
    await mirror.stop();
    await mirror.configure({ api: { apiKeyFile, headers: { 'x-portkey-provider': 'openai' } } });
    await mirror.start();
    await mirror.until(
      () => mirror.emulator.requests.uploads().length,
      (uploads) => uploads > sent,
    );
    await mirror.expectConverged({ except });
    fault.remove();
    await writeFile(apiKeyFile, 'sk-second\n');
    mirror.process.signal('SIGHUP');
    await mirror.untilConverged();
    expect(mirror.logs).not.toMatch(/sk-(first|second)/);
  }, 90_000);
});
