import { request as httpRequest, type IncomingMessage } from 'node:http';
import { errnoOf } from '../contract/errno.ts';
import { fatalFault, Fault } from '../contract/faults.ts';
import type { AppStatus, FlushResult, PathReport, VerifyReport } from '../contract/report.ts';
import type { MirrorPath } from '../contract/types.ts';
import { batchClient, type BatchClient } from './batch-client.ts';
import type { ControlError } from './control-server.ts';
import { findControlSocket } from './control-socket.ts';
import { heartbeat, type Heartbeat } from './heartbeat.ts';

/**
 * A running daemon, asked over its control socket. Every method throws `Fault`: with rule `wait-timeout` when the
 * time is up, `stopping` when the daemon ends meanwhile, `connection` when it dies, `no-answer` when it does not answer
 * any more (it was stopped by a signal, or its loop is blocked). What takes long is waited for as long as it answers.
 */
export interface DaemonClient {
  readonly pid: number;
  readonly batches: BatchClient;
  status(): Promise<AppStatus>;
  report(path: MirrorPath): Promise<PathReport | null>;
  list(): AsyncIterable<PathReport>;
  /** `timeoutMs` null: as long as it takes. */
  flush(timeoutMs: number | null): Promise<FlushResult>;
  waitFor(path: MirrorPath, timeoutMs: number | null): Promise<PathReport>;
  /** How many deletes were released. */
  approve(folder: string | null): Promise<number>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  rescan(): Promise<void>;
  /** Tries rejected and failed files at or below these paths again; null: all. Returns which. */
  retry(wanted: readonly MirrorPath[] | null): Promise<readonly MirrorPath[]>;
  verify(repair: boolean, wait?: boolean): Promise<VerifyReport>;
  /** How many remote files that nothing points to are deleted in the background now. */
  deleteOrphans(): Promise<number>;
  /** Asks anything else; `route` is e.g. `GET /v1/usage`. */
  ask(route: string, body?: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** How long a daemon may take to say that it is there. */
export interface Patience {
  /** At first. */
  readonly connectMs: number;
  /** While it is busy with what it was asked for. */
  readonly answerMs: number;
  /** How often it is asked then. */
  readonly beatMs: number;
}

const defaultPatience: Patience = { connectMs: 5_000, answerMs: 15_000, beatMs: 5_000 };

/** Null when no daemon runs on this state folder. Throws `Fault` with rule `no-answer` when one is there that does not answer. */
export async function connectDaemon(
  stateDir: string,
  { connectMs, answerMs, beatMs }: Patience = defaultPatience,
): Promise<DaemonClient | null> {
  const socketPath = await findControlSocket(stateDir);
  let pid: number;
  try {
    pid = await whoIsThere(socketPath, connectMs);
  } catch (error) {
    const code = error instanceof Fault ? errnoOf(error.cause) : '';
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return null;
    throw error;
  }
  const watched = () =>
    heartbeat(beatMs, async (signal) => {
      await whoIsThere(socketPath, answerMs, signal).catch((error: unknown) => {
        // Of anything else whoever waits is told by his own connection, in better words.
        if (isNoAnswer(error)) throw error;
      });
    });
  const asked = async (route: string, body?: Readonly<Record<string, unknown>>): Promise<unknown> => {
    using pulse = watched();
    return await ask(socketPath, route, pulse.signal, body);
  };
  const post = (name: string, body: Readonly<Record<string, unknown>> = {}) =>
    asked(`POST /v1/${name}`, body);
  const listed = (route: string) => listItems(socketPath, route, watched);
  return {
    pid,
    batches: batchClient({ asked, listed }),
    status: async () => (await asked('GET /v1/status')) as AppStatus,
    report: async (path) =>
      (await asked(`GET /v1/report?path=${encodeURIComponent(path)}`)) as PathReport | null,
    list: () => listed('GET /v1/list') as AsyncIterable<PathReport>,
    flush: async (timeoutMs) => (await post('flush', { timeoutMs })) as FlushResult,
    waitFor: async (path, timeoutMs) => (await post('wait', { path, timeoutMs })) as PathReport,
    approve: async (folder) => ((await post('approve', { folder })) as { approved: number }).approved,
    pause: async () => void (await post('pause')),
    resume: async () => void (await post('resume')),
    rescan: async () => void (await post('rescan')),
    retry: async (paths) => ((await post('retry', { paths })) as { retried: readonly MirrorPath[] }).retried,
    deleteOrphans: async () => ((await post('orphans/delete')) as { deleting: number }).deleting,
    verify: async (repair, wait = false) => (await post('verify', { repair, wait })) as VerifyReport,
    ask: asked,
  };
}

/** The pid of the daemon. Throws `Fault` (`no-answer`) when it does not say it in time. */
async function whoIsThere(socketPath: string, withinMs: number, over?: AbortSignal): Promise<number> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(noAnswer()), withinMs);
  const signal = over === undefined ? limit.signal : AbortSignal.any([limit.signal, over]);
  try {
    return ((await ask(socketPath, 'GET /v1/process', signal)) as { pid: number }).pid;
  } finally {
    clearTimeout(timer);
  }
}

