import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonSyntaxError, readJsonText } from '../../src/config/json-text.ts';

function errorOf(text: string): string {
  try {
    readJsonText(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return `${error.line}:${error.column} ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('readJsonText', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(readJsonText(text).value).toEqual(JSON.parse(text));
      }),
    );
  });

  test('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.nat(),
        fc.constantFrom('', ',', '}', '"', 'x', '\\', '0', ' '),
        (value, at, with_) => {
          const whole = JSON.stringify(value);
          const position = at % (whole.length + 1);
          const text = whole.slice(0, position) + with_ + whole.slice(position + 1);
          const accepted = (read: () => unknown) => {
            try {
              read();
              return true;
            } catch {
              return false;
            }
          };
          // The only thing we refuse beyond JSON.parse.
          fc.pre(!errorOf(text).includes('is there twice'));
          expect(accepted(() => readJsonText(text))).toBe(accepted(() => JSON.parse(text) as unknown));
        },
      ),
    );
  });

  test.each([
    [
      'a comma after the last member',
      '{\n  "a": 1,\n}',
      '3:1 not JSON: expected a key in quotes (no comma after the last one), found "}"',
    ],
    ['a missing comma', '{\n  "a": 1\n  "b": 2\n}', '3:3 not JSON: expected "," or "}", found "\\""'],
    ['a comment that does not end', '{\n  /* no\n}', '2:3 not JSON: a comment does not end'],
    ['a hash', '{\n  # no\n}', '2:3 not JSON: expected a key in quotes or "}", found "#"'],
    ['a text that does not end', '{ "a": "b\n}', '1:8 not JSON: a text in quotes does not end in its line'],
    ['no value', '{ "a": yes }', '1:8 not JSON: expected a value, found "y"'],
    ['too many levels', '['.repeat(65), '1:65 not JSON: more than 64 levels'],
    ['single quotes', "{ 'a': 1 }", '1:3 not JSON: expected a key in quotes or "}", found "\'"'],
    ['an end too early', '{ "a": [1, 2', '1:13 not JSON: expected "," or "]", found the end of the file'],
    ['an empty file', '', '1:1 not JSON: expected a value, found the end of the file'],
    ['more after the end', '{}\n{}', '2:1 not JSON: expected the end of the file, found "{"'],
    ['a key that is there twice', '{\n  "a": 1,\n  "a": 2\n}', '3:3 the key "a" is there twice'],
  ])('%s', (_, text, error) => {
    expect(errorOf(text)).toBe(error);
  });

  test('reads past comments', () => {
    const { value, lineOf } = readJsonText('// why\n{ /* how */ "a": [1, // one\n2] }\n// end');
    expect(value).toEqual({ a: [1, 2] });
    expect(lineOf(['a', 1])).toBe(3);
  });

  test('knows the line of a key, or of the nearest one above it', () => {
    const { lineOf } = readJsonText('\uFEFF{\n"a": {\n "b": [\n  1,\n  2 ] } }');
    expect(lineOf(['a'])).toBe(2);
    expect(lineOf(['a', 'b'])).toBe(3);
    expect(lineOf(['a', 'b', 1])).toBe(5);
    expect(lineOf(['a', 'missing'])).toBe(2);
    expect(lineOf([])).toBe(1);
  });
});
