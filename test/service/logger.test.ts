import { describe, expect, test } from 'vitest';
import { lineFor, logEvents } from '../../src/service/event-log.ts';
import { createLogger, type LogLevel } from '../../src/service/logger.ts';
import type { MirrorEvent } from '../../src/contract/ports.ts';

async function logger(options: { level?: LogLevel; pretty?: boolean } = {}) {
  const lines: string[] = [];
  const log = await createLogger({
    level: options.level ?? 'info',
    pretty: options.pretty ?? false,
    destination: { write: (line) => void lines.push(line) },
  });
  return { log, lines, json: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the log', () => {
  test('is one JSON object a line, from the wanted level on', async () => {
    const { log, json } = await logger();
    log.log('debug', 'quiet');
    log.log('info', 'hello', { path: 'batch/a' });
    expect(json()).toMatchObject([{ level: 'info', msg: 'hello', path: 'batch/a' }]);
  });

  test('has no key in it, however it got there', async () => {
    const { log, lines } = await logger();
    log.hide('my-odd-secret');
    log.log('info', 'key my-odd-secret', { nested: { text: 'my-odd-secret' } });
    log.log('info', 'the server said: bad key sk-proj-abcdefghijklmnop1234', {
      headers: { authorization: 'Bearer x-y-z' },
      apiKey: 'plain',
    });
    const text = lines.join('');
    for (const secret of ['my-odd-secret', 'sk-proj', 'x-y-z', 'plain']) expect(text).not.toContain(secret);
  });

  test('means exactly what was said, yet cannot command a terminal', async () => {
    const path = 'batch/\u001b[31m\u009b31m\u202e\r\n.jsonl';
    const { log, lines, json } = await logger();
    log.log('info', 'x', { path });
    expect(json()[0]).toMatchObject({ path });
    expect(lines.join('').trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });

  test('is readable on a terminal', async () => {
    const { log, lines } = await logger({ pretty: true });
    log.log('warn', 'careful', { path: 'batch/a' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('careful');
    expect(lines[0]).not.toContain('{');
    expect(lines[0]).not.toContain('batch/a');
  });
});

const evil = 'batch/\u001b[2J.jsonl';

test.each<[MirrorEvent, LogLevel, string]>([
  [
    {
      kind: 'uploaded',
      path: evil,
      id: 'file-1',
      bytes: 1_234_567,
      tookMs: 80,
      replaced: null,
      adopted: false,
    },
    'info',
    'uploaded batch/\\u001b[2J.jsonl as file-1 (1.2 MB, 80 ms)',
  ],
  [
    {
      kind: 'uploaded',
      path: 'batch/a',
      id: 'file-2',
      bytes: 5,
      tookMs: 8,
      replaced: 'file-1',
      adopted: false,
    },
    'info',
    'replaced batch/a as file-2 (5 B, 8 ms)',
  ],
  [
    { kind: 'uploaded', path: 'batch/a', id: 'file-2', bytes: 5, tookMs: 8, replaced: null, adopted: true },
    'info',
    'adopted batch/a as file-2 (5 B, 8 ms)',
  ],
  [
    { kind: 'moved', path: 'batch/b', from: 'batch/a', id: 'file-1' },
    'info',
    'moved batch/a to batch/b, still file-1',
  ],
  [
    { kind: 'deleted', path: 'batch/a', id: 'file-1', why: 'deleted' },
    'info',
    'deleted file-1 of batch/a: removed locally',
  ],
  [
    { kind: 'rejected', path: 'batch/a', rule: 'empty', message: 'it is empty' },
    'warn',
    'rejected batch/a: it is empty',
  ],
  [
    {
      kind: 'failed',
      path: 'batch/a',
      message: 'no reply',
      retryInMs: 7000,
      failures: 1,
      status: null,
      requestId: null,
    },
    'warn',
    'failed batch/a: no reply; next try in 7 s',
  ],
  [
    { kind: 'halted', name: 'paused', cause: 'by hand', held: 'nothing is sent', next: 'resume' },
    'warn',
    'paused; nothing is sent; resume',
  ],
  [{ kind: 'resumed', name: 'paused' }, 'info', 'resumed'],
  [
    { kind: 'scanned', files: 1, dirty: 0, tookMs: 5, why: 'start' },
    'info',
    'looked at 1 file in 5 ms, 0 to work on (start)',
  ],
  [
    { kind: 'deleted', path: 'batch/old', id: 'file-1', why: 'renamed' },
    'info',
    'deleted file-1 of batch/old: a remote file of another name took its place',
  ],
  [
    { kind: 'halted', name: 'auth', cause: '401', held: 'nothing is sent', next: 'set a key' },
    'error',
    'halted (auth): 401; nothing is sent; set a key',
  ],
  [{ kind: 'warning', message: 'slow disk' }, 'warn', 'slow disk'],
])('%o is logged in one line', (event, level, message) => {
  expect(lineFor(event)).toMatchObject({ level, message, fields: { event: event.kind } });
});

test('what an event says goes into fields: its message as `detail`, times as whole milliseconds', () => {
  const { fields } = lineFor({
    kind: 'failed',
    path: 'a',
    message: 'no',
    retryInMs: 7.6,
    failures: 1,
    status: 500,
    requestId: 'r',
  });
  expect(fields).toEqual({
    event: 'failed',
    path: 'a',
    detail: 'no',
    retryInMs: 8,
    failures: 1,
    status: 500,
    requestId: 'r',
  });
});

test('of failures that say the same, one line in 30 s is a warning and tells of the others', async () => {
  const { log, json } = await logger();
  let nowMs = 0;
  const listener = logEvents(log, { monotonicMs: () => nowMs });
  const fail = (path: string, message = 'no reply') =>
    listener({ kind: 'failed', path, message, retryInMs: 1000, failures: 1, status: null, requestId: null });
  for (let index = 0; index < 100; index++) fail(`batch/${index}`);
  fail('batch/x', 'something else');
  nowMs = 30_000;
  fail('batch/y');
  expect(json().map(({ msg }) => msg)).toEqual([
    'failed batch/0: no reply; next try in 1 s',
    'failed batch/x: something else; next try in 1 s',
    'failed batch/y: no reply; next try in 1 s (and 99 more like it before)',
  ]);
});

test('failures that were left unsaid are forgotten after ten minutes', async () => {
  const { log, json } = await logger();
  let nowMs = 0;
  const listener = logEvents(log, { monotonicMs: () => nowMs });
  const fail = (message: string) =>
    listener({
      kind: 'failed',
      path: 'a',
      message,
      retryInMs: 1,
      failures: 1,
      status: null,
      requestId: null,
    });
  for (const message of ['one', 'one', 'two', 'two']) fail(message);
  nowMs = 599_999;
  fail('two');
  nowMs = 600_000;
  fail('one');
  expect(
    json()
      .map(({ msg, more }) => [msg, more])
      .slice(2),
  ).toEqual([
    [expect.stringContaining('two'), 1],
    [expect.not.stringContaining('more like it'), undefined],
  ]);
});
