/** What the program says about itself, and what it keeps to itself (cases G of the list). */
import { chmod, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { badRequest } from '../support/fault-presets.ts';
import type { PlannedAction } from '../../src/mirror/judge/planned.ts';
import type { MirrorStatus } from '../../src/contract/report.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, TEST_KEY } from '../support/blackbox/mirror-process.ts';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';

const isSuperuser = process.getuid?.() === 0;

describe.concurrent('facts', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('G1: status without a daemon says so, tells what was known last, and ends with 3', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    const { code, stdout } = await mirror.run('status');
    expect(code).toBe(3);
    expect(stdout).toMatch(/^running\s+no; this is what was recorded last$/m);
    expect(stdout).toMatch(/^files\s+1 mirrored$/m);
    const asJson = await mirror.run('status', '--json');
    expect(asJson.code).toBe(3);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ version: 1, running: false, files: 1, garbage: 0 });
  });

  test('G2: status --json is one object of a stable version, without colours', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { env: { FORCE_COLOR: '1' } });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.write('batch/empty.jsonl', '');
    await mirror.start();
    await mirror.flush();
    const { code, stdout } = await mirror.run('status', '--json');
    expect(code).toBe(0);
    expect(stdout).not.toContain('\u001b');
    const status = JSON.parse(stdout) as MirrorStatus;
    expect(status).toMatchObject({
      version: 1,
      running: true,
      halts: [],
      counts: { synced: 1, rejected: 1 },
    });
    expect(status.problems.map(({ path }) => path)).toEqual(['batch/empty.jsonl']);
  });

  test('G3, G4: plan sends nothing and writes nothing, and sync does what it said', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    const paths = ['changed.pdf', 'gone.pdf', 'moved.pdf', 'renamed.pdf', 'stays.pdf'];
    for (const [seed, name] of paths.entries()) await mirror.write(`user_data/${name}`, pdfFile(seed));
    expect((await mirror.run('plan')).code).toBe(2);
    await mirror.sync();
    const atRest = await mirror.run('plan', '--json');
    expect(atRest.code).toBe(0);
    expect(JSON.parse(atRest.stdout)).toEqual({ version: 1, actions: [], batches: [] });

    await mirror.write('user_data/changed.pdf', pdfFile(100));
    await unlink(mirror.at('user_data/gone.pdf'));
    await mirror.rename('user_data/moved.pdf', 'user_data/sub/moved.pdf');
    await mirror.rename('user_data/renamed.pdf', 'user_data/other-name.pdf');
    await mirror.write('batch/new.jsonl', batchFile(1));
    await mirror.write('batch/wrong.jsonl', 'not JSON');
    mirror.emulator.requests.clear();
    const stateBefore = await readState(mirror.stateDir);

    const { code, stdout } = await mirror.run('plan', '--json');
    expect(code).toBe(2);
    const { actions } = JSON.parse(stdout) as { readonly actions: readonly PlannedAction[] };
    expect(actions.map(({ op, path }) => `${op} ${path}`)).toEqual([
      '+ batch/new.jsonl',
      '! batch/wrong.jsonl',
      '* user_data/changed.pdf',
      '- user_data/gone.pdf',
      '+ user_data/other-name.pdf',
      '> user_data/sub/moved.pdf',
    ]);
    expect(mirror.emulator.requests.all()).toEqual([]);
    expect(await readState(mirror.stateDir)).toEqual(stateBefore);

    const { code: syncCode, result } = await mirror.sync();
    expect(syncCode).toBe(1);
    expect(result.problems.map(({ path }) => path)).toEqual(['batch/wrong.jsonl']);
    await mirror.expectConverged({ except: ['batch/wrong.jsonl'], posts: 3, deletes: 3 });
    expect((await mirror.run('plan')).code).toBe(1);
  });

  test('G5: every path has one state, and every state but synced a reason', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: { deletes: { graceSeconds: 60 } } });
    mirror.emulator.faults.add({
      match: { method: 'POST', filename: 'refused.jsonl' },
      act: badRequest('the server wants none of this'),
    });
    await mirror.write('batch/synced.jsonl', batchFile(1));
    await mirror.write('batch/gone.jsonl', batchFile(2));
    await mirror.write('batch/refused.jsonl', batchFile(3));
    await mirror.write('batch/wrong.jsonl', 'not JSON');
    await mirror.write('batch/litter.tmp', 'x');
    await mirror.write('lonely.txt', 'x');
    await mirror.start();
    await mirror.flush();
    await unlink(mirror.at('batch/gone.jsonl'));
    await mirror.untilReport('batch/gone.jsonl', (report) => report?.state === 'deleting');
    const reports = await mirror.list();
    expect(Object.fromEntries(reports.map(({ path, state }) => [path, state]))).toEqual({
      'batch/synced.jsonl': 'synced',
      'batch/gone.jsonl': 'deleting',
      'batch/refused.jsonl': 'rejected',
      'batch/wrong.jsonl': 'rejected',
      'batch/litter.tmp': 'ignored',
      'lonely.txt': 'ignored',
    });
    expect(new Set(reports.map(({ path }) => path)).size).toBe(reports.length);
    for (const { path, state, reason } of reports) {
      if (state === 'synced') expect(reason, path).toBeNull();
      else expect(reason, path).toMatch(/\S/);
    }
    expect(reports.find(({ path }) => path === 'batch/refused.jsonl')?.reason).toContain('none of this');
  });
});

