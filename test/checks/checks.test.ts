import { describe, expect, it } from 'vitest';
import { createDetailedCheck, needsFullRead, type Report } from '../../src/checks/checks.ts';
import type { FolderRules } from '../../src/contract/types.ts';
import { batchRequest, CORPUS, linesOf } from '../corpus/make-corpus.ts';
import { rulesOf } from '../support/folder-rules.ts';

function check(rules: FolderRules, name: string, content: Buffer, chunkBytes = content.length): Report {
  const detailed = createDetailedCheck(rules, name, content.length);
  for (let at = 0; at < content.length; at += chunkBytes)
    detailed.write(content.subarray(at, at + chunkBytes));
  return detailed.end();
}

describe('the corpus', () => {
  for (const { purpose, name, content, breaks } of CORPUS) {
    const verdict = breaks === null ? 'accepted' : `refused by ${breaks.rule} on line ${breaks.line ?? '-'}`;
    it(`${purpose}/${name} is ${verdict}, in one chunk and byte by byte`, () => {
      for (const chunkBytes of [content.length, 1]) {
        const report = check(rulesOf(purpose), name, content, Math.max(1, chunkBytes));
        const [first] = report.findings;
        expect(first === undefined ? null : { rule: first.rule, line: first.line }).toEqual(breaks);
        expect(report.problem === null).toBe(breaks === null);
        expect(report.findingsTotal >= report.findings.length).toBe(true);
      }
    });
  }
});

describe('before the content', () => {
  const table: readonly [string, FolderRules, string, number, string | null][] = [
    ['an empty file is refused', rulesOf('batch'), 'a.jsonl', 0, 'empty'],
    [
      'an empty file is refused even with checks off',
      rulesOf('batch', { check: 'off' }),
      'a.jsonl',
      0,
      'empty',
    ],
    ['an empty file of an unknown purpose is refused', rulesOf('other'), 'a', 0, 'empty'],
    ['the limit itself is accepted', rulesOf('batch', { maxBytes: 1000 }), 'a.jsonl', 1000, null],
    ['a byte more is refused', rulesOf('batch', { maxBytes: 1000 }), 'a.jsonl', 1001, 'too-large'],
    ['the limit holds for unknown purposes', rulesOf('other', { maxBytes: 1000 }), 'a', 1001, 'too-large'],
    [
      'with checks off the server decides on size and name',
      rulesOf('batch', { check: 'off', maxBytes: 1 }),
      'a',
      2,
      null,
    ],
    ['basic checks look at the name', rulesOf('vision', { check: 'basic' }), 'a.txt', 2, 'extension'],
    ['the case of an extension does not matter', rulesOf('batch'), 'A.JSONL', 2, null],
    ['only the last extension counts', rulesOf('batch'), 'a.jsonl.gz', 2, 'extension'],
    ['user data may have any name', rulesOf('user_data'), 'a', 2, null],
  ];
  for (const [what, rules, name, sizeBytes, rule] of table) {
    it(what, () => expect(createDetailedCheck(rules, name, sizeBytes).problem?.rule ?? null).toBe(rule));
  }

  it('names both sizes', () => {
    const { problem } = createDetailedCheck(rulesOf('batch'), 'a.jsonl', 200_000_001);
    expect(problem?.message).toBe('200,000,001 bytes are more than the 200,000,000 bytes allowed for batch');
  });

  it('only content rules need the content', () => {
    const needing = ['batch', 'fine-tune', 'evals', 'vision', 'assistants', 'user_data', 'other'].filter(
      (one) => needsFullRead(rulesOf(one)),
    );
    expect(needing).toEqual(['batch', 'fine-tune', 'evals', 'vision']);
    expect(needsFullRead(rulesOf('batch', { check: 'basic' }))).toBe(false);
  });

  it('`lines` demands objects of any purpose, and no more', () => {
    const rules = rulesOf('batch', { check: 'lines' });
    expect(needsFullRead(rulesOf('file-extract', { check: 'lines' }))).toBe(true);
    expect(check(rules, 'a.jsonl', Buffer.from('{"id":1}\n{}\n')).problem).toBeNull();
    expect(check(rules, 'a.jsonl', Buffer.from('{}\n[]\n')).problem?.message).toBe(
      'line 2: an array instead of an object',
    );
    expect(check(rules, 'a.txt', Buffer.from('{}')).problem?.rule).toBe('extension');
  });

  it('basic and off do not look at the content', () => {
    for (const level of ['basic', 'off'] as const)
      expect(check(rulesOf('batch', { check: level }), 'a.jsonl', Buffer.from('?')).problem).toBeNull();
  });
});

