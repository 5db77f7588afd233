import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Compose } from '../../src/cli/context.ts';
import { recordedViews, totalsOf } from '../../src/batches/batch-views.ts';
import { plannedBatches } from '../../src/compose/planned-batches.ts';
import { emptyView } from '../../src/compose/remembered.ts';
import { main } from '../../src/cli/main.ts';
import { verbs } from '../../src/cli/verbs.ts';
import { Fault } from '../../src/contract/faults.ts';
import type { PlannedAction } from '../../src/mirror/judge/planned.ts';
import type { FlushResult } from '../../src/contract/report.ts';
import { NO_BATCH_TOTALS } from '../../src/contract/batch-report.ts';
import { NO_BATCHES } from '../../src/contract/batch.ts';
import type { ManifestView, RemoteFile } from '../../src/contract/types.ts';
import { daemonRoutes } from '../../src/service/control-routes.ts';
import { startControlServer, type ControlServer } from '../../src/service/control-server.ts';
import { answering, FakeControl, halt, report, status } from '../service/fixtures.ts';

let folder: string;
let root: string;
let stateDir: string;
let server: ControlServer | null = null;
let control: FakeControl;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fm-cli-'));
  root = join(folder, 'root');
  stateDir = join(folder, 'state');
  mkdirSync(root);
  mkdirSync(stateDir);
  control = new FakeControl();
});
afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(folder, { recursive: true });
});

async function startDaemon(): Promise<void> {
  server = await startControlServer({ stateDir, routes: daemonRoutes(answering(control)), env: {} });
}

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Nothing is at work, and nothing was recorded about any API. */
const atRest: Partial<Compose> = {
  findHolder: async () => null,
  recordedApi: async () => null,
  admitConfiguredApi: async () => 'new',
  readState: async () => ({ ...emptyView(null), ...NO_BATCHES }),
  recordedViews,
  totalsOf,
  plannedBatches,
};

const localApi = { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' };

async function run(
  argv: readonly string[],
  options: { compose?: Partial<Compose>; env?: Record<string, string> } = {},
): Promise<Result> {
  const texts = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        texts[name] += chunk.toString();
        done();
      },
    });
  const io = {
    stdout: into('out'),
    stderr: into('err'),
    stderrIsTerminal: true,
    env: options.env ?? localApi,
    cwd: folder,
    homeDir: folder,
  };
  const code = await main([...argv, '--root', root, '--state-dir', stateDir], io, async () => ({
    ...atRest,
    ...options.compose,
  }));
  return { code, ...texts };
}

/** What is recorded of a file that holds `one two`. */
const oneTwo = { bytes: 7, sha256: createHash('sha256').update('one two').digest('hex') };

function manifest(change: Partial<ManifestView> = {}): ManifestView {
  const entry = {
    purpose: 'batch',
    remoteName: 'a.jsonl',
    bytes: 175,
    sha256: 'ab',
    stat: '175 1 1 1 1',
    uploadedAt: 1,
    createdAt: 1,
  };
  return {
    mirrorId: 'm1',
    files: new Map([
      ['batch/b.jsonl', { ...entry, ...oneTwo, id: 'file-b', expiresAt: 4_000_000_000 }],
      ['batch/a.jsonl', { ...entry, id: 'file-a', expiresAt: 5 }],
    ]),
    intents: new Map(),
    garbage: new Map([
      [
        'file-old',
        { path: 'batch/a.jsonl', purpose: 'batch', bytes: 1, since: 1, reason: 'replaced', hold: false },
      ],
    ]),
    rejected: new Map([
      [
        'batch/bad.jsonl',
        { stat: '7 1 1 1 1', purpose: 'batch', rulesKey: '', rule: 'empty', message: 'line 1', at: 1 },
      ],
    ]),
    ...change,
  };
}

const withState = (view: ManifestView = manifest()): Partial<Compose> => ({
  readState: async () => ({ ...view, ...NO_BATCHES }),
});

