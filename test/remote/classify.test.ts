import { describe, expect, test } from 'vitest';
import {
  badReply,
  classifyBreak,
  classifyReply,
  describeBreak,
  isAbsence,
} from '../../src/remote/classify.ts';
import type { RequestContext } from '../../src/remote/classify.ts';
import type { ReplyHeaders } from '../../src/remote/retry-after.ts';

const NOW_MS = Date.parse('Sat, 22 Nov 2025 00:00:00 GMT');
const KEY = 'secret-key-of-ours';

const upload: RequestContext = {
  action: 'upload',
  method: 'POST',
  path: '/files',
  progress: 'sent',
  secrets: [KEY],
  remoteName: 'storage-limit.jsonl',
};
const removal: RequestContext = {
  ...upload,
  action: 'delete',
  method: 'DELETE',
  path: '/files/file-a',
  remoteName: null,
};
const reading: RequestContext = { ...removal, action: 'read', method: 'GET' };

function apiError(
  message: string,
  type: string | null = 'invalid_request_error',
  code: string | null = null,
) {
  return JSON.stringify({ error: { message, type, param: null, code } });
}

interface Row {
  readonly what: string;
  readonly status: number;
  readonly body?: string;
  readonly headers?: ReplyHeaders;
  readonly context?: RequestContext;
  readonly want: Record<string, unknown>;
}

