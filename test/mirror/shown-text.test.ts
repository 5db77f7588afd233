import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oneLine, printable, redactor, terminalSafeJson, visible } from '../../src/contract/shown-text.ts';

const commands = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

describe('text that is shown', () => {
  test('never commands a terminal, whichever way it is shown', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const show of [printable, visible, oneLine]) expect(show(text)).not.toMatch(commands);
        const json = terminalSafeJson(JSON.stringify({ text }));
        expect(json).not.toMatch(commands);
        expect(JSON.parse(json)).toEqual({ text });
      }),
    );
  });

  test('keeps what is harmless, and shows the unseen only where that may be what is wrong', () => {
    expect(printable('é 👩\u200d💻\n')).toBe('é 👩\u200d💻\\n');
    expect(visible('a\u200bb\u{e0041}')).toBe('a\\u200bb\\u{e0041}');
  });

  test('of a server is cut, and no character in two', () => {
    expect(oneLine('ab 🎈 c', 5)).toBe('ab …');
    expect(oneLine('a\r\n b')).toBe('a b');
  });
});

describe('a secret', () => {
  const redact = redactor(['my-odd-secret', 'short', null]);

  test.each([
    ['key my-odd-secret.', 'key [redacted].'],
    ['bad key sk-proj-abcdefghijklmnop', 'bad key [redacted]'],
    ['bad key sk-abcd****wxyz, sorry', 'bad key [redacted], sorry'],
    ['bad key sk-abcdefghijklmnopqrst***wxyz', 'bad key [redacted]'],
    ['bad key sk-abc...xyz', 'bad key [redacted]'],
  ])('is taken out: %s', (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  test.each(['sk-learn.txt', 'task-0123456789abcdefgh', 'short'])('is not suspected in %s', (text) => {
    expect(redact(text)).toBe(text);
  });
});
