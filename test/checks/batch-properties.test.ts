import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDetailedCheck, type Report } from '../../src/checks/checks.ts';
import { rulesOf } from '../support/folder-rules.ts';

interface Line {
  custom_id?: unknown;
  method?: unknown;
  url?: unknown;
  body?: unknown;
}

const text = fc.string({ unit: 'binary', maxLength: 80 }).map((one) => one.toWellFormed());

const body = (model: string): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .tuple(fc.dictionary(text, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 4 }), text)
    .map(([extra, content]) => ({
      ...extra,
      model,
      messages: [{ role: 'user', content }],
    }));

/** A valid batch file, line by line. */
const batch: fc.Arbitrary<Line[]> = fc
  .tuple(
    fc.constantFrom('/v1/responses', '/v1/chat/completions', '/v1/embeddings'),
    fc.constantFrom('gpt-4o', 'modèle-7', 'm"\\n'),
  )
  .chain(([url, model]) =>
    fc
      .uniqueArray(
        fc.oneof(text, fc.string({ minLength: 70, maxLength: 90 })).filter((id) => id !== ''),
        { minLength: 1, maxLength: 8 },
      )
      .chain((ids) =>
        fc.tuple(
          ...ids.map((custom_id) =>
            body(model).map((one) => ({ custom_id, method: 'POST', url, body: one })),
          ),
        ),
      ),
  );

/** Where a file is cut into chunks. */
const cuts = fc.array(fc.nat(4000), { maxLength: 30 });

function check(content: Buffer, at: readonly number[]): Report {
  const detailed = createDetailedCheck(rulesOf('batch'), 'a.jsonl', content.length);
  const ends = [...at.map((cut) => cut % (content.length + 1)), content.length].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    detailed.write(content.subarray(from, end));
    from = end;
  }
  return detailed.end();
}

function spelled(lines: readonly (Line | Buffer | string)[]): Buffer {
  const newline = Buffer.from('\n');
  return Buffer.concat(
    lines.flatMap((line) => [
      Buffer.isBuffer(line) ? line : Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)),
      newline,
    ]),
  );
}

describe('any valid batch file', () => {
  it('is accepted, whatever the chunks', () => {
    fc.assert(
      fc.property(batch, cuts, (lines, at) => {
        expect(check(spelled(lines), at).findings).toEqual([]);
      }),
    );
  });

  it('is accepted in any spelling of its strings', () => {
    const escapeAll = (json: string): string =>
      json.replaceAll(
        /[^\u0000-\u007f]/g,
        (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
    fc.assert(
      fc.property(batch, cuts, (lines, at) => {
        expect(check(spelled(lines.map((line) => escapeAll(JSON.stringify(line)))), at).findings).toEqual([]);
      }),
    );
  });
});

describe('one bad line in a valid batch file', () => {
  /** Each makes a bad line of a good one, given a good line before it, and names the rule. */
  const mutations: readonly [string, string, (line: Line, before: Line) => Line | Buffer | string][] = [
    ['without custom_id', 'custom-id', (line) => ({ ...line, custom_id: undefined })],
    [
      'with the custom_id of another',
      'custom-id-duplicate',
      (line, before) => ({ ...line, custom_id: before.custom_id }),
    ],
    ['with another method', 'method', (line) => ({ ...line, method: 'post' })],
    ['with an unknown url', 'url', (line) => ({ ...line, url: '/v1/unknown' })],
    ['with a second url', 'url-mixed', (line) => ({ ...line, url: '/v1/moderations' })],
    ['without body', 'body', (line) => ({ ...line, body: undefined })],
    ['without model', 'model', (line) => ({ ...line, body: { input: 'x' } })],
    ['that wants to stream', 'stream', (line) => ({ ...line, body: { model: 'm', stream: true } })],
    ['with a second model', 'model-mixed', (line) => ({ ...line, body: { model: 'another' } })],
    ['cut short', 'not-json', (line) => JSON.stringify(line).slice(0, -2)],
    ['in an array', 'not-object', (line) => JSON.stringify([line])],
    [
      'with a byte that is not UTF-8',
      'not-utf8',
      (line) =>
        Buffer.concat([
          Buffer.from(JSON.stringify(line).slice(0, -1)),
          Buffer.from(',"x":"\xc3("}', 'latin1'),
        ]),
    ],
    ['that ends inside a character', 'not-utf8', () => Buffer.from('{"x":"\xe6\x97', 'latin1')],
    ['with a NUL byte', 'nul-byte', (line) => `${JSON.stringify(line).slice(0, -1)},"x":"\0"}`],
    ['left blank', 'blank-line', () => ''],
    ['behind a byte-order mark', 'not-json', (line) => `\ufeff${JSON.stringify(line)}`],
  ];
  const first: Line = {
    custom_id: 'the first of all',
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'm' },
  };
  const last: Line = { ...first, custom_id: 'the last of all' };
  const between = batch.map((lines) =>
    lines.map((line) => ({ ...line, url: first.url, body: { ...(line.body as object), model: 'm' } })),
  );

  for (const [what, rule, mutate] of mutations) {
    it(`${what} is the one finding: ${rule}`, () => {
      fc.assert(
        fc.property(between, fc.nat(), cuts, (lines, pick, at) => {
          const index = pick % lines.length;
          const file = [first, ...lines.map((line, n) => (n === index ? mutate(line, first) : line)), last];
          const { findings, problem } = check(spelled(file), at);
          expect(findings.map((one) => ({ rule: one.rule, line: one.line }))).toEqual([
            { rule, line: index + 2 },
          ]);
          expect(problem?.message).toContain(`line ${index + 2}: `);
        }),
        { numRuns: 25 },
      );
    });
  }
});