describe.concurrent('secrets', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('G9: the key appears nowhere, even where the server repeats it', async (context) => {
    const { expect } = context;
    // Not every server's keys look like OpenAI's.
    const key = 'f00dfeed0123456789abcdef01234567';
    const mirror = await openTestMirror(context, { env: { OPENAI_API_KEY: key } });
    mirror.emulator.faults.add({
      match: { method: 'POST', filename: 'refused.jsonl' },
      act: badRequest(`Incorrect API key provided: ${key}, not ${TEST_KEY}.`),
    });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.write('batch/refused.jsonl', batchFile(2));
    await mirror.start();
    await mirror.expectConverged({ except: ['batch/refused.jsonl'] });
    const told = [
      JSON.stringify(await mirror.status()),
      (await mirror.run('status')).stdout,
      (await mirror.run('list')).stdout,
      (await mirror.run('list', '--json')).stdout,
      (await mirror.run('config', 'show')).stdout,
      await readFile(mirror.configFile, 'utf8'),
    ];
    if (process.platform === 'linux')
      told.push(await readFile(`/proc/${mirror.process.pid}/cmdline`, 'utf8'));
    await mirror.stop();
    const { code, stdout, stderr } = await mirror.run('sync', '--log-level', 'debug');
    told.push(stdout, stderr, mirror.logs, ...(await readState(mirror.stateDir)).values());
    expect(code).toBe(1);
    for (const text of told) {
      expect(text).not.toContain(key);
      expect(text).not.toContain(TEST_KEY);
    }
    expect(mirror.logs).toContain('Incorrect API key provided');
    expect(mirror.emulator.requests.all().every(({ authorized }) => authorized)).toBe(true);
  });

  test('G10: state and control socket are for their owner alone', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.start();
    const socket = join(mirror.stateDir, 'control.sock');
    expect((await stat(mirror.stateDir)).mode & 0o777).toBe(0o700);
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    if (!isSuperuser) return;
    // Whoever gets past the folders is still refused by the socket.
    for (const folder of [mirror.folder, mirror.stateDir]) await chmod(folder, 0o755);
    const script = `process.setuid(65534); require('node:net').connect(${JSON.stringify(socket)}).on('error', (error) => console.log(error.code)).on('connect', () => process.exit());`;
    const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(stdout).toBe('EACCES\n');
  });
});

/** Every file of the state folder with its content. */
async function readState(stateDir: string): Promise<Map<string, string>> {
  const content = new Map<string, string>();
  for (const entry of await readdir(stateDir, { withFileTypes: true })) {
    if (entry.isFile()) content.set(entry.name, await readFile(join(stateDir, entry.name), 'utf8'));
  }
  return content;
}
