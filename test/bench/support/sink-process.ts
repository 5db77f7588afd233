/**
 * A server that takes uploads and throws them away, as fast as Node can: run as a process of its own, so that its
 * work is not on the event loop of what is measured. It answers as the Files API would, and keeps a log of arrivals
 * that `GET /arrivals` returns (and forgets). Times are `process.hrtime` in milliseconds: one clock for all
 * processes of the machine.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Arrival } from './sink.ts';

/** Enough for the fields before the file. */
const HEAD_BYTES = 4096;
const END_OF_HEADERS = '\r\n\r\n';

const arrivals: Arrival[] = [];
let uploads = 0;

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** One connection: requests one after the other, bodies counted and dropped. */
class Connection {
  readonly #socket: Socket;
  #head: Buffer = Buffer.alloc(0);
  #request: { readonly line: string; readonly bodyBytes: number; readonly atMs: number } | null = null;
  #bodyLeft = 0;
  #bodyStart: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  take(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length)
      at = this.#request === null ? this.#takeHead(bytes, at) : this.#takeBody(bytes, at);
  }

  #takeHead(bytes: Buffer, at: number): number {
    const before = this.#head.length;
    this.#head = Buffer.concat([this.#head, bytes.subarray(at)]);
    const end = this.#head.indexOf(END_OF_HEADERS);
    if (end === -1) return bytes.length;
    const text = this.#head.toString('latin1', 0, end);
    this.#head = Buffer.alloc(0);
    this.#bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    this.#request = { line: text.slice(0, text.indexOf('\r\n')), bodyBytes: this.#bodyLeft, atMs: nowMs() };
    if (/\r\nexpect: *100-continue/i.test(text)) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    if (this.#bodyLeft === 0) this.#answer();
    return at + end + END_OF_HEADERS.length - before;
  }

  #takeBody(bytes: Buffer, at: number): number {
    const part = bytes.subarray(at, at + this.#bodyLeft);
    const missing = HEAD_BYTES - this.#bodyStart.length;
    if (missing > 0) this.#bodyStart = Buffer.concat([this.#bodyStart, part.subarray(0, missing)]);
    this.#bodyLeft -= part.length;
    if (this.#bodyLeft === 0) this.#answer();
    return at + part.length;
  }

  #answer(): void {
    const request = this.#request;
    if (request === null) return;
    const reply = JSON.stringify(
      replyTo(request.line, request.bodyBytes, this.#bodyStart.toString('latin1'), request.atMs),
    );
    this.#request = null;
    this.#bodyStart = Buffer.alloc(0);
    this.#socket.write(
      `HTTP/1.1 200 OK\r\nDate: ${new Date().toUTCString()}\r\nContent-Type: application/json\r\nContent-Length: ${reply.length}\r\n\r\n${reply}`,
    );
  }
}

function replyTo(line: string, bodyBytes: number, bodyStart: string, atMs: number): unknown {
  const [method, target = ''] = line.split(' ');
  if (method === 'POST') return storedFile(bodyBytes, bodyStart, atMs);
  if (method === 'DELETE')
    return { id: target.slice(target.lastIndexOf('/') + 1), object: 'file', deleted: true };
  if (target.startsWith('/arrivals')) return arrivals.splice(0);
  return { object: 'list', data: [], has_more: false };
}

/** Reads purpose, name and size from the form; the file must be its last part, or its first followed by the purpose. */
function storedFile(bodyBytes: number, bodyStart: string, atMs: number): unknown {
  const boundary = bodyStart.slice(0, bodyStart.indexOf('\r\n'));
  const purpose = /name="purpose"\r\n(?:.+\r\n)*\r\n(.*)\r\n/.exec(bodyStart)?.[1] ?? 'user_data';
  const fileName = /filename="([^"]*)"/.exec(bodyStart)?.[1] ?? 'file';
  const headBytes = bodyStart.indexOf(END_OF_HEADERS, bodyStart.indexOf('filename=')) + END_OF_HEADERS.length;
  const bytes = bodyBytes - headBytes - `\r\n${boundary}--\r\n`.length;
  uploads += 1;
  arrivals.push({ atMs, endMs: nowMs(), fileName, bytes });
  return {
    id: `file-${uploads.toString(36).padStart(8, '0')}`,
    object: 'file',
    bytes,
    created_at: Math.floor(Date.now() / 1000),
    expires_at: null,
    filename: fileName,
    purpose,
    status: 'processed',
  };
}

function serve(): Server {
  return createServer({ noDelay: true }, (socket) => {
    const connection = new Connection(socket);
    socket.on('data', (bytes: Buffer) => connection.take(bytes));
    socket.on('error', () => socket.destroy());
  });
}

const server = serve();
server.listen(0, '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`),
);
// Nobody is left to measure.
process.stdin.on('end', () => process.exit()).resume();
