import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTooDeep, jsonFaultOf, MAX_NESTING } from '../../src/checks/json-fault.ts';

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Texts that are JSON, or nearly: a few characters are changed. */
const nearlyJson = fc
  .tuple(
    fc.json({ maxDepth: 5 }),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.constantFrom(...'{}[]",:\\ \t\r0123456789.eE+-untrfalsb\u0001\u007fé'.split('')),
        fc.boolean(),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([json, changes]) => {
    let text = json;
    for (const [pick, char, insert] of changes) {
      const at = pick % (text.length + 1);
      text = text.slice(0, at) + char + text.slice(insert ? at : at + 1);
    }
    return text;
  });

describe('the fault of a text', () => {
  it('is found in exactly those that JSON.parse refuses', () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        expect(jsonFaultOf(text) === null).toBe(parses(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('is placed where no more of the text can be JSON', () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        const place = /at byte (\d+)/.exec(jsonFaultOf(text)?.message ?? '')?.[1];
        if (place === undefined) return;
        const upTo = Buffer.from(text)
          .subarray(0, Number(place) - 1)
          .toString();
        expect(jsonFaultOf(upTo)?.message ?? 'none').toMatch(/^(ends inside|none)/);
      }),
    );
  });

  const table: readonly [text: string, message: string][] = [
    ['', 'ends inside a value'],
    ['[1', 'ends inside an array'],
    ['{"a"', 'ends inside an object'],
    ['{"a":"x', 'ends inside a string'],
    ['"\\u12', 'ends inside a string'],
    ['"\\u12g4"', 'bad escape in a string: \\\\u12g4 at byte 2'],
    ['{"a":1,}', 'unexpected `}` at byte 8'],
    ["{'a':1}", "unexpected `'` at byte 2"],
    ['{"a":“x”}', 'unexpected U+201C (“) at byte 6'],
    ['{"a":None}', 'None is no JSON value at byte 6'],
    ['[-Infinity]', '-Infinity is no JSON value at byte 2'],
    ['01', 'unexpected `1` at byte 2'],
    ['{"a":"\u0001"}', 'U+0001 inside a string at byte 7'],
    ['{} {}', 'unexpected `{` at byte 4'],
  ];
  for (const [text, message] of table) {
    it(`of ${JSON.stringify(text)}: ${message}`, () => expect(jsonFaultOf(text)?.message).toBe(message));
  }

  it('is the depth from level 1,001 on, in objects as in arrays', () => {
    const arrays = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    const objects = (levels: number) => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
    for (const nested of [arrays, objects]) {
      expect(jsonFaultOf(nested(MAX_NESTING))).toBeNull();
      expect(jsonFaultOf(nested(MAX_NESTING + 1))).toMatchObject({ rule: 'too-deep' });
      expect(isTooDeep(nested(MAX_NESTING))).toBe(false);
      expect(isTooDeep(nested(MAX_NESTING + 1))).toBe(true);
    }
  });

  it('is no depth where brackets follow each other, or stand in strings', () => {
    for (const text of ['[]'.repeat(5000), '{}'.repeat(5000), JSON.stringify('["\\'.repeat(5000))])
      expect(isTooDeep(text)).toBe(false);
    expect(isTooDeep(`"\\\\"${'['.repeat(MAX_NESTING + 1)}`)).toBe(true);
  });
});