describe('what is said', () => {
  it('names the first bad lines and counts the rest', () => {
    const content = linesOf([batchRequest(1), ...Array.from({ length: 200 }, () => '17')]);
    const report = check(rulesOf('batch'), 'a.jsonl', content);
    expect(report.problem).toEqual({
      rule: 'batch-line',
      message:
        'line 2: a number instead of an object; line 3: a number instead of an object; line 4: a number instead of an object; and 197 more bad lines',
    });
    expect(report.findings).toHaveLength(100);
    expect(report.findingsTotal).toBe(200);
  });

  const table: readonly [string, string, string][] = [
    ['the place of a stray character', '{"a":1]', 'line 1: unexpected `]` at byte 7'],
    ['where a line stops short', '{"a":[1', 'line 1: ends inside an array'],
    ['a word that is no JSON value', '{"a":NaN}', 'line 1: NaN is no JSON value at byte 6'],
    ['a byte-order mark in the middle', '{}\ufeff', 'line 1: unexpected byte-order mark at byte 3'],
    ['a place in bytes, not characters', '{"日本":x}', 'line 1: unexpected `x` at byte 11'],
    ['a bad escape', '{"a":"\\x"}', 'line 1: bad escape in a string: \\\\x at byte 7'],
    ['a tab in a string', '{"a":"\t"}', 'line 1: tab inside a string at byte 7'],
    [
      'that lines end in CR',
      '{}\r{}\r',
      'line 1: a line ends in CR alone, where JSON Lines demand LF, at byte 4',
    ],
    ['that it is UTF-16', '{\0}\0', 'line 1: UTF-16, not UTF-8 text'],
    ['the first of several problems', '{"method":"GET","url":"/v1/x"}', 'line 1: custom_id is missing'],
    [
      'no control character of the file',
      '{"custom_id":"x","method":"\\u001b[2J\\u202e"}',
      'line 1: method is "\\u001b[2J\\u202e" instead of "POST"',
    ],
  ];
  for (const [what, content, message] of table) {
    it(`tells ${what}`, () =>
      expect(check(rulesOf('batch'), 'a.jsonl', Buffer.from(content)).problem?.message).toBe(message));
  }

  it('counts every line once, however the lines end', () => {
    const report = check(rulesOf('batch'), 'a.jsonl', Buffer.from('1\r\n2\n\n\n5'));
    expect(report.findings.map(({ line, rule }) => [line, rule])).toEqual([
      [1, 'not-object'],
      [2, 'not-object'],
      [3, 'blank-line'],
      [4, 'blank-line'],
      [5, 'not-object'],
    ]);
  });

  it('warns of fewer than ten examples, and of evals without items', () => {
    const example = { messages: [{ role: 'assistant', content: 'x' }] };
    expect(check(rulesOf('fine-tune'), 'a.jsonl', linesOf([example]))).toMatchObject({
      problem: null,
      warnings: ['1 example: fine-tuning needs at least 10'],
    });
    expect(check(rulesOf('evals'), 'a.jsonl', linesOf([{ item: {} }, { item: 1 }]))).toMatchObject({
      problem: null,
      warnings: ['1 of 2 lines have no object `item`, where evals look for their data'],
    });
  });

  it('warns of what is unusual in a batch, once for each kind', () => {
    const embedding = (custom_id: string) => ({
      custom_id,
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: 'm', input: Array.from({ length: 2049 }, () => 'x') },
    });
    expect(check(rulesOf('batch'), 'a.jsonl', linesOf(['', 'b', 'c'].map(embedding)))).toMatchObject({
      problem: null,
      warnings: [
        'line 1: custom_id is empty',
        'line 1: more than 2048 embedding inputs in one request (and 2 more lines)',
      ],
    });
  });

  it('warns of eval data of another name', () => {
    const { problem, warnings } = check(rulesOf('evals'), 'a.json', Buffer.from('{"item":{}}'));
    expect([problem, warnings]).toEqual([
      null,
      ['the name does not end in .jsonl, as those of eval data do'],
    ]);
  });

  it('warns when an image is of another kind than its name says', () => {
    expect(check(rulesOf('vision'), 'a.png', Buffer.from('GIF89a')).warnings).toEqual([
      'a GIF image by its content, but not by its name',
    ]);
  });
});

