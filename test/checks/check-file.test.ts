import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkFile } from '../../src/checks/check-file.ts';
import { batchRequest, linesOf } from '../corpus/make-corpus.ts';
import { rulesOf } from '../support/folder-rules.ts';

describe('checking a file on disk', () => {
  const signal = new AbortController().signal;
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'check-file-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function write(name: string, content: Buffer): Promise<string> {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  }

  it('reads all of it, over many chunks', async () => {
    const requests = Array.from({ length: 5000 }, (_, n) => batchRequest(n));
    const content = linesOf([...requests, batchRequest(7)]);
    expect(content.length).toBeGreaterThan(1_000_000);
    expect(await checkFile(await write('many.jsonl', content), rulesOf('batch'), signal)).toEqual({
      problem: { rule: 'batch-line', message: 'line 5001: custom_id "request-7" is already used on line 8' },
      warnings: [],
      findings: [
        {
          line: 5001,
          rule: 'custom-id-duplicate',
          message: 'custom_id "request-7" is already used on line 8',
        },
      ],
      findingsTotal: 1,
      sizeBytes: content.length,
    });
  });

  it('tells what speaks against the name alone', async () => {
    const report = await checkFile(await write('a.txt', Buffer.from('x')), rulesOf('batch'), signal);
    expect(report.findings).toEqual([
      { line: null, rule: 'extension', message: 'the extension .txt is not accepted for batch: .jsonl' },
    ]);
    expect(report.problem?.rule).toBe('extension');
  });

  it('throws for what is not there, what is no file, and when it is told to stop', async () => {
    await expect(checkFile(join(directory, 'missing'), rulesOf('batch'), signal)).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await expect(checkFile(directory, rulesOf('batch'), signal)).rejects.toMatchObject({ rule: 'special' });
    await expect(
      checkFile(
        await write('b.jsonl', Buffer.from('{}')),
        rulesOf('batch'),
        AbortSignal.abort(new Error('stop')),
      ),
    ).rejects.toThrow('stop');
  });
});
