import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { RunningProgram, runProgram } from '../support/blackbox/program.ts';
import { batchFile } from '../support/blackbox/samples.ts';

describe(
  'a server that cannot delete (api.deletes false)',
  { concurrent: true, timeout: SCENARIO_TIMEOUT_MS },
  () => {
    test('what is removed is kept, what is replaced stays and is counted; when it can delete, that is made up for', async (context) => {
      const config = { api: { deletes: false } } as const;
      const mirror = await openTestMirror(context, { config });
      await mirror.write('batch/a.jsonl', batchFile(1));
      await mirror.write('batch/gone.jsonl', batchFile(2));
      await mirror.start();
      await mirror.flush();
      await mirror.write('batch/a.jsonl', batchFile(3, 2));
      await rm(mirror.at('batch/gone.jsonl'));
      await mirror.untilReport('batch/gone.jsonl', (report) => report?.state === 'kept');
      expect(await mirror.flush()).toMatchObject({ halts: [] });

      expect(await mirror.status()).toMatchObject({
        garbage: 0,
        undeletable: 1,
        counts: { synced: 1, kept: 1 },
      });
      const text = (await mirror.run('status')).stdout;
      expect(text).toMatch(/left +1 replaced remote file that this server cannot delete/);
      expect(mirror.emulator.requests.deletes()).toEqual([]);
      expect(mirror.emulator.files()).toHaveLength(3);
      await mirror.stop();

      const { orphans } = JSON.parse((await mirror.run('orphans', '--json')).stdout) as { orphans: object[] };
      expect(orphans).toMatchObject([
        { path: 'batch/a.jsonl', reason: 'replaced', state: 'cannot be deleted' },
      ]);
      const refused = await mirror.run('orphans', 'delete');
      expect(refused).toMatchObject({ code: 1 });
      expect(refused.stderr).toContain('api.deletes is false');
      expect((await mirror.run('status')).stdout).toMatch(/left +1 replaced/);
      expect((await mirror.run('plan')).stdout).not.toContain('still to be deleted');

      // Put back, it is the same remote file.
      await mirror.write('batch/gone.jsonl', batchFile(2));
      expect((await mirror.sync()).code).toBe(0);
      expect(mirror.emulator.requests.uploads()).toHaveLength(3);

      await mirror.configure({});
      await rm(mirror.at('batch/gone.jsonl'));
      expect((await mirror.sync()).code).toBe(0);
      await mirror.expectConverged({ posts: 3, deletes: 2 });
    });
  },
);

describe('headers from a file or the environment', { concurrent: true, timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('are sent, and shown nowhere', async (context) => {
    const secret = 'gateway-secret-81f2';
    const mirror = await openTestMirror(context, {
      config: {
        api: {
          headers: { 'x-from-env': { env: 'GATEWAY_TOKEN' } },
          uploadFields: { custom_llm_provider: 'openai' },
        },
      },
      env: { GATEWAY_TOKEN: secret },
    });
    // A server that does not know the field quotes it.
    await mirror.write('batch/a.jsonl', batchFile(1));
    const { result, stderr, stdout } = await mirror.sync();
    expect(result.problems[0]?.reason).toContain("'custom_llm_provider' was unexpected");
    const shown = (await mirror.run('config', 'show')).stdout;
    expect(JSON.parse(shown)).toMatchObject({ api: { headers: { 'x-from-env': { env: 'GATEWAY_TOKEN' } } } });
    expect(stderr + stdout + shown).not.toContain(secret);

    // A field that the server does not take is not the file's fault for good.
    await mirror.configure({});
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 2, deletes: 0 });
  });

  test('one that cannot be had stops the start, by name; what only asks what is recorded goes on', async (context) => {
    const config = { api: { headers: { 'x-gateway': { file: 'nowhere' } } } };
    const mirror = await openTestMirror(context, { config });
    const sync = await mirror.run('sync');
    expect(sync.code).toBe(78);
    expect(sync.stderr).toMatch(/api\.headers\.x-gateway: .*nowhere cannot be read \(ENOENT\)/);
    expect((await mirror.run('status')).code).toBe(3);
    const doctor = await mirror.run('doctor');
    expect(doctor.stdout).toMatch(/^fail +api: api\.headers\.x-gateway: .*nowhere cannot be read/m);
  });
});

/** The verb `emulator` at work, and the address that it has printed. */
async function emulator(
  context: TestContext,
  mirror: TestMirror,
  options: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly url: string; readonly program: RunningProgram }> {
  const program = new RunningProgram(['emulator', '--json', ...options], { cwd: mirror.folder, env });
  context.onTestFinished(() => program.signal('SIGKILL'));
  const printed = await mirror.until(
    () => program.output,
    (text) => text.endsWith('\n'),
  );
  return { url: (JSON.parse(printed) as { url: string }).url, program };
}

describe('the emulator as a program', { concurrent: true, timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is like the server that is named, and as closed as that', async (context) => {
    const mirror = await openTestMirror(context);
    const wrong = await mirror.run('emulator', '--dialect', 'grog');
    expect(wrong.code).toBe(64);
    expect(wrong.stderr).toContain('--dialect wants one of openai, azure, azure-v1, groq');

    const { url, program: groq } = await emulator(context, mirror, ['--dialect', 'groq']);
    expect(new URL(url).pathname).toBe('/openai/v1');
    expect(await (await fetch(`${url}/files`)).json()).toEqual({ object: 'list', data: [] });
    expect((await fetch(`${url}/files?limit=1`)).status).toBe(400);
    groq.signal('SIGTERM');
    expect(await groq.exit()).toMatchObject({ code: 0 });
  });

  test('lets another server answer the lines of batches', async (context) => {
    const mirror = await openTestMirror(context);
    const wrong = await mirror.run('emulator', '--upstream', 'localhost:11434');
    expect([wrong.code, wrong.stderr]).toEqual([
      64,
      expect.stringContaining('--upstream wants the base URL'),
    ]);

    const asked: unknown[] = [];
    const model = createServer((request, response) => {
      asked.push([request.url, request.headers.authorization]);
      request.resume();
      response
        .setHeader('content-type', 'application/json')
        .end('{"choices":[{"message":{"content":"42"}}]}');
    }).listen(0, '127.0.0.1');
    await once(model, 'listening');
    context.onTestFinished(() => void model.close());
    const { port } = model.address() as AddressInfo;
    const upstream = ['--upstream', `http://127.0.0.1:${port}/v1/`];
    const env = { UPSTREAM_API_KEY: 'for-the-model', OPENAI_API_KEY: 'sk-of-another' };
    const { url } = await emulator(context, mirror, upstream, env);
    const file = join(mirror.folder, 'requests.jsonl');
    await writeFile(file, batchFile(1, 2));
    const run = await runProgram(['batch', 'run', file], {
      cwd: mirror.folder,
      env: { OPENAI_BASE_URL: url, OPENAI_API_KEY: 'sk-test', HOME: mirror.folder },
    });
    expect([run.code, run.stderr]).toEqual([0, expect.any(String)]);
    expect(await readFile(join(mirror.folder, 'requests.output.jsonl'), 'utf8')).toContain('"content":"42"');
    expect(asked).toEqual([
      ['/v1/chat/completions', 'Bearer for-the-model'],
      ['/v1/chat/completions', 'Bearer for-the-model'],
    ]);
  });
});
