import { expect, test } from 'vitest';
import { readFileReply, readListReply, saysDeleted } from '../../src/remote/replies.ts';
import { fileObject } from './wire.ts';

const json = JSON.stringify;

test('a file object, with fields and values never heard of', () => {
  const text = json(fileObject({ purpose: 'new-purpose', status: 'pondering', extra: { deep: [1] } }));
  expect(readFileReply(text)).toEqual({
    id: 'file-abc',
    bytes: 5,
    createdAt: 1_763_766_000,
    expiresAt: null,
    filename: 'a.jsonl',
    purpose: 'new-purpose',
  });
});

test.each([
  [null, null],
  [undefined, null],
  [1_766_358_000, 1_766_358_000],
])('expires_at %j', (expires_at, expiresAt) => {
  expect(readFileReply(json(fileObject({ expires_at })))?.expiresAt).toBe(expiresAt);
});

test.each([
  '',
  'null',
  '[]',
  '<html></html>',
  '{"id":"file-abc"',
  json({ error: { message: 'no' } }),
  json(fileObject({ id: '' })),
  json(fileObject({ id: '..' })),
  json(fileObject({ id: 'a b\u001b' })),
  json(fileObject({ id: undefined })),
  json(fileObject({ bytes: '5' })),
  json(fileObject({ bytes: -1 })),
  json(fileObject({ bytes: 1.5 })),
  json(fileObject({ created_at: null })),
  json(fileObject({ filename: null })),
])('no file object: %s', (text) => {
  expect(readFileReply(text)).toBeNull();
});

test('a listing tolerates files of others that lack a name or a size', () => {
  const text = json({
    data: [fileObject(), fileObject({ id: 'x', filename: null, bytes: null, purpose: null })],
  });
  expect(readListReply(text)).toMatchObject({
    files: [{ id: 'file-abc' }, { id: 'x', filename: '' }],
    hasMore: null,
  });
});

test.each(['{}', '{"data":null}', '{"data":[{}]}', '<html>', ''])('no list: %s', (text) => {
  expect(readListReply(text)).toBeNull();
});

test.each([
  ['', true],
  [json({ id: 'f', object: 'file', deleted: true }), true],
  [json({ id: 'f' }), true],
  [json({ id: 'f', deleted: false }), false],
  [json({ id: 'g' }), false],
  ['<html>', false],
])('deleted? %s: %s', (text, expected) => {
  expect(saysDeleted(text, 'f')).toBe(expected);
});
