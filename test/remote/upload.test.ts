/** Uploads as a server sees them, and what is made of every way in which they can end. */
import { createHash } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import {
  answering,
  chunksOf,
  clientOf,
  faultOf,
  fileObject,
  httpReply,
  httpServer,
  KEY,
  never,
  rawServer,
  uploadOf,
} from './wire.ts';

const MIB = 1024 * 1024;
/** A reply whose body is in a coding. */
function coded(coding: string, bytes: Buffer, status = 200): Buffer {
  const head = `HTTP/1.1 ${status} X\r\ncontent-encoding: ${coding}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

const stored = httpReply(200, JSON.stringify(fileObject()));

/** More than any socket buffers hold, so that the sending waits for the server. */
const large = Buffer.alloc(24 * MIB, 'x');

function sixteenths(bytes: Buffer): Buffer[] {
  const step = bytes.length / 16;
  return Array.from({ length: 16 }, (_, at) => bytes.subarray(at * step, (at + 1) * step));
}

describe('on the wire', () => {
  test('one small file: head and form, to the byte', async () => {
    const server = await answering(stored);
    const client = clientOf(`${server.origin}/v1`, { organization: 'org-1', project: 'proj_1' });
    const file = await client.upload(
      uploadOf('hello', { remoteName: 'zwölf\r\n"x".jsonl', expiresAfterSeconds: 3600 }),
      never,
    );
    expect(file).toMatchObject({ id: 'file-abc', bytes: 5, createdAt: 1_763_766_000, expiresAt: null });
    const [head = '', form = ''] = server
      .received()
      .toString('utf8')
      .split(/\r\n\r\n(.*)/s);
    const boundary = /boundary=(\S+)/.exec(head)?.[1] ?? 'none';
    expect(head.split('\r\n')).toEqual([
      'POST /v1/files HTTP/1.1',
      expect.stringMatching(/^host: 127\.0\.0\.1:\d+$/),
      'connection: keep-alive',
      `authorization: Bearer ${KEY}`,
      'accept: application/json',
      'accept-encoding: identity',
      'user-agent: files-mirror/test',
      'openai-organization: org-1',
      'openai-project: proj_1',
      `content-type: multipart/form-data; boundary=${boundary}`,
      `content-length: ${Buffer.byteLength(form)}`,
    ]);
    expect(form.split(`--${boundary}`).map((part) => part.trim())).toEqual([
      '',
      'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch',
      'Content-Disposition: form-data; name="expires_after[anchor]"\r\n\r\ncreated_at',
      'Content-Disposition: form-data; name="expires_after[seconds]"\r\n\r\n3600',
      'Content-Disposition: form-data; name="file"; filename="zwölf%0D%0A%22x%22.jsonl"\r\n' +
        'Content-Type: application/octet-stream\r\n\r\nhello',
      '--',
    ]);
  });

  test.each([512 * 1024, 10_000])(
    'a large file from one buffer that is filled again and again, %i bytes at a time, to a slow reader',
    async (chunkBytes) => {
      const sizeBytes = 16 * MIB;
      const sent = createHash('sha256');
      // Not reading for a while fills the buffers on the way, so that chunks pile up on the sending side.
      const server = await rawServer((sofar, socket) => {
        if (sofar.isComplete()) socket.write(stored);
        else if (sofar.bytes < MIB && !socket.isPaused()) {
          socket.pause();
          setTimeout(() => socket.resume(), 10);
        }
      });
      const buffer = Buffer.alloc(chunkBytes);
      const body = async function* () {
        for (let left = sizeBytes, round = 0; left > 0; round += 1) {
          const chunk = buffer.fill(round % 251).subarray(0, Math.min(chunkBytes, left));
          sent.update(chunk);
          left -= chunk.byteLength;
          yield chunk;
          buffer.fill(255);
        }
      };
      await clientOf(server.origin).upload(uploadOf('', { sizeBytes, body }), never);
      const received = server.received();
      const start = received.indexOf('\r\n\r\n', received.indexOf('name="file"')) + 4;
      const file = received.subarray(start, start + sizeBytes);
      expect(createHash('sha256').update(file).digest('hex')).toBe(sent.digest('hex'));
    },
  );

  test('201 is as good as 200', async () => {
    const server = await answering(httpReply(201, JSON.stringify(fileObject())));
    expect(await clientOf(server.origin).upload(uploadOf('hello'), never)).toMatchObject({ id: 'file-abc' });
  });

  const body = JSON.stringify(fileObject());
  const chunked = `${body.length.toString(16)};odd=extension\r\n${body}\r\n0\r\nTrailer: x\r\n\r\n`;
  test.each<[what: string, reply: string | Buffer]>([
    ['chunks, an extension and a trailer', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunked}`],
    ['an end by closing', `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${body}`],
    [
      'informational replies before',
      `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${stored}`,
    ],
    ['202', httpReply(202, body)],
    ['a reason in no words', `HTTP/1.1 200 \r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    ['an odd content type', httpReply(200, body, 'content-type: text/html; charset=utf-8\r\n')],
    ['a byte order mark', httpReply(200, `\ufeff${body}`)],
    ['gzip that nobody asked for', coded('gzip', gzipSync(body))],
    ['br', coded('br', brotliCompressSync(body))],
    ['deflate', coded('deflate', deflateSync(body))],
    ['zstd', coded('zstd', zstdCompressSync(body))],
  ])('a reply as HTTP allows it: %s', async (_what, reply) => {
    const server = await answering((socket) => socket.end(reply));
    expect(await clientOf(server.origin).upload(uploadOf('hello'), never)).toMatchObject({ id: 'file-abc' });
  });

  test('connections are used again', async () => {
    const server = await rawServer((sofar, socket) => {
      if (sofar.all().toString('latin1').endsWith('--\r\n')) socket.write(stored);
    });
    const client = clientOf(server.origin);
    for (let count = 0; count < 5; count += 1) await client.upload(uploadOf('hello'), never);
    // The pool may open a second one while the first settles down, but no more.
    expect(server.requests()).toBe(5);
    expect(server.connections()).toBeLessThanOrEqual(2);
  });

  test('the bandwidth limit holds for all uploads together', async () => {
    const origin = await httpServer((_request, response) => response.end(JSON.stringify(fileObject())));
    const client = clientOf(origin, { uploadBytesPerSecond: 4 * MIB });
    const startedMs = performance.now();
    const file = Buffer.alloc(MIB);
    await Promise.all([client.upload(uploadOf(file), never), client.upload(uploadOf(file), never)]);
    // 2 MiB at 4 MiB/s, less the first slice, which is free.
    expect(performance.now() - startedMs).toBeGreaterThan(350);
  });
});

describe('the body fails', () => {
  test.each([
    ['small', 'x'.repeat(100)],
    ['large', large],
  ])('%s: its own error is passed on, and the request never gets its end', async (_size, content) => {
    const server = await rawServer(() => {});
    const broken = new Fault('the file moved', { disposition: 'retry', outcome: 'refused', rule: 'moved' });
    const bytes = Buffer.from(content);
    const body = async function* () {
      yield bytes.subarray(0, bytes.length / 2);
      throw broken;
    };
    const upload = clientOf(server.origin).upload(uploadOf(bytes, { body }), never);
    await expect(upload).rejects.toBe(broken);
    expect(server.received().includes('--\r\n')).toBe(false);
    expect(server.anyComplete()).toBe(false);
  });

  test.each([
    ['fewer', 1, 'only'],
    ['more', -1, 'more'],
  ])('%s bytes than announced: moved, and nothing complete was sent', async (_what, difference, word) => {
    for (const bytes of [Buffer.alloc(100), large]) {
      const server = await rawServer((_sofar, socket) => void socket.resume());
      const request = uploadOf(bytes, { sizeBytes: bytes.length + difference });
      const fault = await faultOf(clientOf(server.origin).upload(request, never));
      expect(fault).toMatchObject({ rule: 'moved', disposition: 'retry', outcome: 'refused' });
      expect(fault.message).toContain(word);
      expect(server.received().subarray(-10).includes('--\r\n')).toBe(false);
    }
  });

  test('an error at the very end, after all bytes, still withholds the tail', async () => {
    const server = await rawServer(() => {});
    const body = async function* () {
      yield* sixteenths(large);
      throw new Error('changed while it was read');
    };
    const upload = clientOf(server.origin).upload(uploadOf(large, { body }), never);
    await expect(upload).rejects.toThrow('changed while it was read');
    expect(server.anyComplete()).toBe(false);
  });
});

describe('the connection fails', () => {
  test('nobody listens: refused, and for all alike', async () => {
    const server = await rawServer(() => {});
    const client = clientOf(server.origin.replace(/\d+$/, '1'));
    expect(await faultOf(client.upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'network',
      scope: 'lane',
      outcome: 'refused',
      disposition: 'retry',
    });
  });

  test('no such host', async () => {
    const fault = await faultOf(clientOf('http://no-such-host.invalid/v1').upload(uploadOf('hello'), never));
    expect(fault).toMatchObject({ rule: 'dns', scope: 'lane', outcome: 'refused' });
  });

  test('TLS to a server that speaks none', async () => {
    const server = await rawServer((_sofar, socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const client = clientOf(server.origin.replace('http:', 'https:'));
    const fault = await faultOf(client.upload(uploadOf('hello'), never));
    expect(fault).toMatchObject({ rule: 'tls', disposition: 'retry', outcome: 'refused', scope: 'lane' });
  });

  test('reset in the middle of the body: refused', async () => {
    const server = await rawServer((sofar, socket) => {
      if (sofar.bytes > MIB) socket.resetAndDestroy();
    });
    const fault = await faultOf(
      clientOf(server.origin).upload(uploadOf(large, { body: () => chunksOf(sixteenths(large)) }), never),
    );
    expect(fault).toMatchObject({ rule: 'network', outcome: 'refused', disposition: 'retry', scope: 'file' });
    expect(server.requests()).toBe(1);
  });

  test.each([
    ['reset', (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
    ['closed', (socket: { end(): void }) => socket.end()],
  ])('%s after the body, before the reply: unknown, and not sent again', async (_how, act) => {
    const server = await answering(act);
    const fault = await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never));
    expect(fault).toMatchObject({ rule: 'network', outcome: 'unknown', disposition: 'retry' });
    expect(server.requests()).toBe(1);
  });

  test('closed after a first success, as an idle connection is: the second POST is sent once', async () => {
    let ends = 0;
    const server = await rawServer((sofar, socket) => {
      if (!sofar.all().toString('latin1').endsWith('--\r\n')) return;
      ends += 1;
      if (ends === 1) socket.write(stored);
      else socket.destroy();
    });
    const client = clientOf(server.origin);
    await client.upload(uploadOf('hello'), never);
    expect(await faultOf(client.upload(uploadOf('hello'), never))).toMatchObject({ outcome: 'unknown' });
    expect(server.requests()).toBe(2);
  });

  test('a reply that breaks off: unknown', async () => {
    const server = await answering((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"id":"file-');
    });
    const fault = await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never));
    expect(fault).toMatchObject({ outcome: 'unknown', disposition: 'retry' });
  });

  test('no HTTP at all', async () => {
    const server = await answering((socket) => void socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
    expect(await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'bad-reply',
      outcome: 'unknown',
    });
  });

  test('a refusal whose body breaks off is still a refusal', async () => {
    const server = await answering((socket) => {
      socket.end('HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 100\r\n\r\n{"error":');
    });
    expect(await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'rate-limit',
      retryAfterMs: 3000,
      outcome: 'refused',
    });
  });
});

describe('the reply is not what it should be', () => {
  test.each([
    ['HTML', '<html><body>Welcome to the hotel network</body></html>'],
    ['truncated JSON', '{"id":"file-abc","object":"fi'],
    ['nothing', ''],
    ['another object', '{"object":"list","data":[]}'],
  ])('200 with %s: perhaps stored', async (_what, body) => {
    const server = await answering(httpReply(200, body));
    expect(await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'bad-reply',
      outcome: 'unknown',
      disposition: 'retry',
      status: 200,
    });
  });

  test('a coding that is not known: perhaps stored, and the header is named without a byte of the body', async () => {
    const server = await answering(httpReply(200, '\u001f\u00ff', 'content-encoding: compress\r\n'));
    expect(await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'bad-reply',
      outcome: 'unknown',
      message: 'POST /files: 200, but its body cannot be read: content-encoding "compress" is not known here',
    });
  });

  test('no file object: the field is named', async () => {
    const server = await answering(httpReply(200, '{"object":"file","bytes":5}'));
    const fault = await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never));
    expect(fault.message).toContain('200, but with no file object ("id" is missing): {"object":"file"');
  });

  test('a refusal in gzip is told in its own words', async () => {
    const zipped = gzipSync(JSON.stringify({ error: { message: 'not this file' } }));
    const server = await answering((socket) => socket.end(coded('gzip', zipped, 400)));
    const fault = await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never));
    expect(fault.message).toBe('POST /files: 400: not this file');
  });

  test('endless: broken off', async () => {
    const server = await answering((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const more = (): void => {
        while (!socket.destroyed && socket.write(`10000\r\n${' '.repeat(65536)}\r\n`));
      };
      socket.on('drain', more);
      more();
    });
    expect(await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'bad-reply',
      outcome: 'unknown',
    });
  });

  test('a success before the file was sent is none', async () => {
    const server = await rawServer((sofar, socket) => {
      if (sofar.bytes > MIB && socket.writable) {
        socket.pause();
        socket.write(stored);
      }
    });
    const request = uploadOf(large, { body: () => chunksOf(sixteenths(large)) });
    expect(await faultOf(clientOf(server.origin).upload(request, never))).toMatchObject({
      rule: 'bad-reply',
      outcome: 'unknown',
    });
  });

  test('a refusal before the file was sent is one', async () => {
    let once = true;
    const server = await rawServer((sofar, socket) => {
      if (sofar.bytes > MIB && once) {
        once = false;
        socket.pause();
        socket.write(httpReply(413, '{"error":{"message":"too large"}}'));
      }
    });
    const request = uploadOf(large, { body: () => chunksOf(sixteenths(large)) });
    expect(await faultOf(clientOf(server.origin).upload(request, never))).toMatchObject({
      rule: 'server-413',
      disposition: 'skip',
      outcome: 'refused',
    });
  });

  test('the key is not in any message', async () => {
    const server = await answering(httpReply(401, JSON.stringify({ error: { message: `bad key ${KEY}` } })));
    const fault = await faultOf(clientOf(server.origin).upload(uploadOf('hello'), never));
    expect(fault).toMatchObject({ halt: 'auth', message: 'POST /files: 401: bad key [redacted]' });
  });
});

describe('the time is up', () => {
  test('no answer: unknown', async () => {
    const server = await rawServer(() => {});
    const client = clientOf(server.origin, { timeoutMs: 80 });
    expect(await faultOf(client.upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'timeout',
      outcome: 'unknown',
      disposition: 'retry',
      scope: 'file',
    });
  });

  test('an answer of one byte at a time', async () => {
    const server = await answering((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
      const timer = setInterval(() => socket.write(' '), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const client = clientOf(server.origin, { timeoutMs: 150 });
    expect(await faultOf(client.upload(uploadOf('hello'), never))).toMatchObject({
      rule: 'timeout',
      outcome: 'unknown',
    });
  });

  test('a server that stops reading: refused, long before the time that the size allows', async () => {
    const server = await rawServer((_sofar, socket) => void socket.pause());
    const client = clientOf(server.origin, { timeoutMs: 150 });
    const request = uploadOf(large, { body: () => chunksOf(sixteenths(large)) });
    expect(await faultOf(client.upload(request, never))).toMatchObject({
      rule: 'timeout',
      outcome: 'refused',
    });
  });

  test('a large file may take longer than a small one', async () => {
    const server = await rawServer((sofar, socket) => {
      if (sofar.isComplete()) setTimeout(() => socket.write(stored), 100);
    });
    const client = clientOf(server.origin, { timeoutMs: 200 });
    const body = async function* () {
      for (const part of sixteenths(large.subarray(0, MIB))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield part;
      }
    };
    expect(await client.upload(uploadOf(large.subarray(0, MIB), { body }), never)).toMatchObject({
      id: 'file-abc',
    });
  });
});

describe('the caller gives up', () => {
  const reason = new Error('stopping');

  test('before it began: nothing is opened or sent', async () => {
    const server = await rawServer(() => {});
    const body = vi.fn(() => chunksOf([]));
    const upload = clientOf(server.origin).upload(uploadOf('hello', { body }), AbortSignal.abort(reason));
    await expect(upload).rejects.toBe(reason);
    expect(body).not.toHaveBeenCalled();
    expect(server.connections()).toBe(0);
  });

  test('in the middle of the body: the connection is gone and nothing more is read', async () => {
    const stop = new AbortController();
    const closed = Promise.withResolvers<void>();
    const server = await rawServer((sofar, socket) => {
      if (sofar.bytes < MIB || stop.signal.aborted) return;
      socket.on('close', () => closed.resolve());
      stop.abort(reason);
    });
    let finished = false;
    const body = async function* () {
      try {
        for (;;) yield Buffer.alloc(MIB);
      } finally {
        finished = true;
      }
    };
    const upload = clientOf(server.origin).upload(uploadOf('', { sizeBytes: 1e12, body }), stop.signal);
    await expect(upload).rejects.toBe(reason);
    await closed.promise;
    await vi.waitFor(() => expect(finished).toBe(true));
  });

  test('while the reply is awaited', async () => {
    const stop = new AbortController();
    const server = await answering(() => stop.abort(reason));
    await expect(clientOf(server.origin).upload(uploadOf('hello'), stop.signal)).rejects.toBe(reason);
  });

  test('while the bandwidth limit holds it back', async () => {
    const stop = new AbortController();
    const server = await rawServer(() => stop.abort(reason));
    const client = clientOf(server.origin, { uploadBytesPerSecond: 1024 });
    await expect(client.upload(uploadOf(large), stop.signal)).rejects.toBe(reason);
  });
});