function noAnswer(): Fault {
  return fatalFault('no-answer', 'the running daemon does not answer');
}

/** True for what is thrown when a daemon is there that does not answer. */
export function isNoAnswer(error: unknown): error is Fault {
  return error instanceof Fault && error.rule === 'no-answer';
}

/** Throws the signal's reason when it aborts. */
async function ask(
  socketPath: string,
  route: string,
  signal: AbortSignal,
  body?: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const response = await send(socketPath, route, signal, body);
  const reply: unknown = JSON.parse(await readText(response, signal));
  if (response.statusCode === 200) return reply;
  const { message, rule, disposition = 'fatal', halt } = (reply as ControlError).error;
  throw new Fault(message, {
    disposition,
    outcome: 'refused',
    rule,
    ...(halt === undefined ? {} : { halt }),
  });
}

/** One item a line, as the server writes it: the list may be far larger than a text should be. */
async function* listItems(
  socketPath: string,
  route: string,
  watched: () => Heartbeat,
): AsyncIterable<unknown> {
  using pulse = watched();
  const response = await send(socketPath, route, pulse.signal);
  let complete = false;
  try {
    for await (const line of linesOf(response)) {
      if (line === ']') complete = true;
      else if (line !== '[') yield JSON.parse(line.endsWith(',') ? line.slice(0, -1) : line);
    }
  } catch (error) {
    throw connectionFault(error, pulse.signal);
  } finally {
    response.destroy();
  }
  if (!complete) throw connectionFault(new Error('the list was broken off'));
}

/** QUIRK: `node:readline` also ends lines at U+2028 and U+2029, which JSON lets stand in a file name. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const text of response as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function send(
  socketPath: string,
  route: string,
  signal: AbortSignal,
  body?: Readonly<Record<string, unknown>>,
): Promise<IncomingMessage> {
  const [method, path] = route.split(' ');
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      method,
      path,
      agent: false,
      signal,
      headers: { 'content-type': 'application/json' },
    });
    request.once('response', resolve);
    request.once('error', (error) => reject(connectionFault(error, signal)));
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function readText(response: IncomingMessage, signal: AbortSignal): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    throw connectionFault(error, signal);
  }
}

function connectionFault(cause: unknown, signal?: AbortSignal): Fault {
  if (signal?.reason instanceof Fault) return signal.reason;
  const code = errnoOf(cause);
  // So many wait for it already that the system lets nobody else in.
  if (code === 'EAGAIN') return noAnswer();
  const message =
    code === 'EACCES'
      ? 'the running daemon belongs to another user'
      : `the connection to the daemon broke: ${(cause as Error).message}`;
  return fatalFault('connection', message, cause);
}
