import type { IncomingMessage } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { FilesClient } from '../../src/remote/files-client.ts';
import {
  answering,
  clientOf,
  faultOf,
  fileObject,
  httpReply,
  httpServer,
  KEY,
  leapingClock,
  never,
  rawServer,
  uploadOf,
} from './wire.ts';

const NOT_FOUND = JSON.stringify({
  error: { message: 'No such File object: x', type: 'invalid_request_error' },
});

/** A server that answers everything with this, and remembers the requests. */
async function recording(status: number, body: string | Buffer, headers: Record<string, string> = {}) {
  const seen: IncomingMessage[] = [];
  const origin = await httpServer((request, response) => {
    seen.push(request);
    response.writeHead(status, headers).end(body);
  });
  return { origin, seen };
}

async function idsOf(client: FilesClient): Promise<string[][]> {
  const pages: string[][] = [];
  for await (const files of client.list({ purpose: 'batch', order: 'asc' }, never)) {
    pages.push(files.map((file) => file.id));
  }
  return pages;
}

describe('retrieve and delete', () => {
  test('a file that is there', async () => {
    const { origin } = await recording(200, JSON.stringify(fileObject({ expires_at: 7 })));
    expect(await clientOf(origin).retrieve('file-abc', never)).toMatchObject({
      id: 'file-abc',
      expiresAt: 7,
    });
  });

  test('a file that is not', async () => {
    const { origin } = await recording(404, NOT_FOUND);
    expect(await clientOf(origin).retrieve('file-abc', never)).toBeNull();
    expect(await clientOf(origin).delete('file-abc', never)).toBe('absent');
  });

  test('a file that goes', async () => {
    const { origin, seen } = await recording(200, JSON.stringify({ id: 'file-abc', deleted: true }));
    expect(await clientOf(`${origin}/v1`).delete('file-abc', never)).toBe('deleted');
    expect(seen.map((request) => `${request.method} ${request.url}`)).toEqual(['DELETE /v1/files/file-abc']);
  });

  test('204 without a word', async () => {
    const { origin } = await recording(204, '');
    expect(await clientOf(origin).delete('file-abc', never)).toBe('deleted');
  });

  test('a page that says nothing of a deletion is none', async () => {
    const { origin } = await recording(200, '<html>Log in</html>');
    expect(await faultOf(clientOf(origin).delete('file-abc', never))).toMatchObject({
      rule: 'bad-reply',
      disposition: 'retry',
      outcome: 'unknown',
    });
  });

  test.each([
    [404, '<html>nginx</html>', { rule: 'wrong-url', disposition: 'retry' }],
    [409, '', { disposition: 'retry', outcome: 'refused' }],
    [500, '', { disposition: 'retry', outcome: 'unknown' }],
    [403, '', { disposition: 'halt', halt: 'auth' }],
  ])('a delete answered with %i %s', async (status, body, want) => {
    const { origin } = await recording(status, body);
    expect(await faultOf(clientOf(origin).delete('file-abc', never))).toMatchObject(want);
  });

  test('an id is one part of the path, whatever it holds', async () => {
    const { origin, seen } = await recording(404, NOT_FOUND);
    await clientOf(origin).retrieve('a/../b?c#d', never);
    expect(seen[0]?.url).toBe('/files/a%2F..%2Fb%3Fc%23d');
  });

  test('the caller gives up', async () => {
    const stop = new AbortController();
    const reason = new Error('stopping');
    const server = await answering(() => stop.abort(reason));
    await expect(clientOf(server.origin).delete('file-abc', stop.signal)).rejects.toBe(reason);
  });
});

describe('list', () => {
  test('follows the pages', async () => {
    const urls: string[] = [];
    const origin = await httpServer((request, response) => {
      urls.push(request.url ?? '');
      const first = urls.length === 1;
      response.end(JSON.stringify({ data: [fileObject({ id: first ? 'a' : 'b' })], has_more: first }));
    });
    expect(await idsOf(clientOf(origin))).toEqual([['a'], ['b']]);
    expect(urls).toEqual([
      '/files?purpose=batch&limit=1000&order=asc',
      '/files?purpose=batch&limit=1000&order=asc&after=a',
    ]);
  });

  test('a server that knows no parameters gets none', async () => {
    const { origin, seen } = await recording(200, JSON.stringify({ data: [fileObject()] }));
    const client = clientOf(origin, { listParameters: 'none' });
    expect(await idsOf(client)).toEqual([['file-abc']]);
    await client.probe(never);
    expect(seen.map((request) => request.url)).toEqual(['/files', '/files']);
  });

  test('a list without end ends when no way of asking on brings anything new', async () => {
    const { origin, seen } = await recording(200, JSON.stringify({ data: [fileObject()], has_more: true }));
    expect(await idsOf(clientOf(origin))).toEqual([['file-abc']]);
    expect(seen).toHaveLength(5);
  });

  test.each(['<html>', '{"data":7}', '{"data":'])('200 with %s is no list', async (body) => {
    const { origin } = await recording(200, body);
    expect(await faultOf(idsOf(clientOf(origin)))).toMatchObject({ rule: 'bad-reply', outcome: 'refused' });
  });
});