const replies: readonly Row[] = [
  {
    what: 'a 400 about the file rejects it',
    status: 400,
    body: apiError('Invalid file format'),
    want: { disposition: 'skip', outcome: 'refused', rule: 'server-400', scope: 'file', status: 400 },
  },
  { what: '413 rejects the file', status: 413, want: { disposition: 'skip', rule: 'server-413' } },
  { what: '415 rejects the file', status: 415, want: { disposition: 'skip', rule: 'server-415' } },
  { what: '422 rejects the file', status: 422, want: { disposition: 'skip', rule: 'server-422' } },
  {
    what: 'a full storage may arrive as 400',
    status: 400,
    body: apiError('You have exceeded your file storage quota. Your organization can store up to 100 GB.'),
    want: { disposition: 'halt', halt: 'quota', outcome: 'refused', rule: 'quota' },
  },
  {
    what: 'or in other words',
    status: 400,
    body: apiError('Your project has reached its storage limit of 2.5 TB'),
    want: { disposition: 'halt', halt: 'quota' },
  },
  {
    what: 'or as 403',
    status: 403,
    body: apiError('Storage limit exceeded for project proj_1'),
    want: { disposition: 'halt', halt: 'quota' },
  },
  {
    what: 'a file whose name speaks of limits is no quota',
    status: 400,
    body: apiError('Invalid file storage-limit.jsonl: line 3 is no JSON'),
    want: { disposition: 'skip', rule: 'server-400' },
  },
  {
    what: 'nor is its quoted content',
    status: 400,
    body: apiError('Line 3: unexpected value "storage quota exceeded"'),
    want: { disposition: 'skip', rule: 'server-400' },
  },
  {
    what: 'a file that is too large is no quota',
    status: 400,
    body: apiError('File exceeds the maximum size of 512 MB allowed for your organization'),
    want: { disposition: 'skip', rule: 'server-400' },
  },
  { what: '402 is the quota', status: 402, want: { disposition: 'halt', halt: 'quota' } },
  { what: '507 is the quota, perhaps stored', status: 507, want: { halt: 'quota', outcome: 'unknown' } },
  {
    what: 'an empty credit is no rate limit',
    status: 429,
    body: apiError('You exceeded your current quota', 'insufficient_quota', 'insufficient_quota'),
    want: { disposition: 'halt', halt: 'quota', outcome: 'refused' },
  },
  {
    what: '429 holds the lane for as long as it says',
    status: 429,
    body: apiError('Rate limit reached', 'requests', 'rate_limit_exceeded'),
    headers: { 'retry-after': '7' },
    want: { disposition: 'retry', scope: 'lane', retryAfterMs: 7000, outcome: 'refused', rule: 'rate-limit' },
  },
  {
    what: '429 that names no time holds the lane too',
    status: 429,
    want: { disposition: 'retry', scope: 'lane', retryAfterMs: null },
  },
  { what: '401 halts', status: 401, want: { disposition: 'halt', halt: 'auth', outcome: 'refused' } },
  { what: '403 halts', status: 403, want: { disposition: 'halt', halt: 'auth', outcome: 'refused' } },
  {
    what: '403 halts deletes as well',
    status: 403,
    context: removal,
    want: { disposition: 'halt', halt: 'auth' },
  },
  {
    what: 'a 404 for an upload is a wrong base URL and rejects no file',
    status: 404,
    want: { disposition: 'retry', scope: 'lane', outcome: 'refused', rule: 'wrong-url' },
  },
  { what: '405 likewise', status: 405, want: { disposition: 'retry', scope: 'lane', rule: 'wrong-url' } },
  {
    what: 'a 404 page for a file is a wrong base URL',
    status: 404,
    body: '<html><title>Not Found</title></html>',
    context: removal,
    want: { disposition: 'retry', scope: 'lane', rule: 'wrong-url' },
  },
  { what: '407', status: 407, want: { disposition: 'retry', scope: 'lane', rule: 'proxy' } },
  ...[421, 425].map((status) => ({
    what: `${status} passes`,
    status,
    want: { disposition: 'retry', outcome: 'refused', scope: 'file', rule: `server-${status}` },
  })),
  ...[408, 409, 499].flatMap((status) => [
    {
      what: `${status} after the whole body may have been stored`,
      status,
      want: { disposition: 'retry', outcome: 'unknown', scope: 'file', rule: `server-${status}` },
    },
    {
      what: `${status} before the body was complete stored nothing`,
      status,
      context: { ...upload, progress: 'sending' as const },
      want: { disposition: 'retry', outcome: 'refused', scope: 'file', rule: `server-${status}` },
    },
  ]),
  {
    what: '409 that names the quota is a plain no',
    status: 409,
    body: apiError('Storage quota exceeded'),
    want: { halt: 'quota', outcome: 'refused' },
  },
  {
    what: 'a refused delete is tried again',
    status: 400,
    context: removal,
    want: { disposition: 'retry', outcome: 'refused' },
  },
  { what: '409 for a delete', status: 409, context: removal, want: { disposition: 'retry' } },
  ...[500, 502, 503, 504, 520].map((status) => ({
    what: `${status} after the body: perhaps stored`,
    status,
    want: { disposition: 'retry', outcome: 'unknown', scope: 'file', rule: `server-${status}` },
  })),
  {
    what: '500 before the body was complete: not stored',
    status: 500,
    context: { ...upload, progress: 'sending' },
    want: { disposition: 'retry', outcome: 'refused' },
  },
  {
    what: '503 that says when holds the lane',
    status: 503,
    headers: { 'retry-after': '2' },
    want: { scope: 'lane', retryAfterMs: 2000, outcome: 'unknown' },
  },
  {
    what: '500 for a read leaves nothing behind',
    status: 500,
    context: reading,
    want: { disposition: 'retry', outcome: 'refused' },
  },
  {
    what: 'a redirect is not followed',
    status: 307,
    headers: { location: 'https://elsewhere.example/v1/files?sig=abc' },
    want: {
      disposition: 'retry',
      scope: 'lane',
      outcome: 'refused',
      rule: 'redirect',
      message: 'POST /files: 307: redirects are not followed (to https://elsewhere.example/v1/files)',
    },
  },
];

test.each(replies)('$status: $what', ({ status, body = '', headers = {}, context = upload, want }) => {
  expect(classifyReply({ status, headers, body }, context, NOW_MS)).toMatchObject(want);
});

describe('the message', () => {
  const message = (body: string, headers: ReplyHeaders = {}): string =>
    classifyReply({ status: 400, headers, body }, upload, NOW_MS).message;

  test('names the request, the status, the kind, the words and the request id', () => {
    expect(message(apiError('No such purpose'), { 'x-request-id': 'req_1' })).toBe(
      'POST /files: 400 invalid_request_error: No such purpose (request id req_1)',
    );
  });

  test('prefers the code, which says more than the type', () => {
    expect(message(apiError('Bad', 'invalid_request_error', 'invalid_jsonl'))).toContain(
      '400 invalid_jsonl: Bad',
    );
  });

  test.each([
    ['{"error":"plain"}', 'plain'],
    ['{"message":"top"}', 'top'],
    ['{"detail":[{"loc":["file"]}]}', '[{"loc":["file"]}]'],
    ['{"detail":"Not Found"}', 'Not Found'],
    ['<html><head><title>502 Bad Gateway</title>', '502 Bad Gateway'],
    ['<!doctype html><p>', 'an HTML page'],
    ['just text', 'just text'],
  ])('reads %s', (body, words) => {
    expect(message(body)).toBe(`POST /files: 400: ${words}`);
  });

  test('is one line without control characters, and not endless', () => {
    const text = message(apiError(`a\r\n\u001b[31mb\u0000\u202ec ${'x'.repeat(5000)}`));
    expect(text).toMatch(/^[^\p{Cc}\u202e]{100,400}…$/u);
    expect(text).toContain('a [31mb c x');
  });

  test('never shows the key, whole or as servers abridge it', () => {
    const text = message(apiError(`Incorrect API key provided: ${KEY}, or sk-proj-****ab.`));
    expect(text).not.toContain(KEY);
    expect(text).not.toContain('sk-');
  });
});

