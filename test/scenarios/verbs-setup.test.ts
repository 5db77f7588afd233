/** Setting up and finding out: `run --init`, which API a mirror belongs to, `check`, `doctor`. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test, type TestContext } from 'vitest';
import { connectDaemon } from '../../src/service/control-client.ts';
import type { Check } from '../../src/cli/diagnosis.ts';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  TEST_KEY,
  type TestMirror,
} from '../support/blackbox/mirror-process.ts';
import { RunningProgram, runProgram } from '../support/blackbox/program.ts';
import { batchFile } from '../support/blackbox/samples.ts';

const identityOf = (mirror: TestMirror) => join(mirror.stateDir, 'api.json');

/** A daemon started otherwise than by the harness, until it can be asked. */
async function startWith(
  context: TestContext,
  mirror: TestMirror,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RunningProgram> {
  const daemon = new RunningProgram(['run', '--config', mirror.configFile, ...args], {
    env: { HOME: mirror.folder, ...env },
    cwd: mirror.folder,
  });
  context.onTestFinished(async () => {
    daemon.signal('SIGKILL');
    await daemon.exited;
  });
  while ((await connectDaemon(mirror.stateDir)) === null) {
    if (!daemon.isRunning) throw new Error(`ended with ${(await daemon.exited).code}:\n${daemon.log}`);
    await sleep(50);
  }
  return daemon;
}

async function stop(daemon: RunningProgram): Promise<void> {
  daemon.signal('SIGTERM');
  await daemon.exit();
}

describe.concurrent('run --init', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('B11: creates root and folders at first, and nothing in a root that is not mounted later', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    const env = { OPENAI_BASE_URL: mirror.emulator.url, OPENAI_API_KEY: TEST_KEY };
    await rename(mirror.root, `${mirror.root}.unused`);
    const first = await startWith(context, mirror, ['--init'], env);
    expect(existsSync(mirror.at('batch'))).toBe(true);
    await mirror.write('batch/a.jsonl', batchFile(1));
    const client = await connectDaemon(mirror.stateDir);
    await client?.flush(20_000);
    await stop(first);

    await rename(mirror.root, `${mirror.root}.disk`);
    await mkdir(mirror.root);
    const second = await startWith(context, mirror, ['--init'], env);
    await mirror.untilStatus(({ halts }) => halts.some(({ name }) => name === 'root'));
    expect(await readdir(mirror.root)).toEqual([]);
    await stop(second);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
  });
});

describe.concurrent('the API that a mirror belongs to', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is recorded at the first start; another local server is as good, the emulator too', async (context) => {
    const { expect } = context;
    // The default base URL, which is not asked, wants a limit.
    const mirror = await openTestMirror(context, { config: { limits: { uploadsPerMinute: 900 } } });
    await mirror.write('batch/a.jsonl', batchFile(1));
    const emulated = await startWith(context, mirror, ['--emulator-without-key'], {});
    expect(JSON.parse(await readFile(identityOf(mirror), 'utf8'))).toMatchObject({
      version: 1,
      kind: 'emulator',
      host: '127.0.0.1',
    });
    expect((await stat(identityOf(mirror))).mode & 0o777).toBe(0o600);
    await stop(emulated);
    expect((await mirror.run('plan')).code).not.toBe(78);
    await mirror.start();
    await mirror.stop();
    expect(JSON.parse(await readFile(identityOf(mirror), 'utf8'))).toMatchObject({ kind: 'emulator' });
  });

  test('is known to every verb without being told again: the emulator, while it runs and when it does not', async (context) => {
    const { expect } = context;
    const config = { limits: { uploadsPerMinute: 900 }, folders: { batch: { submit: false } } };
    const mirror = await openTestMirror(context, { config });
    const env = { HOME: mirror.folder };
    const options = ['--config', mirror.configFile];
    const ask = (...args: readonly string[]) =>
      runProgram([...args, ...options], { env, cwd: mirror.folder });
    await mirror.write('batch/a.jsonl', batchFile(1));
    const emulated = await startWith(context, mirror, ['--emulator-without-key'], {});
    await (await mirror.daemon()).flush(20_000);

    expect(await ask('plan')).toMatchObject({ code: 0, stdout: '' });
    expect((await ask('usage')).stdout).toMatch(/^batch +1 file /m);
    expect((await ask('list', '--remote')).stdout).toContain('= batch/a.jsonl');
    expect((await ask('get', 'batch/a.jsonl')).stdout).toContain('custom_id');
    expect((await ask('verify')).code).toBe(0);
    expect((await ask('doctor')).stdout).toMatch(/^ok {4}api: http:\/\/127\.0\.0\.1:\d+ answers$/m);
    const locked = await ask('sync');
    expect(locked.code, locked.stderr).toBe(6);
    await stop(emulated);

    expect(await ask('plan')).toMatchObject({ code: 0, stdout: '' });
    expect((await ask('status')).code).toBe(3);
    expect((await ask('doctor')).stdout).toMatch(
      /^warn {2}api: .* emulator .* does not run now; start it with: files-mirror run --emulator-without-key /m,
    );
    for (const verb of [
      ['sync'],
      ['verify'],
      ['usage'],
      ['get', 'batch/a.jsonl'],
      ['adopt'],
      ['orphans', 'delete'],
    ]) {
      const { code, stderr } = await ask(...verb);
      expect([verb[0], code]).toEqual([verb[0], 69]);
      expect(stderr).toContain('the emulator of files-mirror itself, which does not run now');
      expect(stderr).toContain(`files-mirror run --emulator-without-key ${options.join(' ')}`);
      expect(stderr).toContain('OPENAI_API_KEY');
    }
  });

  test('is known, so that no key is asked for where another one is used', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: { limits: { uploadsPerMinute: 900 } } });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    for (const verb of [
      ['plan'],
      ['sync'],
      ['verify'],
      ['usage'],
      ['get', 'batch/a.jsonl'],
      ['list', '--remote'],
    ]) {
      const { code, stderr } = await runProgram([...verb, '--config', mirror.configFile], {
        env: { HOME: mirror.folder },
        cwd: mirror.folder,
      });
      expect([verb[0], code, stderr]).toEqual([verb[0], 78, expect.stringContaining('set the base URL')]);
      expect(stderr).toContain('belongs to a server on this machine (127.0.0.1)');
    }
  });

  test('is not exchanged for a local server: refused with 78, and nothing is sent', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    await writeFile(identityOf(mirror), '{"version":1,"kind":"remote","host":"api.openai.com"}');
    mirror.emulator.requests.clear();
    for (const verb of ['run', 'sync', 'plan', 'adopt', 'verify']) {
      const { code, stderr } = await mirror.run(verb);
      expect([verb, code]).toEqual([verb, 78]);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(stderr).toContain(
        'belongs to the API at api.openai.com, but a server on this machine (127.0.0.1)',
      );
      expect(stderr).toContain(`remove ${identityOf(mirror)}`);
    }
    expect(mirror.emulator.requests.all()).toEqual([]);
  });
});

