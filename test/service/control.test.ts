import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import { connectDaemon, type DaemonClient } from '../../src/service/control-client.ts';
import { daemonRoutes, type ControlRoute } from '../../src/service/control-routes.ts';
import { startControlServer, type ControlServer } from '../../src/service/control-server.ts';
import { answering, FakeControl, halt, report } from './fixtures.ts';

let stateDir: string;
let server: ControlServer | null = null;
let control: FakeControl;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'fm-control-'));
  control = new FakeControl();
});
afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(stateDir, { recursive: true, force: true });
});

async function start(
  routes: readonly ControlRoute[] = daemonRoutes(answering(control)),
): Promise<ControlServer> {
  server = await startControlServer({ stateDir, routes, env: { XDG_RUNTIME_DIR: stateDir } });
  return server;
}

/** For a test of which nothing but a silence is waited for. */
const hasty = { connectMs: 200, answerMs: 200, beatMs: 10 };

const processRoute: ControlRoute = {
  kind: 'value',
  route: 'GET /v1/process',
  handle: () => ({ pid: process.pid }),
};

async function connected(): Promise<DaemonClient> {
  const daemon = await connectDaemon(stateDir);
  if (daemon === null) throw new Error('no daemon');
  return daemon;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

/** One raw request, for what our own client would never send. */
function raw(method: string, path: string, body = ''): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: join(stateDir, 'control.sock'), method, path, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) as unknown }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('a daemon that is asked', () => {
  test('tells its status, a path, and all paths', async () => {
    control.paths = [report(), report({ path: 'batch/ü\n"x".jsonl', state: 'failed', reason: 'no' })];
    await start();
    const daemon = await connected();
    expect(daemon.pid).toBe(process.pid);
    expect(await daemon.status()).toEqual(control.current);
    expect(await daemon.report('batch/ü\n"x".jsonl')).toEqual(control.paths[1]);
    expect(await daemon.report('batch/other')).toBeNull();
    expect(await all(daemon.list())).toEqual(control.paths);
  });

  test('lists nothing, and very much', async () => {
    await start();
    const daemon = await connected();
    control.paths = [];
    expect(await all(daemon.list())).toEqual([]);
    control.paths = Array.from({ length: 5000 }, (_, index) => report({ path: `batch/${index}.jsonl` }));
    expect(await all(daemon.list())).toEqual(control.paths);
    const { json } = await raw('GET', '/v1/list');
    expect(json).toHaveLength(5000);
  });

  test('does as it is told', async () => {
    await start();
    const daemon = await connected();
    expect(await daemon.approve('batch')).toBe(3);
    expect(await daemon.approve(null)).toBe(3);
    await daemon.pause();
    await daemon.resume();
    await daemon.rescan();
    expect(await daemon.verify(true)).toEqual(await control.verify(true));
    expect(await daemon.verify(false)).toEqual(await control.verify(false));
    expect(await daemon.deleteOrphans()).toBe(2);
    expect(await daemon.retry(null)).toEqual(['batch/a.jsonl', 'batch/b.jsonl']);
    expect(await daemon.retry(['evals'])).toEqual(['evals']);
    expect(control.told).toEqual([
      'approve batch',
      'approve null',
      'pause',
      'resume',
      'rescan',
      'delete orphans',
      'retry all',
      'retry evals',
    ]);
  });

  test('passes on what a failure means, so that the asker ends as if it had failed itself', async () => {
    const fault = new Fault('the key was refused', {
      disposition: 'halt',
      outcome: 'refused',
      halt: 'auth',
      rule: 'auth',
    });
    await start([
      { kind: 'value', route: 'POST /v1/verify', handle: () => Promise.reject(fault) },
      processRoute,
    ]);
    await expect((await connected()).verify(false)).rejects.toMatchObject({
      message: 'the key was refused',
      disposition: 'halt',
      halt: 'auth',
      rule: 'auth',
    });
  });

  test('waits as long as it takes, or as long as it may', async () => {
    control.result = { problems: [report({ state: 'rejected', reason: 'empty' })], halts: [halt()] };
    await start();
    const daemon = await connected();
    expect(await daemon.flush(null)).toEqual(control.result);
    expect(await daemon.waitFor('batch/a.jsonl', 5000)).toEqual(report());
    control.hangs = true;
    await expect(daemon.flush(20)).rejects.toMatchObject({ rule: 'wait-timeout', message: 'the time is up' });
    await expect(daemon.waitFor('batch/a.jsonl', 20)).rejects.toMatchObject({ rule: 'wait-timeout' });
  });

  test('stops waiting when the asker goes away', async () => {
    let aborted: (() => void) | null = null;
    const gone = new Promise<void>((resolve) => (aborted = resolve));
    let asked: (() => void) | null = null;
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    await start([
      {
        kind: 'value',
        route: 'POST /v1/flush',
        handle: ({ signal }) => {
          signal.addEventListener('abort', () => aborted?.());
          asked?.();
          return gone;
        },
      },
    ]);
    const call = request({
      socketPath: join(stateDir, 'control.sock'),
      method: 'POST',
      path: '/v1/flush',
      agent: false,
    });
    call.on('error', () => {});
    call.end();
    await arrived;
    call.destroy();
    await expect(gone).resolves.toBeUndefined();
  });

  test('tells those who wait that it stops', async () => {
    control.hangs = true;
    const arrived = new Promise<void>((resolve) => (control.onWait = resolve));
    const running = await start();
    const daemon = await connected();
    const waiting = daemon.flush(null).catch((error: unknown) => error);
    await arrived;
    await running.close();
    server = null;
    expect(await waiting).toMatchObject({ rule: 'stopping' });
    expect(await connectDaemon(stateDir)).toBeNull();
  });

  test('refuses what makes no sense', async () => {
    await start();
    expect(await raw('GET', '/v1/nothing')).toEqual({
      status: 404,
      json: { error: { message: 'this daemon does not know GET /v1/nothing', rule: 'unknown-route' } },
    });
    expect(await raw('GET', '/v1/report')).toMatchObject({
      status: 400,
      json: { error: { message: '"path" must be a text' } },
    });
    expect(await raw('POST', '/v1/flush', 'x')).toMatchObject({
      status: 400,
      json: { error: { rule: 'bad-request' } },
    });
    expect(await raw('POST', '/v1/flush', '[]')).toMatchObject({ status: 400 });
    expect(await raw('POST', '/v1/flush', '{"timeoutMs":"5"}')).toMatchObject({ status: 400 });
    expect(await raw('POST', '/v1/approve', '{"folder":5}')).toMatchObject({ status: 400 });
    expect(await raw('POST', '/v1/retry', '{"paths":"a"}')).toMatchObject({ status: 400 });
    expect(await raw('POST', '/v1/retry', '{"paths":[5]}')).toMatchObject({ status: 400 });
    expect(await raw('POST', '/v1/flush', `{"a":"${'x'.repeat(70_000)}"}`)).toMatchObject({ status: 400 });
    expect(control.told).toEqual([]);
  });

  test('says what went wrong inside, and goes on', async () => {
    await start([
      { kind: 'value', route: 'POST /v1/usage', handle: () => Promise.reject(new Error('no disk')) },
      ...daemonRoutes(answering(control)),
    ]);
    const daemon = await connected();
    await expect(daemon.ask('POST /v1/usage', {})).rejects.toMatchObject({
      rule: 'internal',
      message: 'no disk',
    });
    expect(await daemon.status()).toEqual(control.current);
  });

  test('breaks off a list that cannot be finished, so that nobody takes it for whole', async () => {
    function* broken(): Iterable<unknown> {
      yield report();
      yield 'x'.repeat(100_000);
      throw new Error('no disk');
    }
    await start([
      { kind: 'list', route: 'GET /v1/list', handle: broken },
      ...daemonRoutes(answering(control)).filter(({ route }) => route !== 'GET /v1/list'),
    ]);
    await expect(all((await connected()).list())).rejects.toMatchObject({ rule: 'connection' });
  });
});

