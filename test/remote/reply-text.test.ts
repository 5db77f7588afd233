import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readReplyText } from '../../src/remote/reply-text.ts';
import type { ReplyHeaders } from '../../src/remote/retry-after.ts';

const TEXT = '{"id":"file-ä€"}';
const LIMIT = 1_000;

function read(bytes: Uint8Array, headers: ReplyHeaders = {}) {
  return readReplyText(Buffer.from(bytes), headers, LIMIT);
}

describe('a body is read whatever way it was put', () => {
  test.each<[what: string, bytes: Uint8Array, headers: ReplyHeaders]>([
    ['plain', Buffer.from(TEXT), {}],
    ['identity', Buffer.from(TEXT), { 'content-encoding': 'identity' }],
    ['gzip', gzipSync(TEXT), { 'content-encoding': 'gzip' }],
    ['gzip, in other letters', gzipSync(TEXT), { 'content-encoding': ' GZip ' }],
    ['x-gzip', gzipSync(TEXT), { 'content-encoding': 'x-gzip' }],
    ['deflate', deflateSync(TEXT), { 'content-encoding': 'deflate' }],
    ['deflate without its frame', deflateRawSync(TEXT), { 'content-encoding': 'deflate' }],
    ['br', brotliCompressSync(TEXT), { 'content-encoding': 'br' }],
    ['zstd', zstdCompressSync(TEXT), { 'content-encoding': 'zstd' }],
    ['two codings', brotliCompressSync(gzipSync(TEXT)), { 'content-encoding': 'gzip, br' }],
    ['two headers', brotliCompressSync(gzipSync(TEXT)), { 'content-encoding': ['gzip', 'br'] }],
    ['gzip that a proxy undid without a word', Buffer.from(TEXT), { 'content-encoding': 'gzip' }],
    ['a charset parameter', Buffer.from(TEXT), { 'content-type': 'application/json; charset=utf-8' }],
    ['a quoted one', Buffer.from(TEXT), { 'content-type': 'text/json;charset="UTF-8"' }],
    ['an unknown charset', Buffer.from(TEXT), { 'content-type': 'application/json; charset=klingon' }],
    ['UTF-16', Buffer.from(TEXT, 'utf16le'), { 'content-type': 'application/json; charset=utf-16le' }],
    ['UTF-16 by its mark', Buffer.from(`\ufeff${TEXT}`, 'utf16le'), {}],
    ['a byte order mark', Buffer.from(`\ufeff${TEXT}`), {}],
    ['an odd content type', Buffer.from(TEXT), { 'content-type': 'application/octet-stream' }],
  ])('%s', (_what, bytes, headers) => {
    expect(read(bytes, headers)).toEqual({ text: TEXT, problem: null });
  });

  test('Latin-1', () => {
    const headers = { 'content-type': 'application/json; charset=iso-8859-1' };
    expect(read(Buffer.from('{"id":"ä"}', 'latin1'), headers).text).toBe('{"id":"ä"}');
  });

  test('nothing is nothing in every coding', () => {
    expect(read(Buffer.alloc(0), { 'content-encoding': 'gzip' })).toEqual({ text: '', problem: null });
  });

  test('what broke off is read as far as it goes', () => {
    const whole = gzipSync(TEXT.repeat(20), { level: 0 });
    expect(read(whole.subarray(0, whole.length - 30), { 'content-encoding': 'gzip' }).text).toMatch(/^\{"id/);
  });
});

test.each([
  ['compress', Buffer.from([31, 157]), 'content-encoding "compress" is not known here'],
  ['constructor', Buffer.from([1]), 'content-encoding "constructor" is not known here'],
  ['gzip', Buffer.from('no gzip'), 'content-encoding "gzip" does not hold (Z_DATA_ERROR)'],
  ['gzip', gzipSync('x'.repeat(LIMIT + 1)), 'content-encoding "gzip" does not hold (ERR_BUFFER_TOO_LARGE)'],
])('%s: what cannot be read is refused, with the header named', (coding, bytes, problem) => {
  expect(read(bytes, { 'content-encoding': coding })).toEqual({ text: '', problem });
});