function withMirror(does: { result?: FlushResult; fails?: Error }, opened: unknown[] = []): Partial<Compose> {
  return {
    openMirror: async () => {
      opened.push('opened');
      if (does.fails !== undefined) throw does.fails;
      return {
        ...answering(control),
        sinceTickMs: () => 0,
        settleBatches: async () => {},
        waitForBatches: async () => 'answered',
        converge: async () => does.result ?? { problems: [], halts: [] },
        run: async () => {},
        applyConfig: () => {},
        close: async () => void opened.push('closed'),
      };
    },
  };
}

describe('the command line', () => {
  test.each<[string, string[], string]>([
    ['an unknown verb, with the nearest', ['snyc'], 'unknown verb "snyc"; did you mean "sync"?'],
    ['an unknown verb like no other', ['frobnicate'], 'unknown verb "frobnicate"; see: files-mirror --help'],
    ['no verb', [], 'no verb given; see: files-mirror --help'],
    ['an unknown option', ['sync', '--fast'], 'unknown option "--fast"; see: files-mirror sync --help'],
    [
      'an unknown option, with the nearest',
      ['sync', '--jsno'],
      'unknown option "--jsno"; did you mean "--json"?',
    ],
    ['one argument too many', ['pause', 'now'], 'unexpected argument "now"; see: files-mirror pause --help'],
    ['a missing argument', ['id'], 'missing <path>; see: files-mirror id --help'],
    [
      'a missing value',
      ['sync', '--log-level'],
      'not enough arguments following: log-level; see: files-mirror sync --help',
    ],
    [
      'a bad choice',
      ['config', 'chek'],
      'bad action "chek": expected one of "check", "show", "schema"; see: files-mirror config --help',
    ],
    [
      'a bad number',
      ['flush', '--timeout', 'soon'],
      '--timeout wants a number of seconds, e.g. --timeout 30',
    ],
    ['a bad port', ['emulator', '--port', '99999'], '--port wants a number from 0 to 65535'],
    [
      'an unknown folder',
      ['approve', 'bacth'],
      '"bacth" is no purpose folder; there are: assistants, batch, evals, fine-tune, user_data, vision',
    ],
  ])('%s', async (_, argv, message) => {
    expect(await run(argv)).toEqual({ code: 64, out: '', err: `files-mirror: ${message}\n` });
  });

  test('every verb loads, explains itself, and its summary is in the help', async () => {
    const help = await run(['--help']);
    for (const [name, { summary }] of verbs) {
      const { code, out, err } = await run([name, '--help']);
      expect([name, code, err]).toEqual([name, 0, '']);
      expect(out).toContain(summary);
      expect(help.out).toContain(summary);
    }
  });

  test('--version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await run(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });
});

describe('what is wrong outside', () => {
  test('a configuration: a line for every problem', async () => {
    writeFileSync(
      join(folder, 'files-mirror.json'),
      '{\n  "limits": { "uploadsPerMinut": 5 },\n  "verifyHours": -1\n}',
    );
    const { code, err } = await run(['config', 'check']);
    expect(code).toBe(78);
    const file = join(folder, 'files-mirror.json');
    expect(err.split('\n')).toEqual([
      `files-mirror: ${file}:2: limits.uploadsPerMinut: unknown key; did you mean "uploadsPerMinute"?`,
      `files-mirror: ${file}:3: verifyHours: expected a number from 0 to 500, got -1`,
      '',
    ]);
  });

  test.each(['run', 'sync', 'plan'])('%s without a root', async (verb) => {
    rmSync(root, { recursive: true });
    expect(await run([verb])).toEqual({
      code: 78,
      out: '',
      err: `files-mirror: the root ${root} does not exist; mount it, or create it with: files-mirror init --root ${root} --state-dir ${join(folder, 'state')}\n`,
    });
  });

  test.each(['run', 'sync', 'list --remote', 'get file-1'])('%s without a key', async (command) => {
    const { code, err } = await run(command.split(' '), { env: {}, compose: withState() });
    expect([code, err]).toEqual([
      77,
      'files-mirror: no API key for https://api.openai.com: set OPENAI_API_KEY, or api.apiKeyFile in the configuration\n',
    ]);
  });

  test('another instance', async () => {
    const fails = new Fault('another files-mirror (pid 7) holds it', {
      disposition: 'fatal',
      outcome: 'refused',
      rule: 'locked',
    });
    expect(await run(['sync'], { compose: withMirror({ fails }) })).toEqual({
      code: 6,
      out: '',
      err: 'files-mirror: another files-mirror (pid 7) holds it\n',
    });
  });

  test('a defect shows its stack, and never the key', async () => {
    const env = { OPENAI_API_KEY: 'my-odd-secret' };
    const { code, err } = await run(['sync'], {
      compose: withMirror({ fails: new Error('oops my-odd-secret') }),
      env,
    });
    expect(code).toBe(70);
    expect(err).toContain('internal error');
    expect(err).toContain('at ');
    expect(err).not.toContain('my-odd-secret');
  });

  test.each(['flush', 'pause', 'resume', 'rescan', 'approve', 'id batch/a.jsonl --wait'])(
    '%s without a daemon',
    async (command) => {
      const { code, err } = await run(command.split(' '));
      expect([code, err]).toEqual([
        3,
        `files-mirror: no daemon runs for ${root}; start one with: files-mirror run --root ${root} --state-dir ${join(folder, 'state')}\n`,
      ]);
    },
  );
});

describe('with --json a failure is a fact', () => {
  test.each<[string, string[], { readonly code: number; readonly message: string }]>([
    [
      'a bad command line',
      ['sync', '--json', '--fast'],
      { code: 64, message: 'unknown option "--fast"; see: files-mirror sync --help' },
    ],
    [
      'no daemon',
      ['flush', '--json'],
      { code: 3, message: expect.stringContaining('no daemon runs') as string },
    ],
    [
      'no such path',
      ['id', 'batch/none', '--json'],
      { code: 1, message: 'no id for batch/none: it is not known' },
    ],
  ])('%s', async (_, argv, error) => {
    const { code, out, err } = await run(argv, { compose: withState() });
    expect(JSON.parse(out)).toEqual({ version: 1, error });
    expect(code).toBe(error.code);
    expect(err).toBe(`files-mirror: ${(JSON.parse(out) as { error: typeof error }).error.message}\n`);
  });

  test('a defect, without the key', async () => {
    const { out } = await run(['sync', '--json'], {
      compose: withMirror({ fails: new Error('oops my-odd-secret') }),
      env: { OPENAI_API_KEY: 'my-odd-secret' },
    });
    expect(JSON.parse(out)).toEqual({ version: 1, error: { code: 70, message: 'oops [redacted]' } });
  });

  test('but nothing follows half a list', async () => {
    const compose: Partial<Compose> = {
      ...withState(),
      openRemote: async () =>
        ({
          async *list() {
            const filename = 'x'.repeat(40_000);
            yield [{ id: 'file-1', bytes: 1, createdAt: 1, expiresAt: null, filename, purpose: 'batch' }];
            yield [{ id: 'file-2', bytes: 1, createdAt: 1, expiresAt: null, filename, purpose: 'batch' }];
            throw new Fault('broken off', { disposition: 'retry', outcome: 'refused', rule: 'network' });
          },
          [Symbol.asyncDispose]: async () => {},
        }) as unknown as Awaited<ReturnType<Compose['openRemote']>>,
    };
    const { code, out } = await run(['list', '--remote', '--json'], { compose });
    expect(code).toBe(69);
    expect(out).toMatch(/^\[\n/);
    expect(out).not.toContain('error');
  });
});

describe('with a daemon', () => {
  beforeEach(startDaemon);

  test('status', async () => {
    expect(await run(['status'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('3 synced') as string,
    });
    control.current = status({ halts: [halt()] });
    expect(await run(['status'])).toMatchObject({
      code: 5,
      out: expect.stringMatching(/^HALTED mass-delete/) as string,
    });
    const { code, out } = await run(['status', '--json']);
    expect(code).toBe(5);
    expect(JSON.parse(out)).toEqual({ ...control.current, running: true });
  });

  test('list', async () => {
    const inDays = Date.now() / 1000 + 28.5 * 86_400;
    const paths = [
      report({ path: 'batch/\u001bb', id: null, bytes: null, state: 'pending', reason: 'waiting' }),
      report({ expiresAt: inDays }),
      report({ path: 'batch/b.jsonl', expiresAt: null, reason: 'see: `files-mirror status`' }),
    ];
    control.paths = paths.toReversed();
    const options = `--root ${root} --state-dir ${join(folder, 'state')}`;
    expect((await run(['list'])).out).toBe(
      [
        'pending    -                                     -  -                batch/\\u001bb  (waiting)',
        'synced     file-1                            175 B  expires in 29 d  batch/a.jsonl',
        `synced     file-1                            175 B  no expiry        batch/b.jsonl  (see: files-mirror status ${options})`,
        '',
      ].join('\n'),
    );
    const listed = JSON.parse((await run(['list', '--json'])).out) as typeof paths;
    expect(listed.map(({ path }) => path)).toEqual(paths.map(({ path }) => path));
    expect(listed[2]?.reason).toBe(`see: files-mirror status ${options}`);
    control.paths = [];
    expect((await run(['list', '--json'])).out).toBe('[\n]\n');
  });

  test('id', async () => {
    expect(await run(['id', 'batch/a.jsonl'])).toEqual({ code: 0, out: 'file-1\n', err: '' });
    expect(await run(['id', join(root, 'batch/a.jsonl'), '--wait'])).toMatchObject({
      code: 0,
      out: 'file-1\n',
    });
    expect(JSON.parse((await run(['id', 'batch/a.jsonl', '--json'])).out)).toEqual({
      version: 1,
      ...report(),
      batch: null,
    });
    expect(await run(['id', 'batch/none'])).toEqual({
      code: 1,
      out: '',
      err: 'files-mirror: no id for batch/none: it is not known\n',
    });
  });

  test('id --wait is not content with an older version', async () => {
    control.paths = [report({ state: 'rejected', reason: 'line 3' })];
    expect(await run(['id', 'batch/a.jsonl'])).toMatchObject({ code: 0, out: 'file-1\n' });
    expect(await run(['id', 'batch/a.jsonl', '--wait'])).toEqual({
      code: 1,
      out: '',
      err: 'files-mirror: no id for batch/a.jsonl: it is rejected: line 3\n',
    });
    control.hangs = true;
    expect(await run(['id', 'batch/a.jsonl', '--wait', '--timeout', '0.02'])).toMatchObject({
      code: 1,
      err: 'files-mirror: batch/a.jsonl was not mirrored within 20 ms: it is rejected: line 3\n',
    });
  });

  test('flush', async () => {
    expect(await run(['flush'])).toEqual({ code: 0, out: '', err: '' });
    control.result = { problems: [report({ state: 'failed', reason: 'no reply' })], halts: [] };
    expect(await run(['flush'])).toEqual({ code: 1, out: '', err: 'failed  batch/a.jsonl: no reply\n' });
    expect(JSON.parse((await run(['flush', '--json'])).out)).toEqual({ version: 1, ...control.result });
    control.hangs = true;
    expect(await run(['flush', '--timeout', '0.02'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /^files-mirror: not everything was mirrored within 20 ms: .*; see: files-mirror status --root /,
      ),
    });
  });

  test('approve, pause, resume, rescan', async () => {
    expect(await run(['approve', 'batch'])).toMatchObject({ code: 0, out: 'released 3 deletes\n' });
    expect(JSON.parse((await run(['approve', '--json'])).out)).toEqual({ version: 1, approved: 3 });
    for (const verb of ['pause', 'resume', 'rescan'])
      expect(await run([verb])).toMatchObject({ code: 0, out: '' });
    expect(control.told).toEqual(['approve batch', 'approve null', 'pause', 'resume', 'rescan']);
  });

  test('retry', async () => {
    expect(await run(['retry'])).toMatchObject({ code: 0, out: 'trying 2 files again\n' });
    expect(await run(['retry', 'batch/'])).toMatchObject({ code: 0, out: 'trying 1 file again\n' });
    const { code, out } = await run(['retry', 'batch/a.jsonl', 'batch/b.jsonl', '--json']);
    expect([code, JSON.parse(out)]).toEqual([
      0,
      { version: 1, retried: ['batch/a.jsonl', 'batch/b.jsonl'], running: true },
    ]);
    expect(control.told).toEqual(['retry all', 'retry batch', 'retry batch/a.jsonl batch/b.jsonl']);
    expect(await run(['retry', '/etc/passwd'])).toMatchObject({ code: 64, out: '' });
  });
});

describe('without a daemon, what was recorded last', () => {
  test('status', async () => {
    const { code, out } = await run(['status'], { compose: withState() });
    expect(code).toBe(3);
    expect(out).toContain('2 mirrored, 1 rejected');
    const json = await run(['status', '--json'], { compose: withState() });
    expect(JSON.parse(json.out)).toEqual({
      version: 1,
      running: false,
      batches: NO_BATCH_TOTALS,
      process: null,
      mirrorId: 'm1',
      files: 2,
      rejected: 1,
      openIntents: 0,
      garbage: 1,
      undeletable: 0,
      heldGarbage: 0,
      // Not that of a.jsonl, which is over.
      nextExpiry: { path: 'batch/b.jsonl', expiresAt: 4_000_000_000 },
      problems: [
        expect.objectContaining({ path: 'batch/bad.jsonl', state: 'rejected', reason: 'line 1' }),
        expect.objectContaining({ path: 'batch/a.jsonl', state: 'expired', needs: 'nothing' }),
      ],
      problemsTotal: 2,
      problemGroups: [
        { state: 'rejected', needs: 'person', count: 1 },
        { state: 'expired', needs: 'nothing', count: 1 },
      ],
    });
  });

  test('status of a mirror that never was', async () => {
    const empty = manifest({ mirrorId: '', files: new Map(), rejected: new Map(), garbage: new Map() });
    const { code, out } = await run(['status'], { compose: withState(empty) });
    expect(code).toBe(3);
    expect(out).toContain('none yet');
  });

  test('list without anything recorded: says so, and fails where there is no root either', async () => {
    const empty = manifest({ mirrorId: '', files: new Map(), rejected: new Map(), garbage: new Map() });
    expect(await run(['list'], { compose: withState(empty) })).toEqual({
      code: 0,
      out: '',
      err: 'nothing was mirrored yet\n',
    });
    rmSync(root, { recursive: true });
    const { code, err } = await run(['list'], { compose: withState(empty) });
    expect([code, err]).toEqual([78, expect.stringContaining(`the root ${root} does not exist`)]);
  });

  test('list, in the order of paths', async () => {
    const { code, out } = await run(['list', '--json'], { compose: withState() });
    expect(code).toBe(0);
    expect(
      (JSON.parse(out) as { path: string; state: string }[]).map(({ path, state }) => [path, state]),
    ).toEqual([
      ['batch/a.jsonl', 'expired'],
      ['batch/b.jsonl', 'synced'],
      ['batch/bad.jsonl', 'rejected'],
    ]);
    expect((await run(['list'], { compose: withState() })).err).toBe(
      'no daemon runs; this is what was recorded last\n',
    );
  });

  test('id', async () => {
    expect(await run(['id', 'batch/b.jsonl'], { compose: withState() })).toEqual({
      code: 0,
      out: 'file-b\n',
      err: '',
    });
    expect(await run(['id', 'batch/bad.jsonl'], { compose: withState() })).toMatchObject({
      code: 1,
      err: 'files-mirror: no id for batch/bad.jsonl: it is rejected: line 1\n',
    });
  });
});

describe('sync and plan', () => {
  const plan: PlannedAction[] = [
    { op: '+', path: 'batch/a', from: null, bytes: 175, reason: 'new', needs: 'time' },
    { op: '>', path: 'batch/c', from: 'batch/b', bytes: null, reason: '', needs: 'time' },
    { op: '!', path: 'batch/d', from: null, bytes: 0, reason: 'it is empty', needs: 'person' },
  ];

  const planning = (actions: readonly PlannedAction[]): Partial<Compose> => ({
    planMirror: async () => actions,
  });

  test.each([['plan'], ['sync', '--dry-run']])(
    '%s %s shows what would be done, without a key and without opening the mirror',
    async (...argv) => {
      const result = await run(argv, { compose: planning(plan), env: {} });
      expect(result).toMatchObject({
        code: 2,
        out: '+ batch/a (175 B): new\n> batch/b -> batch/c\n! batch/d (0 B): it is empty\n',
      });
    },
  );

  test('plan ends with 0 when there is nothing, and 1 when there are only problems', async () => {
    expect(await run(['plan'], { compose: planning([]) })).toMatchObject({ code: 0, out: '' });
    expect(await run(['plan'], { compose: planning(plan.slice(2)) })).toMatchObject({ code: 1 });
    expect(JSON.parse((await run(['plan', '--json'], { compose: planning(plan) })).out)).toEqual({
      version: 1,
      actions: plan,
      batches: [],
    });
  });

  test('sync ends with what came of it, and closes the mirror', async () => {
    const opened: unknown[] = [];
    expect(await run(['sync', '--once'], { compose: withMirror({}, opened) })).toMatchObject({
      code: 0,
      out: 'nothing to do\n',
    });
    expect(opened).toEqual(['opened', 'closed']);
    const result = {
      problems: [report({ state: 'rejected', reason: 'empty' })],
      halts: [halt({ name: 'auth' })],
    };
    const { code, err } = await run(['sync'], { compose: withMirror({ result }) });
    expect(code).toBe(77);
    expect(err).toContain('HALTED auth');
    expect(err).toContain('rejected  batch/a.jsonl: empty');
    expect(JSON.parse((await run(['sync', '--json'], { compose: withMirror({ result }) })).out)).toEqual({
      version: 1,
      ...result,
      done: {
        uploaded: 0,
        replaced: 0,
        adopted: 0,
        moved: 0,
        deleted: 0,
        rejected: 0,
        failed: 0,
        submitted: 0,
        answered: 0,
      },
    });
  });
});

describe('the API alone', () => {
  const file = (id: string): RemoteFile => ({
    id,
    bytes: 1000,
    createdAt: 1,
    expiresAt: null,
    filename: 'x.jsonl',
    purpose: 'batch',
  });

  function withRemote(chunks: readonly string[]): { compose: Partial<Compose>; log: string[] } {
    const log: string[] = [];
    const remote = {
      async *list() {
        yield [file('file-b'), file('file-old')];
        yield [file('file-foreign')];
      },
      async content(id: string) {
        log.push(`content ${id}`);
        return {
          sizeBytes: null,
          chunks: (async function* () {
            for (const chunk of chunks) {
              if (chunk === '!')
                throw new Fault('broken off', { disposition: 'retry', outcome: 'refused', rule: 'network' });
              yield Buffer.from(chunk);
            }
          })(),
        };
      },
      [Symbol.asyncDispose]: async () => void log.push('closed'),
    };
    return {
      compose: {
        ...withState(),
        openRemote: async () => remote as unknown as Awaited<ReturnType<Compose['openRemote']>>,
      },
      log,
    };
  }

  test('list --remote marks what is ours', async () => {
    const { compose, log } = withRemote([]);
    const rows = JSON.parse((await run(['list', '--remote', '--json'], { compose })).out) as {
      id: string;
      owned: boolean;
      path: string | null;
    }[];
    expect(rows.map(({ id, owned, path }) => [id, owned, path])).toEqual([
      ['file-b', true, 'batch/b.jsonl'],
      ['file-old', true, null],
      ['file-foreign', false, null],
    ]);
    expect((await run(['list', '--remote'], { compose })).out).toContain('x.jsonl  = batch/b.jsonl\n');
    expect(log).toEqual(['closed', 'closed']);
  });

  test('get takes an id or a path', async () => {
    const { compose, log } = withRemote(['one ', 'two']);
    expect(await run(['get', 'file-77'], { compose })).toEqual({ code: 0, out: 'one two', err: '' });
    expect(await run(['get', 'batch/b.jsonl'], { compose })).toMatchObject({ code: 0, out: 'one two' });
    expect(log).toEqual(['content file-77', 'closed', 'content file-b', 'closed']);
    expect(await run(['get', 'batch/none'], { compose })).toMatchObject({
      code: 1,
      err: 'files-mirror: no id for batch/none: it is not mirrored\n',
    });
  });

  test('get fails loudly when the API has other bytes than are recorded, and leaves nothing behind', async () => {
    for (const wanted of ['batch/b.jsonl', 'file-b']) {
      for (const chunks of [['one tw', '0'], ['one '], []]) {
        const { code, err } = await run(['get', wanted, '-o', 'out.jsonl'], withRemote(chunks));
        expect(code).toBe(1);
        expect(err).toMatch(/^files-mirror: batch\/b\.jsonl \(file-b\): the API gave \d bytes with SHA-256 /);
        expect(err).toContain(`and 7 bytes with SHA-256 ${oneTwo.sha256} are recorded`);
      }
    }
    expect(readdirSync(folder).filter((name) => name.includes('out.jsonl'))).toEqual([]);
    expect(await run(['get', 'file-b'], withRemote(['one two']))).toMatchObject({ code: 0, out: 'one two' });
  });

  test('get -o writes the whole file or none', async () => {
    const target = join(folder, 'out.jsonl');
    expect(await run(['get', 'file-77', '-o', 'out.jsonl'], withRemote(['one ', 'two']))).toEqual({
      code: 0,
      out: '',
      err: '',
    });
    expect(readFileSync(target, 'utf8')).toBe('one two');
    expect(await run(['get', 'file-77', '-o', 'out.jsonl'], withRemote(['on', '!']))).toMatchObject({
      code: 69,
      err: 'files-mirror: broken off\n',
    });
    expect(readFileSync(target, 'utf8')).toBe('one two');
    expect(await run(['get', 'file-77', '-o', 'out.jsonl'], withRemote(['new']))).toMatchObject({ code: 0 });
    expect(readFileSync(target, 'utf8')).toBe('new');
    expect(await run(['get', 'file-77', '-o', 'no/such/folder'], withRemote(['x']))).toMatchObject({
      code: 1,
      err: `files-mirror: cannot write ${join(folder, 'no/such/folder')} (ENOENT)\n`,
    });
  });

  test('get -o leaves every other file alone, and the mode of the old one as it was', async () => {
    writeFileSync(join(folder, 'out.part'), 'mine');
    writeFileSync(join(folder, 'out'), 'old', { mode: 0o600 });
    expect(await run(['get', 'file-77', '-o', 'out'], withRemote(['new']))).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'out.part'), 'utf8')).toBe('mine');
    expect(statSync(join(folder, 'out')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.startsWith('out'))).toEqual(['out', 'out.part']);
  });

  test('get -o writes into a pipe, and does not put a file in its place', async () => {
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const read = readFile(pipe, 'utf8');
    expect(await run(['get', 'file-77', '-o', 'pipe'], withRemote(['one ', 'two']))).toMatchObject({
      code: 0,
    });
    expect(await read).toBe('one two');
    expect(statSync(pipe).isFIFO()).toBe(true);
  });

  test('get without an id, as from an empty variable', async () => {
    expect(await run(['get', ''], withRemote([]))).toMatchObject({ code: 64, out: '' });
  });
});

test('init creates the root and its folders, once', async () => {
  rmSync(root, { recursive: true });
  const first = await run(['init', '--json']);
  expect(first.code).toBe(0);
  expect((JSON.parse(first.out) as { created: string[] }).created).toHaveLength(7);
  const second = await run(['init']);
  expect(second.out).not.toContain('created');
  expect(second.out).toContain('is ready: put files into assistants/, batch/');
});

test('config show and schema print JSON', async () => {
  expect(JSON.parse((await run(['config', 'show'])).out)).toMatchObject({
    root,
    limits: { uploadsPerMinute: 990 },
  });
  expect(JSON.parse((await run(['config', 'schema'])).out)).toMatchObject({
    type: 'object',
    additionalProperties: false,
  });
  expect((await run(['config', 'check'])).out).toBe('ok: no file, all defaults\n');
});