describe('the socket', () => {
  test('is for its owner alone, whatever the umask', async () => {
    const mask = process.umask(0);
    try {
      const { socketPath } = await start();
      expect(statSync(socketPath).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(mask);
    }
  });

  test('of a dead daemon is replaced', async () => {
    const socketPath = join(stateDir, 'control.sock');
    writeFileSync(socketPath, 'left behind');
    await start();
    expect(await (await connected()).status()).toEqual(control.current);
  });

  test('is gone after close', async () => {
    const { socketPath } = await start();
    await server?.close();
    server = null;
    expect(existsSync(socketPath)).toBe(false);
    expect(await connectDaemon(stateDir)).toBeNull();
  });

  test('no daemon: no folder, no socket, or nobody behind it', async () => {
    expect(await connectDaemon(join(stateDir, 'nowhere'))).toBeNull();
    expect(await connectDaemon(stateDir)).toBeNull();
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(stateDir, 'gone.sock'), resolve));
    dead.close();
    writeFileSync(join(stateDir, 'control.path'), join(stateDir, 'gone.sock'));
    expect(await connectDaemon(stateDir)).toBeNull();
  });

  test('one that does not answer is told apart from none, and is not waited for', async () => {
    const silent: ControlRoute = { ...processRoute, handle: () => new Promise<never>(() => {}) };
    await start([silent]);
    await expect(connectDaemon(stateDir, hasty)).rejects.toMatchObject({ rule: 'no-answer' });
  });

  test('one that takes long is waited for as long as it answers, and no longer', async () => {
    let answers = true;
    let asked = 0;
    const slow: ControlRoute = {
      ...processRoute,
      handle: () => ((asked += 1), answers ? { pid: 1 } : new Promise<never>(() => {})),
    };
    const forever = new Promise<never>(() => {});
    await start([slow, { kind: 'value', route: 'POST /v1/flush', handle: () => forever }]);
    const daemon = await connectDaemon(stateDir, hasty);
    const flush = daemon?.flush(null);
    await expect.poll(() => asked).toBeGreaterThan(4);
    answers = false;
    await expect(flush).rejects.toMatchObject({ rule: 'no-answer' });
  });

  test('goes elsewhere when the state folder’s path is too long, in a folder for its owner alone', async () => {
    const short = stateDir;
    stateDir = join(short, 'x'.repeat(120));
    mkdirSync(stateDir);
    const { socketPath } = await startControlServer({
      stateDir,
      routes: daemonRoutes(answering(control)),
      env: { XDG_RUNTIME_DIR: short },
    }).then((started) => (server = started));
    expect(socketPath).toMatch(new RegExp(`^${short}/files-mirror-[0-9a-f]{16}/control\\.sock$`));
    expect(readFileSync(join(stateDir, 'control.path'), 'utf8')).toBe(socketPath);
    expect(statSync(join(socketPath, '..')).mode & 0o777).toBe(0o700);
    expect(await (await connected()).status()).toEqual(control.current);
    await server?.close();
    server = null;
    stateDir = short;
  });

  test.runIf(process.getuid?.() === 0)('never goes into a folder that somebody else made first', async () => {
    const long = join(stateDir, 'x'.repeat(120));
    mkdirSync(long);
    const started = await startControlServer({
      stateDir: long,
      routes: [],
      env: { XDG_RUNTIME_DIR: stateDir },
    });
    await started.close();
    const { chownSync } = await import('node:fs');
    chownSync(join(started.socketPath, '..'), 65_534, 65_534);
    chmodSync(join(started.socketPath, '..'), 0o777);
    await expect(
      startControlServer({ stateDir: long, routes: [], env: { XDG_RUNTIME_DIR: stateDir } }),
    ).rejects.toMatchObject({
      rule: 'config',
      message: expect.stringContaining('belongs to somebody else') as string,
    });
  });
});