describe('a broken exchange', () => {
  test.each([
    ['ENOTFOUND', 'dns', 'lane'],
    ['EAI_AGAIN', 'dns', 'lane'],
    ['CERT_HAS_EXPIRED', 'tls', 'lane'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls', 'lane'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', 'lane'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls', 'lane'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls', 'lane'],
    ['EPROTO', 'tls', 'lane'],
    ['UND_ERR_CONNECT_TIMEOUT', 'timeout', 'lane'],
    ['UND_ERR_PRX_CONN', 'proxy', 'lane'],
    ['UND_ERR_PRX_TLS', 'proxy', 'lane'],
    ['ECONNREFUSED', 'network', 'lane'],
    ['ENETUNREACH', 'network', 'lane'],
    ['UND_ERR_HEADERS_TIMEOUT', 'timeout', 'file'],
  ])('%s before anything was sent: %s, %s', (code, rule, scope) => {
    const fault = classifyBreak({ code, message: 'x' }, { ...upload, progress: 'connecting' });
    expect(fault).toMatchObject({ disposition: 'retry', outcome: 'refused', rule, scope });
    expect(fault.message).toContain(code);
  });

  test.each([
    ['upload', 'connecting', 'refused'],
    ['upload', 'sending', 'refused'],
    ['upload', 'sent', 'unknown'],
    ['delete', 'sending', 'refused'],
    ['delete', 'sent', 'unknown'],
    ['read', 'sent', 'refused'],
  ] as const)('%s broken while %s is %s', (action, progress, outcome) => {
    for (const code of [
      'ECONNRESET',
      'UND_ERR_SOCKET',
      'UND_ERR_HEADERS_TIMEOUT',
      'HPE_INVALID_CONSTANT',
      '',
    ]) {
      expect(classifyBreak({ code, message: 'x' }, { ...upload, action, progress }).outcome).toBe(outcome);
    }
  });

  test("undici's words for a proxy's refusal", () => {
    const message = 'Proxy response (403) !== 200 when HTTP Tunneling';
    expect(classifyBreak({ code: 'UND_ERR_ABORTED', message }, upload).rule).toBe('proxy');
  });

  test('addresses that all failed are named together', () => {
    const error = new AggregateError([
      Object.assign(new Error('connect ECONNREFUSED ::1:9'), { code: 'ECONNREFUSED' }),
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' }),
    ]);
    expect(describeBreak(error)).toEqual({
      code: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED ::1:9; connect ECONNREFUSED 127.0.0.1:9',
    });
  });
});

test.each([
  ['the API knows no such file', 404, apiError('No such File object: file-a'), true],
  ['a bare 404', 404, '', true],
  ['FastAPI', 404, '{"detail":"Not Found"}', true],
  ['a web server knows no such page', 404, '<html>', false],
  ['OpenAI knows no such address', 404, apiError('Invalid URL (DELETE /files/file-a)'), false],
  ['another status', 400, apiError('No such File object: file-a'), false],
])('absence: %s', (_what, status, body, absent) => {
  expect(isAbsence({ status, headers: {}, body })).toBe(absent);
});

test('a secret that a reply quotes is not shown in part either', () => {
  const reply = { status: 200, headers: {}, body: `${'x'.repeat(106)} ${KEY} and more` };
  const { message } = badReply('the reply is no file object', reply, upload);
  expect(message).toContain('[redacted]');
  expect(message).not.toContain(KEY.slice(0, 6));
});
