import { describe, expect, test } from 'vitest';
import { readFileReply, readListReply, saysDeleted } from '../../src/remote/replies.ts';
import { fileObject } from './wire.ts';

const json = JSON.stringify;

/** What is read of a file object with these fields instead of the usual ones. */
function read(fields: Record<string, unknown>): unknown {
  const reading = readFileReply(json(fileObject(fields)));
  return 'value' in reading ? reading.value : reading.problem;
}

describe('a file object', () => {
  const usual = {
    id: 'file-abc',
    bytes: 5,
    createdAt: 1_763_766_000,
    expiresAt: null,
    filename: 'a.jsonl',
    purpose: 'batch',
  };

  test('with fields and values never heard of', () => {
    expect(read({ purpose: 'new-purpose', status: 'pondering', extra: { deep: [1] } })).toEqual({
      ...usual,
      purpose: 'new-purpose',
    });
  });

  test.each<[what: string, id: unknown, text?: string]>([
    ['338 characters', 'f'.repeat(338)],
    ['any alphabet', 'files/ü b?#%é\u001b'],
    ['as a number', 4711, '4711'],
  ])('an id is opaque: %s', (_what, id, text = String(id)) => {
    expect(read({ id })).toEqual({ ...usual, id: text });
  });

  test.each([
    ['times as text', { created_at: '1763766000' }, { createdAt: 1_763_766_000 }],
    ['times with a fraction', { created_at: 1_763_766_000.9 }, { createdAt: 1_763_766_000 }],
    ['fractions as text', { created_at: '1763766000.9' }, { createdAt: 1_763_766_000 }],
    ['ISO times', { created_at: '2025-11-21T23:00:00Z' }, { createdAt: 1_763_766_000 }],
    ['ISO times with a zone', { created_at: '2025-11-22T00:00:00.5+01:00' }, { createdAt: 1_763_766_000 }],
    ['ISO times without one', { created_at: '2025-11-21 23:00:00' }, { createdAt: 1_763_766_000 }],
    ['milliseconds', { created_at: 1_763_766_000_123 }, { createdAt: 1_763_766_000 }],
    ['an expiry', { expires_at: 1_766_358_000 }, { expiresAt: 1_766_358_000 }],
    ['an expiry of null', { expires_at: null }, { expiresAt: null }],
    ['an expiry of zero', { expires_at: 0 }, { expiresAt: null }],
    ['an expiry of "0"', { expires_at: '0' }, { expiresAt: null }],
    ['a negative expiry', { expires_at: -1 }, { expiresAt: null }],
    ['no expiry', { expires_at: undefined }, { expiresAt: null }],
    ['bytes as text', { bytes: '5' }, { bytes: 5 }],
  ])('%s', (_what, fields, expected) => {
    expect(read(fields)).toEqual({ ...usual, ...expected });
  });

  test.each([
    ['bytes: null', { bytes: null }, { bytes: null }],
    ['no bytes', { bytes: undefined }, { bytes: null }],
    ['negative bytes', { bytes: -1 }, { bytes: null }],
    ['half a byte', { bytes: 1.5 }, { bytes: null }],
    ['bytes in words', { bytes: 'five' }, { bytes: null }],
    ['created_at: null', { created_at: null }, { createdAt: null }],
    ['created_at in words', { created_at: 'yesterday' }, { createdAt: null }],
    ['no filename', { filename: undefined }, { filename: null }],
    ['filename: {}', { filename: {} }, { filename: null }],
    ['no purpose', { purpose: undefined }, { purpose: null }],
  ])('what is not said, or not readably, is null and costs no id: %s', (_what, fields, expected) => {
    expect(read(fields)).toEqual({ ...usual, ...expected });
  });

  test.each([
    ['a byte order mark', `\ufeff${json(fileObject())}`],
    ['blank lines around it', `\r\n\n${json(fileObject())}\n`],
    ['an envelope "data"', json({ code: 200, data: fileObject() })],
    ['an envelope "file" with an id of its own', json({ id: 'req-1', file: fileObject() })],
    ['"file_id" instead of "id"', json({ ...fileObject({ id: undefined }), file_id: 'file-abc' })],
  ])('is understood with %s', (_what, text) => {
    expect(readFileReply(text)).toEqual({ value: usual });
  });

  test.each([
    ['', 'it is empty'],
    ['null', 'it is no JSON object'],
    ['[]', 'it is no JSON object'],
    ['<html></html>', 'it is no JSON'],
    ['{"id":"file-abc"', 'it is no JSON'],
    [json({ error: { message: 'no' } }), '"id" is missing'],
    [json(fileObject({ id: '' })), '"id" is empty'],
    [json(fileObject({ id: '..' })), '"id" cannot be part of a URL'],
    [json(fileObject({ id: '\ud800' })), '"id" cannot be part of a URL'],
    [json(fileObject({ id: '__proto__' })), '"id" cannot be part of a URL'],
    [json(fileObject({ id: null })), '"id" is null'],
    [json(fileObject({ id: {} })), '"id" is an object'],
    [json(fileObject({ id: 1.5 })), '"id" is a number'],
  ])('is none, and the field is named: %s', (text, problem) => {
    expect(readFileReply(text)).toEqual({ problem });
  });
});

describe('a list of files', () => {
  test('entries are judged one by one: what has no id is told apart, with the field', () => {
    const text = json({
      data: [
        fileObject(),
        null,
        fileObject({ id: 'x', filename: null, bytes: null, purpose: null, created_at: null }),
        fileObject({ id: {} }),
        fileObject({ id: 'y'.repeat(338) }),
      ],
    });
    const reading = readListReply(text);
    expect(reading).toMatchObject({
      value: {
        files: [{ id: 'file-abc' }, { id: 'x', filename: null, bytes: null }, { id: 'y'.repeat(338) }],
        unreadable: [
          { problem: 'an entry is null', file: { filename: null } },
          { problem: '"id" is an object', file: { filename: 'a.jsonl', bytes: 5 } },
        ],
        hasMore: null,
      },
    });
  });

  test.each([
    ['{}', '"data" is missing'],
    ['{"data":null}', '"data" is null'],
    ['{"data":{}}', '"data" is an object'],
    ['<html>', 'it is no JSON'],
    ['', 'it is empty'],
  ])('is none, and the field is named: %s', (text, problem) => {
    expect(readListReply(text)).toEqual({ problem });
  });
});

test.each([
  ['', true],
  [json({ id: 'f', object: 'file', deleted: true }), true],
  [json({ id: 'f' }), true],
  [json({ data: { id: 'f', deleted: true } }), true],
  [json({ id: 'f', deleted: false }), false],
  [json({ id: 'g' }), false],
  ['<html>', false],
])('deleted? %s: %s', (text, expected) => {
  expect(saysDeleted(text, 'f')).toBe(expected);
});
