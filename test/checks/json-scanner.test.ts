import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonKind, JsonListener } from '../../src/checks/json-listener.ts';
import { JsonScanner } from '../../src/checks/json-scanner.ts';
import { BLOCK_BYTES, loadBlock, skipString } from '../../src/checks/string-block.ts';

const DEAF: JsonListener = { maxDepth: -1, key: () => false, value: () => undefined };

/** Whether the scanner takes the whole text for valid JSON, fed in pieces of this size. */
function accepts(text: string, pieceBytes: number, listener = DEAF): boolean {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(listener);
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const block = loadBlock(bytes.subarray(from, from + pieceBytes));
    if (scanner.scan(block, 0) < block.length) return false;
  }
  return !scanner.blank && scanner.finish() === null;
}

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

describe('the scanner', () => {
  it('agrees with JSON.parse on what is JSON, whatever the pieces', () => {
    fc.assert(
      fc.property(nearlyJson, fc.integer({ min: 1, max: 40 }), (text, pieceBytes) => {
        expect(accepts(text, pieceBytes)).toBe(parses(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees with JSON.parse on numbers', () => {
    const number = fc
      .array(fc.constantFrom(...'0019.eE+-'.split('')), { minLength: 1, maxLength: 8 })
      .map((chars) => chars.join(''));
    fc.assert(
      fc.property(number, (text) => {
        expect(accepts(text, 3)).toBe(parses(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees with JSON.parse on escapes', () => {
    const inside = fc.array(
      fc.constantFrom('\\', 'u', 'n', '"', '0', 'F', 'g', 'plain text, longer than a load', 'é'),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(inside, fc.integer({ min: 1, max: 40 }), (parts, pieceBytes) => {
        const text = `"${parts.join('')}"`;
        expect(accepts(text, pieceBytes)).toBe(parses(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('tells of keys and values down to the depth asked for, with the texts asked for', () => {
    const told: [string, number, string | null][] = [];
    const listener: JsonListener = {
      maxDepth: 2,
      key: (depth, text) => {
        told.push(['key', depth, text]);
        return text !== 'unwanted';
      },
      value: (depth: number, kind: JsonKind, text) => told.push([kind, depth, text]),
    };
    const text =
      '{"wänted":"\\u0041\\n","unwanted":"x","list":["y",{"deep":1}],"n":-1.5e3,"t":true,"f":false,"nil":null,"o":{"p":[]}}';
    for (const pieceBytes of [1, 7, 1000]) {
      told.length = 0;
      expect(accepts(text, pieceBytes, listener)).toBe(true);
      expect(told).toEqual([
        ['object', 0, null],
        ['key', 1, 'wänted'],
        ['string', 1, 'A\n'],
        ['key', 1, 'unwanted'],
        ['string', 1, null],
        ['key', 1, 'list'],
        ['array', 1, null],
        ['string', 2, null],
        ['object', 2, null],
        ['key', 1, 'n'],
        ['number', 1, null],
        ['key', 1, 't'],
        ['boolean', 1, null],
        ['key', 1, 'f'],
        ['boolean', 1, null],
        ['key', 1, 'nil'],
        ['null', 1, null],
        ['key', 1, 'o'],
        ['object', 1, null],
        ['key', 2, 'p'],
        ['array', 2, null],
      ]);
    }
  });
});

describe('skipping the inside of a string', () => {
  /** The same, one byte after the other. */
  function skipSlowly(bytes: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end) {
      const byte = bytes[at]!;
      if (byte === 0x5c) {
        const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(
          bytes.toString('latin1', at, Math.min(at + 6, end)),
        );
        if (escape === null) return at;
        at += escape[0].length;
      } else if (byte < 0x20 || byte === 0x22) return at;
      else at++;
    }
    return end;
  }

  it('stops where a loop over the bytes would', () => {
    const piece = fc.oneof(
      { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
      fc.constantFrom('\\n', '\\"', '\\\\', '\\u00aF', '\\u00g0', '\\x', '"', '\0', '\u001f', '\u007f', '\\'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(), fc.nat(), (pieces, a, b) => {
        const bytes = Buffer.from(pieces.join(''));
        const end = bytes.length - (b % (bytes.length + 1));
        const from = end - (a % (end + 1));
        const block = loadBlock(bytes);
        for (let at = from; at <= end; at++) {
          const stop = skipString(at, end);
          expect(stop).toBe(skipSlowly(block, at, end));
          at = stop;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('reaches the end of a full block', () => {
    loadBlock(Buffer.alloc(BLOCK_BYTES, 'x'));
    for (let from = BLOCK_BYTES - 40; from <= BLOCK_BYTES; from++)
      expect(skipString(from, BLOCK_BYTES)).toBe(BLOCK_BYTES);
  });
});
