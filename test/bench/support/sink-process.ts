/**
 * A server that takes uploads and throws them away, as fast as Node can: run as a process of its own, so that its
 * work is not on the event loop of what is measured. It answers as the Files API would, and keeps a log of arrivals
 * that `GET /arrivals` returns (and forgets), as `GET /deletes` does with when deletes were answered. Times are
 * `process.hrtime` in milliseconds: one clock for all processes of the machine. `sink-process.ts [DELETE_MS]`: how long
 * a delete takes here, as at an API that is far away.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Arrival } from './sink.ts';

/** Enough for the fields before the file. */
const HEAD_BYTES = 4096;
const END_OF_HEADERS = '\r\n\r\n';

const arrivals: Arrival[] = [];
const deletes = { count: 0, firstMs: 0, lastMs: 0 };
const deleteMs = Number(process.argv[2] ?? 0);
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
    if (deleteMs > 0 && request.line.startsWith('DELETE')) setTimeout(() => this.#send(reply), deleteMs);
    else this.#send(reply);
  }

  #send(reply: string): void {
    this.#socket.write(
      `HTTP/1.1 200 OK\r\nDate: ${new Date().toUTCString()}\r\nContent-Type: application/json\r\nContent-Length: ${reply.length}\r\n\r\n${reply}`,
    );
  }
}

function replyTo(line: string, bodyBytes: number, bodyStart: string, atMs: number): unknown {
  const [method, target = ''] = line.split(' ');
  if (method === 'POST') return storedFile(bodyBytes, bodyStart, atMs);
  if (target.startsWith('/arrivals')) return arrivals.splice(0);
  if (target.startsWith('/deletes')) {
    const seen = { ...deletes };
    deletes.count = 0;
    return seen;
  }
  const id = /\/files\/([^/?]+)/.exec(target)?.[1];
  if (id !== undefined) return method === 'DELETE' ? deleted(id) : fileObject(id, 1, 'file', 'user_data');
  return { object: 'list', data: [], has_more: false };
}

function deleted(id: string): unknown {
  deletes.lastMs = nowMs() + deleteMs;
  if (deletes.count === 0) deletes.firstMs = nowMs();
  deletes.count += 1;
  return { id, object: 'file', deleted: true };
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
  return fileObject(`file-${uploads.toString(36).padStart(8, '0')}`, bytes, fileName, purpose);
}

function fileObject(id: string, bytes: number, filename: string, purpose: string): unknown {
  const created_at = Math.floor(Date.now() / 1000);
  return { id, object: 'file', bytes, created_at, expires_at: null, filename, purpose, status: 'processed' };
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
