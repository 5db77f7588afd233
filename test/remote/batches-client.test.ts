import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { BatchesApi, BatchRequest, RemoteBatch } from '../../src/contract/batch.ts';
import { readBatchReply } from '../../src/remote/batch-replies.ts';
import { answering, clientOf, faultOf, httpReply, httpServer, never, rawServer } from './wire.ts';

const SUBMISSION = '7b7e3f0a-0d4b-4f8a-9a54-2d7f0a0c5a11';

function requestOf(fields: Partial<BatchRequest> = {}): BatchRequest {
  return {
    inputFileId: 'file-abc',
    endpoint: '/v1/chat/completions',
    completionWindow: '24h',
    metadata: { files_mirror_submission: SUBMISSION },
    outputExpiresAfterSeconds: null,
    submission: SUBMISSION,
    ...fields,
  };
}

function batchObject(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'batch_1',
    object: 'batch',
    endpoint: '/v1/chat/completions',
    errors: null,
    input_file_id: 'file-abc',
    completion_window: '24h',
    status: 'validating',
    output_file_id: null,
    error_file_id: null,
    created_at: 1_763_766_000,
    expires_at: 1_763_852_400,
    request_counts: { total: 0, completed: 0, failed: 0 },
    metadata: { files_mirror_submission: SUBMISSION },
    ...fields,
  };
}

