/** Every command that is printed can be copied into a shell, and does there what was said. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { falsifyReply, unauthorized } from '../support/fault-presets.ts';
import { connectDaemon } from '../../src/service/control-client.ts';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  TEST_KEY,
  type TestMirror,
} from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

interface Ran {
  readonly code: number;
  readonly text: string;
}

/** A shell in the mirror's folder, in which the program is installed. `env`: nothing else is set. */
async function shellOf(mirror: TestMirror, env: Readonly<Record<string, string>>) {
  const bin = join(mirror.folder, 'bin');
  await mkdir(bin, { recursive: true });
  const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const program = join(bin, 'files-mirror');
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  // In the tests there is one user, who needs no other's rights.
  await writeFile(join(bin, 'sudo'), '#!/bin/sh\nshift 2\nexec "$@"\n');
  for (const file of [program, join(bin, 'sudo')]) await chmod(file, 0o755);
  const PATH = `${bin}:${process.env['PATH']}`;
  return (line: string): Promise<Ran> =>
    new Promise((resolve) => {
      const options = { cwd: mirror.folder, env: { PATH, HOME: mirror.folder, ...env } };
      execFile('/bin/sh', ['-c', line], options, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), text: stdout + stderr }),
      );
    });
}

/** All commands that a text names, as they stand there. A command ends a sentence or a part of it. */
function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(/((?:sudo -u \S+ )?files-mirror (?!itself)[a-z]+[^;\n"`)]*)(?=[;\n"`)]|$)/g)].map(
    ([, line = '']) => line.trim(),
  );
}

/** Runs a printed `run` until its daemon answers. */
async function expectStarts(
  context: TestContext,
  mirror: TestMirror,
  shell: (line: string) => Promise<Ran>,
  line: string,
): Promise<void> {
  const over = shell(`exec ${line}`);
  let daemon = await connectDaemon(mirror.stateDir);
  const deadlineMs = performance.now() + 30_000;
  while (daemon === null) {
    if (performance.now() > deadlineMs) throw new Error(`does not start: ${line}`);
    const ended = await Promise.race([over, sleep(50)]);
    if (ended !== undefined) throw new Error(`${line}\n${ended.text}`);
    daemon = await connectDaemon(mirror.stateDir);
  }
  const { pid } = daemon;
  context.onTestFinished(async () => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    await over;
  });
}

async function stopDaemon(mirror: TestMirror): Promise<void> {
  const daemon = await connectDaemon(mirror.stateDir);
  if (daemon === null) return;
  process.kill(daemon.pid, 'SIGTERM');
  await mirror.until(
    // It may end while it is asked.
    () => connectDaemon(mirror.stateDir).catch(() => 'ending'),
    (found) => found === null,
  );
}

const limits = { uploadsPerMinute: 900 };

describe('a first evening', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('init names the root and knows the key; run, status and flush lead from one to the next', async (context) => {
    const mirror = await openTestMirror(context);
    await rm(mirror.root, { recursive: true });
    const env = { OPENAI_BASE_URL: mirror.emulator.url, OPENAI_API_KEY: TEST_KEY };
    const shell = await shellOf(mirror, env);
    const places = `--root './my files' --state-dir state`;
    const before = await shell(`files-mirror status ${places}`);
    expect(before.text).toContain(`none yet; start one with: files-mirror run --init ${places}\n`);
    const { text: missing } = await shell(`files-mirror sync ${places}`);
    expect(commandsIn(missing)).toEqual([`files-mirror init ${places}`]);
    const { text } = await shell(commandsIn(missing)[0] ?? '');
    expect(text).toContain(`next: mirror it with: files-mirror run ${places}\n`);
    await expectStarts(context, mirror, shell, `files-mirror run ${places}`);

    const paused = await shell(`files-mirror pause ${places}`);
    const status = await shell(`files-mirror status ${places}`);
    for (const printed of [paused, status]) {
      expect(commandsIn(printed.text)).toEqual([`files-mirror resume ${places}`]);
    }
    expect(await shell(commandsIn(status.text)[0] ?? '')).toMatchObject({ code: 0 });
    await stopDaemon(mirror);
    const without = await shell(`files-mirror flush ${places}`);
    expect(commandsIn(without.text)).toEqual([`files-mirror run ${places}`]);
    await expectStarts(context, mirror, shell, commandsIn(without.text)[0] ?? '');
  });

  test('without a key the next step begins with the key', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits } });
    const shell = await shellOf(mirror, {});
    const { text } = await shell(`files-mirror init --config config.json`);
    expect(text).toContain(
      'next: set OPENAI_API_KEY, then mirror it with: files-mirror run --config config.json\n',
    );
  });

  test('where the mirror goes to the emulator, it is started with it', async (context) => {
    const mirror = await openTestMirror(context, { config: { limits } });
    const shell = await shellOf(mirror, {});
    const first = 'files-mirror run --emulator-without-key --config config.json';
    await expectStarts(context, mirror, shell, first);
    await stopDaemon(mirror);
    for (const verb of ['flush', 'doctor', 'usage', 'sync']) {
      const { text } = await shell(`files-mirror ${verb} --config config.json`);
      expect([verb, commandsIn(text)[0]]).toEqual([verb, first]);
    }
    await expectStarts(context, mirror, shell, first);
  });
});

describe('a halt', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('in a service: the log names user, configuration and state folder; status what it was called with', async (context) => {
    const config = { limits, deletes: { minCount: 1, maxFraction: 0.1, graceSeconds: 0 } };
    const state = join((await openTestMirror(context)).folder, 'elsewhere');
    const mirror = await openTestMirror(context, { config, env: { STATE_DIRECTORY: state } });
    const shell = await shellOf(mirror, {});
    for (const name of ['a', 'b', 'c']) await mirror.write(`batch/${name}.jsonl`, batchFile(1));
    await mirror.start();
    await mirror.flush();
    for (const name of ['a', 'b']) await rm(mirror.at(`batch/${name}.jsonl`));
    await mirror.untilStatus(({ halts }) => halts.length > 0);
    const halted = mirror.logs.split('\n').find((line) => line.includes('"event":"halted"')) ?? '';
    const logged = commandsIn((JSON.parse(halted) as { next: string }).next);
    expect(logged).toEqual([
      expect.stringMatching(
        new RegExp(`^sudo -u \\S+ files-mirror approve --config ${mirror.configFile} --state-dir `),
      ),
    ]);
    const printed = commandsIn((await shell('files-mirror status --config config.json')).text);
    expect(printed).toEqual(['files-mirror approve --config config.json']);
    expect(await shell(logged[0] ?? '')).toMatchObject({ code: 0, text: 'released 2 deletes\n' });
    await mirror.expectConverged({ deletes: 2 });
  });

  test('in a pass: nothing that only a daemon can be told, and not that there was nothing to do', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    mirror.emulator.faults.add({ act: unauthorized() });
    const { code, stderr, stdout } = await mirror.run('sync');
    expect([code, stderr]).toEqual([77, expect.stringContaining('set a valid API key, then run this again')]);
    expect(stderr).not.toContain('SIGHUP');
    expect(stdout).toBe('nothing was done\n');
  });
});

describe('a manifest that was lost', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is made anew by the command that the refusal names; nothing is sent twice', async (context) => {
    const mirror = await openTestMirror(context);
    const env = { OPENAI_BASE_URL: mirror.emulator.url, OPENAI_API_KEY: TEST_KEY };
    const shell = await shellOf(mirror, env);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    await rm(mirror.stateDir, { recursive: true });
    const { code, text } = await shell('files-mirror sync --config config.json');
    expect([code, commandsIn(text)]).toEqual([78, ['files-mirror adopt --config config.json']]);
    expect((await shell(commandsIn(text)[0] ?? '')).code).toBe(0);
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 1 });
  });
});

describe('a file that is held', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is sent anew by the command that its reason names', async (context) => {
    const mirror = await openTestMirror(context);
    const env = { OPENAI_BASE_URL: mirror.emulator.url, OPENAI_API_KEY: TEST_KEY };
    const shell = await shellOf(mirror, env);
    await mirror.write("batch/it's a b.jsonl", batchFile(1));
    const fault = mirror.emulator.faults.add({ act: falsifyReply({ bytes: 1 }) });
    const printed = await mirror.run('sync');
    expect(printed.code).toBe(1);
    fault.remove();
    const [retry = ''] = commandsIn(
      printed.stderr
        .split('\n')
        .filter((line) => line.startsWith('rejected'))
        .join(''),
    );
    expect(retry).toMatch(/^files-mirror retry /);
    expect(await shell(retry)).toMatchObject({ code: 0 });
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 2 });
  });
});