describe('probe', () => {
  test('is content with a list', async () => {
    const { origin, seen } = await recording(200, '{"object":"list","data":[],"has_more":false}');
    await clientOf(origin).probe(never);
    expect(seen[0]?.url).toBe('/files?limit=1');
  });

  test.each([
    [401, '', { halt: 'auth' }],
    [404, '', { rule: 'wrong-url', scope: 'lane' }],
    [200, '<html>', { rule: 'bad-reply' }],
  ])('%i %s', async (status, body, want) => {
    const { origin } = await recording(status, body);
    expect(await faultOf(clientOf(origin).probe(never))).toMatchObject(want);
  });
});

describe('servers of other makes', () => {
  const none = '{"object":"list","data":[]}';

  test('Azure: the query of the base URL stays on every request, and the key has its own header', async () => {
    const { origin, seen } = await recording(200, none);
    const client = clientOf(`${origin}/openai?api-version=2024-10-21`, { auth: 'api-key' });
    await client.probe(never);
    await faultOf(client.upload(uploadOf('hello'), never));
    await faultOf(client.delete('file-abc', never));
    expect(seen.map((request) => request.url)).toEqual([
      '/openai/files?api-version=2024-10-21&limit=1',
      '/openai/files?api-version=2024-10-21',
      '/openai/files/file-abc?api-version=2024-10-21',
    ]);
    for (const { headers } of seen) {
      expect(headers['api-key']).toBe(KEY);
      expect(headers.authorization).toBeUndefined();
    }
  });

  test('configured headers win; with one for the key, ours is not sent', async () => {
    const { origin, seen } = await recording(200, none);
    await clientOf(origin, { headers: { 'API-Key': 'other', 'User-Agent': 'mine', 'x-a': 'b' } }).probe(
      never,
    );
    expect(seen[0]?.headers).toMatchObject({ 'api-key': 'other', 'user-agent': 'mine', 'x-a': 'b' });
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  test('no key, no header', async () => {
    const { origin, seen } = await recording(200, none);
    await clientOf(origin, { apiKey: null }).probe(never);
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  test('the key is asked for anew each time', async () => {
    const { origin, seen } = await recording(200, none);
    const keys = ['first', 'second'];
    let key = '';
    const client = clientOf(origin, { apiKey: () => key });
    for (key of keys) await client.probe(never);
    expect(seen.map((request) => request.headers.authorization)).toEqual(['Bearer first', 'Bearer second']);
  });

  test('a key that no header can hold halts, and is not shown', async () => {
    const { origin, seen } = await recording(200, none);
    const fault = await faultOf(clientOf(origin, { apiKey: 'secret\n' }).probe(never));
    expect(fault).toMatchObject({ disposition: 'halt', halt: 'auth' });
    expect(fault.message).not.toContain('secret');
    expect(seen).toHaveLength(0);
  });

  test('a header whose value is a secret is not shown when a server quotes it, whatever its name', async () => {
    const headers = { 'x-gateway': 'value-of-a-file', 'x-plain': 'anything' };
    const body = JSON.stringify({ error: { message: 'no route for value-of-a-file, anything' } });
    const { origin, seen } = await recording(400, body);
    const fault = await faultOf(clientOf(origin, { headers, secrets: ['value-of-a-file'] }).probe(never));
    expect(seen[0]?.headers).toMatchObject(headers);
    expect(fault.message).toContain('no route for');
    expect(fault.message).not.toContain('value-of-a-file');
    expect(fault.message).toContain('anything');
  });

  test('a header that is none is refused at once, and is not shown', () => {
    expect(() => clientOf('http://127.0.0.1:1', { headers: { 'x-a': 'secret\r\nx: y' } })).toThrow(
      /^not a header that can be sent: "x-a"$/,
    );
  });
});

describe('a server whose list wants a purpose', () => {
  const purposes = ['agent', 'batch'];

  test('is asked for one purpose at a time, never for an order', async () => {
    const seen: string[] = [];
    const origin = await httpServer(({ url = '' }, response) => {
      seen.push(url);
      const purpose = new URL(url, 'http://h').searchParams.get('purpose');
      const data = purpose === null ? null : [fileObject({ id: `file-${purpose}`, purpose })];
      response.end(JSON.stringify({ data, has_more: false }));
    });
    const client = clientOf(origin, { listParameters: 'by-purpose', purposes });
    const ids: string[] = [];
    for await (const files of client.list({ purpose: null, order: 'desc' }, never))
      ids.push(...files.map(({ id }) => id));
    expect(ids).toEqual(['file-agent', 'file-batch']);
    await client.probe(never);
    expect(await idsOf(client)).toEqual([['file-batch']]);
    expect(seen.filter((url) => !url.includes('purpose=') || url.includes('order='))).toEqual([]);
  });

  test('gives all purposes in one order: who stops at the first old page misses nothing', async () => {
    const times: Readonly<Record<string, readonly number[]>> = {
      agent: Array.from({ length: 40 }, (_, at) => 100 - at),
      batch: [300, 80, 20],
    };
    const origin = await httpServer(({ url = '' }, response) => {
      const purpose = new URL(url, 'http://h').searchParams.get('purpose') ?? '';
      const data = times[purpose]?.map((time) =>
        fileObject({ id: `file-${purpose}-${time}`, purpose, created_at: time }),
      );
      response.end(JSON.stringify({ data, has_more: false }));
    });
    const client = clientOf(origin, { listParameters: 'by-purpose', purposes });
    for (const order of ['desc', 'asc'] as const) {
      const got: (number | null)[] = [];
      for await (const files of client.list({ purpose: null, order }, never))
        got.push(...files.map(({ createdAt }) => createdAt));
      const rising = Object.values(times)
        .flat()
        .sort((a, b) => a - b);
      expect(got).toEqual(order === 'asc' ? rising : rising.toReversed());
    }
  });

  test('that answers for every purpose alike gives each file once', async () => {
    const origin = await httpServer((_request, response) => {
      response.end(
        JSON.stringify({ data: [fileObject({ id: 'file-1', purpose: 'batch' })], has_more: false }),
      );
    });
    const client = clientOf(origin, { listParameters: 'by-purpose', purposes });
    const ids: string[] = [];
    for await (const files of client.list({ purpose: null, order: 'desc' }, never))
      ids.push(...files.map(({ id }) => id));
    expect(ids).toEqual(['file-1']);
  });
});

describe('proxies', () => {
  test('plain HTTP goes through the proxy, and what it says is heard', async () => {
    const { origin, seen } = await recording(200, '{"data":[]}');
    await clientOf('http://files.example.test/v1', { env: { http_proxy: origin } }).probe(never);
    expect(seen[0]?.url).toBe('http://files.example.test/v1/files?limit=1');
    expect(seen[0]?.headers.host).toBe('files.example.test');
  });

  test('an upload through a proxy knows when it was sent', async () => {
    const server = await answering((socket) => socket.destroy());
    const client = clientOf('http://files.example.test/v1', { env: { HTTP_PROXY: server.origin } });
    expect(await faultOf(client.upload(uploadOf('hello'), never))).toMatchObject({ outcome: 'unknown' });
    expect(server.requests()).toBe(1);
  });

  test('HTTPS asks the proxy for a tunnel; its refusal is named', async () => {
    const server = await answering(httpReply(403, ''));
    const client = clientOf('https://files.example.test/v1', { env: { HTTPS_PROXY: server.origin } });
    expect(await faultOf(client.probe(never))).toMatchObject({ rule: 'proxy', scope: 'lane' });
    expect(server.received().toString()).toMatch(/^CONNECT files\.example\.test:443 HTTP\/1\.1/);
    expect(server.received().toString()).not.toContain(KEY);
  });

  test('a proxy that wants a password', async () => {
    const { origin } = await recording(407, '');
    const client = clientOf('http://files.example.test/v1', { env: { http_proxy: origin } });
    expect(await faultOf(client.probe(never))).toMatchObject({ rule: 'proxy', disposition: 'retry' });
  });

  test('never for this machine', async () => {
    const { origin } = await recording(200, '{"data":[]}');
    await clientOf(origin, {
      env: { http_proxy: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' },
    }).probe(never);
  });

  test('not for hosts in NO_PROXY', async () => {
    const { origin, seen } = await recording(200, '{"data":[]}');
    const env = { http_proxy: origin, no_proxy: 'no-such-host.invalid' };
    expect(await faultOf(clientOf('http://no-such-host.invalid/v1', { env }).probe(never))).toMatchObject({
      rule: 'dns',
    });
    expect(seen).toHaveLength(0);
  });
});

describe("the server's clock", () => {
  test('is unknown before a reply, then goes on by the monotonic clock', async () => {
    const date = 'Sat, 22 Nov 2025 12:00:00 GMT';
    const server = await answering(httpReply(404, NOT_FOUND, `date: ${date}\r\n`));
    const leaping = leapingClock();
    const clock = { ...leaping, sleep: () => new Promise<void>(() => {}) };
    const client = clientOf(server.origin, { clock });
    expect(client.serverNowMs()).toBeNull();
    await client.retrieve('x', never);
    expect(client.serverNowMs()).toBe(Date.parse(date));
    await leaping.sleep(5_000);
    expect(client.serverNowMs()).toBe(Date.parse(date) + 5_000);
  });

  test('is learned from refusals as well, and not from nonsense', async () => {
    const server = await answering(httpReply(500, '', 'date: yesterday\r\n'));
    const client = clientOf(server.origin);
    await faultOf(client.probe(never));
    expect(client.serverNowMs()).toBeNull();
  });
});

describe('content', () => {
  test('is streamed', async () => {
    const { origin, seen } = await recording(200, 'line 1\nline 2\n', { 'content-length': '14' });
    const { sizeBytes, chunks } = await clientOf(origin).content('file-abc', never);
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    expect({ sizeBytes, text: Buffer.concat(parts).toString() }).toEqual({
      sizeBytes: 14,
      text: 'line 1\nline 2\n',
    });
    expect(seen[0]?.url).toBe('/files/file-abc/content');
  });

  test.each([
    ['gzip', gzipSync('line 1\nline 2\n')],
    ['br', brotliCompressSync('line 1\nline 2\n')],
  ])('is what it was before %s', async (coding, bytes) => {
    const { origin } = await recording(200, bytes, { 'content-encoding': coding });
    const { sizeBytes, chunks } = await clientOf(origin).content('file-abc', never);
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    expect(sizeBytes).toBeNull();
    expect(Buffer.concat(parts).toString()).toBe('line 1\nline 2\n');
  });

  test('a coding that is not known is refused by its name; one that does not hold fails', async () => {
    const unknown = await recording(200, 'x', { 'content-encoding': 'compress' });
    const fault = await faultOf(clientOf(unknown.origin).content('file-abc', never));
    expect(fault.message).toBe(
      'GET /files/file-abc/content: 200, but its content cannot be read: content-encoding "compress" is not known here',
    );
    const broken = await recording(200, gzipSync('line 1').subarray(0, 12), { 'content-encoding': 'gzip' });
    const { chunks } = await clientOf(broken.origin).content('file-abc', never);
    const drained = (async () => {
      for await (const _chunk of chunks);
    })();
    expect((await faultOf(drained)).message).toContain('GET /files/file-abc/content');
  });

  test('an id of any length and alphabet is one step of the path', async () => {
    const { origin, seen } = await recording(404, NOT_FOUND);
    const id = `${'x'.repeat(338)}/../ü?#%`;
    expect(await clientOf(origin).retrieve(id, never)).toBeNull();
    expect(seen[0]?.url).toBe(`/files/${encodeURIComponent(id)}`);
  });

  test('is refused for most purposes, in the words of the server', async () => {
    const message = 'Not allowed to download files of purpose: batch';
    const { origin } = await recording(
      400,
      JSON.stringify({ error: { message, type: 'invalid_request_error' } }),
    );
    const fault = await faultOf(clientOf(origin).content('file-abc', never));
    expect(fault.message).toBe(`GET /files/file-abc/content: 400 invalid_request_error: ${message}`);
  });

  test('breaks off: a fault while reading', async () => {
    const server = await answering((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
    );
    const { chunks } = await clientOf(server.origin).content('file-abc', never);
    const reading = (async () => {
      for await (const _chunk of chunks);
    })();
    expect(await faultOf(reading)).toMatchObject({ disposition: 'retry', outcome: 'refused' });
  });

  test('falls silent: a fault in time', async () => {
    const server = await answering((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
    );
    const { chunks } = await clientOf(server.origin, { timeoutMs: 80 }).content('file-abc', never);
    const reading = (async () => {
      for await (const _chunk of chunks);
    })();
    expect(await faultOf(reading)).toMatchObject({ rule: 'timeout' });
  });

  test('the caller gives up while reading', async () => {
    const stop = new AbortController();
    const server = await answering((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
    );
    const { chunks } = await clientOf(server.origin).content('file-abc', stop.signal);
    const reason = new Error('stopping');
    const reading = (async () => {
      for await (const _chunk of chunks) stop.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });

  test('an error page without end does not hold anyone', async () => {
    const server = await answering((socket) => {
      socket.write('HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n');
      const timer = setInterval(() => socket.write('1\r\nx\r\n'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    const fault = await faultOf(clientOf(server.origin, { timeoutMs: 150 }).content('file-abc', never));
    expect(fault).toMatchObject({ status: 500, disposition: 'retry' });
  });
});

test('closing ends what still runs', async () => {
  const server = await rawServer(() => {});
  const client = clientOf(server.origin);
  const running = faultOf(client.probe(never));
  await client.close();
  expect(await running).toMatchObject({ disposition: 'retry' });
  expect(await faultOf(client.probe(never))).toMatchObject({ disposition: 'retry', outcome: 'refused' });
});
