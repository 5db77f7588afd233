import { describe, expect, test } from 'vitest';
import { missingLine, readAnswerLine } from '../../../src/batches/results/answer-lines.ts';

type Verdict = 'answered' | 'again' | 'final';

function withBody(status: unknown, body: unknown): unknown {
  return { custom_id: 'a', response: { status_code: status, request_id: 'r', body }, error: null };
}

function withError(error: unknown): unknown {
  return { custom_id: 'a', response: null, error };
}

describe('what a line says', () => {
  test.each<[string, unknown, Verdict, string | null]>([
    ['an answer', withBody(200, { choices: [] }), 'answered', null],
    ['an answer of another 2xx', withBody(201, {}), 'answered', null],
    ['a status in text', withBody('200', {}), 'answered', null],
    ['an answer that speaks of an error in passing', withBody(200, { error: null }), 'answered', null],
    ['no status, but a body', { custom_id: 'a', response: { body: { data: [] } } }, 'answered', null],
    ['a body with an error', withBody(400, { error: { code: 'bad', message: 'x' } }), 'final', 'bad'],
    [
      'an error named by its type',
      withBody(400, { error: { type: 'invalid_request_error' } }),
      'final',
      'invalid_request_error',
    ],
    ['an error in plain text', withBody(404, { error: 'no such model' }), 'final', 'status-404'],
    [
      'no status, and an error',
      { custom_id: 'a', response: { body: { error: { code: 'bad' } } } },
      'final',
      'bad',
    ],
    ['a bare status', withBody(422, null), 'final', 'status-422'],
    ['unauthorized', withBody(401, ''), 'final', 'status-401'],
    ['status 0 and nothing', withBody(0, ''), 'again', 'status-0'],
    ['status 0 and an empty object', withBody(0, {}), 'again', 'status-0'],
    ['a time-out', withBody(408, ''), 'again', 'status-408'],
    ['a conflict', withBody(409, ''), 'again', 'status-409'],
    [
      'too many',
      withBody(429, { error: { code: 'rate_limit_exceeded', message: 'x' } }),
      'again',
      'rate_limit_exceeded',
    ],
    ['a server error', withBody(500, { error: { message: 'x', code: null } }), 'again', 'status-500'],
    ['a gateway', withBody(503, '<html>'), 'again', 'status-503'],
    ['the window ended', withError({ code: 'batch_expired', message: 'x' }), 'again', 'batch_expired'],
    ['it was cancelled', withError({ code: 'batch_cancelled', message: 'x' }), 'final', 'batch_cancelled'],
    ['it timed out', withError({ code: 'request_timeout', message: 'x' }), 'again', 'request_timeout'],
    ['the server failed', withError({ code: 'server_error', message: 'x' }), 'again', 'server_error'],
    ['an error nobody knows', withError({ code: 'moon', message: 'x' }), 'final', 'moon'],
    [
      'an error beside a status',
      { ...(withBody(503, {}) as object), error: { code: 'moon' } },
      'again',
      'moon',
    ],
    [
      'a cancelled line of a broken server',
      { ...(withBody(500, {}) as object), error: { code: 'batch_cancelled' } },
      'final',
      'batch_cancelled',
    ],
    ['an empty error object', { ...(withBody(200, {}) as object), error: {} }, 'answered', null],
    ['neither', withError(null), 'again', 'no-answer'],
    ['nothing but its id', { custom_id: 'a' }, 'again', 'no-answer'],
  ])('%s', (_what, line, verdict, code) => {
    const read = readAnswerLine(JSON.stringify(line));
    expect(read?.customId).toBe('a');
    const failure = read?.failure ?? null;
    expect(failure === null ? 'answered' : failure.isRetryable ? 'again' : 'final').toBe(verdict);
    expect(failure?.code ?? null).toBe(code);
    if (failure !== null) expect(failure.message).not.toBe('');
  });

  test.each(['', 'no JSON', '[]', '7', '{}', '{"custom_id":null}', '{"custom_id":"a"'])(
    '%j is no line',
    (text) => {
      expect(readAnswerLine(text)).toBeNull();
    },
  );

  test('what stands for a missing line is read as one that may be tried again', () => {
    expect(readAnswerLine(missingLine('a "b"'))).toMatchObject({
      customId: 'a "b"',
      failure: { code: 'missing' },
    });
  });

  test('messages are one line, and not too long', () => {
    const { failure } =
      readAnswerLine(JSON.stringify(withError({ code: 'x', message: `a\n${'b'.repeat(999)}` }))) ?? {};
    expect(failure?.message).toMatch(/^a b+…$/);
  });
});
