/** How verbs end that cannot do what was asked: exit code, message, and what `--json` says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { badRequest } from '../support/fault-presets.ts';
import { connectDaemon } from '../../src/service/control-client.ts';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  TEST_KEY,
  type TestMirror,
} from '../support/blackbox/mirror-process.ts';
import type { Exit } from '../support/blackbox/program.ts';
import { batchFile } from '../support/blackbox/samples.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const environmentOf = ({ folder, emulator }: TestMirror) => ({
  HOME: folder,
  OPENAI_BASE_URL: emulator.url,
  OPENAI_API_KEY: TEST_KEY,
});

/** Runs a verb with redirections of the shell, e.g. `list >/dev/full`. */
async function inShell(mirror: TestMirror, words: string): Promise<{ code: number; stderr: string }> {
  const script = `"$0" "$1" --config "$2" ${words}`;
  const args = ['-c', script, process.execPath, PROGRAM, mirror.configFile];
  const shell = spawn('sh', args, { env: environmentOf(mirror), stdio: ['ignore', 'ignore', 'pipe'] });
  const [stderr, [code]] = await Promise.all([text(shell.stderr), once(shell, 'exit')]);
  return { code: code as number, stderr };
}

const errorOf = ({ stdout }: Exit): unknown => (JSON.parse(stdout) as { readonly error: unknown }).error;

describe.concurrent('what fails', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('an id or a path that is not known is an answer: 1, and no file appears', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    const unknown = await mirror.run('get', 'file-unknown', '-o', mirror.at('out'));
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No such File object') as string,
    });
    expect(existsSync(mirror.at('out'))).toBe(false);
    for (const verb of ['get', 'id']) {
      expect(await mirror.run(verb, 'batch/none'), verb).toMatchObject({ code: 1, stdout: '' });
      expect(await mirror.run(verb, '/etc/passwd'), verb).toMatchObject({ code: 64, stdout: '' });
    }
    mirror.emulator.faults.add({ match: { method: 'GET' }, act: badRequest('not for this purpose') });
    expect(await mirror.run('get', 'batch/a.jsonl')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not for this purpose') as string,
    });
  });

  test('with --json the error is an object on stdout', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    const noDaemon = await mirror.run('flush', '--json');
    expect(errorOf(noDaemon)).toEqual({ code: 3, message: expect.stringMatching(/^no daemon runs for /) });
    expect(noDaemon.code).toBe(3);
    expect(noDaemon.stderr).toContain('no daemon runs for ');
    expect(errorOf(await mirror.run('list', '--json', '--frobnicate'))).toMatchObject({ code: 64 });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.emulator.close();
    expect(errorOf(await mirror.run('sync', '--json'))).toMatchObject({ code: 69 });
    await rm(mirror.root, { recursive: true });
    expect(errorOf(await mirror.run('plan', '--json'))).toMatchObject({ code: 78 });
    await writeFile(mirror.configFile, '{');
    expect(errorOf(await mirror.run('status', '--json'))).toMatchObject({ code: 78 });
  });

  test('flush says when the API does not answer', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.start();
    await mirror.emulator.close();
    expect((await mirror.run('flush')).code, 'nothing waits').toBe(0);
    await mirror.write('batch/a.jsonl', batchFile(1));
    expect(await mirror.run('flush')).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('the API does not answer') as string,
    });
  });

  test('a state folder that is none', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    for (const verb of ['list', 'status', 'sync'])
      expect((await mirror.run(verb, '--state-dir', mirror.configFile)).code, verb).toBe(78);
  });
});

describe.runIf(existsSync('/dev/full'))('what cannot be written', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is told in one line, and messages that nobody takes end nothing', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    expect(await inShell(mirror, 'list >/dev/full')).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^.*\nfiles-mirror: cannot write to stdout: ENOSPC[^\n]*\n$/) as string,
    });
    expect((await inShell(mirror, 'list 2>/dev/full')).code).toBe(0);
    expect((await inShell(mirror, 'sync 2>/dev/full')).code).toBe(0);
  });

  test('a log whose disk is full does not end the daemon', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    const daemon = spawn(process.execPath, [PROGRAM, 'run', '--config', mirror.configFile], {
      env: environmentOf(mirror),
      stdio: ['ignore', 'ignore', openSync('/dev/full', 'w')],
    });
    context.onTestFinished(() => void daemon.kill('SIGKILL'));
    await mirror.until(
      () => connectDaemon(mirror.stateDir),
      (client) => client !== null,
    );
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.flush();
    expect(mirror.emulator.files()).toHaveLength(1);
    daemon.kill('SIGTERM');
    expect(await once(daemon, 'exit')).toEqual([0, null]);
  });
});
