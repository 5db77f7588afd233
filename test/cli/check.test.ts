import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';
import { runMain, type Result } from './run-main.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fm-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: string | Uint8Array): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const check = (...args: string[]): Promise<Result> => runMain(['check', ...args], { cwd: folder });

async function checkJson(...args: string[]) {
  const { code, out, err } = await check(...args, '--json');
  expect(err).toBe('');
  return { code, report: JSON.parse(out) as { files: number; findings: object[]; warnings: object[] } };
}

const bad = `${batchFile(1).toString()}not JSON\n{"custom_id":7}\n`;

describe('check', () => {
  test('a good file', async () => {
    put('batch/a.jsonl', batchFile(1));
    expect(await check('batch/a.jsonl')).toEqual({
      code: 0,
      out: 'batch/a.jsonl: 1 request, gpt-4o-mini, about 23 input tokens\n1 file checked: nothing found\n',
      err: '',
    });
    expect(await checkJson('batch/a.jsonl')).toEqual({
      code: 0,
      report: {
        version: 1,
        files: 1,
        findings: [],
        warnings: [],
        requests: [
          {
            file: 'batch/a.jsonl',
            requests: 1,
            endpoint: '/v1/chat/completions',
            model: 'gpt-4o-mini',
            inputTokens: 23,
            money: null,
          },
        ],
      },
    });
  });

  test('a bad one: every finding with file, line and rule, as it was named', async () => {
    put('batch/bad.jsonl', bad);
    const { code, report } = await checkJson('./batch/bad.jsonl');
    expect(code).toBe(1);
    expect(report.findings[0]).toMatchObject({ file: './batch/bad.jsonl', line: 2, rule: 'not-json' });
    expect(report.findings.at(-1)).toMatchObject({ line: 3 });
    const { out } = await check('./batch/bad.jsonl');
    expect(out).toMatch(/^\.\/batch\/bad\.jsonl:2: not-json: \S/);
    expect(out).toMatch(/^1 file checked: \d findings in 1 file$/m);
  });

  test('the nearest folder that bears a configured name decides, unless --purpose does', async () => {
    put('batch/user_data/a.txt', 'text');
    put('user_data/batch/sub/a.txt', 'text');
    expect((await check('batch/user_data/a.txt')).code).toBe(0);
    expect((await checkJson('user_data/batch/sub/a.txt')).report.findings).toMatchObject([
      { line: null, rule: 'extension' },
    ]);
    expect((await check('user_data/batch/sub/a.txt', '--purpose', 'user_data')).code).toBe(0);
    put('elsewhere/a.jsonl', batchFile(1));
    expect((await check('elsewhere/a.jsonl', '--purpose', 'batch')).code).toBe(0);
  });

  test('a configured folder counts, with the rules it has', async () => {
    put('files-mirror.json', '{"folders":{"nightly":{"purpose":"batch","maxBytes":10}}}');
    put('nightly/a.jsonl', batchFile(1));
    expect((await checkJson('nightly/a.jsonl')).report.findings).toMatchObject([{ rule: 'too-large' }]);
  });

  test.each([
    [['elsewhere/a.jsonl'], /nothing says which rules "elsewhere\/a\.jsonl" is to obey.*--purpose/],
    [['elsewhere'], /nothing says which rules "elsewhere" is to obey.*--purpose/],
    [['elsewhere', '--purpose', 'bacth'], /no folder has the purpose "bacth"; did you mean "batch"\?/],
    [[], /missing <path\.\.>/],
  ])('makes no guess: %j', async (args, message) => {
    put('elsewhere/a.jsonl', batchFile(1));
    const { code, out, err } = await check(...args);
    expect([code, out]).toEqual([64, '']);
    expect(err).toMatch(message);
  });

  test('a folder is walked: what the mirror would ignore is left out, what it never takes is told', async () => {
    put('root/batch/a.jsonl', batchFile(1));
    put('root/batch/deep/er/b.jsonl', 'x');
    put('root/batch/half.jsonl.part', 'x');
    put('root/batch/.hidden/c.jsonl', 'x');
    put('root/batch/skipped/d.jsonl', 'x');
    put('root/.filesignore', 'skipped/\n');
    put('root/user_data/p.pdf', pdfFile(1));
    put('root/notes.txt', 'x');
    symlinkSync('a.jsonl', join(folder, 'root/batch/link.jsonl'));
    const { code, report } = await checkJson('root/');
    expect(code).toBe(1);
    expect(report.files).toBe(3);
    expect(report.findings).toMatchObject([{ file: 'root/batch/deep/er/b.jsonl', line: 1 }]);
    expect(report.warnings).toEqual(
      expect.arrayContaining([
        { file: 'root/batch/link.jsonl', message: expect.stringContaining('symbolic link') as string },
        { file: 'root/notes.txt', message: 'not checked: it is in no purpose folder' },
      ]),
    );
  });

  test('the mirror’s own patterns count below its root, and only there', async () => {
    put('files-mirror.json', '{"root":"root","watch":{"ignore":["/batch/old/"]}}');
    put('root/batch/old/a.jsonl', 'x');
    put('root/batch/b.jsonl', batchFile(1));
    put('other/batch/old/a.jsonl', 'x');
    expect((await checkJson('root/batch')).report).toMatchObject({ files: 1, findings: [] });
    expect((await checkJson('other/batch/old')).report).toMatchObject({ files: 1, findings: [{ line: 1 }] });
  });

  test('what cannot be read is a finding like any other', async () => {
    mkdirSync(join(folder, 'batch'));
    symlinkSync('nowhere', join(folder, 'batch/dangling.jsonl'));
    put('batch/good.jsonl', batchFile(1));
    const { code, report } = await checkJson(
      'batch/none.jsonl',
      'batch/dangling.jsonl',
      '/dev/null',
      'batch/good.jsonl',
      '--purpose',
      'batch',
    );
    expect(code).toBe(1);
    expect(report.files).toBe(4);
    expect(report.findings).toEqual([
      {
        file: 'batch/none.jsonl',
        line: null,
        rule: 'unreadable',
        message: 'there is no such file or folder',
      },
      {
        file: 'batch/dangling.jsonl',
        line: null,
        rule: 'unreadable',
        message: 'there is no such file or folder',
      },
      { file: '/dev/null', line: null, rule: 'unreadable', message: 'not a regular file' },
    ]);
  });

  test('an option that is given twice counts as it was given last', async () => {
    put('elsewhere/a.jsonl', batchFile(1));
    const twice = ['--purpose', 'vision', '--json', '--purpose', 'batch', '--json'];
    expect(await check('elsewhere/a.jsonl', ...twice)).toMatchObject({ code: 0 });
  });

  test('names cannot command the terminal', async () => {
    put('batch/\u001b[31m.jsonl', 'x');
    const { out } = await check('batch');
    expect(out).not.toContain('\u001b');
    expect(out).toContain('\\u001b[31m.jsonl');
  });
});
