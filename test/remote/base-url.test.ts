import { expect, test } from 'vitest';
import { isLoopbackHost } from '../../src/contract/loopback.ts';
import { parseBaseUrl } from '../../src/remote/base-url.ts';

test.each([
  ['https://api.openai.com/v1', '/files', {}, '/v1/files'],
  ['https://api.openai.com/v1/', '/files', { limit: '1' }, '/v1/files?limit=1'],
  ['http://localhost:1', '/files', {}, '/files'],
  [
    'https://x.openai.azure.com/openai?api-version=2024-10-21',
    '/files/a',
    {},
    '/openai/files/a?api-version=2024-10-21',
  ],
  ['https://h/o?api-version=1', '/files', { after: 'a&b' }, '/o/files?api-version=1&after=a%26b'],
  ['https://h/o?limit=5', '/files', { limit: '9' }, '/o/files?limit=9'],
])('%s + %s %j', (base, path, query, expected) => {
  expect(parseBaseUrl(base).target(path, query)).toBe(expected);
});

test('credentials in the query are known as such', () => {
  expect(parseBaseUrl('https://h/?api-version=1&subscription-key=abcdef').secrets).toEqual(['abcdef']);
});

test.each(['ftp://h/', 'nonsense', ''])('%j is refused', (base) => {
  expect(() => parseBaseUrl(base)).toThrow(TypeError);
});

test.each([
  ['http://127.0.0.1:8080', true],
  ['http://[::1]:8080', true],
  ['http://localhost', true],
  ['http://my.localhost', true],
  ['https://127.0.0.1.example.com', false],
  ['https://notlocalhost', false],
  ['https://api.openai.com', false],
])('%s is loopback: %s', (base, loopback) => {
  expect(isLoopbackHost(parseBaseUrl(base).host)).toBe(loopback);
});
