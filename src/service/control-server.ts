/** The daemon's ear: this room is about living as one (socket, logs, signals, systemd), and not about mirroring. */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { LONGEST_TIMER_MS } from './system-clock.ts';
import { jsonListPieces } from './json-list.ts';
import type { Environment } from '../config/config.ts';
import { configFault, type Disposition, fatalFault, Fault, type FaultDetails } from '../contract/faults.ts';
import { BadRequest, type ControlRoute } from './control-routes.ts';
import { placeControlSocket } from './control-socket.ts';

export interface ControlServerOptions {
  readonly stateDir: string;
  readonly routes: readonly ControlRoute[];
  readonly env: Environment;
}

export interface ControlServer {
  readonly socketPath: string;
  /** Breaks off whoever still waits, and removes the socket. */
  close(): Promise<void>;
}

/** What a reply says when something went wrong. */
export interface ControlError {
  readonly error: {
    readonly message: string;
    readonly rule: string;
    /** What followed from it for the engine, so that the asker ends with the same exit code. */
    readonly disposition?: Disposition;
    readonly halt?: NonNullable<FaultDetails['halt']>;
  };
}

/** How long those that still wait for a reply at the end have to take it. */
const partingMs = 500;

const largestBodyBytes = 64 * 1024;

/**
 * Answers questions on a Unix socket that only this user may open, as HTTP with JSON. The lock of the state folder
 * must be held: a socket that is there already is taken for a dead one's and replaced.
 * Throws `Fault` with rule `config` when there is no place for the socket.
 */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const socketPath = await placeControlSocket(options.stateDir, options.env);
  const stopping = new AbortController();
  const routes = new Map(options.routes.map((route) => [route.route, route]));
  const server = createServer((request, response) => {
    void answer(routes, request, response, stopping.signal);
  });
  // A flush may rightly take hours.
  server.requestTimeout = 0;
  server.timeout = 0;

  await rm(socketPath, { force: true });
  await listenPrivately(server, socketPath);
  return {
    socketPath,
    async close() {
      stopping.abort(fatalFault('stopping', 'the daemon is stopping'));
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      // Whoever waits is told now; a reader that has stalled is not waited for.
      const force = setTimeout(() => server.closeAllConnections(), partingMs);
      await closed;
      clearTimeout(force);
    },
  };
}

async function listenPrivately(server: Server, socketPath: string): Promise<void> {
  // RACE: a chmod after listen would leave a moment in which others can connect. `listen` binds before it
  // returns, so that the narrowed mask is in force for nothing else.
  const mask = process.umask(0o177);
  try {
    server.listen(socketPath);
  } finally {
    process.umask(mask);
  }
  try {
    await once(server, 'listening');
  } catch (error) {
    throw configFault(
      `cannot open the control socket ${socketPath} (${(error as NodeJS.ErrnoException).code})`,
      error,
    );
  }
}

async function answer(
  routes: ReadonlyMap<string, ControlRoute>,
  request: IncomingMessage,
  response: ServerResponse,
  stopping: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const url = new URL(request.url ?? '/', 'http://daemon');
    const body = await readBody(request);
    const route = routes.get(`${request.method} ${url.pathname}`);
    if (route === undefined) {
      sendError(response, 404, {
        message: `this daemon does not know ${request.method} ${url.pathname}`,
        rule: 'unknown-route',
      });
      return;
    }
    const signal = AbortSignal.any([gone.signal, stopping, ...timeLimit(body['timeoutMs'])]);
    const asked = { query: url.searchParams, body, signal };
    if (route.kind === 'list') await sendList(response, route.handle(asked));
    else sendJson(response, 200, (await route.handle(asked)) ?? null);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else sendError(response, error instanceof BadRequest ? 400 : 500, describe(error));
  }
}

function timeLimit(timeoutMs: unknown): readonly AbortSignal[] {
  if (timeoutMs === undefined || timeoutMs === null) return [];
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
    throw new BadRequest('"timeoutMs" must be a number');
  return [AbortSignal.timeout(Math.min(Math.ceil(timeoutMs), LONGEST_TIMER_MS))];
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > largestBodyBytes) throw new BadRequest('the request is too large');
    chunks.push(chunk);
  }
  if (sizeBytes === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Answered below, as any other body that is no object.
  }
  throw new BadRequest('the request must be a JSON object');
}

async function sendList(
  response: ServerResponse,
  items: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
  await pipeline(jsonListPieces(items), response);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(value)}\n`);
}

function sendError(response: ServerResponse, status: number, error: ControlError['error']): void {
  sendJson(response, status, { error } satisfies ControlError);
}

function describe(error: unknown): ControlError['error'] {
  if (error instanceof Fault) {
    const { message, rule, disposition, halt } = error;
    return { message, rule, disposition, ...(halt === undefined ? {} : { halt }) };
  }
  if (error instanceof BadRequest) return { message: error.message, rule: 'bad-request' };
  if (error instanceof Error && error.name === 'TimeoutError')
    return { message: 'the time is up', rule: 'wait-timeout' };
  return { message: error instanceof Error ? error.message : String(error), rule: 'internal' };
}