describe('limits', () => {
  it('accepts 50,000 requests and refuses the one after, where it stands', () => {
    const lines = Array.from({ length: 50_001 }, (_, n) => ({
      custom_id: `${n}`,
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: 'm' },
    }));
    const content = linesOf(lines);
    const last = content.lastIndexOf('\n', content.length - 2) + 1;
    expect(check(rulesOf('batch'), 'a.jsonl', content.subarray(0, last)).problem).toBeNull();
    expect(check(rulesOf('batch'), 'a.jsonl', content).findings).toEqual([
      {
        line: 50_001,
        rule: 'too-many-lines',
        message: 'a file may hold at most 50,000 requests, and this is one more',
      },
    ]);
  });

  const long = 'line 1: a line of 20,000,0NN bytes; those of more than 16,777,216 bytes are not looked into';
  const endless: readonly [
    what: string,
    start: string,
    filling: string,
    sizeBytes: number,
    message: string,
  ][] = [
    ['one string', '{"custom_id":"', 'x', 15_000_000, 'line 1: ends inside a string'],
    ['one key', '{"', 'x', 15_000_000, 'line 1: ends inside a string'],
    ['numbers', '{"a":[1', ',1', 2_000_000, 'line 1: ends inside an array'],
    ['one number', '{"a":1', '1', 2_000_000, 'line 1: ends inside an object'],
    ['brackets', '{"a":', '[', 15_000_000, 'line 1: nested deeper than 1000 levels at byte 1005'],
    ['white space', '', ' ', 15_000_000, 'no line has any content'],
    ['NUL bytes', '', '\0', 15_000_000, 'line 1: NUL byte at byte 1'],
    ['more than is looked into', '{"a":"', 'x', 60_000_000, long.replace('20,000,0NN', '60,000,006')],
  ];
  for (const [what, start, filling, sizeBytes, message] of endless) {
    it(`survives an endless line of ${what}`, () => {
      const { report, rss } = feed(start, filling, sizeBytes, '');
      expect(report.problem?.message).toContain(message);
      expect(rss).toBeLessThan(100_000_000);
    });
  }

  it('says what to do about a line that is too long, and looks at those behind it', () => {
    const { report } = feed('{"a":"', 'x', 17_000_000, `"}\n${JSON.stringify(batchRequest(1))}\n[]\n`);
    expect(report.findings).toEqual([
      {
        line: 1,
        rule: 'line-too-long',
        message:
          'a line of 17,000,008 bytes; those of more than 16,777,216 bytes are not looked into (with `check: basic` the server decides)',
      },
      { line: 3, rule: 'not-object', message: 'an array instead of an object' },
    ]);
  });

  it('takes a line of 15 MB', () => {
    const { report } = feed(
      '{"custom_id":"x","method":"POST","url":"/v1/responses","body":{"model":"m","input":"',
      'x',
      15_000_000,
      '"}}\n',
    );
    expect(report).toEqual({ problem: null, warnings: [], findings: [], findingsTotal: 0 });
  });

  /** Feeds `start`, at least `sizeBytes` of `filling`, and `end`; `rss`: by how much the process grew meanwhile. */
  function feed(
    start: string,
    filling: string,
    sizeBytes: number,
    end: string,
  ): { report: Report; rss: number } {
    const chunk = Buffer.alloc(100_000, filling);
    const detailed = createDetailedCheck(rulesOf('batch'), 'a.jsonl', sizeBytes);
    const before = process.memoryUsage.rss();
    detailed.write(Buffer.from(start));
    for (let fed = 0; fed < sizeBytes; fed += chunk.length) detailed.write(chunk);
    detailed.write(Buffer.from(end));
    const report = detailed.end();
    return { report, rss: process.memoryUsage.rss() - before };
  }
});