describe.concurrent('check', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('needs no mirror, no configuration and no key', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/good.jsonl', batchFile(1, 2));
    await mirror.write('batch/bad.jsonl', 'not JSON\n');
    const program = new RunningProgram(['check', 'root'], {
      env: { HOME: mirror.folder },
      cwd: mirror.folder,
    });
    const { code, stdout } = await program.exit();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^root\/batch\/bad\.jsonl:1: not-json: /);
    expect(stdout).toMatch(/^2 files checked: 1 finding in 1 file$/m);
    expect(mirror.emulator.requests.all()).toEqual([]);
  });
});

describe.concurrent('doctor', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  async function levels(mirror: TestMirror): Promise<{ code: number | null; found: Record<string, string> }> {
    const { code, stdout } = await mirror.run('doctor', '--json');
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
    return { code, found: Object.fromEntries(checks.map(({ what, level }) => [what, level])) };
  }

  test('finds nothing wrong with a mirror at work, and never shows the key', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    expect(await levels(mirror)).toMatchObject({
      code: 0,
      found: { daemon: 'warn', root: 'ok', state: 'ok' },
    });
    await mirror.start();
    await mirror.flush();
    const { code, stdout, stderr } = await mirror.run('doctor');
    expect([code, stderr]).toEqual([0, '']);
    for (const line of stdout.trimEnd().split('\n')) expect(line).toMatch(/^ok {4}[\w/]+: \S/);
    expect(stdout).toContain(`daemon: runs, pid ${mirror.process.pid}`);
    expect(stdout).toMatch(/manifest: 1 file, .*, recorded .* ago/);
    expect(stdout).toContain('answers and accepts the key');
    expect(stdout).not.toContain(TEST_KEY);
  });

  test('fails with the cause of each halt of the running daemon, and what to do', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.start();
    expect((await mirror.run('pause')).code).toBe(0);
    const { code, stdout } = await mirror.run('doctor');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail {2}halted: paused: by hand; go on with: files-mirror resume /m);
    expect((await mirror.run('resume')).code).toBe(0);
    expect((await mirror.run('doctor')).code).toBe(0);
  });

  test('names what is wrong, and goes on to the next', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, {
      emulator: { clock: { nowMs: () => Date.now() + 300_000 } },
    });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    expect((await levels(mirror)).found).toMatchObject({ clock: 'warn' });
    await rename(mirror.root, `${mirror.root}.disk`);
    await mkdir(mirror.root);
    await writeFile(join(mirror.stateDir, 'manifest.journal'), 'damaged');
    mirror.emulator.faults.add({ act: { kind: 'reset', at: 'arrival' } });
    const { code, found } = await levels(mirror);
    expect(code).toBe(1);
    expect(found).toMatchObject({ node: 'ok', manifest: 'fail', api: 'fail', limits: 'ok' });
    await writeFile(mirror.configFile, '{ "rot": 1 }');
    expect(await levels(mirror)).toMatchObject({ code: 1, found: { configuration: 'fail' } });
  });
});
