/** Servers and clients for the tests of this room. Servers close with the test that asked for them. */
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import type { Clock, UploadRequest } from '../../src/contract/ports.ts';
import { createFilesClient } from '../../src/remote/files-client.ts';
import type { FilesClient, FilesClientOptions } from '../../src/remote/files-client.ts';

export const KEY = 'sk-proj-0123456789abcdef';

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

/** A clock whose sleeps take no time but move it on. */
export function leapingClock(): Clock & { readonly slept: number[] } {
  let nowMs = 1_000;
  const slept: number[] = [];
  return {
    slept,
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(ms) {
      slept.push(ms);
      nowMs += ms;
    },
  };
}

export const never = new AbortController().signal;

export function clientOf(baseUrl: string, options: Partial<FilesClientOptions> = {}): FilesClient {
  const client = createFilesClient({
    baseUrl,
    apiKey: KEY,
    timeoutMs: 5_000,
    userAgent: 'files-mirror/test',
    clock: realClock,
    env: {},
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An HTTP server. Returns its origin. */
export async function httpServer(
  onRequest: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void,
): Promise<string> {
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => onRequest(request, response, Buffer.concat(chunks)));
    request.on('error', () => {});
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return listening(server);
}

export interface RawServer {
  readonly origin: string;
  /** How many connections were made so far. */
  connections(): number;
  /** How many requests began, by their first line. */
  requests(): number;
  /** Has any connection sent a whole request? */
  anyComplete(): boolean;
  /** Everything received, over all connections. */
  received(): Buffer;
}

/** What one connection has sent. */
export class Sofar {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #wholeBytes: number | null = null;

  get bytes(): number {
    return this.#bytes;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
  }

  all(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** True once a whole request is here, as its `Content-Length` says. */
  isComplete(): boolean {
    this.#wholeBytes ??= wholeBytesOf(this.all());
    return this.#wholeBytes !== null && this.#bytes >= this.#wholeBytes;
  }
}

function wholeBytesOf(bytes: Buffer): number | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const length = /content-length: (\d+)/i.exec(bytes.subarray(0, end).toString('latin1'))?.[1] ?? '0';
  return end + 4 + Number(length);
}

/** A server of bytes: `onBytes` is told after each arrival what its connection has sent so far. */
export async function rawServer(onBytes: (sofar: Sofar, socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const arrivals: Sofar[] = [];
  const server = createNetServer((socket) => {
    const sofar = new Sofar();
    arrivals.push(sofar);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      sofar.add(chunk);
      onBytes(sofar, socket);
    });
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const received = (): Buffer => Buffer.concat(arrivals.map((one) => one.all()));
  return {
    origin: await listening(server),
    connections: () => arrivals.length,
    requests: () =>
      received()
        .toString('latin1')
        .split(/ HTTP\/1\.1\r\n/).length - 1,
    anyComplete: () => arrivals.some((one) => one.isComplete()),
    received,
  };
}

export function fileObject(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'file-abc',
    object: 'file',
    bytes: 5,
    created_at: 1_763_766_000,
    filename: 'a.jsonl',
    purpose: 'batch',
    status: 'processed',
    ...fields,
  };
}

export function httpReply(status: number, body: string, headers = ''): string {
  return `HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

/** A server that reads one whole request and answers with these bytes. */
export function answering(reply: string | ((socket: Socket) => void)): Promise<RawServer> {
  return rawServer((sofar, socket) => {
    if (!sofar.isComplete()) return;
    if (typeof reply === 'string') socket.write(reply);
    else reply(socket);
  });
}

export function uploadOf(content: string | Uint8Array, fields: Partial<UploadRequest> = {}): UploadRequest {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return {
    purpose: 'batch',
    remoteName: 'a.jsonl',
    sizeBytes: bytes.byteLength,
    expiresAfterSeconds: null,
    body: () => chunksOf([bytes]),
    ...fields,
  };
}

export async function* chunksOf(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** The fault that this fails with; anything else fails the test. */
export async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    (value) => new Error(`no fault, but ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (!(error instanceof Fault)) throw error;
  return error;
}
