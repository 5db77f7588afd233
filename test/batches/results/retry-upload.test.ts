import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LineEnd } from '../../../src/batches/ports.ts';
import { FailingDisk } from './failing-disk.ts';
import { batchOf, fileOf, never, place, recordOf, request, sha256Of } from './fixture.ts';

const INPUT = `${request('a')}\r\n\n${request('b', 'ü')}\n${request('c')}`;
const RECORDS = new Map([['s0', recordOf(INPUT, { batch: batchOf() })]]);
/** The first and the last line. */
const WANTED = fileOf([`${request('a')}\r`, request('c')]);

function end(customId: string, line: number): LineEnd {
  return { customId, line, code: 'missing', message: '' };
}

const ENDS = [end('a', 1), end('c', 4)];

async function here() {
  const at = await place();
  await at.put('batch/2026/a.jsonl', INPUT);
  at.files.put('file-in', INPUT, 'a.jsonl');
  return at;
}

describe('lines that are tried again', () => {
  test('the same bytes, in a file of their own, once', async () => {
    const at = await here();
    const first = await at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never);
    expect(first).toEqual({
      inputFileId: 'file-up-1',
      sha256: sha256Of(WANTED),
      file: { requests: 2, endpoint: '/v1/chat/completions', model: 'gpt-4o-mini', inputTokens: 5 },
    });
    expect(at.files.files.get('file-up-1')).toMatchObject({
      content: Buffer.from(WANTED),
      filename: 'a.retry-1.jsonl',
    });
    expect(await at.desk().uploadRetry('s0', RECORDS, 1, ENDS.slice(1), never)).toEqual(first);
    expect(at.files.uploads).toBe(1);
    expect((await at.desk().uploadRetry('s0', RECORDS, 2, ENDS.slice(1), never)).inputFileId).toBe(
      'file-up-2',
    );
    expect(at.files.files.get('file-up-2')?.filename).toBe('a.retry-2.jsonl');
  });

  test('from the API, when the local file is another one by now', async () => {
    const at = await here();
    await at.put('batch/2026/a.jsonl', 'other');
    await at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never);
    expect(at.files.files.get('file-up-1')?.content.toString()).toBe(WANTED);
  });

  test('not at all, when the input is gone everywhere', async () => {
    const at = await here();
    await rm(join(at.root, 'batch/2026/a.jsonl'));
    at.files.files.delete('file-in');
    await expect(at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).rejects.toMatchObject({
      rule: 'gone',
    });
    expect(at.files.uploads).toBe(0);
  });

  test('a plain no is told, and asked again', async () => {
    const at = await here();
    at.files.fates.push('refused');
    await expect(at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).rejects.toMatchObject({
      rule: 'server-400',
    });
    expect((await at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).inputFileId).toBe('file-up-2');
  });
});

describe('a reply that was lost', () => {
  test('the stored file is found in the list, and not sent again', async () => {
    const at = await here();
    at.files.fates.push('lost');
    await expect(at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).rejects.toMatchObject({
      outcome: 'unknown',
    });
    expect((await at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).inputFileId).toBe('file-up-1');
    expect(at.files.uploads).toBe(1);
  });

  test('files that only look like it are not taken for it', async () => {
    const at = await here();
    at.files.put('old', WANTED, 'a.retry-1.jsonl');
    at.files.nowMs += 3_600_000;
    at.files.put('known', WANTED, 'a.retry-1.jsonl');
    at.files.known.add('known');
    at.files.put('other-name', WANTED, 'b.retry-1.jsonl');
    at.files.put('other-bytes', 'x'.repeat(Buffer.byteLength(WANTED)), 'a.retry-1.jsonl');
    at.files.fates.push('lost');
    await expect(at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).rejects.toMatchObject({
      outcome: 'unknown',
    });
    expect((await at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never)).inputFileId).toBe('file-up-1');
  });

  test('a list that lags is asked over the whole time, restarts included; then it is sent once more', async () => {
    const at = await here();
    at.files.fates.push('lost-before');
    const ask = () => at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never);
    await expect(ask()).rejects.toMatchObject({ outcome: 'unknown' });
    for (const [elapsedMs, waitMs] of [
      [0, 30_000],
      [300_000, 30_000],
      [590_000, 10_000],
    ] as const) {
      at.files.nowMs = 1_763_766_000_000 + elapsedMs;
      await expect(ask()).rejects.toMatchObject({
        rule: 'unknown-upload',
        disposition: 'retry',
        retryAfterMs: waitMs,
      });
    }
    at.files.nowMs += 10_000;
    expect((await ask()).inputFileId).toBe('file-up-2');
    expect(at.files.uploads).toBe(2);
  });

  test('found late in a lagging list', async () => {
    const at = await here();
    at.files.fates.push('lost');
    at.files.listed = false;
    const ask = () => at.desk().uploadRetry('s0', RECORDS, 1, ENDS, never);
    await expect(ask()).rejects.toMatchObject({ outcome: 'unknown' });
    await expect(ask()).rejects.toMatchObject({ rule: 'unknown-upload' });
    at.files.listed = true;
    expect((await ask()).inputFileId).toBe('file-up-1');
    expect(at.files.uploads).toBe(1);
  });
});

test('killed anywhere, with or without the reply: stored once', async () => {
  for (const fate of ['done', 'lost'] as const) {
    for (let failAt = 0; ; failAt += 1) {
      const at = await here();
      at.files.fates.push(fate);
      const failing = new FailingDisk(failAt, 'EIO', true);
      await at
        .desk({ disk: failing.disk })
        .uploadRetry('s0', RECORDS, 1, ENDS, never)
        .catch(() => {});
      if (!failing.hasFailed) break;
      let inputFileId: string | null = null;
      while (inputFileId === null) {
        const uploaded = await at
          .desk()
          .uploadRetry('s0', RECORDS, 1, ENDS, never)
          .catch(() => null);
        inputFileId = uploaded?.inputFileId ?? null;
        at.files.nowMs += 600_000;
      }
      const stored = [...at.files.files].filter(([, { filename }]) => filename === 'a.retry-1.jsonl');
      expect(stored.map(([id]) => id)).toEqual([inputFileId]);
      expect(stored[0]?.[1].content.toString()).toBe(WANTED);
    }
  }
}, 120_000);
