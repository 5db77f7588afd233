/** Starting: what is refused, in which words and with which code; who may be alone; and the very first start. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'vitest';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { RunningProgram, runProgram, type Exit } from '../support/blackbox/program.ts';
import { batchFile } from '../support/blackbox/samples.ts';

const isSuperuser = process.getuid?.() === 0;

/** One line for people, no stack, and a code that scripts can tell. */
function expectRefusal(context: TestContext, exit: Exit, code: number, line: RegExp): void {
  const { expect } = context;
  expect(exit).toMatchObject({ code, signal: null, stdout: '' });
  expect(exit.stderr).toMatch(line);
  expect(exit.stderr.trimEnd().split('\n'), 'one line').toHaveLength(1);
  expect(exit.stderr).toMatch(/^files-mirror: /);
  expect(exit.stderr).not.toMatch(/\n\s+at /);
}

describe.concurrent('bad input', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('G12: an unknown key is named with its line and the one that was meant', async (context) => {
    const mirror = await openTestMirror(context);
    await writeFile(mirror.configFile, `{\n  "root": ${JSON.stringify(mirror.root)},\n  "wach": {}\n}\n`);
    const said = /config\.json:3: .*wach.*did you mean "watch"/;
    for (const args of [['run'], ['sync'], ['config', 'check']] as const) {
      expectRefusal(context, await mirror.run(args[0], ...args.slice(1)), 78, said);
    }
  });

  const cases: readonly {
    readonly title: string;
    readonly options?: TestMirrorOptions;
    readonly prepare?: (mirror: TestMirror) => Promise<unknown>;
    readonly code: number;
    readonly line: RegExp;
  }[] = [
    {
      title: 'a root that is not there',
      prepare: (mirror) => rm(mirror.root, { recursive: true }),
      code: 78,
      line: /root.*(not there|no such|does not exist|missing).*init/i,
    },
    {
      title: 'a root that is a file',
      prepare: async (mirror) => {
        await rm(mirror.root, { recursive: true });
        await writeFile(mirror.root, 'a file');
      },
      code: 78,
      line: /root is (a file|not a directory|no directory)|not a (folder|directory)/i,
    },
    {
      title: 'a key file that may not be read',
      options: {
        env: { OPENAI_API_KEY: '' },
        ...(isSuperuser ? { withoutCapabilities: ['dac_override', 'dac_read_search'] } : {}),
      },
      prepare: async (mirror) => {
        await writeFile(join(mirror.folder, 'key'), 'sk-secret');
        await chmod(join(mirror.folder, 'key'), 0o000);
        await mirror.configure({ api: { apiKeyFile: 'key' } });
      },
      code: 78,
      line: /api\.apiKeyFile .*key cannot be read \(EACCES\)/,
    },
    {
      title: 'a server elsewhere and no key',
      options: { env: { OPENAI_API_KEY: '', OPENAI_BASE_URL: 'https://files.example.com/v1' } },
      code: 77,
      line: /no API key for https:\/\/files\.example\.com.*OPENAI_API_KEY/,
    },
    {
      title: 'plain http to a server elsewhere',
      options: { env: { OPENAI_BASE_URL: 'http://files.example.com/v1' } },
      code: 78,
      line: /OPENAI_BASE_URL: plain http to files\.example\.com/,
    },
    {
      title: 'a configuration that is no JSON',
      prepare: (mirror) => writeFile(mirror.configFile, '{ "root": \n'),
      code: 78,
      line: /config\.json:\d+:\d+: /,
    },
    {
      title: 'a configuration that is not there',
      prepare: (mirror) => rm(mirror.configFile),
      code: 78,
      line: /config\.json: there is no such file/,
    },
  ];

  for (const { title, options = {}, prepare, code, line } of cases) {
    test(`${title} is refused in one line`, async (context) => {
      const mirror = await openTestMirror(context, options);
      await prepare?.(mirror);
      expectRefusal(context, await mirror.run('run'), code, line);
    });
  }

  test('an unknown verb and an unknown option are refused with a suggestion', async (context) => {
    const mirror = await openTestMirror(context);
    expectRefusal(context, await mirror.run('snyc'), 64, /unknown verb "snyc"; did you mean "sync"/);
    expectRefusal(
      context,
      await mirror.run('sync', '--jsno'),
      64,
      /unknown option "--jsno"; did you mean "--json"/,
    );
  });

  test('what needs a daemon says that none runs', async (context) => {
    const mirror = await openTestMirror(context);
    for (const verb of ['flush', 'pause', 'resume', 'rescan', 'approve']) {
      expectRefusal(context, await mirror.run(verb), 3, /no daemon runs/);
    }
  });
});

describe.concurrent('alone', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('C10: a second daemon ends at once and names the first; a killed one leaves nothing locked', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.start();
    const first = mirror.process.pid;
    expectRefusal(context, await mirror.run('run'), 6, new RegExp(`\\bpid ${first}\\b`));
    expectRefusal(context, await mirror.run('sync'), 6, new RegExp(`\\bpid ${first}\\b`));
    const elsewhere = join(mirror.folder, 'other-state');
    expectRefusal(
      context,
      await mirror.run('run', '--state-dir', elsewhere),
      6,
      new RegExp(`\\bpid ${first}\\b`),
    );
    await mirror.kill9();
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.expectConverged({ posts: 1 });
  });
});

describe.concurrent('first start', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('without key, server, root or configuration: a dropped file is mirrored on this machine', async (context) => {
    const { expect } = context;
    const cwd = await mkdtemp(join(tmpdir(), 'first-start-'));
    const options = { cwd, env: { HOME: join(cwd, 'home') } };
    await mkdir(options.env.HOME);
    const program = new RunningProgram(['run', '--init', '--emulator-without-key'], options);
    context.onTestFinished(async () => {
      if (program.isRunning) program.signal('SIGKILL');
      await program.exited;
      await rm(cwd, { recursive: true, force: true });
    });
    // What a person waits for, too.
    await expect.poll(() => program.log, { timeout: 30_000 }).toContain('drop files into');
    await writeFile(join(cwd, 'openai-files', 'batch', 'a.jsonl'), batchFile(1));
    const { stdout: id } = await runProgram(['id', 'batch/a.jsonl', '--wait', '--timeout', '40'], options);
    const [, url] = /an emulated Files API at (http:\/\/127\.0\.0\.1:\d+\/v1),/.exec(program.log) ?? [];
    const content = await fetch(`${url}/files/${id.trim()}/content`);
    expect(Buffer.from(await content.arrayBuffer())).toEqual(batchFile(1));
    expect(program.log).toContain('nothing leaves this machine');
    program.signal('SIGTERM');
    expect(await program.exit()).toMatchObject({ code: 0, stdout: '' });
  });
});
