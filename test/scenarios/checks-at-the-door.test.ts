import { describe, expect, test } from 'vitest';
import { batchRequest, linesOf } from '../corpus/make-corpus.ts';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

const BAD_THIRD = linesOf([batchRequest(1), batchRequest(2), '{"custom_id": "request-3", "method": "POST"']);

interface Input {
  readonly what: string;
  readonly content: Buffer;
  /** Null: good. */
  readonly breaks: { readonly line: number; readonly rule: string } | null;
}

const two = [batchRequest(1), batchRequest(2)];
const request = (input: string): string =>
  `{"custom_id":"long","method":"POST","url":"/v1/responses","body":{"model":"m","input":${input}}}`;
const nested = (levels: number): string => request('['.repeat(levels) + ']'.repeat(levels));
const third = (what: string, rule: string, line: string | Buffer): Input => ({
  what,
  content: Buffer.concat([linesOf(two), Buffer.from(line), Buffer.from('\n')]),
  breaks: { line: 3, rule },
});
const good = (what: string, content: Buffer | string): Input => ({
  what,
  content: Buffer.from(content),
  breaks: null,
});

const INPUTS: readonly Input[] = [
  good('a line of 15 MB', request(`"${'x'.repeat(15_000_000)}"`)),
  third('a line of 50 MB', 'line-too-long', request(`"${'x'.repeat(50_000_000)}"`)),
  {
    what: 'numbers without end',
    content: Buffer.concat([Buffer.from(request('[1').slice(0, -2)), Buffer.alloc(15_000_000, ',1')]),
    breaks: { line: 1, rule: 'not-json' },
  },
  {
    what: 'UTF-16',
    content: Buffer.from(linesOf(two).toString(), 'utf16le'),
    breaks: { line: 1, rule: 'not-utf8' },
  },
  {
    what: 'one endless line',
    content: Buffer.alloc(60_000_000, '{"a":"'),
    breaks: { line: 1, rule: 'line-too-long' },
  },
  third('bytes that are no UTF-8', 'not-utf8', Buffer.from('{"a":"\xff\xfe"}', 'latin1')),
  third('a NUL byte', 'nul-byte', '{"a":"\0"}'),
  third('100,000 levels deep', 'too-deep', nested(100_000)),
  good('900 levels deep', nested(900)),
  good('lines that end in CRLF', linesOf(two).toString().replaceAll('\n', '\r\n')),
  good('no line feed at the end', linesOf(two).subarray(0, -1)),
  good(
    'a key twice, the last one counts',
    linesOf(two).toString().replaceAll('"method":', '"method":"GET","method":'),
  ),
  third(
    'a key twice, the last one is wrong',
    'method',
    '{"custom_id":"c","method":"POST","method":"GET","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini"}}',
  ),
];

describe('checks at the door', () => {
  test('D11: a batch file with a bad third line is refused with its line before anything is sent, and sent when mended', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.start();
    await mirror.write('batch/a.jsonl', BAD_THIRD);
    await mirror.write('batch/good.jsonl', batchFile(7));
    const { problems } = await mirror.flush();
    expect(problems).toMatchObject([{ path: 'batch/a.jsonl', state: 'rejected', id: null }]);
    expect(problems[0]?.reason).toMatch(/^line 3: /);
    expect((await mirror.run('status')).stdout).toMatch(/rejected +batch\/a\.jsonl: line 3: /);
    await mirror.expectConverged({ posts: 1, except: ['batch/a.jsonl'] });

    await mirror.write('batch/a.jsonl', linesOf([batchRequest(1), batchRequest(2), batchRequest(3)]));
    await mirror.expectConverged({ posts: 2, deletes: 0 });
    expect((await mirror.status()).problemsTotal).toBe(0);
  });

  test('a version that breaks a rule leaves the mirrored one alone', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    expect((await mirror.sync()).code).toBe(0);
    await mirror.write('batch/a.jsonl', BAD_THIRD);
    expect((await mirror.sync()).code).toBe(1);
    await mirror.expectConverged({ posts: 1, deletes: 0, keeps: ['batch/a.jsonl'] });
  });

  test('check off leaves it to the server, also for what was refused before', async (context) => {
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', BAD_THIRD);
    expect((await mirror.sync()).code).toBe(1);
    expect(mirror.emulator.requests.uploads()).toEqual([]);
    await mirror.configure({ folders: { batch: { check: 'off' } } });
    expect((await mirror.sync()).code).toBe(0);
    await mirror.expectConverged({ posts: 1, deletes: 0 });
  });

  test('what files may hold: `check` names the line, `sync` sends the good ones, and neither needs much memory', async (context) => {
    const mirror = await openTestMirror(context, { env: { NODE_OPTIONS: '--max-old-space-size=100' } });
    const pathOf = ({ what }: Input): string => `batch/${what}.jsonl`;
    for (const input of INPUTS) await mirror.write(pathOf(input), input.content);
    const bad = INPUTS.filter(({ breaks }) => breaks !== null);

    const { code, stdout } = await mirror.run('check', '--json', mirror.at('batch'));
    expect(code).toBe(1);
    const { files, findings } = JSON.parse(stdout) as {
      files: number;
      findings: { file: string; line: number; rule: string }[];
    };
    expect(files).toBe(INPUTS.length);
    expect(Object.fromEntries(findings.map(({ file, line, rule }) => [file, { line, rule }]))).toEqual(
      Object.fromEntries(bad.map((input) => [mirror.at(pathOf(input)), input.breaks])),
    );

    expect((await mirror.sync()).code).toBe(1);
    await mirror.expectConverged({ posts: INPUTS.length - bad.length, except: bad.map(pathOf) });
  });
});