/** A server that answers everything with this, and remembers the requests. */
async function recording(status: number, body: unknown) {
  const seen: (IncomingMessage & { readonly sent?: unknown })[] = [];
  const origin = await httpServer((request, response, sent) => {
    seen.push(Object.assign(request, { sent: sent.length > 0 ? JSON.parse(sent.toString()) : null }));
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  return { origin, seen };
}

function errorOf(code: string | null, message: string): unknown {
  return { error: { code, message, type: 'invalid_request_error', param: null } };
}

describe('to begin a batch', () => {
  test('one POST, in the words of the API', async () => {
    const { origin, seen } = await recording(200, batchObject());
    const batch = await clientOf(`${origin}/v1`).batches.create(requestOf(), never);
    expect(batch).toMatchObject({ id: 'batch_1', status: 'validating', createdAt: 1_763_766_000 });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /v1/batches']);
    expect(seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: expect.stringMatching(/^Bearer /),
    });
    expect(seen[0]?.sent).toEqual({
      input_file_id: 'file-abc',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { files_mirror_submission: SUBMISSION },
    });
  });

  test('as another server wants it: its endpoint names, an idempotency key, an expiry', async () => {
    const { origin, seen } = await recording(200, batchObject());
    const batches = {
      endpointMap: { '/v1/chat/completions': '/chat/completions' },
      idempotencyHeader: 'Idempotency-Key',
    };
    const client = clientOf(origin, { batches, auth: 'api-key' });
    await client.batches.create(requestOf({ outputExpiresAfterSeconds: 86_400 }), never);
    expect(seen[0]?.headers['idempotency-key']).toBe(SUBMISSION);
    expect(seen[0]?.sent).toMatchObject({
      endpoint: '/chat/completions',
      output_expires_after: { anchor: 'created_at', seconds: 86_400 },
    });
  });

  test('a header that cannot be sent is refused at once', () => {
    expect(() => clientOf('http://127.0.0.1:1', { batches: { idempotencyHeader: 'a b' } })).toThrow(
      TypeError,
    );
  });

  test('files and batches share one clock', async () => {
    const { origin } = await recording(200, batchObject());
    const client = clientOf(origin);
    expect(client.batches.serverNowMs()).toBeNull();
    await client.batches.retrieve('batch_1', never);
    expect(client.serverNowMs()).not.toBeNull();
    expect(client.batches.serverNowMs()).not.toBeNull();
  });

  test.each<[number, unknown, Record<string, unknown>]>([
    // A plain no.
    [
      400,
      errorOf(null, 'metadata has too many keys'),
      { rule: 'server-400', disposition: 'skip', outcome: 'refused' },
    ],
    [422, '', { rule: 'server-422', disposition: 'skip', outcome: 'refused' }],
    [429, '', { rule: 'rate-limit', disposition: 'retry', scope: 'lane', outcome: 'refused' }],
    [
      429,
      errorOf('insufficient_quota', 'x'),
      { rule: 'batches-quota', disposition: 'retry', outcome: 'refused' },
    ],
    [400, errorOf('billing_hard_limit_reached', 'x'), { rule: 'batches-quota', outcome: 'refused' }],
    [
      400,
      errorOf(null, 'Billing hard limit has been reached'),
      { rule: 'batches-quota', outcome: 'refused' },
    ],
    [402, '', { rule: 'batches-quota', outcome: 'refused' }],
    [
      401,
      errorOf('invalid_api_key', 'x'),
      { rule: 'batches-auth', disposition: 'retry', outcome: 'refused' },
    ],
    [403, errorOf(null, 'missing scopes: api.batch.write'), { rule: 'batches-auth', outcome: 'refused' }],
    [400, errorOf('token_limit_exceeded', 'x'), { rule: 'token-limit', outcome: 'refused' }],
    [
      429,
      errorOf(null, 'Enqueued token limit reached for gpt-4o'),
      { rule: 'token-limit', outcome: 'refused' },
    ],
    [
      400,
      errorOf(null, "Cannot find file 'file-abc'"),
      { rule: 'no-such-file', disposition: 'retry', outcome: 'refused' },
    ],
    [404, errorOf(null, 'No such File object: file-abc'), { rule: 'no-such-file', outcome: 'refused' }],
    [
      404,
      errorOf(null, 'The input file file-abc was not found'),
      { rule: 'no-such-file', outcome: 'refused' },
    ],
    [
      404,
      { detail: 'Not Found' },
      { rule: 'no-batches', disposition: 'retry', scope: 'lane', outcome: 'refused' },
    ],
    [404, '<html><title>404</title></html>', { rule: 'no-batches', outcome: 'refused' }],
    [405, '', { rule: 'no-batches', outcome: 'refused' }],
    // Perhaps it began.
    [408, '', { rule: 'server-408', disposition: 'retry', outcome: 'unknown' }],
    [409, '', { rule: 'server-409', disposition: 'retry', outcome: 'unknown' }],
    [409, errorOf('insufficient_quota', 'x'), { rule: 'batches-quota', outcome: 'unknown' }],
    [500, '', { rule: 'server-500', disposition: 'retry', outcome: 'unknown' }],
    [503, '', { outcome: 'unknown' }],
    [501, '', { rule: 'no-batches', outcome: 'unknown' }],
    [302, '', { rule: 'redirect', outcome: 'unknown' }],
    [200, '<html>Log in</html>', { rule: 'bad-reply', disposition: 'retry', outcome: 'unknown' }],
    [200, { object: 'batch' }, { rule: 'bad-reply', outcome: 'unknown' }],
    [201, '', { rule: 'bad-reply', outcome: 'unknown' }],
  ])('%i %j', async (status, body, fault) => {
    const { origin, seen } = await recording(status, body);
    const found = await faultOf(clientOf(origin).batches.create(requestOf(), never));
    expect(found).toMatchObject(fault);
    expect(found.halt).toBeUndefined();
    expect(seen).toHaveLength(1);
  });

  test.each([
    ['closes without a word', (reply: string) => reply.slice(0, 0)],
    ['breaks off in its headers', (reply: string) => reply.slice(0, 20)],
    ['breaks off in its body', (reply: string) => reply.slice(0, -10)],
  ])('a server that takes the request and %s may have begun it', async (_how, cut) => {
    const reply = httpReply(200, JSON.stringify(batchObject()));
    const server = await answering((socket) => void socket.end(cut(reply)));
    expect(await faultOf(clientOf(server.origin).batches.create(requestOf(), never))).toMatchObject({
      disposition: 'retry',
      outcome: 'unknown',
    });
    expect(server.requests()).toBe(1);
  });

  test('a server that never answers may have begun it', async () => {
    const server = await rawServer(() => {});
    const client = clientOf(server.origin, { timeoutMs: 200 });
    expect(await faultOf(client.batches.create(requestOf(), never))).toMatchObject({
      rule: 'timeout',
      outcome: 'unknown',
    });
  });

  test('a server that is not there has begun nothing', async () => {
    expect(await faultOf(clientOf('http://127.0.0.1:1').batches.create(requestOf(), never))).toMatchObject({
      rule: 'network',
      outcome: 'refused',
    });
  });
});

describe('one batch', () => {
  test('is there', async () => {
    const { origin, seen } = await recording(200, batchObject({ status: 'in_progress' }));
    expect(await clientOf(origin).batches.retrieve('batch/1', never)).toMatchObject({
      status: 'in_progress',
    });
    expect(seen[0]?.url).toBe('/batches/batch%2F1');
  });

  test('is not there', async () => {
    const { origin } = await recording(404, errorOf(null, "No batch found with id 'batch_1'."));
    expect(await clientOf(origin).batches.retrieve('batch_1', never)).toBeNull();
    expect(await clientOf(origin).batches.cancel('batch_1', never)).toBeNull();
  });

  test('is asked to end', async () => {
    const { origin, seen } = await recording(200, batchObject({ status: 'cancelling' }));
    expect(await clientOf(origin).batches.cancel('batch_1', never)).toMatchObject({ status: 'cancelling' });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /batches/batch_1/cancel']);
  });

  test('a server without batches does not say that it is gone', async () => {
    const { origin } = await recording(404, '<html>nginx</html>');
    expect(await faultOf(clientOf(origin).batches.retrieve('batch_1', never))).toMatchObject({
      rule: 'no-batches',
    });
  });
});

const NOTHING: RemoteBatch = {
  id: 'b',
  status: 'unknown',
  endpoint: null,
  inputFileId: null,
  outputFileId: null,
  errorFileId: null,
  createdAt: null,
  inProgressAt: null,
  finalizingAt: null,
  expiresAt: null,
  endedAt: null,
  counts: null,
  usage: null,
  metadata: null,
  problems: [],
};

describe('what a server says of a batch, as servers spell it', () => {
  test.each<[string, Record<string, unknown>, Partial<RemoteBatch>]>([
    ['nothing but an id', {}, {}],
    ['a capital state', { status: 'Completed' }, { status: 'completed' }],
    ['a state nobody knows', { status: 'PAUSED_BY_MOON' }, { status: 'paused_by_moon' }],
    ['a state that is no text', { status: 7 }, {}],
    ['an ISO time', { created_at: '2025-11-21T23:00:00Z' }, { createdAt: 1_763_766_000 }],
    ['times of zero', { created_at: 0, expires_at: 0, completed_at: 0 }, {}],
    ['an end by time', { expired_at: 9, completed_at: null }, { endedAt: 9 }],
    ['an end by a person', { cancelled_at: 9, cancelling_at: 8 }, { endedAt: 9 }],
    ['empty ids', { output_file_id: '', error_file_id: null, input_file_id: '' }, {}],
    ['files', { output_file_id: 'o', error_file_id: 'e' }, { outputFileId: 'o', errorFileId: 'e' }],
    ['null counts', { request_counts: { total: null, completed: null, failed: null } }, {}],
    ['no counts', { request_counts: null }, {}],
    [
      'half of the counts',
      { request_counts: { completed: 3, failed: '1' } },
      { counts: { total: 4, completed: 3, failed: 1 } },
    ],
    [
      'usage',
      { usage: { input_tokens: 5, output_tokens: 7, total_tokens: 12 } },
      { usage: { inputTokens: 5, outputTokens: 7 } },
    ],
    ['empty usage', { usage: {} }, {}],
    ['metadata of all kinds', { metadata: { a: 'x', n: 3, o: {} } }, { metadata: { a: 'x', n: '3' } }],
    ['metadata that is none', { metadata: [] }, {}],
    [
      'problems with lines',
      {
        errors: {
          object: 'list',
          data: [
            { code: 'invalid_json_line', message: 'no JSON', line: 3, param: null },
            { code: 'model_mismatch', message: 'two models', line: null, param: 'body.model' },
          ],
        },
      },
      {
        problems: [
          { code: 'invalid_json_line', message: 'no JSON', line: 3, param: null },
          { code: 'model_mismatch', message: 'two models', line: null, param: 'body.model' },
        ],
      },
    ],
    [
      'problems as a bare list',
      { errors: ['no good', { message: 'bad' }, 7] },
      {
        problems: [
          { code: '', message: 'no good', line: null, param: null },
          { code: '', message: 'bad', line: null, param: null },
        ],
      },
    ],
    ['problems of nobody', { errors: { data: null } }, {}],
  ])('%s', (_what, fields, read) => {
    expect(readBatchReply(JSON.stringify({ id: 'b', ...fields }))).toEqual({
      value: { ...NOTHING, ...read },
    });
  });

  test('an envelope', () => {
    expect(readBatchReply(JSON.stringify({ job: { id: 'b', status: 'COMPLETED' } }))).toEqual({
      value: { ...NOTHING, status: 'completed' },
    });
  });
});

describe('the list', () => {
  const all = Array.from({ length: 250 }, (_, n) => batchObject({ id: `batch_${n}` }));

  type Serve = (query: URLSearchParams, after: number) => unknown;

  async function pagesOf(serve: Serve): Promise<{ pages: string[][]; asked: string[]; error: unknown }> {
    const asked: string[] = [];
    const origin = await httpServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://x');
      asked.push(url.search);
      const after = url.searchParams.get('after');
      const reply = serve(url.searchParams, all.findIndex(({ id }) => id === after) + 1);
      response.writeHead(reply === null ? 400 : 200).end(JSON.stringify(reply ?? errorOf(null, 'no')));
    });
    const pages: string[][] = [];
    const error = await readAll(clientOf(origin).batches, pages).catch((error: unknown) => error);
    return { pages, asked, error };
  }

  async function readAll(api: BatchesApi, pages: string[][]): Promise<void> {
    for await (const page of api.list(never)) pages.push(page.map(({ id }) => id));
  }

  const ids = all.map(({ id }) => id);

  test.each<[string, Serve]>([
    [
      'pages of 100',
      (query, at) => {
        const data = all.slice(at, at + Number(query.get('limit')));
        return { object: 'list', data, has_more: at + data.length < 250 };
      },
    ],
    [
      'its own page size, in `value`',
      (_query, at) => ({ value: all.slice(at, at + 7), has_more: at + 7 < 250 }),
    ],
    ['a round cap, and "no more"', (_query, at) => ({ data: all.slice(at, at + 20), has_more: false })],
    ['everything at once', () => ({ data: all })],
    ['everything at once, no cursor', (query) => (query.has('after') ? null : { data: all })],
    ['no limit', (query, at) => (query.has('limit') ? null : { data: all.slice(at), has_more: false })],
    [
      'pages that overlap',
      (_query, at) => ({ data: all.slice(Math.max(0, at - 3), at + 30), has_more: at < 250 }),
    ],
    [
      'a next link',
      (query) => {
        const at = Number(query.get('skip'));
        return {
          value: all.slice(at, at + 99),
          ...(at + 99 < 250 ? { nextLink: `http://x/batches?skip=${at + 99}` } : {}),
        };
      },
    ],
    [
      'an end that says that more follows',
      (_query, at) => ({ data: all.slice(at, at + 100), has_more: true }),
    ],
  ])('%s: every batch once, in order', async (_what, serve) => {
    const { pages, error, asked } = await pagesOf(serve);
    expect(error).toBeUndefined();
    expect(pages.flat()).toEqual(ids);
    expect(asked.length).toBeLessThan(45);
  });

  test('no batches at all', async () => {
    expect((await pagesOf(() => ({ object: 'list', data: null }))).pages).toEqual([]);
  });

  test('a server that promises more and gives the same again is not believed to have shown all', async () => {
    const { pages, error } = await pagesOf(() => ({ data: all.slice(0, 100), has_more: true }));
    expect(pages).toHaveLength(1);
    expect(error).toMatchObject({ rule: 'lying-list', disposition: 'retry' });
  });

  test('who has found what they looked for asks no further', async () => {
    const asked: string[] = [];
    const origin = await httpServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify({ data: all.slice(0, 100), has_more: true }));
    });
    for await (const page of clientOf(origin).batches.list(never)) if (page.length > 0) break;
    expect(asked).toEqual(['/batches?limit=100']);
  });

  test('401 is not taken for the key of the mirror', async () => {
    const { origin } = await recording(401, errorOf('invalid_api_key', 'x'));
    const fault = await faultOf(readAll(clientOf(origin).batches, []));
    expect(fault).toMatchObject({ rule: 'batches-auth', disposition: 'retry', outcome: 'refused' });
  });
});
