import { describe, expect, test } from 'vitest';
import { readList } from '../../src/batches/list-reading.ts';
import { matchesOf } from '../../src/batches/submission-match.ts';
import type { MetadataHabit } from '../../src/batches/submission-match.ts';
import { requestOf } from '../../src/batches/submission-request.ts';
import type { BatchesApi, RemoteBatch } from '../../src/contract/batch.ts';
import { DEFAULT_BATCH_SETTINGS } from '../../src/contract/batch-settings.ts';
import { NOW, batchOf, recordOf, requestsFile } from './record-sample.ts';

const submission = {
  startedAtMs: NOW * 1_000,
  serverStartedAtMs: NOW * 1_000,
  lookedSinceMs: null,
  looks: 0,
  posts: 1,
};
const record = recordOf({ state: 'submitting', submission, attempt: 2, former: ['batch_old'] });
const OURS = { files_mirror_submission: 's1', files_mirror_attempt: '2' };

const matches = (
  batch: Partial<RemoteBatch>,
  habit: MetadataHabit = 'unknown',
  taken: readonly string[] = [],
): boolean => matchesOf('s1', record, [batchOf(batch)], habit, (id) => taken.includes(id)).length > 0;

describe('which listed batch is of a submission', () => {
  test('the one with its UUID and attempt', () => {
    expect(matches({ metadata: OURS })).toBe(true);
    expect(matches({ metadata: { ...OURS, files_mirror_attempt: '1' } })).toBe(false);
    expect(matches({ metadata: { ...OURS, files_mirror_submission: 's2' } })).toBe(false);
    expect(matches({ id: 'batch_old', metadata: OURS })).toBe(false);
  });

  test('where a server shows no metadata, the one of its input that was created after the start', () => {
    expect(matches({ createdAt: NOW })).toBe(true);
    expect(matches({ createdAt: NOW - 60 })).toBe(false);
    expect(matches({ inputFileId: 'file-other' })).toBe(false);
    expect(matches({ metadata: {} }, 'drops')).toBe(true);
  });

  test('never one with metadata of others, nor, where the server keeps it, one without any', () => {
    expect(matches({ metadata: { script: 'theirs' } })).toBe(false);
    expect(matches({}, 'keeps')).toBe(false);
    expect(matches({}, 'unknown', ['batch_1'])).toBe(false);
  });

  test('a start by a server’s clock that was not known is no limit', () => {
    const blind = { ...record, submission: { ...submission, serverStartedAtMs: null } };
    expect(matchesOf('s1', blind, [batchOf({ createdAt: 5 })], 'unknown', () => false)).toHaveLength(1);
  });

  test('the eldest comes first', () => {
    const listed = [
      batchOf({ id: 'b', createdAt: NOW + 9, metadata: OURS }),
      batchOf({ id: 'a', createdAt: NOW, metadata: OURS }),
    ];
    expect(matchesOf('s1', record, listed, 'keeps', () => false).map(({ batch }) => batch.id)).toEqual([
      'a',
      'b',
    ]);
  });
});

describe('how far a list is read', () => {
  const page = (from: number, step: number): RemoteBatch[] =>
    Array.from({ length: 10 }, (_, index) =>
      batchOf({ id: `b${from}-${index}`, createdAt: from + index * step }),
    );
  const pagesRead = async (pages: readonly RemoteBatch[][], backTo: number): Promise<number> => {
    const api = {
      async *list() {
        yield* pages;
      },
    } as unknown as BatchesApi;
    return (await readList(api, backTo, () => false, new AbortController().signal)).pages;
  };

  test('until what is older than asked for, while creation times descend', async () => {
    expect(await pagesRead([page(100, -1), page(90, -1), page(80, -1), page(70, -1)], 75)).toBe(3);
  });

  test('to its end where they do not, and where they may do so by chance', async () => {
    expect(await pagesRead([page(100, -1), page(200, -1), page(80, -1), page(70, -1)], 95)).toBe(4);
    expect(await pagesRead([page(100, -1), page(300, -1), page(80, -1)], 95)).toBe(3);
    expect(await pagesRead([page(10, 1), page(20, 1), page(30, 1)], 15)).toBe(3);
  });
});

describe('what is sent', () => {
  const requestFor = (changes: Parameters<typeof recordOf>[0], metadata: Record<string, string> = {}) =>
    requestOf('s1', recordOf(changes), 'mirror-1', { ...DEFAULT_BATCH_SETTINGS, metadata });

  test('our four keys, and as many of the configured ones as 16 leave room for', () => {
    const extra = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, 'v']));
    const metadata = requestFor({}, { ...extra, files_mirror_path: 'theirs' })?.metadata ?? {};
    expect(Object.keys(metadata)).toHaveLength(16);
    expect(metadata).toMatchObject({
      files_mirror_submission: 's1',
      files_mirror_attempt: '1',
      files_mirror_path: 'batch/a.jsonl',
      files_mirror_mirror: 'mirror-1',
      k0: 'v',
    });
  });

  test('of a long path its end, in at most 512 characters and with no half of one', () => {
    const value =
      requestFor({ path: `batch/${'😀'.repeat(400)}/a.jsonl` })?.metadata['files_mirror_path'] ?? '';
    expect(value.length).toBeLessThanOrEqual(512);
    expect(value).toMatch(/^…😀.*\/a\.jsonl$/u);
    expect(value.isWellFormed()).toBe(true);
  });

  test('another attempt is another request for a server that heeds a key', () => {
    expect([requestFor({})?.submission, requestFor({ attempt: 2 })?.submission]).toEqual(['s1', 's1-2']);
  });

  test('nothing, where the lines name no one endpoint', () => {
    expect(requestFor({ file: requestsFile({ endpoint: null }) })).toBeNull();
  });
});
